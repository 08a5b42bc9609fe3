"""Report loss: the card is declined from now on. Its holder can do it at a kiosk, without the card."""

from __future__ import annotations

from typing import Final

from msgspec.structs import replace

from actors.account.card import CardState
from actors.account.checks.card import open_check
from actors.account.checks.office import state_check
from actors.account.checks.refusal import Refusal
from actors.account.due import with_due
from actors.account.events import LossReported, LossReportedWithoutDeadline
from actors.account.office import done_quietly, event_start, hot_list_change, office_service
from actors.account.service import EventRow, ServiceRow
from actors.account.state import Account, Loss
from actors.calendar import Moment
from actors.policy import Policy, Service
from wire.messages import ReportLoss


def _refusal(account: Account, _request: ReportLoss, _moment: Moment, _policy: Policy) -> Refusal | None:
    return open_check(account) or state_check(
        account.card_state, CardState.ISSUED, CardState.ACTIVE, CardState.FROZEN, CardState.EXPIRED
    )


def _approve(
    account: Account, request: ReportLoss, moment: Moment, policy: Policy, _authorization: int
) -> LossReported:
    due_us = policy.calendar.end_of_working_day_us(moment.business_day, policy.review_working_days)
    return LossReported(*event_start(account, request, moment), due_us)


def _apply(account: Account, event: LossReported, position: int) -> Account:
    loss = Loss(event.time_us, account.card_state, review_due_us=event.review_due_us)
    return with_due(replace(account, position=position, card_state=CardState.LOST, loss=loss))


def _apply_without_deadline(account: Account, event: LossReportedWithoutDeadline, position: int) -> Account:
    loss = Loss(event.time_us, account.card_state)
    return replace(account, position=position, card_state=CardState.LOST, loss=loss)


_REPORTED: Final = EventRow(_apply, done_quietly, effect=hot_list_change("lost"))

REPORT_LOSS: Final[ServiceRow] = office_service(
    Service.REPORT_LOSS,
    ReportLoss,
    (),
    _refusal,
    _approve,
    {
        LossReported: _REPORTED,
        LossReportedWithoutDeadline: _REPORTED._replace(apply=_apply_without_deadline),
    },
)
