"""Reset the PIN: the card office gives a first one, which has to be changed before it counts."""

from __future__ import annotations

from typing import Final

from msgspec.structs import replace

from actors.account.checks.card import open_check
from actors.account.checks.pin import first_pin_check
from actors.account.checks.refusal import Refusal
from actors.account.events import PinReset
from actors.account.office import done, event_start, office_service
from actors.account.service import EventRow, ServiceRow
from actors.account.state import Account, Pin
from actors.calendar import Moment
from actors.policy import Policy, Service
from wire.messages import ResetPin


def _refusal(account: Account, request: ResetPin, _moment: Moment, policy: Policy) -> Refusal | None:
    return open_check(account) or first_pin_check(account, request, policy.pin_keys).refusal


def _approve(account: Account, request: ResetPin, moment: Moment, policy: Policy, _authorization: int) -> PinReset:
    verdict = first_pin_check(account, request, policy.pin_keys)
    return PinReset(*event_start(account, request, moment), verdict.new_hash)


def _apply(account: Account, event: PinReset, position: int) -> Account:
    return replace(account, position=position, pin=Pin(event.keyed_hash, is_initial=True))


RESET_PIN: Final[ServiceRow] = office_service(
    Service.RESET_PIN,
    ResetPin,
    (),
    _refusal,
    _approve,
    {PinReset: EventRow(_apply, done)},
    recorded=lambda request: replace(request, new_pin=b""),
)
