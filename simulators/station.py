"""A station's connection: it connects, signs on, keeps the session alive, and comes back after a loss.

Knows nothing of what the requests mean. What is written in one turn of the event loop leaves as one record.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Callable
from time import monotonic
from typing import Any, NamedTuple, cast

from simulators.campus import StationKey
from wire.codes import Code
from wire.connection import Connection, State
from wire.errors import PeerProtocolError
from wire.messages import (
    PROTOCOL_VERSION,
    AccountReply,
    AccountRequest,
    Answer,
    Echo,
    Echoed,
    Figures,
    HotList,
    Parameters,
    Rejected,
    SignedOff,
    SignedOn,
    SignOff,
    SignOn,
    Statement,
    TerminalReply,
    TerminalRequest,
)
from wire.noise import KEY_BYTES

BACK_OFF_SECONDS_MIN = 0.1
BACK_OFF_SECONDS_MAX = 5.0
SIGN_OFF_SECONDS = 2.0

AnyReply = AccountReply | TerminalReply | Rejected
OnReply = Callable[[AnyReply], None]


class Address(NamedTuple):
    """Where the switch listens."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"{self.host}:{self.port}"


class _Session(asyncio.Protocol):
    """One TCP connection from its handshake to its loss."""

    def __init__(self, connection: Connection, on_reply: OnReply) -> None:
        self._connection = connection
        self._on_reply = on_reply
        self._outgoing: list[Any] = []
        self._transport: asyncio.Transport
        self._echoed = True
        self._introduced = False
        loop = asyncio.get_running_loop()
        self._loop = loop
        self.signed_on: asyncio.Future[SignedOn] = loop.create_future()
        self.lost: asyncio.Future[str] = loop.create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)  # uvloop's TCP transport is one in all but its bases
        self._transport.write(self._connection.take_output())

    def data_received(self, data: bytes) -> None:
        try:
            messages = self._connection.receive(data)
        except PeerProtocolError as error:
            self.end(str(error))
            return
        if self._connection.state is State.SIGN_ON and not self._introduced:
            self._introduced = True
            self.write(SignOn(PROTOCOL_VERSION, "tapswitch simulator"))
        for message in messages:
            match message:
                case Answer() | Statement() | Figures() | Parameters() | HotList() | Rejected():
                    self._on_reply(message)
                case Echoed():
                    self._echoed = True
                case SignedOn(code=Code.APPROVED):
                    self.signed_on.set_result(message)
                case SignedOff():
                    self.end("signed off")
                case _:
                    self.end(f"unexpected {message}")

    def connection_lost(self, exc: Exception | None) -> None:
        self.end(str(exc) if exc else "the switch closed the connection")

    def write(self, message: Any) -> None:
        """Send with everything else that is written before the event loop turns."""
        if not self._outgoing:
            self._loop.call_soon(self._flush)
        self._outgoing.append(message)

    def check_alive(self) -> None:
        """Called once an echo interval: ask, and give up if the last question was not answered."""
        if not self._echoed:
            self.end("no echo from the switch")
            return
        self._echoed = False
        self.write(Echo(1))

    def _flush(self) -> None:
        outgoing, self._outgoing = self._outgoing, []
        if self._connection.state is not State.CLOSED:
            self._transport.write(self._connection.send(outgoing))

    def abort(self, why: str) -> None:
        """As `end`, but what was written and is not on its way yet is lost."""
        self._transport.abort()
        self.end(why)

    def end(self, why: str) -> None:
        """Close at once; `why` is kept as the reason of the loss."""
        self._connection.close()
        self._transport.close()
        if not self.lost.done():
            self.lost.set_result(why)
        self.signed_on.cancel()


def _ends(session: _Session) -> list[asyncio.Future[Any]]:
    """Either way in which waiting for the sign-on ends."""
    return [session.signed_on, session.lost]


class Station:
    """Speaks for its terminals over one connection at a time."""

    def __init__(self, address: Address, name: str, key: StationKey, on_reply: OnReply) -> None:
        """`on_reply` is called for every reply, whatever connection it came over."""
        self.name = name
        self._address = address
        self._key = key
        self._on_reply = on_reply
        self._session: _Session | None = None
        self._ready = asyncio.Event()
        self._reachable = asyncio.Event()
        self._reachable.set()
        self.limits: SignedOn | None = None
        """What the latest sign-on told."""

        self.signed_on_at = 0.0
        """When it told it: monotonic."""

        self._trouble = ""
        self._waits_for = "it has not tried yet"
        self.connects = 0

    @property
    def last_trouble(self) -> str:
        """What ended the last connection or attempt; while the first is under way, what it waits for."""
        return self._trouble or self._waits_for

    @property
    def connected(self) -> bool:
        """Whether a request would be sent now."""
        return self._ready.is_set()

    @property
    def is_cut_off(self) -> bool:
        """Whether the network is gone, so that it does not even try."""
        return not self._reachable.is_set()

    def cut_off(self) -> None:
        """The network is gone; what was under way in it is lost."""
        self._reachable.clear()
        if self._session is not None:
            self._session.abort("cut off")

    def restore(self) -> None:
        """The network is there again."""
        self._reachable.set()

    def clock_us(self, rate: float = 1.0) -> int:
        """The switch's time as its terminals keep it since the latest sign-on, at `rate` seconds a real second."""
        assert self.limits is not None, "it was signed on once"
        return self.limits.time_us + int((monotonic() - self.signed_on_at) * rate * 1_000_000)

    async def ready(self) -> SignedOn:
        """Wait until it is signed on."""
        await self._ready.wait()
        assert self.limits is not None, "set before ready"
        return self.limits

    def send(self, request: AccountRequest | TerminalRequest) -> bool:
        """Hand one copy to the network. False, and nothing is sent, while it is not connected."""
        if self._session is None or not self._ready.is_set():
            return False
        self._session.write(request)
        return True

    async def run(self) -> None:
        """Stay connected until cancelled; then sign off."""
        back_off = BACK_OFF_SECONDS_MIN
        while True:
            await self._reachable.wait()
            if await self._one_session():
                back_off = BACK_OFF_SECONDS_MIN
            await asyncio.sleep(back_off * (0.5 + secrets.randbelow(1_000) / 1_000))
            back_off = min(back_off * 2, BACK_OFF_SECONDS_MAX)

    async def _one_session(self) -> bool:
        """Whether it got as far as being signed on."""
        session = _Session(self._connection(), self._on_reply)
        self._waits_for = f"{self._address}: nothing answers there"
        try:
            await asyncio.get_running_loop().create_connection(lambda: session, *self._address)
        except OSError as error:
            self._trouble = f"{self._address}: {error.strerror or error}"
            return False
        self._waits_for = f"{self._address}, station {self.name}: connected, but nothing came from the switch"
        try:
            await asyncio.wait(_ends(session), return_when=asyncio.FIRST_COMPLETED)
        except asyncio.CancelledError:
            session.end("cancelled")
            raise
        if session.lost.done():
            self._trouble = f"{self._address}, station {self.name}: {session.lost.result()}"
            return False
        limits = session.signed_on.result()
        self._open(session, limits)
        try:
            await self._keep_alive(session, limits)
        except asyncio.CancelledError:
            await self._sign_off(session)
            raise
        finally:
            self._ready.clear()
            self._session = None
        self._trouble = session.lost.result()
        return True

    def _connection(self) -> Connection:
        return Connection.station(self.name, self._key.number, self._key.key, secrets.token_bytes(KEY_BYTES))

    def _open(self, session: _Session, limits: SignedOn) -> None:
        if self.is_cut_off:
            session.abort("cut off")
            return
        self._session, self.limits, self.signed_on_at = session, limits, monotonic()
        self.connects += 1
        self._ready.set()

    @staticmethod
    async def _keep_alive(session: _Session, limits: SignedOn) -> None:
        interval = max(limits.echo_interval_ms, 1_000) / 1_000
        while not session.lost.done():
            await asyncio.wait([session.lost], timeout=interval)
            if not session.lost.done():
                session.check_alive()

    async def _sign_off(self, session: _Session) -> None:
        self._ready.clear()
        session.write(SignOff())
        await asyncio.wait([session.lost], timeout=SIGN_OFF_SECONDS)
