"""What a terminal is told. An answer is made from its event and nothing else, so a repeat gets the same for ever."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from actors.account.events import (
    Decided,
    Event,
    Purchased,
    PurchaseDeclined,
    ReversalDeclined,
    Reversed,
    Tombstoned,
    ToppedUp,
    TopUpDeclined,
)
from wire.codes import APPROVED, NO_REASON, Code, Reason
from wire.messages import Answer, Purchase, Reversal, TopUp

_SHOW_BALANCES: Final = frozenset({Code.INSUFFICIENT_FUNDS, Code.OVER_AMOUNT_LIMIT})
"""Declines that come after the card was found good: any other shows no balance to whoever holds it."""


def _purchased(event: Purchased) -> Answer:
    return Answer(event.terminal, event.stan, APPROVED, NO_REASON, event.authorization, event.balances, event.paid)


def _topped_up(event: ToppedUp) -> Answer:
    return Answer(event.terminal, event.stan, APPROVED, NO_REASON, event.authorization, event.balances, ())


def _reversed(event: Reversed) -> Answer:
    return Answer(event.terminal, event.stan, APPROVED, NO_REASON, event.authorization, event.balances, ())


def _tombstoned(event: Tombstoned) -> Answer:
    # Whoever sends a reversal of nothing has shown no card.
    return Answer(event.terminal, event.stan, APPROVED, NO_REASON, 0, (), ())


def _declined(event: PurchaseDeclined | TopUpDeclined | ReversalDeclined) -> Answer:
    balances = event.balances if event.code in _SHOW_BALANCES else ()
    return Answer(event.terminal, event.stan, event.code, event.reason, 0, balances, ())


ANSWER: Final[dict[type, Callable[[Any], Answer]]] = {
    Purchased: _purchased,
    PurchaseDeclined: _declined,
    ToppedUp: _topped_up,
    TopUpDeclined: _declined,
    Reversed: _reversed,
    Tombstoned: _tombstoned,
    ReversalDeclined: _declined,
}
"""By event: the answer that it is."""


def answer_repeat(event: Event, request: Purchase | TopUp | Reversal) -> Answer:
    """The answer to a request that `event` settled: the recorded one, or why this copy cannot have it."""
    if isinstance(event, Reversed | Tombstoned) and _is_original(event, request):
        return Answer(request.terminal, request.stan, Code.INVALID_TRANSACTION, Reason.REVERSED, 0, (), ())
    if not same_content(event, request):
        return Answer(request.terminal, request.stan, Code.DUPLICATE, Reason.CONTENT_DIFFERS, 0, (), ())
    return ANSWER[type(event)](event)


def _concerns_own(event: Decided) -> tuple[tuple[int, int], ...]:
    return ((event.terminal, event.stan),)


def _concerns_both(event: Reversed | Tombstoned) -> tuple[tuple[int, int], ...]:
    return (event.terminal, event.stan), (event.original_terminal, event.original_stan)


_CONCERNS: Final[dict[type, Callable[[Any], tuple[tuple[int, int], ...]]]] = {
    **dict.fromkeys(ANSWER, _concerns_own),
    Reversed: _concerns_both,
    Tombstoned: _concerns_both,
}


def concerns(event: Event) -> tuple[tuple[int, int], ...]:
    """The (terminal, stan) pairs that came to this event: its own request, and the original that it reverses."""
    of_event = _CONCERNS.get(type(event))
    return of_event(event) if of_event else ()


ORIGINAL_OF: Final[dict[type, Callable[[Any], tuple[int, int]]]] = {
    Reversal: lambda request: (request.original_terminal, request.original_stan),
}
"""By request: the (terminal, stan) that it names besides its own; a request that is not here names none."""


def same_content(event: Event, request: Purchase | TopUp | Reversal) -> bool:
    """Whether the request that led to `event` asked for the same. How long its terminal would wait is no content."""
    match event, request:
        case ((Purchased() | PurchaseDeclined()), Purchase()):
            return event.card == request.card and event.amount == request.amount
        case ((ToppedUp() | TopUpDeclined()), TopUp()):
            return event.card == request.card and event.amount == request.amount and event.channel == request.channel
        case ((Reversed() | Tombstoned() | ReversalDeclined()), Reversal()):
            return (
                event.original_terminal == request.original_terminal
                and event.original_stan == request.original_stan
                and event.amount == request.amount
            )
        case _:
            return False


def _is_original(event: Reversed | Tombstoned, request: Purchase | TopUp | Reversal) -> bool:
    return event.original_terminal == request.terminal and event.original_stan == request.stan
