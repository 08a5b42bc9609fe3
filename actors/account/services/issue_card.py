"""Issue: a new card in place of one that has expired, or that was given up without another in its place."""

from __future__ import annotations

from typing import Final

from actors.account.card import CardState
from actors.account.checks.card import open_check
from actors.account.checks.office import expiry_check, new_card_check, state_check, worn_out_check
from actors.account.checks.refusal import Refusal
from actors.account.events import CardIssued
from actors.account.office import done, event_start, hot_list_change, office_service, with_new_card
from actors.account.service import EventRow, ServiceRow
from actors.account.state import Account
from actors.calendar import Moment
from actors.policy import Policy, Service
from wire.messages import IssueCard

_WITHOUT_REVIEW: Final = (CardState.ISSUED, CardState.ACTIVE, CardState.EXPIRED, CardState.REPLACED)


def _refusal(account: Account, request: IssueCard, moment: Moment, _policy: Policy) -> Refusal | None:
    return (
        open_check(account)
        or state_check(account.card_state, *_WITHOUT_REVIEW)
        or worn_out_check(account, moment.business_day)
        or new_card_check(account, request.card)
        or expiry_check(request.expires, moment.business_day)
    )


def _approve(account: Account, request: IssueCard, moment: Moment, _policy: Policy, _authorization: int) -> CardIssued:
    return CardIssued(*event_start(account, request, moment), account.card, request.expires)


def _apply(account: Account, event: CardIssued, position: int) -> Account:
    return with_new_card(account, position, event.card, card_state=CardState.ISSUED, expires=event.expires)


ISSUE_CARD: Final[ServiceRow] = office_service(
    Service.ISSUE_CARD,
    IssueCard,
    ("card", "expires"),
    _refusal,
    _approve,
    {CardIssued: EventRow(_apply, done, effect=hot_list_change("replaced", "dead_card"))},
)
