"""What a service is: a row of what may be asked, and of what each of its events means. One module a service."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final, NamedTuple

from msgspec.structs import replace

from actors.account.events import Event
from actors.account.postings import Booking
from actors.account.state import Account, with_wrong_tries
from actors.calendar import Moment
from actors.effect import Effect
from actors.policy import Policy, Service
from wire.codes import APPROVED, NO_REASON, Code
from wire.messages import Answer


class EventRow(NamedTuple):
    """What an event means."""

    apply: Callable[[Account, Any, int], Account]
    """(account, event, its position) → the account after it. Cannot refuse, and reads nothing else."""

    answer: Callable[[Any], Answer]
    """(event) → what the terminal is told: made from the event alone, so a repeat gets the same for ever."""

    gained: Callable[[Any], int] = lambda _event: 0
    """(event) → by how much it changed all purses together, in minor units."""

    book: Callable[[Any], Booking] | None = None
    """(event) → where its money went; None if it moved none."""

    effect: Callable[[Any], Effect | None] = lambda _event: None
    """(event) → what the world outside should learn of it, or None."""

    settles_original: bool = False
    """Whether the original that it names came to this event too."""

    uses_original: bool = False
    """Whether it took something of the original that it names, whose own copies are answered as before."""


Decide = Callable[[Account, Any, Event | None, Moment, Policy, int], Any]
"""(account, request, newest event that bears on the original it names or None, moment, policy, authorization number if
approved) → event. Pure and total: every request gets exactly one event. It sees only requests that were not decided
before, and no account with a hold that is overdue."""


class ServiceRow(NamedTuple):
    """A service with an effect: what is asked for, and what may come of it."""

    service: Service
    request: type
    content: tuple[str, ...]
    """Fields that two copies of a request must have in common; its events have them too."""

    decide: Decide
    events: Mapping[type, EventRow]
    names_original: bool = False
    """Whether its requests have `original_terminal` and `original_stan`."""

    opens: bool = False
    """Whether it may be asked of an account that does not exist: if it is approved, the account does from then on."""

    settles_offline_number: type | None = None
    """Its event to which an `offline_number` comes once and for ever; None if its requests have none."""


_SHOW_BALANCES: Final = frozenset({Code.INSUFFICIENT_FUNDS, Code.OVER_AMOUNT_LIMIT})
"""Declines that come after the card was found good: any other shows no balance to whoever holds it."""


def unchanged(account: Account, _event: Any, position: int) -> Account:
    """The account has one more event, and is as it was."""
    return replace(account, position=position)


def approved(event: Any) -> Answer:
    """Yes, with an authorization number and the balances after it."""
    return Answer(event.terminal, event.stan, APPROVED, NO_REASON, event.authorization, event.balances, ())


def declined(event: Any) -> Answer:
    """No, and why."""
    balances = event.balances if event.code in _SHOW_BALANCES else ()
    return Answer(event.terminal, event.stan, event.code, event.reason, 0, balances, ())


def asked(event: Any) -> Any:
    """What has service and content of the request that came to this event: the request, if it is kept, or the event."""
    return getattr(event, "asked", event)


DECLINED: Final = EventRow(unchanged, declined)
"""An event with `code` and `reason` that changed nothing."""


def _apply_wrong_tries(account: Account, event: Any, position: int) -> Account:
    return replace(account, position=position, pin=with_wrong_tries(account.pin, event.wrong_tries))


DECLINED_WITH_PIN: Final = EventRow(_apply_wrong_tries, declined)
"""An event with `code` and `reason` that changed nothing but the `wrong_tries` of the PIN."""
