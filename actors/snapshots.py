"""Snapshot rows: what they are called in the store, and how they are written and read.

    a slot(2) number        an actor's state            t terminal(4)          its highest STAN
    d day(4) terminal(4)    a terminal's day            l                      the ledger, and where a replay begins
    o terminal(4) offline number(8)                     positions of the events that the number came to
    e terminal(4)           position of its last alarm  h card                 its newest change on the hot list

Integers in keys are big-endian. Actors of one slot lie side by side. Snapshots can always be rebuilt from the journal.
An offline number is written in the commit of its event, all others are written behind.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final

import msgspec
from msgspec import Struct

from actors.active import Actor
from actors.hot_list import HotChange
from actors.ledger import Ledger
from actors.offline_numbers import OfflineNumber, Positions
from actors.placement import slot_of
from actors.store import Row, Store
from actors.totals import Sums, TotalsKey

_ACTOR: Final = b"a"
_TERMINAL: Final = b"t"
_DAY: Final = b"d"
_LEDGER: Final = b"l"
_OFFLINE: Final = b"o"
_ALARM: Final = b"e"
_HOT_CARD: Final = b"h"


class LedgerSnapshot(Struct, array_like=True, frozen=True):
    """The ledger as of `position`. A replay begins at `replay_from`: every other row has all events before that."""

    position: int
    replay_from: int
    held: int
    balances: list[tuple[str, int, int]]
    hot_list: bool = False
    """Whether the rows of the hot list are complete: older software wrote none."""

    reserved: tuple[int, int] | None = None
    """How many reservations stand in the actors, and of how many minor units; None: older software did not count."""


_encoder = msgspec.msgpack.Encoder()
_ledger_decoder = msgspec.msgpack.Decoder(LedgerSnapshot)
_day_decoder = msgspec.msgpack.Decoder(list[tuple[TotalsKey, Sums]])
_positions_decoder = msgspec.msgpack.Decoder(Positions)
_hot_decoder = msgspec.msgpack.Decoder(tuple[int, str])
_int_decoder = msgspec.msgpack.Decoder(int)


def _terminal_key(terminal: int) -> bytes:
    return _TERMINAL + terminal.to_bytes(4, "big")


def _day_key(business_day: int, terminal: int) -> bytes:
    return _DAY + business_day.to_bytes(4, "big") + terminal.to_bytes(4, "big")


def _offline_key(number: OfflineNumber) -> bytes:
    terminal, counted = number
    return _OFFLINE + terminal.to_bytes(4, "big") + counted.to_bytes(8, "big")


class Snapshots:
    """Rows of a store as values; actors' states are packed."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def actor(self, number: str) -> bytes | None:
        """An actor's state, or None if it has no snapshot."""
        return self._store.row(_ACTOR + slot_of(number).to_bytes(2, "big") + number.encode())

    def actors(self) -> Iterator[bytes]:
        """Every stored state, slot by slot."""
        for _, value in self._store.rows(_ACTOR):
            yield value

    def actors_of(self, slot: int) -> Iterator[bytes]:
        """Every stored state of one slot."""
        for _, value in self._store.rows(_ACTOR + slot.to_bytes(2, "big")):
            yield value

    def highest_stans(self) -> dict[int, int]:
        """Highest STAN by terminal."""
        return {
            int.from_bytes(key[1:], "big"): _int_decoder.decode(value) for key, value in self._store.rows(_TERMINAL)
        }

    def alarms(self) -> dict[int, int]:
        """Position of the last alarm by terminal."""
        return {int.from_bytes(key[1:], "big"): _int_decoder.decode(value) for key, value in self._store.rows(_ALARM)}

    def hot_cards(self) -> Iterator[HotChange]:
        """The hot list, by card."""
        for key, value in self._store.rows(_HOT_CARD):
            position, state = _hot_decoder.decode(value)
            yield HotChange(position, key[1:].decode(), state)

    def day(self, business_day: int, terminal: int) -> dict[TotalsKey, Sums]:
        """A terminal's stored day; empty if none is stored."""
        value = self._store.row(_day_key(business_day, terminal))
        return dict(_day_decoder.decode(value)) if value is not None else {}

    def days(self) -> Iterator[dict[TotalsKey, Sums]]:
        """Every stored terminal's day."""
        for _, value in self._store.rows(_DAY):
            yield dict(_day_decoder.decode(value))

    def offline_positions(self, number: OfflineNumber) -> Positions:
        """Of the events that an offline number came to."""
        value = self._store.row(_offline_key(number))
        return _positions_decoder.decode(value) if value is not None else ()

    def offline_numbers(self, first: OfflineNumber = (0, 0)) -> Iterator[tuple[OfflineNumber, Positions]]:
        """(number, positions of its events), by terminal and number, from `first` on."""
        for key, value in self._store.rows(_OFFLINE, _offline_key(first)):
            number = int.from_bytes(key[1:5], "big"), int.from_bytes(key[5:], "big")
            yield number, _positions_decoder.decode(value)

    def ledger(self) -> LedgerSnapshot:
        """The stored ledger, or an empty one if there is none yet."""
        value = self._store.row(_LEDGER)
        return _ledger_decoder.decode(value) if value is not None else LedgerSnapshot(0, 1, 0, [])


def actor_rows(slot: int, actors: Iterable[Actor]) -> list[Row]:
    """The rows of actors of one slot, by number."""
    prefix = _ACTOR + slot.to_bytes(2, "big")
    return sorted((prefix + actor.number.encode(), actor.durable) for actor in actors)


def terminal_row(terminal: int, highest_stan: int) -> Row:
    """The row of a terminal's highest STAN."""
    return _terminal_key(terminal), _encoder.encode(highest_stan)


def alarm_row(terminal: int, position: int) -> Row:
    """The row of a terminal's last alarm."""
    return _ALARM + terminal.to_bytes(4, "big"), _encoder.encode(position)


def day_row(business_day: int, terminal: int, totals: dict[TotalsKey, Sums]) -> Row:
    """The row of a terminal's day."""
    return _day_key(business_day, terminal), _encoder.encode(list(totals.items()))


def offline_row(number: OfflineNumber, positions: Positions) -> Row:
    """The row of an offline number."""
    return _offline_key(number), _encoder.encode(positions)


def hot_rows(changes: Iterable[HotChange]) -> list[Row]:
    """The rows of changes of the hot list, which come in order."""
    rows = {_HOT_CARD + card.encode(): (position, state) for position, card, state in changes}
    return [(key, _encoder.encode(value)) for key, value in sorted(rows.items())]


def ledger_row(position: int, replay_from: int, ledger: Ledger) -> Row:
    """The row of the ledger."""
    balances = [(name, number, balance) for (name, number), balance in ledger.balances.items()]
    reserved = ledger.reservations, ledger.reserved
    row = LedgerSnapshot(position, replay_from, ledger.held, balances, hot_list=True, reserved=reserved)
    return _LEDGER, _encoder.encode(row)
