"""One station's connection: bytes to messages, the gateway's own answers, and limits that protect everybody else."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Sequence
from time import monotonic
from typing import TYPE_CHECKING, Any, Final, cast, get_args

import structlog

from switch.mailbox import Parcel, is_urgent, refusal
from switch.parameters import parameters
from switch.shards import room_for
from wire.codec import Unreadable, encode_message, reply_decoder
from wire.codes import Code, Reason
from wire.connection import Connection, State
from wire.errors import LocalProtocolError, PeerProtocolError
from wire.messages import (
    PROTOCOL_VERSION,
    AccountRequest,
    Echo,
    Echoed,
    Emergency,
    ExplainGap,
    OperatorCommand,
    ParametersInquiry,
    Rejected,
    SignedOff,
    SignedOn,
    SignOff,
    SignOn,
    TerminalRequest,
)

if TYPE_CHECKING:
    from switch.gateway import Gateway

WRITE_BUFFER_BYTES_MAX: Final = 256 * 1_024
"""Past this much unread output, the session is not read from until its peer reads."""

UNREADABLE_MAX: Final = 1_000
"""Unreadable messages that a session may send before it is closed: reading them costs more than good ones do."""


_CLOSED: Final = State.CLOSED
_TO_SHARD: Final = frozenset(get_args(AccountRequest))
_ABOUT_TERMINAL: Final = frozenset(get_args(TerminalRequest))
_RECORDED: Final = frozenset({Emergency, ExplainGap})
"""Requests about a terminal that its own shard records; every shard answers the others for its part."""

_NAME_ORIGINAL: Final = frozenset(
    request
    for request in get_args(AccountRequest)
    if "original_terminal" in request.__struct_fields__ and not issubclass(request, OperatorCommand)
)
"""Requests that name another terminal besides their own: the station must speak for both.

An operator, whose role permits it, may name any terminal.
"""

log = structlog.get_logger()


class Session(asyncio.Protocol):
    """From connect to close. It counts as its station's session once its sign-on has been read."""

    __slots__ = (
        "_asked_max", "_connection", "_gateway", "_in_flight_max", "_key", "_leaving", "_outbox", "_terminals",
        "_unreadable", "connected_at", "heard", "in_flight", "number", "signed_on", "software", "station", "transport",
    )  # fmt: skip

    transport: asyncio.Transport

    def __init__(self, gateway: Gateway, number: int) -> None:
        limits = gateway.campus.sessions
        self.number = number
        self.station = ""
        self.software = ""
        self.in_flight = 0
        self.connected_at = self.heard = monotonic()
        """Monotonic seconds at the last bytes from the peer."""

        self.signed_on = False
        self._gateway = gateway
        self._terminals: frozenset[int] = frozenset()
        self._in_flight_max = limits.in_flight_max
        self._asked_max = limits.requests_per_second_per_terminal
        self._key: bytes | None = None
        self._connection = Connection.switch(self._find_key, os.urandom(32), limits.record_bytes_max)
        self._outbox: list[bytes] = []
        self._leaving = False
        self._unreadable = 0

    # What the event loop calls.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Admit the connection, or close it if there are too many."""
        self.transport = cast("asyncio.Transport", transport)
        self.transport.set_write_buffer_limits(high=WRITE_BUFFER_BYTES_MAX)
        self._gateway.connected(self)

    def data_received(self, data: bytes) -> None:
        """Read what the bytes complete."""
        self.heard = now = monotonic()
        connection = self._connection
        try:
            messages = connection.receive(data)
        except PeerProtocolError as error:
            self._gateway.meters.rejected[error.breach.value] += 1
            self.close("peer broke the protocol", breach=error.breach.value, explanation=error.explanation)
            return
        if self.signed_on:
            if messages:
                self._admit(messages, now)
        else:
            self._greet(messages)

    def pause_writing(self) -> None:
        """The peer does not read: stop reading from it."""
        self.transport.pause_reading()

    def resume_writing(self) -> None:
        """The peer has read."""
        self.transport.resume_reading()

    def connection_lost(self, _error: Exception | None) -> None:
        """Forget the session; answers to what is in flight go nowhere, and a retry will find them."""
        self._connection.close()
        self._gateway.disconnected(self)

    # What the gateway calls.

    def deliver(self, parcel: Parcel, answers: Sequence[bytes]) -> None:
        """Queue answers; they leave together when the gateway flushes."""
        self.in_flight -= len(answers)
        if self._gateway.log_requests:
            self._log_answers(parcel, answers)
        if not self._outbox:
            self._gateway.to_flush.append(self)
        self._outbox += answers

    def flush(self) -> None:
        """Send what is queued."""
        answers, self._outbox = self._outbox, []
        if self._connection.state is _CLOSED:
            return
        try:
            self.transport.write(self._connection.send_encoded(answers))
        except LocalProtocolError as error:
            self.close("session ended before its answers", explanation=str(error))
            return
        if self._leaving:
            self.leave()

    def leave(self) -> None:
        """Close once everything in flight is answered."""
        self._leaving = True
        if not self.in_flight and not self._outbox:
            self._say_signed_off()

    def check_rights(self) -> None:
        """The registry has changed: go on with what the station may do now, or close if its key is gone."""
        peer = self._connection.peer
        if peer is None:
            return
        if self._gateway.find_key(peer.station, peer.key_number) != self._key:
            self._gateway.meters.rejected["revoked"] += 1
            self.close("the station's key is not valid any more", key_number=peer.key_number)
        elif self.signed_on:
            self._terminals = self._gateway.campus.stations[peer.station]

    def close(self, why: str, **details: Any) -> None:
        """Close now, with a logged reason."""
        log.info("session closed", session=self.number, station=self.station, why=why, **details)
        self._connection.close()
        self.transport.close()

    def abort(self) -> None:
        """Drop the connection without waiting for the peer to read."""
        self._connection.close()
        self.transport.abort()

    # Inside.

    def _find_key(self, station: str, key_number: int) -> bytes | None:
        self._key = self._gateway.find_key(station, key_number)
        return self._key

    def _greet(self, messages: list[Any]) -> None:
        """Go on with the handshake, or sign on."""
        output = self._connection.take_output()
        if output:
            self.transport.write(output)
        if messages:
            self._sign_on(messages.pop(0))
        if messages and self.signed_on:
            self._admit(messages, self.heard)

    def _sign_on(self, message: SignOn) -> None:
        gateway = self._gateway
        peer = self._connection.peer
        assert peer is not None, "a sign-on comes after the greeting"
        code, reason = Code.APPROVED, Reason.NONE
        if message.protocol != PROTOCOL_VERSION:
            code, reason = Code.NOT_SUPPORTED, Reason.PROTOCOL_VERSION
        elif (refused := gateway.refusal_to_sign_on(peer.station)) is not None:
            code, reason = Code.TRY_AGAIN, refused
        limits = gateway.campus.sessions
        signed_on = SignedOn(
            code, reason, PROTOCOL_VERSION, gateway.now_us(), limits.in_flight_max, limits.record_bytes_max,
            limits.idle_seconds * 1_000, limits.echo_seconds * 1_000,
        )  # fmt: skip
        self.transport.write(self._connection.send([signed_on]))
        self.station = peer.station
        self.software = message.software
        if code is not Code.APPROVED:
            gateway.meters.rejected["sign-on-refused"] += 1
            self.close("sign-on refused", reason=reason.value)
            return
        self._terminals = gateway.campus.stations[peer.station]
        self.signed_on = True
        gateway.signed_on(self)

    def _admit(self, messages: list[Any], now: float) -> None:
        """Hand on what a shard answers; answer the rest here."""
        gateway = self._gateway
        asked, asked_max = gateway.asked_this_second, self._asked_max
        terminals, room = self._terminals, self._in_flight_max - self.in_flight
        requests: list[Any] = []
        about_terminals: list[Any] = []
        for place, message in enumerate(messages):
            if type(message) not in _TO_SHARD:
                if type(message) in _ABOUT_TERMINAL:
                    about_terminals.append(message)
                else:
                    self._answer_here(message, place)
                continue
            terminal = message.terminal
            if terminal not in terminals or (
                type(message) in _NAME_ORIGINAL and message.original_terminal not in terminals
            ):
                self._refuse(message, Code.SECURITY, Reason.TERMINAL_NOT_OF_STATION)
            elif gateway.stopping:
                self._refuse(message, Code.TRY_AGAIN, Reason.STOPPING)
            elif room <= 0:
                self._refuse(message, Code.TRY_AGAIN, Reason.BUSY_SESSION)
            elif (count := asked.get(terminal, 0)) >= asked_max:
                self._refuse(message, Code.TRY_AGAIN, Reason.BUSY_TERMINAL)
            else:
                asked[terminal] = count + 1
                room -= 1
                requests.append(message)
        if requests:
            self._submit(requests, now)
        for request in about_terminals:
            self._admit_about_terminal(request, now)
        if gateway.to_flush:
            gateway.flush()
        if self._unreadable > UNREADABLE_MAX:
            gateway.meters.rejected["too-many-unreadable"] += 1
            self.close("too many unreadable messages", unreadable_max=UNREADABLE_MAX)
        elif self._leaving:
            self.leave()

    def _submit(self, requests: list[Any], now: float) -> None:
        for shard, theirs in self._gateway.shards.sort(requests):
            room, reason = room_for(shard)
            if len(theirs) > room:
                for request in theirs[room:]:
                    self._refuse(request, Code.TRY_AGAIN, reason)
                theirs = theirs[:room]  # noqa: PLW2901 - what is left of them
                if not theirs:
                    continue
            self.in_flight += len(theirs)
            shard.submit(Parcel(self, theirs, now))

    def _admit_about_terminal(self, request: Any, now: float) -> None:
        """As `_admit`, of a request that needs no account. Whatever else is asked leaves room for an emergency."""
        gateway, terminal = self._gateway, request.terminal
        urgent = type(request) is Emergency
        asked = gateway.emergencies_this_second if urgent else gateway.asked_this_second
        count = asked.get(terminal, 0)
        if terminal not in self._terminals:
            self._refuse(request, Code.SECURITY, Reason.TERMINAL_NOT_OF_STATION)
        elif gateway.stopping:
            self._refuse(request, Code.TRY_AGAIN, Reason.STOPPING)
        elif not urgent and self.in_flight >= self._in_flight_max:
            self._refuse(request, Code.TRY_AGAIN, Reason.BUSY_SESSION)
        elif count >= self._asked_max:
            self._refuse(request, Code.TRY_AGAIN, Reason.BUSY_TERMINAL)
        else:
            asked[terminal] = count + 1
            self._ask_about_terminal(request, now)

    def _ask_about_terminal(self, request: Any, now: float) -> None:
        gateway = self._gateway
        if type(request) is ParametersInquiry:
            self._queue(encode_message(parameters(request, gateway.campus)))
            return
        self.in_flight += 1
        record = type(request) in _RECORDED
        refused = self._record(request, now) if record else gateway.ask_every_shard(self, request, now)
        if refused is not None:
            self.in_flight -= 1
            self._refuse(request, Code.TRY_AGAIN, refused)

    def _record(self, request: Emergency | ExplainGap, now: float) -> Reason | None:
        """Have it recorded by its terminal's shard, or say why not now."""
        shard = self._gateway.shards.of_terminal(request.terminal)
        room, reason = room_for(shard, urgent=is_urgent([request]))
        if room < 1:
            return reason
        shard.submit(Parcel(self, [request], now))
        return None

    def _refuse(self, request: Any, code: Code, reason: Reason) -> None:
        self._gateway.meters.refusals[int(code), reason.value] += 1
        self._queue(refusal(request, code, reason))
        if self._gateway.log_requests:
            log.debug("request refused", request=self.correlation(request), station=self.station, code=f"{code:02}",
                      reason=reason.value)  # fmt: skip

    def _answer_here(self, message: Any, place: int) -> None:
        match message:
            case Echo():
                self._queue(encode_message(Echoed(message.token, self._gateway.now_us())))
            case SignOff():
                self._leaving = True
            case Unreadable():
                self._gateway.meters.rejected["unreadable-message"] += 1
                self._unreadable += 1
                self._reject(message.terminal, message.stan, message.place, message.explanation)
            case _:
                self._gateway.meters.rejected["unexpected-message"] += 1
                self._unreadable += 1
                explanation = f"{type(message).__name__} is not expected in a session that is signed on"
                self._reject(0, 0, place, explanation)

    def _reject(self, terminal: int, stan: int, place: int, explanation: str) -> None:
        rejected = Rejected(terminal, stan, Code.FORMAT_ERROR, Reason.UNREADABLE, place, explanation)
        self._queue(encode_message(rejected))

    def _log_answers(self, parcel: Parcel, answers: Sequence[bytes]) -> None:
        waited_ms = round((monotonic() - parcel.received) * 1_000, 3)
        for answer in map(reply_decoder.decode_message, answers):
            code, reason = getattr(answer, "code", Code.APPROVED), getattr(answer, "reason", Reason.NONE)
            log.debug("request answered", request=self.correlation(answer), station=self.station, code=f"{code:02}",
                      reason=reason.value, waited_ms=waited_ms)  # fmt: skip

    def _queue(self, reply: bytes) -> None:
        if not self._outbox:
            self._gateway.to_flush.append(self)
        self._outbox.append(reply)

    def _say_signed_off(self) -> None:
        if not self.transport.is_closing():
            self.transport.write(self._connection.send([SignedOff()]))
            self.close("signed off")

    def correlation(self, message: Any) -> str:
        """The name of a request in all log lines, and of its answer: session, terminal, STAN."""
        return f"{self.number}-{message.terminal}-{message.stan}"
