"""What a terminal is told when it asks again: an answer is made from its event and from nothing else."""

from __future__ import annotations

from typing import Any

from msgspec.structs import replace

from actors.account.events import Event, HoldExpired
from actors.account.service import asked
from actors.account.tables import ANSWER, CONTENT, EVENTS, SERVICE
from wire.codes import Code, Reason
from wire.messages import Answer


def answer_repeat(event: Event, request: Any) -> Answer:
    """The answer to a request that `event` settled: the recorded one, or why this copy cannot have it."""
    if EVENTS[type(event)].settles_original and _is_original(event, request):
        return Answer(request.terminal, request.stan, Code.INVALID_TRANSACTION, Reason.REVERSED, 0, (), ())
    if not same_content(event, request):
        return Answer(request.terminal, request.stan, Code.DUPLICATE, Reason.CONTENT_DIFFERS, 0, (), ())
    answer = ANSWER[type(event)](event)
    # An offline purchase may be uploaded again under another STAN: the terminal matches by that.
    return answer if answer.stan == request.stan else replace(answer, stan=request.stan)


def concerns(event: Any) -> tuple[tuple[int, int], ...]:
    """The (terminal, stan) pairs that came to this event: its own request, and the original that it settles."""
    row = EVENTS.get(type(event))
    return () if row is None else _pairs(event, row.settles_original)


def bears_on(event: Any) -> tuple[tuple[int, int], ...]:
    """The (terminal, stan) pairs of which this event tells what may still be done with them."""
    if type(event) is HoldExpired:
        return ((event.original_terminal, event.original_stan),)
    row = EVENTS.get(type(event))
    return () if row is None else _pairs(event, row.settles_original or row.uses_original)


def _pairs(event: Any, with_original: bool) -> tuple[tuple[int, int], ...]:  # noqa: FBT001 - says what it is
    own = event.terminal, event.stan
    return (own, (event.original_terminal, event.original_stan)) if with_original else (own,)


def same_content(event: Event, request: Any) -> bool:
    """Whether the request that led to `event` asked for the same. How long its terminal would wait is no content."""
    said = asked(event)
    if SERVICE[type(said)] != SERVICE[type(request)]:
        return False
    content = CONTENT[type(request)]
    return bool(content(said) == content(request))


def _is_original(event: Any, request: Any) -> bool:
    return (event.original_terminal, event.original_stan) == (request.terminal, request.stan)
