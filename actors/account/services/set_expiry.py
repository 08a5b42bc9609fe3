"""Set the expiry: the card's last day is another one. A card that had expired is active again."""

from __future__ import annotations

from typing import Final

from msgspec.structs import replace

from actors.account.card import CardState
from actors.account.checks.card import open_check
from actors.account.checks.office import expiry_check, state_check
from actors.account.checks.refusal import Refusal
from actors.account.events import ExpirySet
from actors.account.office import done, event_start, office_service
from actors.account.service import EventRow, ServiceRow
from actors.account.state import Account
from actors.calendar import Moment
from actors.policy import Policy, Service
from wire.messages import SetExpiry


def _refusal(account: Account, request: SetExpiry, moment: Moment, _policy: Policy) -> Refusal | None:
    return (
        open_check(account)
        or state_check(account.card_state, CardState.ISSUED, CardState.ACTIVE, CardState.FROZEN, CardState.EXPIRED)
        or expiry_check(request.expires, moment.business_day)
    )


def _approve(account: Account, request: SetExpiry, moment: Moment, _policy: Policy, _authorization: int) -> ExpirySet:
    return ExpirySet(*event_start(account, request, moment), request.expires)


def _apply(account: Account, event: ExpirySet, position: int) -> Account:
    state = CardState.ACTIVE if account.card_state is CardState.EXPIRED else account.card_state
    return replace(account, position=position, card_state=state, expires=event.expires)


SET_EXPIRY: Final[ServiceRow] = office_service(
    Service.SET_EXPIRY, SetExpiry, ("expires",), _refusal, _approve, {ExpirySet: EventRow(_apply, done)}
)
