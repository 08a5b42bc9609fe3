"""The rule book, by type of request and of event: what the rows of all services say."""

from __future__ import annotations

from collections.abc import Callable
from operator import attrgetter
from typing import Any, Final

from actors.account.events import HoldExpired, Opened, ReviewOverdue, SubsidyClaimedAtTap, SubsidyExpired
from actors.account.expiry import apply_hold_expired, apply_review_overdue, effect_of_overdue_review
from actors.account.opening import apply_opened, book_opened
from actors.account.postings import Booking
from actors.account.service import Decide, EventRow
from actors.account.services import SERVICES
from actors.account.state import Account
from actors.account.subsidy import apply_claimed, apply_expired, book_claimed_at_tap, book_expired
from actors.effect import Effect
from actors.offline_numbers import OfflineNumber
from actors.policy import Service
from wire.messages import Answer, BalanceInquiry, MiniStatement

EVENTS: Final[dict[type, EventRow]] = {event: row for service in SERVICES for event, row in service.events.items()}

DECIDE: Final[dict[type, Decide]] = {service.request: service.decide for service in SERVICES}

APPLY: Final[dict[type, Callable[[Account, Any, int], Account]]] = {
    Opened: apply_opened,
    SubsidyClaimedAtTap: apply_claimed,
    SubsidyExpired: apply_expired,
    HoldExpired: apply_hold_expired,
    ReviewOverdue: apply_review_overdue,
    **{event: row.apply for event, row in EVENTS.items()},
}

ANSWER: Final[dict[type, Callable[[Any], Answer]]] = {event: row.answer for event, row in EVENTS.items()}

BOOK: Final[dict[type, Callable[[Any], Booking]]] = {
    Opened: book_opened,
    SubsidyClaimedAtTap: book_claimed_at_tap,
    SubsidyExpired: book_expired,
    **{event: row.book for event, row in EVENTS.items() if row.book is not None},
}
"""An event that is not here moved nothing."""

EFFECT: Final[dict[type, Callable[[Any], Effect | None]]] = {
    ReviewOverdue: effect_of_overdue_review,
    **{event: row.effect for event, row in EVENTS.items()},
}
"""An event that is not here has none."""

SERVICE: Final[dict[type, str]] = {
    **{
        kind: service.service.value
        for service in SERVICES
        for kind in (service.request, *service.events)
        if not hasattr(kind, "asked")
    },
    BalanceInquiry: Service.BALANCE_INQUIRY.value,
    MiniStatement: Service.MINI_STATEMENT.value,
}
"""Which service a request asks for, and an event came of; one that answers nobody is not here, nor one that keeps what
was asked (see `service.asked`)."""

CONTENT: Final[dict[type, Callable[[Any], Any]]] = {
    service.request: attrgetter(*service.content) for service in SERVICES
}
"""By request: what two copies of it must have in common. Works on what came of it, too."""

ORIGINAL_OF: Final[dict[type, Callable[[Any], tuple[int, int]]]] = {
    service.request: attrgetter("original_terminal", "original_stan") for service in SERVICES if service.names_original
}
"""By request: the (terminal, stan) that it names besides its own; a request that is not here names none."""

OPENING: Final = frozenset(service.request for service in SERVICES if service.opens)
"""Requests that may be made of an account that does not exist."""

OFFLINE_NUMBER: Final[dict[type, Callable[[Any], OfflineNumber]]] = {
    kind: attrgetter("terminal", "offline_number")
    for service in SERVICES
    if service.settles_offline_number is not None
    for kind in (service.request, service.settles_offline_number)
}
"""By request, and by event that it comes to for ever: the number that the terminal gave it offline."""
