"""Purchase: one purse after the other pays.

More than one outcome where something is not modelled: a merchant's hours, or spending on a day or in a meal period that
the audit saw only a part of, or the price in a meal period that it does not know.
"""

from __future__ import annotations

from collections.abc import Iterator

from simulators.auditor.model.checks import (
    AMOUNT_MAX,
    OUTSIDE_HOURS,
    Verdict,
    amount_problem,
    card_problem,
    terminal_problem,
)
from simulators.auditor.model.limits import limits_of, paid_by, spendable, spending_problems
from simulators.auditor.model.pin import spending_pin_problem
from simulators.auditor.world import Outcome, Rules, World, added, decide, negative, refuse
from simulators.campus import PriceRule
from wire.codes import Code, Reason
from wire.messages import Purchase
from wire.pin import PinUse


def purchase_outcomes(world: World, request: Purchase, rules: Rules) -> Iterator[tuple[World, Outcome]]:
    """In the order of checks; the last one is where the checks certainly end."""
    for price in _prices(world, request, rules):
        for problem, tries in _problems(world, request, price, rules):
            if problem is not None:
                yield refuse(world, request, *problem, wrong_tries=tries)
                continue
            paid = paid_by(spendable(world, rules), price, rules.spending_order)
            change = negative(paid)
            outcome = Outcome(Code.APPROVED, Reason.NONE, change, added(world.purses, change), paid, authorized=True)
            yield decide(world, request, outcome, rules, wrong_tries=tries)


def _prices(world: World, request: Purchase, rules: Rules) -> Iterator[int]:
    """What the amount that is asked may come to; only one where the meal period is known, or does not matter."""
    terminal = rules.terminals.get(request.terminal)
    if terminal is None or amount_problem(request.amount) is not None:
        yield request.amount
        return
    here = rules.prices.get((world.card.person_class, terminal.merchant), ())
    special = [rule for rule in here if rule.period is not None and rules.period in {rule.period, None}]
    general = [rule for rule in here if rule.period is None] or [PriceRule()]
    possible = special if special and rules.period is not None else special + general
    yield from sorted({rule.price(request.amount) for rule in possible})


def _price_problem(price: int) -> Verdict | None:
    """It may be nothing, but not more than a request may name."""
    return None if price <= AMOUNT_MAX else (Code.INVALID_AMOUNT, Reason.AMOUNT_OUT_OF_RANGE)


def _problems(world: World, request: Purchase, price: int, rules: Rules) -> Iterator[tuple[Verdict | None, int]]:
    """What may be wrong with it, None where nothing is; and the wrong tries of its PIN after it."""
    tries = world.wrong_tries
    if (refused := terminal_problem(request, rules)) is not None:
        yield refused, tries
        return
    if rules.terminals[request.terminal].keeps_hours:
        yield OUTSIDE_HOURS, tries
    unusable = amount_problem(request.amount) or _price_problem(price) or card_problem(world, request, rules)
    if unusable is not None:
        yield unusable, tries
        return
    limits = limits_of(world, rules)
    if limits.purchase_max and price > limits.purchase_max:
        refused, tries = spending_pin_problem(world, request, PinUse.PURCHASE, rules)
        if refused is not None:
            yield refused, tries
            return
    free = max(0, sum(spendable(world, rules)) - world.held)
    missing = (Code.INSUFFICIENT_FUNDS, Reason.FUNDS) if price > free else None
    for over in spending_problems(world, price, rules):
        yield over or missing, tries
