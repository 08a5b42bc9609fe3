"""The line between terminals and the switch: copies go out, answers come back, and the auditor sees all of it."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable
from time import monotonic
from typing import cast

from simulators.auditor.auditor import Auditor, is_decided
from simulators.auditor.findings import Fault, Finding
from simulators.auditor.requests import Key, key_of
from simulators.station import AnyReply, Station
from wire.codes import TECHNICAL_CODES, Code
from wire.messages import AccountReply, AccountRequest, Answer, Rejected, TerminalRequest

TIME_OUT_SECONDS = 2.5
"""What a terminal really waits: longer than its requests say, so that the switch's "too late" can still reach it."""

OnDecided = Callable[[AnyReply, float], None]
"""Told the first decided answer, and the monotonic time at which it came."""


class _Question:
    __slots__ = ("copies", "drops", "on_decided", "reply", "request")

    def __init__(self, request: AccountRequest | TerminalRequest) -> None:
        self.request = request
        self.copies = 0
        self.drops = False
        self.reply: asyncio.Future[AnyReply] | None = None
        self.on_decided: OnDecided | None = None


class Line:
    """Shared by all terminals of a fleet."""

    def __init__(self, auditor: Auditor, time_out_seconds: float = TIME_OUT_SECONDS) -> None:
        self._auditor = auditor
        self._time_out = time_out_seconds
        self._questions: dict[Key, _Question] = {}
        self.time_outs = 0
        self.technical: Counter[Code] = Counter()
        """Answers that decided nothing, by code."""

    async def ask(
        self,
        station: Station,
        request: AccountRequest | TerminalRequest,
        *,
        drop_reply: bool = False,
        on_decided: OnDecided | None = None,
    ) -> AnyReply | None:
        """Send one copy and wait for an answer to any copy; None when the time-out passes without one.

        The auditor is told of requests about accounts only.

        With `drop_reply` whatever comes is judged, but lost on its way into the terminal.
        """
        loop = asyncio.get_running_loop()
        question = self._questions.get(key_of(request)) or _Question(request)
        self._questions[key_of(request)] = question
        question.drops = drop_reply
        question.on_decided = on_decided or question.on_decided
        reply: asyncio.Future[AnyReply] = loop.create_future()
        question.reply = reply
        while not station.connected:
            await station.ready()
        if not isinstance(request, TerminalRequest):
            self._auditor.record_sent(request)
        station.send(request)
        question.copies += 1
        timer = loop.call_later(self._time_out, _expire, reply)
        try:
            return await reply
        except TimeoutError:
            self.time_outs += 1
            return None
        finally:
            timer.cancel()
            question.reply = None

    def received(self, reply: AnyReply) -> None:
        """A station got `reply`."""
        key = reply.terminal, reply.stan
        question = self._questions.get(key)
        if question is None:
            self._auditor.report(Finding(Fault.UNASKED_REPLY, "", *key, "no such request was sent"))
            return
        if not isinstance(question.request, TerminalRequest):
            self._auditor.judge(question.request, cast("AccountReply | Rejected", reply))
        if isinstance(reply, Answer | Rejected) and reply.code in TECHNICAL_CODES:
            self.technical[reply.code] += 1
        question.copies -= 1
        if question.copies <= 0:
            del self._questions[key]
        if question.on_decided is not None and is_decided(reply):
            question.on_decided(reply, monotonic())
            question.on_decided = None
        if question.reply is not None and not question.reply.done() and not question.drops:
            question.reply.set_result(reply)


def _expire(reply: asyncio.Future[AnyReply]) -> None:
    if not reply.done():
        reply.set_exception(TimeoutError())
