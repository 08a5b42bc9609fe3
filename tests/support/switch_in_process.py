"""The switch without a process of its own: a shard in memory, and if wanted a gateway on loopback."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from campus_folder import TILL, account_number, card_of, write_campus

from actors.account.card import CardState, PersonClass
from actors.account.kind import ACCOUNT
from actors.calendar import Moment
from actors.opening import Opening, open_accounts
from actors.placement import shard_of, slot_of
from actors.policy import Policy
from actors.recovery import recover
from actors.shard import SNAPSHOT_LAG, Shard
from actors.store import Store
from switch.addresses import Address
from switch.clock import Clock
from switch.embedded import EmbeddedShard
from switch.gateway import Gateway
from switch.meters import Meters
from switch.registry import RegistryFiles
from switch.shards import Shards
from wire.messages import BalanceInquiry, Purchase, Reversal

ACCOUNTS = 20
BALANCE = 100_000
ALICE = account_number(1)


def purchase(stan: int, amount: int = 100, terminal: int = TILL, account: str = ALICE, wait_ms: int = 60_000) -> Any:
    """Goods, paid with the account's own card."""
    return Purchase(terminal, stan, wait_ms, account, card_of(account), amount)


def inquiry(stan: int, terminal: int = TILL, account: str = ALICE, wait_ms: int = 60_000) -> Any:
    """How much is left?"""
    return BalanceInquiry(terminal, stan, wait_ms, account, card_of(account))


def reversal(stan: int, original: Purchase, terminal: int = TILL) -> Reversal:
    """The original undone."""
    return Reversal(terminal, stan, 60_000, original.account, original.terminal, original.stan, original.amount)


def opened_shard(
    store: Store, clock: Clock, snapshot_lag: int = SNAPSHOT_LAG, number: int = 0, shards: int = 1
) -> Shard:
    """A shard with those of ACCOUNTS accounts of BALANCE each that are its own."""
    shard = recover(store, ACCOUNT, number, snapshot_lag=snapshot_lag)
    openings = [
        Opening(account, card_of(account), CardState.ACTIVE, 20991231, PersonClass.STUDENT, (BALANCE,))
        for account in map(account_number, range(1, ACCOUNTS + 1))
        if shard_of(slot_of(account), shards) == number
    ]
    open_accounts(shard, openings, Moment(clock.now_us(), 0, 0))
    shard.checkpoint()
    return shard


class EmbeddedInProcess:
    """An embedded shard and everything that it tells its surroundings."""

    def __init__(
        self,
        store: Store,
        policy: Policy,
        *,
        mailbox_max: int = 1_000,
        snapshot_lag: int = SNAPSHOT_LAG,
        number: int = 0,
        shards: int = 1,
    ) -> None:
        self.clock = Clock()
        self.meters = Meters()
        self.rounds = 0
        """Rounds of answers handed out."""

        self.broken: list[BaseException] = []
        self.gateway: Gateway | None = None
        self.embedded = EmbeddedShard(
            opened_shard(store, self.clock, snapshot_lag, number, shards), policy, self.clock, self.meters, mailbox_max,
            self._delivered, self.broken.append,
        )  # fmt: skip

    def _delivered(self) -> None:
        self.rounds += 1
        if self.gateway is not None:
            self.gateway.flush()


class GatewayInProcess:
    """A gateway that listens at `address`, on an embedded shard."""

    def __init__(self, inside: EmbeddedInProcess, gateway: Gateway, address: tuple[str, int]) -> None:
        self.inside = inside
        self.gateway = gateway
        self.address = address

    @property
    def rejected(self) -> dict[str, int]:
        """Rejected input by reason."""
        return dict(self.inside.meters.rejected)

    def tick(self) -> None:
        """Look at the time limits now."""
        self.gateway._tick.cancel()
        self.gateway._on_tick()


@asynccontextmanager
async def gateway_in_process(folder: Path, store: Store, **sessions: int) -> AsyncIterator[GatewayInProcess]:
    """Serve with these session limits, and stop at the end."""
    campus_file = write_campus(folder, **sessions)
    registry = RegistryFiles(campus_file, Address("127.0.0.1", 0)).newest
    campus = registry.campus
    inside = EmbeddedInProcess(store, campus.policy, mailbox_max=campus.sessions.mailbox_max)
    gateway = Gateway(registry, Shards([inside.embedded]), inside.clock, inside.meters, log_requests=False)
    inside.gateway = gateway
    try:
        yield GatewayInProcess(inside, gateway, await gateway.listen("127.0.0.1", 0))
    finally:
        if not gateway.stopping:
            await gateway.stop()
        await inside.embedded.stop()
