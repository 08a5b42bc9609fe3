"""The model: one possible past of one account, and what may happen when a request meets it.

A world is a value. `outcomes` gives every (next world, expected answer) that the rules allow; more than one only where
something is not modelled: a merchant's hours, or spending on a day that the audit saw only a part of.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import NamedTuple

from msgspec import Struct
from msgspec.structs import replace

from simulators.accounts import Card, CardState, Purses
from simulators.auditor.requests import Key, is_recorded, key_of, service_of
from simulators.campus import Limits, Terminal
from wire.codes import Code, Reason
from wire.messages import AccountRequest, BalanceInquiry, MiniStatement, Purchase, Reversal, TopUp

AMOUNT_MAX = 100_000_000
"""The largest amount that a request may name, in minor units: a million yuan."""


NOTHING: Purses = (0, 0, 0)


class Rules(Struct, frozen=True):
    """What the campus decides."""

    limits: Limits
    spending_order: tuple[int, ...]
    """Which purses a purchase draws on, by their places in a list of balances."""

    terminals: Mapping[int, Terminal]
    today: int
    """The business day, such as 20260901."""

    whole_day: bool = True
    """Whether everything spent on that business day was seen, and no other day is touched."""


class Outcome(NamedTuple):
    """An answer as the model expects it. `balances` None: any will do."""

    code: Code
    reason: Reason
    change: Purses = NOTHING
    """Of each purse, in minor units."""

    balances: tuple[int, ...] | None = ()
    paid: Purses = NOTHING
    authorized: bool = False
    """Whether there is an authorization number: it was approved with an effect."""


class Decision(NamedTuple):
    """What this world decided for a key; `outcome` is None if it was reversed before it came."""

    request: AccountRequest | None
    outcome: Outcome | None
    is_reversed: bool = False


class World(Struct, frozen=True):
    """One possible present: `purses` and `spent` (on the business day) in minor units."""

    purses: Purses
    spent: int
    decided: dict[Key, Decision]

    @property
    def balance(self) -> int:
        """All that the purses hold."""
        return sum(self.purses)


_REVERSED = Outcome(Code.INVALID_TRANSACTION, Reason.REVERSED)
_CONTENT_DIFFERS = Outcome(Code.DUPLICATE, Reason.CONTENT_DIFFERS)
_APPROVED = (Code.APPROVED, Reason.NONE)
_BY_STATE: Mapping[CardState, tuple[Code, Reason]] = {
    CardState.CLOSED: (Code.RESTRICTED_CARD, Reason.ACCOUNT_CLOSED),
    CardState.ISSUED: (Code.RESTRICTED_CARD, Reason.CARD_NOT_ACTIVE),
    CardState.FROZEN: (Code.RESTRICTED_CARD, Reason.CARD_FROZEN),
    CardState.REPLACED: (Code.RESTRICTED_CARD, Reason.CARD_REPLACED),
    CardState.LOST: (Code.LOST_CARD, Reason.CARD_LOST),
    CardState.EXPIRED: (Code.EXPIRED_CARD, Reason.CARD_EXPIRED),
}
_NOT_OFFERED = (Code.NOT_PERMITTED_TO_TERMINAL, Reason.SERVICE_NOT_OFFERED)
_OUTSIDE_HOURS = (Code.NOT_PERMITTED_TO_TERMINAL, Reason.OUTSIDE_HOURS)
_BAD_AMOUNT = (Code.INVALID_AMOUNT, Reason.AMOUNT_OUT_OF_RANGE)
_DAY_LIMIT = (Code.OVER_AMOUNT_LIMIT, Reason.DAY_LIMIT)

_SHOW_BALANCES = frozenset({Code.APPROVED, Code.INSUFFICIENT_FUNDS, Code.OVER_AMOUNT_LIMIT})

Verdict = tuple[Code, Reason]


def outcomes(world: World, request: AccountRequest, card: Card, rules: Rules) -> Iterator[tuple[World, Outcome]]:
    """Everything that may follow when `request` meets `world`; at least one."""
    decision = world.decided.get(key_of(request)) if is_recorded(request) else None
    if decision is not None:
        yield from ((world, outcome) for outcome in _repeats(decision, request))
        return
    if isinstance(request, Reversal):
        yield _reverse(world, request, rules)
        return
    for code, reason in _verdicts(world, request, card, rules):
        yield _settle(world, request, rules, code, reason)


def _repeats(decision: Decision, request: AccountRequest) -> Iterator[Outcome]:
    if decision.is_reversed:
        yield _REVERSED
    if decision.outcome is None:
        return
    # Also after a reversal: the first copy's answer may have been on its way since before it.
    if decision.request is None or _content(request) == _content(decision.request):
        yield decision.outcome
    elif not decision.is_reversed:
        yield _CONTENT_DIFFERS


def _content(request: AccountRequest) -> AccountRequest:
    return replace(request, wait_ms=0)


def _settle(world: World, request: AccountRequest, rules: Rules, code: Code, reason: Reason) -> tuple[World, Outcome]:
    if not is_recorded(request):
        return world, Outcome(code, reason, NOTHING, _shown(code, world.purses))
    change = paid = NOTHING
    if code is Code.APPROVED and isinstance(request, Purchase):
        paid = _paid(world.purses, request.amount, rules.spending_order)
        change = negative(paid)
    elif code is Code.APPROVED and isinstance(request, TopUp):
        change = (request.amount, 0, 0)
    after = added(world.purses, change)
    outcome = Outcome(code, reason, change, _shown(code, after), paid, code is Code.APPROVED)
    spent = world.spent + sum(paid)
    decided = {**world.decided, key_of(request): Decision(request, outcome)}
    return World(after, spent, decided), outcome


def _paid(purses: Purses, amount: int, spending_order: tuple[int, ...]) -> Purses:
    """One purse after the other is emptied, until the amount is paid."""
    parts = [0, 0, 0]
    for purse in spending_order:
        parts[purse] = min(purses[purse], amount - sum(parts))
    return parts[0], parts[1], parts[2]


def added(purses: Purses, change: Purses) -> Purses:
    """The purses after a change."""
    return purses[0] + change[0], purses[1] + change[1], purses[2] + change[2]


def negative(change: Purses) -> Purses:
    """The opposite change."""
    return -change[0], -change[1], -change[2]


def _shown(code: Code, purses: Purses) -> tuple[int, ...]:
    """Balances are told with an approval, or where the card was found good and the amount was not."""
    return purses if code in _SHOW_BALANCES else ()


def _verdicts(
    world: World, request: Purchase | TopUp | BalanceInquiry | MiniStatement, card: Card, rules: Rules
) -> Iterator[Verdict]:
    """The verdicts that may be, in the order of checks; the last one is where the checks certainly end."""
    terminal = rules.terminals.get(request.terminal)
    if terminal is None or service_of(request) not in terminal.services:
        yield _NOT_OFFERED
        return
    if isinstance(request, Purchase) and terminal.keeps_hours:
        yield _OUTSIDE_HOURS
    unusable = _amount_problem(request) or _card_problem(request, card, rules)
    if unusable is not None:
        yield unusable
    elif isinstance(request, Purchase):
        yield from _purchase_verdicts(world, request.amount, rules)
    elif isinstance(request, TopUp):
        yield _top_up_verdict(world, request.amount, rules.limits)
    else:
        yield _APPROVED


def _amount_problem(request: AccountRequest) -> Verdict | None:
    in_range = not isinstance(request, Purchase | TopUp) or 1 <= request.amount <= AMOUNT_MAX
    return None if in_range else _BAD_AMOUNT


def _card_problem(
    request: Purchase | TopUp | BalanceInquiry | MiniStatement, card: Card, rules: Rules
) -> Verdict | None:
    if card.state is CardState.CLOSED:
        return _BY_STATE[CardState.CLOSED]
    if request.card != card.serial:
        return Code.NO_SUCH_ACCOUNT, Reason.NO_CARD
    if card.state is not CardState.ACTIVE:
        return _BY_STATE[card.state]
    expires = card.expires.year * 10_000 + card.expires.month * 100 + card.expires.day
    return _BY_STATE[CardState.EXPIRED] if expires < rules.today else None


def _purchase_verdicts(world: World, amount: int, rules: Rules) -> Iterator[Verdict]:
    limits = rules.limits
    if limits.purchase_max and amount > limits.purchase_max:
        yield Code.OVER_AMOUNT_LIMIT, Reason.PURCHASE_LIMIT
        return
    if limits.day_max and not rules.whole_day:
        yield _DAY_LIMIT
    elif limits.day_max and world.spent + amount > limits.day_max:
        yield _DAY_LIMIT
        return
    yield (Code.INSUFFICIENT_FUNDS, Reason.FUNDS) if amount > world.balance else _APPROVED


def _top_up_verdict(world: World, amount: int, limits: Limits) -> Verdict:
    if limits.top_up_max and amount > limits.top_up_max:
        return Code.OVER_AMOUNT_LIMIT, Reason.TOP_UP_LIMIT
    if limits.balance_max and world.purses[0] + amount > limits.balance_max:
        return Code.OVER_AMOUNT_LIMIT, Reason.BALANCE_LIMIT
    return _APPROVED


def _reverse(world: World, request: Reversal, rules: Rules) -> tuple[World, Outcome]:
    """An unknown or declined original is marked, so that it never happens; an approved one is undone."""
    original_key = request.original_terminal, request.original_stan
    original = world.decided.get(original_key, Decision(None, None))
    refusal = _reversal_problem(request, original, rules)
    change, undoes = NOTHING, False
    if refusal is None and original.outcome is not None and original.outcome.authorized and not original.is_reversed:
        # What a top-up's holder has already spent cannot be taken back: the main purse stops at zero.
        main, subsidy, family = negative(original.outcome.change)
        change, undoes = (max(main, -world.purses[0]), subsidy, family), True
    code, reason = refusal or _APPROVED
    after = added(world.purses, change)
    balances = _shown(code, after) if undoes else ()
    outcome = Outcome(code, reason, change, balances, NOTHING, undoes)
    decided = {**world.decided, key_of(request): Decision(request, outcome)}
    if refusal is None:
        decided[original_key] = original._replace(request=original.request or _named(request), is_reversed=True)
    spent = world.spent
    if undoes and isinstance(original.request, Purchase):
        spent -= original.request.amount
    return World(after, spent, decided), outcome


def _named(request: Reversal) -> Purchase:
    """A stand-in for an original that nobody has seen: only its amount is known."""
    return Purchase(request.original_terminal, request.original_stan, 0, request.account, "?", request.amount)


def _reversal_problem(request: Reversal, original: Decision, rules: Rules) -> Verdict | None:
    terminal = rules.terminals.get(request.terminal)
    if terminal is None or "reversal" not in terminal.services:
        return _NOT_OFFERED
    if isinstance(original.request, Purchase | TopUp):
        differs = original.request.amount != request.amount
        return (Code.INVALID_TRANSACTION, Reason.AMOUNT_DIFFERS) if differs else None
    return None if original.request is None else (Code.INVALID_TRANSACTION, Reason.NOT_REVERSIBLE)
