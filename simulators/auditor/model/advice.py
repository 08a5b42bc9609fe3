"""Advice: what was sold offline is posted, whatever card and purses say; the purses give what they hold.

More than one outcome where a terminal's clock is nearly too old to be believed: the day may be its own or today.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, timedelta

from msgspec.structs import replace

from simulators.auditor.model.checks import amount_problem, card_problem, terminal_problem
from simulators.auditor.model.limits import paid_by
from simulators.auditor.requests import identity_of, key_of
from simulators.auditor.world import Decision, Outcome, Rules, World, decide, negative
from wire.codes import Code, Reason
from wire.messages import Advice

DAY_US = 24 * 3_600 * 1_000_000
BELIEVED_DAYS = 90
"""What claims to be older counts as of now."""

CLOCK_AHEAD_US_MAX = 10 * 60 * 1_000_000
EARLIER_PERIOD = -1


def advice_outcomes(world: World, request: Advice, rules: Rules) -> Iterator[tuple[World, Outcome]]:
    """Posted, but where nothing can have been sold."""
    own = key_of(request)
    problem = terminal_problem(request, rules) or amount_problem(request.amount)
    if problem is not None:
        # Its offline number remains free; and of an account that does not exist nothing is kept.
        outcome, exists = Outcome(*problem), world.opened or world.uploaded
        decided = {**world.decided, own: Decision(request, outcome)} if exists else world.decided
        yield replace(world, decided=decided), outcome
        return
    paid = paid_by(world.purses, min(request.amount, world.available), rules.spending_order)
    owed = request.amount - sum(paid)
    outcome = Outcome(Code.APPROVED, Reason.NONE, negative(paid), (), paid, authorized=True)
    for is_now in _may_be_now(request.taken_us, rules.day_starts_us):
        of_today = is_now or request.taken_us >= rules.day_starts_us
        period = rules.period if is_now or request.taken_us >= rules.period_starts_us else EARLIER_PERIOD
        decision = Decision(request, outcome, period=period, day=rules.today if of_today else 0)
        decided = {own: decision, identity_of(request): decision}
        clean = not owed and not is_now and not _is_ahead(world, request) and _is_card_good(world, request, rules)
        suspicious = world.suspicious if clean else {**world.suspicious, own: owed}
        yield decide(world, request, outcome, uploaded=True, decided=decided, suspicious=suspicious)


def _is_ahead(world: World, request: Advice) -> bool:
    """Its terminal's clock says what cannot be yet, if the time is known."""
    return 0 < world.now_us < request.taken_us - CLOCK_AHEAD_US_MAX


def _is_card_good(world: World, request: Advice, rules: Rules) -> bool:
    """As it is now, but that its last day was not over on the day of the purchase."""
    days_ago = -min(0, (request.taken_us - rules.day_starts_us) // DAY_US)
    day = date.fromisoformat(str(rules.today)) - timedelta(days=days_ago)
    return card_problem(world, request, replace(rules, today=int(day.strftime("%Y%m%d")))) is None


def _may_be_now(taken_us: int, day_starts_us: int) -> tuple[bool, ...]:
    """Whether its time is not believed, so that it counts when it is posted; both if that depends on the hour."""
    believed_from = day_starts_us - BELIEVED_DAYS * DAY_US
    if believed_from <= taken_us < min(believed_from + DAY_US, day_starts_us):
        return True, False
    return (taken_us < believed_from,)
