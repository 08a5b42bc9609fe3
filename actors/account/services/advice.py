"""Advice (ISO 8583 0220): a purchase that a terminal accepted while it was offline, uploaded later.

It has happened, so no card, limit or balance stands against it: it is posted. What is not clean is marked suspicious,
and what the purses do not hold sits in suspense.
"""

from __future__ import annotations

from typing import Final

from msgspec.structs import replace

from actors.account.checks.amounts import range_check
from actors.account.checks.card import card_check
from actors.account.checks.terminal import UNREGISTERED, service_check
from actors.account.counting import count, count_now
from actors.account.due import with_due
from actors.account.events import AdviceDeclined, Advised, Event
from actors.account.family import with_drawn
from actors.account.holds import available
from actors.account.postings import MERCHANTS, Booking, purse_postings, suspense_postings
from actors.account.purses import FAMILY, draw, held_in, left
from actors.account.service import DECLINED, EventRow, ServiceRow
from actors.account.state import Account
from actors.account.suspicion import Suspicion
from actors.calendar import Calendar, Moment
from actors.effect import Effect, EffectName
from actors.policy import Policy, Service
from wire.codes import APPROVED, NO_REASON
from wire.messages import Advice, Answer

_MINUTE_US: Final = 60_000_000

CLOCK_AHEAD_US_MAX: Final = 10 * _MINUTE_US
"""How far a terminal's clock may be ahead of the switch's: what it says happened just now."""

AGE_US_MAX: Final = 90 * 24 * 60 * _MINUTE_US
"""The longest that a terminal may have been offline, a summer's holidays among it."""


def _decide(
    account: Account, request: Advice, _original: Event | None, moment: Moment, policy: Policy, authorization: int
) -> Advised | AdviceDeclined:
    terminal = policy.terminals.get(request.terminal, UNREGISTERED)
    plausible = _taken(request.taken_us, moment, policy.calendar_at(request.terminal))
    taken = plausible or moment
    refusal = service_check(terminal, Service.ADVICE) or range_check(request.amount)
    if refusal is not None:
        return AdviceDeclined(
            account.number, moment.time_us, account.position, request.terminal, request.stan, request.card,
            request.amount, request.offline_number, request.taken_us, terminal.merchant, taken.business_day,
            taken.period, refusal.code, refusal.reason, account.purses,
        )  # fmt: skip
    covered = min(request.amount, available(account))
    paid = draw(account.purses, covered, policy.spending_order)
    suspicious = _suspicion(account, request, plausible, taken.business_day)
    return Advised(
        account.number, moment.time_us, account.position, request.terminal, request.stan, request.card,
        request.amount, request.offline_number, request.taken_us, terminal.merchant, taken.business_day, taken.period,
        paid, request.amount - covered, suspicious, left(account.purses, paid), authorization,
    )  # fmt: skip


def _taken(taken_us: int, moment: Moment, calendar: Calendar) -> Moment | None:
    """When it happened; None if the terminal's clock cannot have been right: then it counts when it is posted."""
    if not moment.time_us - AGE_US_MAX <= taken_us <= moment.time_us + CLOCK_AHEAD_US_MAX:
        return None
    return calendar.moment(min(taken_us, moment.time_us))


def _suspicion(account: Account, request: Advice, plausible: Moment | None, business_day: int) -> Suspicion:
    """What is not clean about it. The card counts as it is now, its expiry as of the day that is named."""
    unusable = card_check(account, request.card, business_day)
    if unusable is not None:
        return Suspicion(unusable.reason.value)
    if plausible is None:
        return Suspicion.TIME
    return Suspicion.FUNDS if request.amount > available(account) else Suspicion.NONE


def _apply(account: Account, event: Advised, position: int) -> Account:
    """It counts in the purchases of its own day and meal period, unless the account has seen later ones."""
    account = with_due(replace(account, position=position, purses=event.balances))
    account = with_drawn(account, event.business_day, held_in(event.paid, FAMILY))
    day, period = event.business_day, event.period
    if (day, period) < (account.spending_day, account.spending_period):
        return count(account, day, period, event.amount, 1)
    return count_now(account, day, period, event.amount)


def _answer(event: Advised) -> Answer:
    # The cardholder left long ago: nobody is there to be shown a balance.
    return Answer(event.terminal, event.stan, APPROVED, NO_REASON, event.authorization, (), event.paid)


def _book(event: Advised) -> Booking:
    postings = *purse_postings(event.paid, -1), ((MERCHANTS, event.merchant), event.amount)
    return (
        (event.business_day, event.merchant, event.terminal, Service.ADVICE.value, event.period),
        event.amount,
        (*postings, *suspense_postings(-event.shortfall)),
    )


def _effect(event: Advised) -> Effect | None:
    if not event.suspicious:
        return None
    details = {"offline_number": event.offline_number, "amount": event.amount, "shortfall": event.shortfall}
    return Effect(EffectName.SUSPICIOUS, {"reason": event.suspicious.value, **details})


ADVICE: Final = ServiceRow(
    service=Service.ADVICE,
    request=Advice,
    content=("account", "offline_number", "card", "amount", "taken_us"),
    decide=_decide,
    events={
        Advised: EventRow(_apply, _answer, lambda event: -sum(event.paid), _book, _effect),
        AdviceDeclined: DECLINED,
    },
    opens=True,
    settles_offline_number=Advised,
)
