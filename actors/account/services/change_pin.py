"""Change of the PIN at a kiosk: the old one is proof, also of the first one that the card office gave."""

from __future__ import annotations

from typing import Final

from msgspec.structs import replace

from actors.account.checks.card import card_check
from actors.account.checks.pin import PIN_NOT_OFFERED, PinVerdict, change_pin_check, offers_pin
from actors.account.checks.refusal import Refusal
from actors.account.checks.terminal import UNREGISTERED, service_check
from actors.account.events import Event, PinChanged, PinChangeDeclined
from actors.account.service import DECLINED_WITH_PIN, EventRow, ServiceRow
from actors.account.state import Account, Pin
from actors.calendar import Moment
from actors.policy import Policy, Service, Terminal
from wire.codes import APPROVED, NO_REASON
from wire.messages import Answer, ChangePin


def _refusal_before_pin(
    account: Account, request: ChangePin, terminal: Terminal, moment: Moment, policy: Policy
) -> Refusal | None:
    return (
        service_check(terminal, Service.CHANGE_PIN)
        or (None if offers_pin(policy.pin_keys, request.terminal) else PIN_NOT_OFFERED)
        or card_check(account, request.card, moment.business_day)
    )


def _decide(
    account: Account, request: ChangePin, _original: Event | None, moment: Moment, policy: Policy, _authorization: int
) -> PinChanged | PinChangeDeclined:
    terminal = policy.terminals.get(request.terminal, UNREGISTERED)
    refusal = _refusal_before_pin(account, request, terminal, moment, policy)
    verdict = PinVerdict(refusal) if refusal is not None else change_pin_check(account, request, policy.pin_keys)
    if verdict.refusal is not None:
        return PinChangeDeclined(
            account.number, moment.time_us, account.position, request.terminal, request.stan, request.card,
            terminal.merchant, moment.business_day, moment.period, *verdict.refusal, account.purses,
            verdict.wrong_tries,
        )  # fmt: skip
    return PinChanged(
        account.number, moment.time_us, account.position, request.terminal, request.stan, request.card,
        terminal.merchant, moment.business_day, moment.period, verdict.new_hash, account.purses,
    )  # fmt: skip


def _apply_changed(account: Account, event: PinChanged, position: int) -> Account:
    return replace(account, position=position, pin=Pin(event.keyed_hash, is_initial=False))


def _answer(event: PinChanged) -> Answer:
    return Answer(event.terminal, event.stan, APPROVED, NO_REASON, 0, event.balances, ())


CHANGE_PIN: Final = ServiceRow(
    service=Service.CHANGE_PIN,
    request=ChangePin,
    content=("card",),
    decide=_decide,
    events={
        PinChanged: EventRow(_apply_changed, _answer),
        PinChangeDeclined: DECLINED_WITH_PIN,
    },
)
