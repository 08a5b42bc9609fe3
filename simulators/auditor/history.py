"""What one account has been asked and has answered, as the set of worlds that explain it.

This is the search for a linearization, done as answers come: an answer keeps the worlds in which its request could
have been answered so, after any of the still unanswered requests happened, in any order. No world left: a fault.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator

from msgspec.structs import replace

from simulators.accounts import Purses, purses_told
from simulators.auditor.findings import Fault, Finding
from simulators.auditor.model.outcomes import outcomes
from simulators.auditor.model.subsidy import expired
from simulators.auditor.requests import Key, identity_of, is_recorded, key_of
from simulators.auditor.world import Decision, Outcome, Rules, World, added, at_time, negative
from simulators.money import format_yuan
from wire.codes import Code, Reason
from wire.messages import (
    AccountReply,
    AccountRequest,
    Advice,
    Answer,
    Capture,
    CorrectEntry,
    Purchase,
    Refund,
    ReplaceCard,
    Reversal,
    SettleSuspicion,
    Statement,
    TopUp,
)


class AccountHistory:
    """One account's. `effects` are the acknowledged changes of its balance, in minor units, oldest first."""

    __slots__ = ("_account", "_open", "_overtaken", "_unanswered", "effects", "rules", "worlds")

    def __init__(self, first: World, rules: Rules) -> None:
        self._account = first.card.account
        self.rules = rules
        self._open: Counter[AccountRequest] = Counter()
        self._unanswered: Counter[Key] = Counter()
        """Copies."""

        self._overtaken: dict[Key, int] = {}
        """By original whose reversal was answered: how many copies of it, sent before that, may still be heard of."""

        self.worlds = [first]
        self.effects: dict[Key, int] = {}

    def time_is(self, now_us: int) -> None:
        """So late it is; what is open was sent before."""
        self.worlds = [at_time(world, now_us) for world in self.worlds]

    def sent(self, request: AccountRequest) -> None:
        """A copy of `request` left; from now on it may happen."""
        if is_recorded(request):
            self._open[request] += 1
            self._unanswered[key_of(request)] += 1

    def answered(self, request: AccountRequest) -> None:
        """The answer to one copy of `request` was judged."""
        if not is_recorded(request):
            return
        key = key_of(request)
        self._unanswered[key] -= 1
        if key in self._overtaken:
            self._overtaken[key] = min(self._overtaken[key], self._unanswered[key])
        if self._unanswered[key] <= 0:
            del self._unanswered[key]

    def without_effect(self, request: AccountRequest) -> None:
        """A reply said that one copy of `request` did nothing and will not."""
        self._open[request] -= 1
        if self._open[request] <= 0:
            del self._open[request]
            undecided = [world for world in self.worlds if world.decision(request) is None]
            self.worlds = undecided or self.worlds

    def decided(self, request: AccountRequest, reply: AccountReply) -> Finding | None:
        """A reply said what was decided. The finding if no world explains it; the history then follows the switch."""
        possible = self._reachable(identity_of(request))
        explained = _distinct(
            after for world in possible for after, outcome in self._outcomes(world, request) if _agrees(outcome, reply)
        )
        finding = None
        if explained:
            self.worlds = explained
        else:
            finding = self._explain(request, reply, possible)
            self.worlds = [self._follow(self.worlds[0], request, reply)]
        self._note_reversal(request, reply)
        if change := self._effect(request):
            self.effects.setdefault(identity_of(request), change)
        self._close_decided()
        return finding

    def is_recorded(self, request: AccountRequest) -> bool:
        """Whether what was answered to `request` is kept; it is not where there is no account."""
        return any(world.decision(request) is not None for world in self.worlds)

    def purses_found(self, purses: Purses) -> Finding | None:
        """What the account's purses hold was seen from outside, such as in a restarted switch."""
        possible = self._reachable(None)
        # Whether somebody has looked since a subsidy's last day, nobody knows.
        possible = _distinct([*possible, *(expired(world, self.rules) for world in possible)])
        matching = [world for world in possible if world.purses == purses]
        if matching:
            self.worlds = matching
            return None
        finding = self._money_fault(0, 0, sum(purses), possible) or Finding(
            Fault.WRONG_BALANCE, self._account, 0, 0, _purses(purses, possible)
        )
        self.worlds = [replace(self.worlds[0], purses=purses)]
        return finding

    def unresolved(self) -> list[AccountRequest]:
        """Requests of which nobody knows whether they happened."""
        return list(self._open)

    def _reachable(self, besides: Key | None) -> list[World]:
        """The worlds as they are, and after any sequence of the open requests other than `besides`."""
        others = [request for request in self._open if identity_of(request) != besides]
        reached = list(self.worlds)
        if others:
            for world in reached:  # it grows while it is walked
                for request in others:
                    if world.decision(request) is None:
                        after_each = outcomes(world, request, self.rules)
                        reached.extend(after for after, _ in after_each if after not in reached)
        return reached

    def _outcomes(self, world: World, request: AccountRequest) -> Iterator[tuple[World, Outcome]]:
        """What may be heard of `request` now: of an original's first answer only if it can have been overtaken."""
        return outcomes(world, request, self.rules, overtakes=self._overtaken.get(key_of(request), 1) > 0)

    def _note_reversal(self, request: AccountRequest, reply: AccountReply) -> None:
        """Once it is known that an original is reversed, no copy that is sent after that can be answered otherwise."""
        key = key_of(request)
        if key in self._overtaken and isinstance(reply, Answer) and reply.reason is not Reason.REVERSED:
            self._overtaken[key] -= 1
        if isinstance(request, Reversal) and isinstance(reply, Answer) and reply.code is Code.APPROVED:
            original = request.original_terminal, request.original_stan
            self._overtaken.setdefault(original, self._unanswered[original])

    def _close_decided(self) -> None:
        """What every world has decided can have no further effect."""
        for request in [*self._open]:
            if all(world.decision(request) is not None for world in self.worlds):
                del self._open[request]

    def _effect(self, request: AccountRequest) -> int:
        """The acknowledged change of a request whose answer was just judged; 0 if it has none."""
        decision = self.worlds[0].decision(request) if is_recorded(request) else None
        return sum(decision.outcome.change) if decision is not None and decision.outcome is not None else 0

    def _claimed_change(self, request: AccountRequest, reply: AccountReply) -> int:
        """By how much the reply says, or implies, that it changed the balance."""
        if isinstance(reply, Statement) or reply.authorization == 0:
            return 0
        match request:
            case Purchase() | Capture():
                return -sum(reply.paid)
            case TopUp() | CorrectEntry():
                return request.amount
            case ReplaceCard() | SettleSuspicion():
                return -sum(reply.paid)
            case Reversal():
                return -self.effects.get((request.original_terminal, request.original_stan), 0)
            case Advice():
                return -sum(reply.paid)
            case Refund():
                return request.amount - self._never_paid(request)
            case _:
                return 0

    def _never_paid(self, request: Refund) -> int:
        """What of a refund goes back to where its original fell short."""
        original = self.worlds[0].decided.get((request.original_terminal, request.original_stan))
        return 0 if original is None else min(request.amount, original.owed)

    def _follow(self, world: World, request: AccountRequest, reply: AccountReply) -> World:
        """The world that the switch claims, so that one fault is reported once."""
        purses = purses_told(reply.balances) if reply.balances else world.purses
        if isinstance(reply, Statement) or not is_recorded(request):
            return replace(world, purses=purses)
        change = added(purses, negative(world.purses))
        paid, authorized = purses_told(reply.paid), reply.authorization != 0
        outcome = Outcome(reply.code, reply.reason, change, _padded(reply.balances), paid, authorized)
        decision = Decision(request, outcome, period=self.rules.period, day=self.rules.today)
        decided = {**world.decided, identity_of(request): decision, key_of(request): decision}
        if isinstance(request, Reversal) and reply.code is Code.APPROVED:
            original = request.original_terminal, request.original_stan
            decided[original] = decided.get(original, Decision(None, None))._replace(is_reversed=True)
        return replace(world, purses=purses, decided=decided)

    def _explain(self, request: AccountRequest, reply: AccountReply, possible: list[World]) -> Finding:
        terminal, stan = key_of(request)
        if reply.balances:
            before = sum(reply.balances) - self._claimed_change(request, reply)
            finding = self._money_fault(terminal, stan, before, possible)
            if finding is not None:
                return finding
        expected = [outcome for world in possible for _, outcome in self._outcomes(world, request)]
        code = Code.APPROVED if isinstance(reply, Statement) else reply.code
        fault = Fault.WRONG_BALANCE if code in {outcome.code for outcome in expected} else Fault.WRONG_ANSWER
        texts = sorted({_describe_outcome(outcome) for outcome in expected})
        explanation = f"answered {_describe_reply(reply)}; expected {' or '.join(texts)}"
        return Finding(fault, self._account, terminal, stan, explanation)

    def _money_fault(self, terminal: int, stan: int, found: int, possible: list[World]) -> Finding | None:
        """Whether exactly one acknowledged effect, missing or counted again, explains the balance `found`."""
        balances = {world.balance for world in possible}
        if found in balances:
            return None
        for (at_terminal, at_stan), change in reversed(self.effects.items()):
            for fault, expected in ((Fault.LOST, found + change), (Fault.DOUBLED, found - change)):
                if change and expected in balances:
                    which = f"the acknowledged {format_yuan(change)} of terminal {at_terminal}, STAN {at_stan}"
                    said = "is missing" if fault is Fault.LOST else "counts twice"
                    text = f"{which} {said}: balance {format_yuan(found)} instead of {format_yuan(expected)}"
                    return Finding(fault, self._account, terminal or at_terminal, stan or at_stan, text)
        return None


def _distinct(worlds: Iterable[World]) -> list[World]:
    kept: list[World] = []
    for world in worlds:
        if world not in kept:
            kept.append(world)
    return kept


def _agrees(outcome: Outcome, reply: AccountReply) -> bool:
    if outcome.balances is not None and _padded(reply.balances) != outcome.balances:
        return False
    if isinstance(reply, Statement):
        return outcome.code is Code.APPROVED
    return (
        outcome.code is reply.code
        and outcome.reason is reply.reason
        and outcome.paid == purses_told(reply.paid)
        and outcome.authorized == (reply.authorization != 0)
    )


def _padded(balances: tuple[int, ...]) -> tuple[int, ...]:
    """Every purse, or none where no balance was told."""
    return purses_told(balances) if balances else ()


def _purses(found: Purses, possible: Iterable[World]) -> str:
    expected = sorted({world.purses for world in possible})
    return f"{_told(found)}; expected {' or '.join(map(_told, expected))}"


def _told(balances: tuple[int, ...]) -> str:
    """All purses but the empty ones at the end."""
    told = list(balances)
    while len(told) > 1 and not told[-1]:
        told.pop()
    return f"balance {' and '.join(map(format_yuan, told))}"


def _describe(code: Code, reason: str, balances: tuple[int, ...]) -> str:
    shown = f"with {_told(balances)}" if balances else "without balance"
    return " ".join(part for part in (f"{code:02d}", reason, shown) if part)


def _describe_outcome(outcome: Outcome) -> str:
    described = _describe(outcome.code, outcome.reason, outcome.balances or ())
    return f"{described}, paid {outcome.paid}" if any(outcome.paid) else described


def _describe_reply(reply: AccountReply) -> str:
    if isinstance(reply, Statement):
        return _describe(Code.APPROVED, "", reply.balances)
    return (
        f"{_describe(reply.code, reply.reason, reply.balances)}, paid {reply.paid}, authorization {reply.authorization}"
    )
