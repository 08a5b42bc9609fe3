"""The terminal side of the switch: sessions, and what they share."""

from __future__ import annotations

import asyncio
from array import array
from collections import deque
from collections.abc import Sequence
from time import monotonic
from typing import Any, Final

import structlog

from actors.terminal.hot_list import add_up_hot_list
from actors.terminal.reconciliation import reconcile
from switch.clock import Clock
from switch.gathering import ask_every_shard
from switch.mailbox import Sender
from switch.meters import Meters
from switch.registry import Registry
from switch.session import Session
from switch.shards import Shards
from wire.codes import Reason
from wire.messages import Figures, Reconciliation, TerminalReply

TICK_S: Final = 1.0
"""How often time limits are looked at, and the length of the window in which a terminal's requests are counted."""

ASKED_SECONDS: Final = 5
"""How long it is remembered which terminals asked how much."""

UNSIGNED_MAX: Final = 1_024
"""Connections that have not signed on. Anyone can make them, so they have no share in `connections_max`: past this, the
oldest of them is closed."""

LEAVE_SECONDS_MAX: Final = 5.0
"""How long a stopping switch waits for peers to read their last answers."""

log = structlog.get_logger()


class Gateway:
    """Accepts connections and keeps the limits that hold across them."""

    def __init__(
        self,
        registry: Registry,
        shards: Shards[Any],
        clock: Clock,
        meters: Meters,
        *,
        log_requests: bool,
    ) -> None:
        self.registry = registry
        self.campus = registry.campus
        self.shards = shards
        self.clock = clock
        self.meters = meters
        self.log_requests = log_requests
        self.loop = asyncio.get_running_loop()
        self.sessions: set[Session] = set()
        self._unsigned: dict[Session, None] = {}
        self.by_station: dict[str, Session] = {}
        self.to_flush: list[Session] = []
        """Sessions with queued replies."""

        self.asked_this_second: dict[int, int] = {}
        """Requests by terminal."""

        self.asked_lately: deque[tuple[array[int], array[int]]] = deque(maxlen=ASKED_SECONDS)
        """The same of the seconds before: terminals, and requests of each. Packed, so that no numbers of messages stay
        alive, scattered over the memory: to keep the dictionaries cost the whole switch 3 % of its CPU."""

        self.emergencies_this_second: dict[int, int] = {}
        """By terminal: whatever else it asks, it can still call for help."""

        self.stopping = False
        self.sign_ons_refused: Reason | None = None
        """Why no station may sign on now, although the switch is not stopping (to be answered 91), or None."""

        self._sessions_made = 0
        self._server: asyncio.Server | None = None
        self._tick = self.loop.call_later(TICK_S, self._on_tick)
        self._emptied = asyncio.Event()

    async def listen(self, host: str, port: int, *, share_port: bool = False) -> tuple[str, int]:
        """Begin to accept connections; returns the address in use. Gateways may share a port (SO_REUSEPORT)."""
        self._server = await self.loop.create_server(
            self._new_session, host, port, backlog=4_096, reuse_address=True, reuse_port=share_port
        )
        address = self._server.sockets[0].getsockname()
        return address[0], address[1]

    def close(self) -> None:
        """Look at time limits no more."""
        self._tick.cancel()

    async def stop(self) -> None:
        """Accept nothing more, answer what is in flight, say goodbye, close."""
        self.stopping = True
        if self._server is not None:
            self._server.close()
        await self.shards.drain()
        self.flush()
        for session in list(self.sessions):
            if session.signed_on:
                session.leave()
            else:
                session.close("the switch is stopping")
        try:
            async with asyncio.timeout(LEAVE_SECONDS_MAX):
                while self.sessions:
                    self._emptied.clear()
                    await self._emptied.wait()
        except TimeoutError:
            log.warning("peers did not read their last answers", sessions=len(self.sessions))
            for session in list(self.sessions):
                session.abort()
        self.close()

    def find_key(self, station: str, key_number: int) -> bytes | None:
        """A station's pre-shared key."""
        return self.registry.secrets.get(station, {}).get(key_number)

    def change_registry(self, registry: Registry) -> None:
        """Go by this version from now on. Sessions whose station or key is gone are closed."""
        self.registry = registry
        self.campus = registry.campus
        for session in list(self.sessions):
            session.check_rights()

    def now_us(self) -> int:
        """The shards' time, which never goes back: a terminal that lost its counter continues from it."""
        return max(self.clock.now_us(), self.shards.time_us)

    def ask_every_shard(self, sender: Sender, request: Any, received: float) -> Reason | None:
        """Have a request answered that needs the parts of all shards, or say why not now (to be answered 91)."""
        add_up = self._reconcile if type(request) is Reconciliation else add_up_hot_list
        return ask_every_shard(self.shards, sender, request, received, add_up)

    def _reconcile(self, request: Reconciliation, parts: Sequence[Figures]) -> TerminalReply:
        reply = reconcile(request, parts)
        self.meters.reconciliations["out-of-balance" if isinstance(reply, Figures) else "in-balance"] += 1
        return reply

    def flush(self) -> None:
        """Send every session's queued replies."""
        if self.to_flush:
            sessions, self.to_flush = self.to_flush, []
            for session in sessions:
                session.flush()

    def connected(self, session: Session) -> None:
        """A connection was made."""
        self.sessions.add(session)
        self._unsigned[session] = None
        if len(self._unsigned) > UNSIGNED_MAX:
            oldest = next(iter(self._unsigned))
            del self._unsigned[oldest]
            self.meters.rejected["too-many-unsigned"] += 1
            oldest.close("too many connections without a sign-on", unsigned_max=UNSIGNED_MAX)
            oldest.abort()

    def refusal_to_sign_on(self, station: str) -> Reason | None:
        """Why the station cannot sign on now (to be answered 91), or None."""
        if self.stopping:
            return Reason.STOPPING
        if self.sign_ons_refused is not None:
            return self.sign_ons_refused
        full = len(self.by_station) >= self.campus.sessions.connections_max and station not in self.by_station
        return Reason.BUSY_CONNECTIONS if full else None

    def signed_on(self, session: Session) -> None:
        """A session is its station's one; an older one is closed, for its station has gone from it."""
        self._unsigned.pop(session, None)
        self.meters.sign_ons += 1
        older = self.by_station.get(session.station)
        self.by_station[session.station] = session
        if older is not None:
            older.close("replaced by a newer session of its station", newer=session.number)
            older.abort()  # its station has gone from it and will not read what is still to be sent
        log.info("signed on", session=session.number, station=session.station, software=session.software)

    def disconnected(self, session: Session) -> None:
        """A connection is gone."""
        self.sessions.discard(session)
        self._unsigned.pop(session, None)
        if self.by_station.get(session.station) is session:
            del self.by_station[session.station]
        if not self.sessions:
            self._emptied.set()

    def _new_session(self) -> Session:
        self._sessions_made += 1
        return Session(self, self._sessions_made)

    def _on_tick(self) -> None:
        self._tick = self.loop.call_later(TICK_S, self._on_tick)
        asked = self.asked_this_second
        self.asked_lately.append((array("L", asked), array("L", asked.values())))
        asked.clear()
        self.emergencies_this_second.clear()
        limits, now = self.campus.sessions, monotonic()
        for session in list(self.sessions):
            silent_s = now - session.heard
            if silent_s > limits.idle_seconds:
                self.meters.rejected["idle"] += 1
                session.close("idle", idle_seconds=limits.idle_seconds)
                session.abort()
            elif not session.signed_on and now - session.connected_at > limits.sign_on_seconds:
                self.meters.rejected["sign-on-time-limit"] += 1
                session.close("no sign-on in time", sign_on_seconds=limits.sign_on_seconds)
