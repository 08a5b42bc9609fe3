"""Review a loss: until somebody has looked at it, the card can be neither found nor replaced."""

from __future__ import annotations

from typing import Final

from msgspec.structs import replace

from actors.account.card import CardState
from actors.account.checks.card import open_check
from actors.account.checks.office import lost_check, unreviewed_check
from actors.account.checks.refusal import Refusal
from actors.account.due import with_due
from actors.account.events import LossReviewed
from actors.account.office import done, just, office_service
from actors.account.service import EventRow, ServiceRow
from actors.account.state import Account, Loss
from actors.calendar import Moment
from actors.policy import Policy, Service
from wire.messages import ReviewLoss

_BEFORE_OPENING: Final = Loss(0, CardState.ACTIVE)


def _refusal(account: Account, _request: ReviewLoss, _moment: Moment, _policy: Policy) -> Refusal | None:
    return open_check(account) or lost_check(account) or unreviewed_check(account)


def _apply(account: Account, _event: LossReviewed, position: int) -> Account:
    loss = replace(account.loss or _BEFORE_OPENING, reviewed=True, review_due_us=0)
    return with_due(replace(account, position=position, loss=loss))


REVIEW_LOSS: Final[ServiceRow] = office_service(
    Service.REVIEW_LOSS, ReviewLoss, (), _refusal, just(LossReviewed), {LossReviewed: EventRow(_apply, done)}
)
