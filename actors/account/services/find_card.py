"""Found: the lost card is what it was before the loss, once that was reviewed."""

from __future__ import annotations

from typing import Final

from msgspec.structs import replace

from actors.account.checks.card import open_check
from actors.account.checks.office import lost_check, reviewed_check, state_but_for_loss
from actors.account.checks.refusal import Refusal
from actors.account.events import CardFound
from actors.account.office import done, hot_list_change, just, office_service
from actors.account.service import EventRow, ServiceRow
from actors.account.state import Account
from actors.calendar import Moment
from actors.policy import Policy, Service
from wire.messages import FindCard


def _refusal(account: Account, _request: FindCard, _moment: Moment, _policy: Policy) -> Refusal | None:
    return open_check(account) or lost_check(account) or reviewed_check(account)


def _apply(account: Account, _event: CardFound, position: int) -> Account:
    return replace(account, position=position, card_state=state_but_for_loss(account), loss=None)


FIND_CARD: Final[ServiceRow] = office_service(
    Service.FIND_CARD,
    FindCard,
    (),
    _refusal,
    just(CardFound),
    {CardFound: EventRow(_apply, done, effect=hot_list_change("found"))},
)
