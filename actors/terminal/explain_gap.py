"""Explain a gap: why a terminal will never upload some of its offline numbers. Nothing else changes.

Whether they are missing at all, only all shards together could tell: to explain a number that is there, or comes later,
does no harm.
"""

from __future__ import annotations

from operator import attrgetter
from typing import Final

from actors.account.checks.refusal import Refusal
from actors.account.checks.terminal import UNREGISTERED, command_check
from actors.calendar import Moment
from actors.policy import Policy, Service
from actors.terminal.events import GapExplained, GapExplanationDeclined
from wire.codes import APPROVED, NO_REASON, Code, Reason
from wire.messages import Answer, ExplainGap

_RANGE_NOT_POSSIBLE: Final = Refusal(Code.INVALID_TRANSACTION, Reason.RANGE_NOT_POSSIBLE)

explanation_of: Final = attrgetter("clerk", "of_terminal", "first", "last", "note")
"""What two copies of a request must have in common; of what came of it, too."""


def explain_gap(
    request: ExplainGap, previous: int, moment: Moment, policy: Policy
) -> GapExplained | GapExplanationDeclined:
    """What is recorded, in the chain of the operator's own terminal."""
    terminal = policy.terminals.get(request.terminal, UNREGISTERED)
    refusal = command_check(terminal, Service.EXPLAIN_GAP, request.clerk) or _range_check(request)
    start = "", moment.time_us, previous, request.terminal, request.stan
    if refusal is not None:
        return GapExplanationDeclined(*start, request, moment.business_day, refusal.code, refusal.reason)
    return GapExplained(
        *start, request.clerk, request.of_terminal, request.first, request.last, request.note, moment.business_day
    )  # fmt: skip


def _range_check(request: ExplainGap) -> Refusal | None:
    """At least one number. However many: a terminal that lost its counter goes on at a number of sixteen digits."""
    return None if request.first <= request.last else _RANGE_NOT_POSSIBLE


def answer_explained(event: GapExplained) -> Answer:
    """It is noted."""
    return Answer(event.terminal, event.stan, APPROVED, NO_REASON, 0, (), ())


def answer_explanation_declined(event: GapExplanationDeclined) -> Answer:
    """No, and why."""
    return Answer(event.terminal, event.stan, event.code, event.reason, 0, (), ())
