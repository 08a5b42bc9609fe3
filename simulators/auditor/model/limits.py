"""Limits: what the purchases of a day and of a meal period may come to, counted anew from all that was decided."""

from __future__ import annotations

from collections.abc import Iterator

from msgspec.structs import replace

from simulators.accounts import Purses
from simulators.auditor.model.checks import Verdict
from simulators.auditor.requests import Key, identity_of
from simulators.auditor.world import Decision, HoldState, Rules, World
from simulators.campus import Limits
from wire.codes import Code, Reason
from wire.messages import Advice, Capture, Hold, Purchase

_DAY_AMOUNT: Verdict = Code.OVER_AMOUNT_LIMIT, Reason.DAY_LIMIT
_PERIOD_AMOUNT: Verdict = Code.OVER_AMOUNT_LIMIT, Reason.PERIOD_LIMIT
_DAY_COUNT: Verdict = Code.OVER_COUNT_LIMIT, Reason.DAY_COUNT_LIMIT
_PERIOD_COUNT: Verdict = Code.OVER_COUNT_LIMIT, Reason.PERIOD_COUNT_LIMIT


def limits_of(world: World, rules: Rules) -> Limits:
    """Those of its holder's class, and of the holder's own each that is stricter."""
    of_school = rules.class_limits.get(world.card.person_class, rules.limits)
    if not world.own_limits:
        return of_school
    return replace(
        of_school,
        **{name: min(getattr(of_school, name) or own, own) for name, own in world.own_limits.items()},
    )


def spending_problems(world: World, amount: int, rules: Rules) -> Iterator[Verdict | None]:
    """What the limits may say to one more purchase, in their order; None at the end if they may allow it."""
    limits = limits_of(world, rules)
    today = [(_amount(decision), period) for day, period, decision in _counted(world) if day == rules.today]
    lately = [each for each, period in today if period == rules.period]
    day_known = rules.whole_day
    period_known = day_known and rules.period is not None
    for verdict, limit, reached, is_known in (
        (_DAY_AMOUNT, limits.day_max, sum(each for each, _ in today) + amount, day_known),
        (_PERIOD_AMOUNT, limits.period_max, sum(lately) + amount, period_known),
        (_DAY_COUNT, limits.day_count_max, len(today) + 1, day_known),
        (_PERIOD_COUNT, limits.period_count_max, len(lately) + 1, period_known),
    ):
        if limit and not is_known:
            yield verdict
        elif limit and reached > limit:
            yield verdict
            return
    yield None


def spendable(world: World, rules: Rules) -> tuple[int, int, int]:
    """What purchases may draw from each purse."""
    main, subsidy, _ = world.purses
    return max(0, main - limits_of(world, rules).balance_min), subsidy, _family_allowance(world, rules)


def drawn(world: World, amount: int, rules: Rules) -> Purses:
    """What each purse pays of something that has happened already.

    A guardian's policy holds while the other purses suffice; the deposit pays last, if it must.
    """
    main, subsidy, family = spendable(world, rules)
    if world.purses[0] + subsidy + family < amount:
        family = world.purses[2]
    above = main, subsidy, family
    paid = paid_by(above, min(amount, sum(above)), rules.spending_order)
    return paid[0] + max(0, amount - sum(above)), paid[1], paid[2]


def paid_by(purses: Purses, amount: int, spending_order: tuple[int, ...]) -> Purses:
    """One purse after the other is emptied, until the amount is paid."""
    parts = [0, 0, 0]
    for purse in spending_order:
        parts[purse] = min(purses[purse], amount - sum(parts))
    return parts[0], parts[1], parts[2]


def _family_allowance(world: World, rules: Rules) -> int:
    """What one purchase may draw from the family purse now."""
    allowed, policy = world.purses[2], world.family
    if policy is not None and policy.purchase_max:
        allowed = min(allowed, policy.purchase_max)
    if policy is not None and policy.day_max:
        # A capture draws when it is made, and not when its hold was.
        today = (decision for _, _, decision in _counted(world) if decision.day == rules.today)
        drawn = sum(
            decision.outcome.paid[2] - decision.given_back[2] for decision in today if decision.outcome is not None
        )
        allowed = max(0, min(allowed, policy.day_max - drawn))
    return allowed


def _counted(world: World) -> Iterator[tuple[int, int | None, Decision]]:
    """All that counts as a purchase, with its business day and meal period: a capture has those of its hold."""
    for key, decision in world.decided.items():
        if _counts(key, decision, world):
            request, counts = decision.request, decision
            if isinstance(request, Capture):
                counts = world.decided[request.original_terminal, request.original_stan]
            yield counts.day, counts.period, decision


def _counts(key: Key, decision: Decision, world: World) -> bool:
    """An offline purchase, which is known by its STAN too, counts once.

    A hold counts while it is outstanding, and then what was captured of it.
    """
    request, outcome = decision.request, decision.outcome
    if isinstance(request, Hold):
        return key in world.holds and world.holds[key].state is HoldState.OUTSTANDING
    if not isinstance(request, Purchase | Advice | Capture) or key != identity_of(request):
        return False
    wholly_refunded = decision.is_refunded and not _amount(decision)
    return outcome is not None and outcome.authorized and not decision.is_reversed and not wholly_refunded


def _amount(decision: Decision) -> int:
    """What a purchase paid and got not back; what an offline one cost, or was captured, likewise; what is held."""
    assert isinstance(decision.request, Purchase | Advice | Hold | Capture)
    assert decision.outcome is not None
    cost = sum(decision.outcome.paid) if isinstance(decision.request, Purchase) else decision.request.amount
    return cost - sum(decision.given_back) - decision.settled
