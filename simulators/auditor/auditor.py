"""The auditor as its users see it: tell it what was sent and what came back; it says what was wrong."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping

from msgspec.structs import replace

from simulators.accounts import Card, CardState, Purses, purses_told
from simulators.auditor.findings import Fault, Finding
from simulators.auditor.history import AccountHistory
from simulators.auditor.requests import Key, identity_of, is_recorded, key_of, service_of
from simulators.auditor.suspense import shortfalls
from simulators.auditor.world import Rules, first_world, unopened_world
from simulators.money import format_yuan
from wire.codes import TECHNICAL_CODES, Code, Reason
from wire.messages import AccountReply, AccountRequest, Answer, Rejected, Statement, TerminalReply

FINDINGS_KEPT = 1_000
NO_EFFECT_CODES = frozenset({Code.TRY_AGAIN, Code.TOO_LATE, Code.FORMAT_ERROR, Code.SECURITY})
"""They speak of one copy, which no actor decided."""
_HOT = frozenset({CardState.LOST, CardState.FROZEN, CardState.REPLACED, CardState.CLOSED})
_NOT_KEPT = frozenset({Reason.CONTENT_DIFFERS, Reason.REVERSED})
"""They may come before or after another answer."""

Counts = Counter[tuple[str, Code]]
"""Decisions by (service, code)."""


def is_decided(reply: AccountReply | TerminalReply | Rejected) -> bool:
    """Whether it says what was decided, or found: the terminal can end its request."""
    return not isinstance(reply, Answer | Rejected) or (isinstance(reply, Answer) and reply.code not in TECHNICAL_CODES)


class Auditor:
    """Judges one switch from a known beginning. Pure: no I/O, no clock. Not for use from several threads."""

    def __init__(self, cards: Iterable[Card], rules: Rules) -> None:
        """`cards` with the balances that they have before the first request."""
        self._rules = rules
        self._histories = {card.account: AccountHistory(first_world(card), rules) for card in cards}
        self._answers: dict[Key, Answer] = {}
        self._authorizations: dict[int, Key] = {}
        self._inquiries_unanswered: Counter[str] = Counter()
        self._undecided: dict[Key, str] = {}
        self.counts: Counts = Counter()
        self.faults: Counter[Fault] = Counter()
        self.findings: list[Finding] = []
        """The first FINDINGS_KEPT of them; `faults` counts all."""

    def change_rules(self, rules: Rules) -> None:
        """From now on these hold: another meal period, say."""
        self._rules = rules
        for history in self._histories.values():
            history.rules = rules

    def time_is(self, now_us: int) -> None:
        """The switch's clock has come so far (µs since 1970). Nobody has to call this before a first hold expires."""
        for history in self._histories.values():
            history.time_is(now_us)

    def record_sent(self, request: AccountRequest) -> None:
        """A copy of `request` was handed to the network: call this before any reply to it can come."""
        if request.account not in self._histories:
            self._histories[request.account] = AccountHistory(unopened_world(request.account), self._rules)
        self._histories[request.account].sent(request)
        if not is_recorded(request):
            self._inquiries_unanswered[service_of(request)] += 1
        elif not self._kept(request):
            self._undecided[identity_of(request)] = service_of(request)

    def judge(self, request: AccountRequest, reply: AccountReply | Rejected) -> Finding | None:
        """`reply` came for `request`. Returns what is wrong with it, if anything; it is also kept."""
        if not is_recorded(request):
            self._inquiries_unanswered[service_of(request)] -= 1
        finding = self._judge(request, reply)
        self._histories[request.account].answered(request)
        return None if finding is None else self.report(finding)

    def judge_purses(self, account: str, purses: Purses) -> Finding | None:
        """`account` was seen to hold this in its purses, by other means than a request recorded here."""
        finding = self._histories[account].purses_found(purses)
        return None if finding is None else self.report(finding)

    def overdue_reviews(self, now_us: int) -> set[str]:
        """The accounts with a loss of which operators should have been told by then. Ask when nothing is open."""
        return {
            account
            for account, history in self._histories.items()
            if any(0 < world.review_due_us <= now_us for world in history.worlds)
        }

    def report(self, finding: Finding) -> Finding:
        """Keep what somebody else found."""
        self.faults[finding.fault] += 1
        if len(self.findings) < FINDINGS_KEPT:
            self.findings.append(finding)
        return finding

    def judge_hot_lists(self, lists: Mapping[int, Mapping[str, str]]) -> None:
        """By terminal: serial and state of all cards that it must not take. Of cards unknown here nothing is said."""
        known: dict[str, str | None] = {}
        for history in self._histories.values():
            world = history.worlds[0]
            if not world.opened:
                continue
            known[world.card.serial] = world.card.state.value if world.card.state in _HOT else None
            known.update(dict.fromkeys(world.dead_cards, CardState.REPLACED.value))
        expected = {serial: state for serial, state in known.items() if state is not None}
        for terminal, cards in lists.items():
            told = {serial: state for serial, state in cards.items() if serial in known}
            differing = {serial for serial, _ in told.items() ^ expected.items()}
            for serial in sorted(differing):
                text = (
                    f"card {serial} is {expected.get(serial, 'good')}, and {told.get(serial, 'good')} in the hot list"
                )
                self.report(Finding(Fault.WRONG_HOT_LIST, "", terminal, 0, text))

    def judge_suspense(self, change: int) -> Finding | None:
        """By so many minor units what the switch has in suspense has grown since the beginning."""
        expected = [{shortfalls(world) for world in history.worlds} for history in self._histories.values()]
        least, most = sum(map(min, expected)), sum(map(max, expected))
        if least <= change <= most:
            return None
        text = f"{format_yuan(change)} came into suspense; expected {format_yuan(least)}"
        return self.report(Finding(Fault.WRONG_SUSPENSE, "", 0, 0, text))

    def finish(self) -> None:
        """Nothing more will come: whatever is still open is a fault, since a terminal ends what it began."""
        for account, history in self._histories.items():
            for request in history.unresolved():
                text = f"nobody knows whether this {service_of(request)} happened"
                self.report(Finding(Fault.UNRESOLVED, account, request.terminal, request.stan, text))

    def counts_agree(self, counted: Mapping[tuple[str, Code], int]) -> bool:
        """Whether `counted`, the switch's own decisions, can be what was seen. Exact where every answer came."""
        margin = self._inquiries_unanswered + Counter(self._undecided.values())
        for service, code in {*counted, *self.counts}:
            if code not in TECHNICAL_CODES:
                margin[service] -= counted.get((service, code), 0) - self.counts[service, code]
                if counted.get((service, code), 0) < self.counts[service, code]:
                    return False
        return all(left >= 0 for left in margin.values())

    def _judge(self, request: AccountRequest, reply: AccountReply | Rejected) -> Finding | None:
        history = self._histories[request.account]
        if isinstance(reply, Statement):
            self.counts[service_of(request), Code.APPROVED] += 1
            return history.decided(request, reply)
        if reply.code in NO_EFFECT_CODES:
            history.without_effect(request)
            return _refusal(request, reply)
        if isinstance(reply, Rejected) or reply.code is Code.SYSTEM_MALFUNCTION:
            return None
        if not is_recorded(request):
            self.counts[service_of(request), reply.code] += 1
            return history.decided(request, reply)
        finding = self._changed(request, reply) or self._first_answer(request, reply, history)
        if not history.is_recorded(request):
            history.without_effect(request)
            self._answers.pop(key_of(request), None)
        return finding

    def _first_answer(self, request: AccountRequest, reply: Answer, history: AccountHistory) -> Finding | None:
        # An offline number remains free until its purchase is posted.
        key = identity_of(request) if reply.authorization else key_of(request)
        if reply.reason not in _NOT_KEPT and not self._kept(request):
            self._answers[key] = reply
            self._undecided.pop(identity_of(request), None)
            self.counts[service_of(request), reply.code] += 1
        finding = history.decided(request, reply)
        owner = self._authorizations.setdefault(reply.authorization, key) if reply.authorization else key
        if owner == key or finding is not None:
            return finding
        text = f"authorization {reply.authorization} was given to terminal {owner[0]}, STAN {owner[1]} before"
        return Finding(Fault.AUTHORIZATION_REUSED, request.account, request.terminal, request.stan, text)

    def _kept(self, request: AccountRequest) -> list[Answer]:
        """What was answered to it before."""
        return [self._answers[key] for key in {identity_of(request), key_of(request)} if key in self._answers]

    def _changed(self, request: AccountRequest, reply: Answer) -> Finding | None:
        """A repeat must say what was said first, word for word, unless it was reversed or is another request."""
        kept = self._kept(request)
        if not kept or reply.reason in _NOT_KEPT or any(reply == replace(answer, stan=reply.stan) for answer in kept):
            return None
        first = kept[0]
        again = reply.authorization not in {0, first.authorization} and first.authorization != 0
        if again and reply.balances != first.balances:
            # A second authorization moved money again; the history follows the switch from here.
            self._histories[request.account].purses_found(purses_told(reply.balances))
        text = f"first answered {first}, then {reply}"
        fault = Fault.DOUBLED if again else Fault.CHANGED_ANSWER
        return Finding(fault, request.account, request.terminal, request.stan, text)


def _refusal(request: AccountRequest, reply: Answer | Rejected) -> Finding | None:
    """30 and 63 are answers to mistakes that a simulated terminal does not make."""
    if reply.code is Code.FORMAT_ERROR:
        text = reply.explanation if isinstance(reply, Rejected) else reply.reason.value
        return Finding(Fault.UNREADABLE_TO_SWITCH, request.account, request.terminal, request.stan, text)
    if reply.code is Code.SECURITY:
        return Finding(Fault.REFUSED_TO_STATION, request.account, request.terminal, request.stan, reply.reason.value)
    return None
