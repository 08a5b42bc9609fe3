"""`python -m bench.rules`: what each rule costs a purchase, in CPU of the shard alone, without disk and wire.

Variants are measured in turn, many times over, so that whatever slows the machine slows them all; the median counts.
"""

from __future__ import annotations

import gc
import statistics
from collections.abc import Callable, Sequence
from datetime import time
from itertools import count
from pathlib import Path
from time import process_time
from typing import Any, Final, NamedTuple
from zoneinfo import ZoneInfo

import click
import msgspec
from msgspec.structs import replace
from rich.console import Console
from rich.table import Table

from actors.account.card import CardState, PersonClass
from actors.account.kind import ACCOUNT
from actors.account.pins import keyed_hash
from actors.account.state import Pin
from actors.calendar import Calendar, MealPeriod
from actors.memory_store import MemoryStore
from actors.opening import Opening, open_accounts
from actors.policy import Limits, PinKeys, Policy, Price, Service, Terminal
from actors.recovery import recover
from actors.shard import Shard
from wire.codes import Code
from wire.messages import Purchase
from wire.pin import PinContext, PinUse, seal_pin

TURN: Final = 512
"""Purchases in a turn, each of another account and another terminal."""

RICH: Final = 10**12
"""Minor units: nobody runs out of money while the rules are timed."""

AMOUNT: Final = 1_250
_PIN: Final = "274936"
_PIN_KEYS: Final = PinKeys(bytes(32), {number: number.to_bytes(32, "big") for number in range(1, TURN + 1)})
_CALENDAR: Final = Calendar(ZoneInfo("Asia/Shanghai"), time(0), (MealPeriod("lunch", time(14)),))
_MOMENT: Final = _CALENDAR.moment(1_788_235_200_000_000)
_TILL: Final = Terminal(0, 1, frozenset({Service.PURCHASE}), None)
_NO_LIMITS: Final = Limits(0, 0, 0, 0)
_LIMITS: Final = Limits(RICH, RICH, RICH, RICH, RICH, 10**9, 10**9, 1)


class Variant(NamedTuple):
    """One rule, as it stands in the policy, the accounts or the requests."""

    name: str
    policy: Policy
    purses: tuple[int, ...] = (RICH,)
    asks_pin: bool = False
    """Whether each purchase is above its limit, and brings the PIN."""


def variants() -> list[Variant]:
    """Nothing at all first, then each rule by itself, then all of them."""
    plain = _policy(_TILL)
    hours = _policy(replace(_TILL, open_periods=frozenset({_MOMENT.period})))
    by_class = {PersonClass.STUDENT: _LIMITS}
    discount = {(PersonClass.STUDENT, _TILL.merchant, _MOMENT.period): Price(80, 0)}
    with_pin = replace(plain, limits=replace(_NO_LIMITS, purchase_max=AMOUNT - 1), pin_keys=_PIN_KEYS)
    return [
        Variant("no rule", plain),
        Variant("hours of its merchant", hours),
        Variant("limits of purchase, day and period, counts, deposit", replace(plain, limits=_LIMITS)),
        Variant("the same, of its class of people", replace(plain, class_limits=by_class)),
        Variant("three purses, of which it draws on one", plain, (RICH, RICH, RICH)),
        Variant("three purses, of which it draws on two", plain, (RICH, 0, RICH)),
        Variant("a discount for its class of people", replace(plain, prices=discount)),
        Variant(
            "all of these", replace(hours, limits=_LIMITS, class_limits=by_class, prices=discount), (RICH, 0, RICH)
        ),
        Variant("above the limit of one purchase, with the PIN", with_pin, asks_pin=True),
    ]


def _policy(till: Terminal) -> Policy:
    return Policy(_NO_LIMITS, {number: replace(till, number=number) for number in range(1, TURN + 1)}, _CALENDAR)


class Timed:
    """A shard under one variant."""

    def __init__(self, variant: Variant) -> None:
        self._policy = variant.policy
        self._accounts = [f"{20_260_000 + place}" for place in range(TURN)]
        self._stans = count(1)
        self._pin_keys: dict[str, bytes] = {}
        """By account, the key of the terminal at which it pays, where PINs are asked for."""

        self._shard = self._opened(variant)

    def cpu_us(self, turns: int) -> float:
        """Microseconds of CPU for each purchase over so many turns. Every one of them must be approved."""
        batches = [self._purchases() for _ in range(turns)]
        gc.collect()
        began = process_time()
        for batch in batches:
            turn = self._shard.decide(batch, _MOMENT, self._policy)
            self._shard.adopt(turn)
            approved = sum(count for (_, code), count in turn.recorded.items() if code == Code.APPROVED)
            assert approved == TURN, "a decline would cost something else"
        return (process_time() - began) * 1e6 / (turns * TURN)

    def _opened(self, variant: Variant) -> Shard:
        shard = recover(MemoryStore(), ACCOUNT)
        openings = [
            Opening(number, f"C{number}", CardState.ACTIVE, 20991231, PersonClass.STUDENT, variant.purses)
            for number in self._accounts
        ]
        open_accounts(shard, openings, _MOMENT)
        return self._with_pins(shard) if variant.asks_pin else shard

    def _with_pins(self, shard: Shard) -> Shard:
        """The accounts have had their PINs changed, and each purchase brings it."""
        for place, number in enumerate(self._accounts, 1):
            actor = shard.actors.find(number)
            assert actor is not None
            state = replace(
                shard.state(number), pin=Pin(keyed_hash(_PIN_KEYS.hash_key, number, _PIN), is_initial=False)
            )
            actor.pending = actor.durable = msgspec.msgpack.encode(state)
            self._pin_keys[number] = _PIN_KEYS.terminals[place]
        return shard

    def _purchases(self) -> list[Purchase]:
        stan = next(self._stans)
        return [
            Purchase(terminal, stan, 3_000, number, f"C{number}", AMOUNT, self._sealed(terminal, stan, number))
            for terminal, number in enumerate(self._accounts, 1)
        ]

    def _sealed(self, terminal: int, stan: int, number: str) -> bytes:
        key = self._pin_keys.get(number)
        if key is None:
            return b""
        context = PinContext(PinUse.PURCHASE, terminal, stan, number, AMOUNT)
        return seal_pin(_PIN, key, stan.to_bytes(12, "big"), context)


def measure(chosen: Sequence[Variant], repeats: int, turns: int, tell: Callable[[int], Any]) -> dict[str, float]:
    """By variant: median CPU of a purchase in microseconds. `tell` is called with each finished repeat."""
    shards = {variant.name: Timed(variant) for variant in chosen}
    figures: dict[str, list[float]] = {name: [] for name in shards}
    for repeat in range(repeats):
        for name, shard in shards.items():
            figures[name].append(shard.cpu_us(turns))
        tell(repeat)
    return {name: statistics.median(found) for name, found in figures.items()}


@click.command()
@click.option("--repeats", type=click.IntRange(1, 1_000), default=21, show_default=True)
@click.option("--turns", type=click.IntRange(1, 1_000), default=8, show_default=True, help="Of each variant, a repeat.")
@click.option(
    "--json", "json_path", type=click.Path(dir_okay=False, path_type=Path), help="Write the figures here too."
)
def main(*, repeats: int, turns: int, json_path: Path | None) -> None:
    """Measure what each rule costs a purchase."""
    console = Console()
    with console.status("measuring"):
        figures = measure(variants(), repeats, turns, lambda _repeat: None)
    plain, *_ = figures.values()
    table = Table(title="A purchase in the shard, without disk and wire; median", title_justify="left")
    table.add_column("rule")
    for column in ("CPU µs", "more than no rule", "ratio"):
        table.add_column(column, justify="right")
    for name, figure in figures.items():
        table.add_row(name, f"{figure:.2f}", f"{figure - plain:+.2f}", f"{figure / plain:.3f}")
    console.print(table)
    if json_path is not None:
        json_path.write_bytes(msgspec.json.format(msgspec.json.encode(figures)))


if __name__ == "__main__":
    main()
