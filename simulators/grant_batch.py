"""A batch of subsidies over the wire: each account is granted its part, by whichever desk is free.

A desk has one command in flight. Whatever ends the work before its end, the same batch may be sent again: the switch
grants it to no account twice.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from typing import NamedTuple

from simulators.auditor.auditor import is_decided
from simulators.batch_file import BatchRow
from simulators.desk import Desk
from simulators.operator import COPIES_MAX, RETRY_SECONDS_MIN, TIME_OUT_SECONDS, WAIT_MS, connected
from simulators.retry import pause
from simulators.station import AnyReply, Station
from wire.codes import Code
from wire.messages import Answer, GrantSubsidy, Rejected

BUSY_MAX = 150
"""How often one command is told to try again before the switch is given up: half a minute and more."""

REMEDY: Mapping[Code, str] = {
    Code.NOT_PERMITTED_TO_CARDHOLDER: "the role of this station does not permit it; take a --station whose role has"
    " grant-subsidy among its commands",
    Code.NOT_PERMITTED_TO_TERMINAL: "to the running switch this is no terminal of an operator; compare its campus.toml"
    " with this one",
    Code.SECURITY: "the station may not speak for this terminal; take another --station or --terminal",
    Code.FORMAT_ERROR: "the switch cannot read the command; is it of another version than this one?",
}
"""What to do about answers that speak of the desk or the batch: every further command would be answered so."""


class Batch(NamedTuple):
    """What all its grants have in common."""

    identifier: str
    last_day: int


class BatchStoppedError(Exception):
    """The work ended before its end: no answer, or one that every command would get. The text says what to do."""


OnDecided = Callable[[BatchRow, Answer], None]


def grant_of(desk: Desk, terminal: int, stan: int, batch: Batch, row: BatchRow) -> GrantSubsidy:
    """The command that grants a row."""
    return GrantSubsidy(terminal, stan, WAIT_MS, row.account, desk.clerk, batch.identifier, row.amount, batch.last_day)


async def grant_batch(
    desk: Desk, terminals: Iterable[int], batch: Batch, rows: Iterable[BatchRow], on_decided: OnDecided
) -> None:
    """Sign on, grant every row, sign off. Raises BatchStoppedError, and OperatorError before anything was sent."""
    replies: dict[int, asyncio.Queue[AnyReply]] = {number: asyncio.Queue() for number in terminals}

    def deliver(reply: AnyReply) -> None:
        if reply.terminal in replies:
            replies[reply.terminal].put_nowait(reply)

    station = Station(desk.address, desk.station, desk.key, deliver)
    async with connected(station) as signed_on:
        waiting = deque(enumerate(rows, signed_on.time_us))

        async def work(terminal: int) -> None:
            while waiting:
                stan, row = waiting.popleft()
                request = grant_of(desk, terminal, stan, batch, row)
                on_decided(row, await _until_decided(station, request, replies[terminal]))

        try:
            async with asyncio.TaskGroup() as desks:
                for number in replies:
                    desks.create_task(work(number))
        except* BatchStoppedError as stopped:
            raise stopped.exceptions[0] from None


async def _until_decided(station: Station, request: GrantSubsidy, replies: asyncio.Queue[AnyReply]) -> Answer:
    silent = busy = 0
    while silent < COPIES_MAX and busy < BUSY_MAX:
        try:
            async with asyncio.timeout(TIME_OUT_SECONDS):
                while not station.send(request):
                    await station.ready()
                while (reply := await replies.get()).stan != request.stan:
                    pass  # to a copy of an earlier command
        except TimeoutError:
            silent += 1
            continue
        if isinstance(reply, Answer) and is_decided(reply) and reply.code not in REMEDY:
            return reply
        if isinstance(reply, Rejected) or (isinstance(reply, Answer) and reply.code in REMEDY):
            remedy = REMEDY.get(reply.code, "no further command would be taken")
            refused = f"refused {reply.code:02d} {reply.reason.value}"
            raise BatchStoppedError(f"account {request.account}: {refused}: {remedy}")
        busy += 1
        await pause(reply, RETRY_SECONDS_MIN)
    raise BatchStoppedError(
        f"account {request.account}: no decision; the switch was asked {silent + busy} times; "
        "run the same command again, it grants nothing twice"
    )
