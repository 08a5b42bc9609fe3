"""Shards and gateways as Ray actors. The only module that knows Ray.

An actor is a plain class in a process of its own. Ray starts it again whenever it ends, for ever (`max_restarts`), and
never repeats a call by itself (`max_task_retries=0`): who calls knows which of its calls may be repeated. There are no
concurrency groups: each would have an event loop and a thread of its own, and everything here lives on one loop. Calls
only fill a mailbox and wait, so a probe is answered between two turns.
"""

from __future__ import annotations

import asyncio
import os
import secrets
from collections.abc import Awaitable
from typing import Any, Final, TypeVar

import structlog

from switch.gateway_process import GatewayProcess, GatewayStatus
from switch.process_settings import ProcessSettings
from switch.remote_shard import ShardUnreachableError
from switch.shard_process import ShardProcess, ShardStatus

# Ray would end the process that uses most memory when little is left: that is a shard.
os.environ.setdefault("RAY_memory_monitor_refresh_ms", "0")
os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
os.environ.setdefault("RAY_AUTH_MODE", "token")

import ray
from ray.exceptions import RayActorError, RayError, RayTaskError

NAMESPACE: Final = "tapswitch"
OBJECT_STORE_BYTES: Final = 100 << 20
"""Calls travel inline; nothing is meant to lie in the store."""

ACTOR_CALLS_MAX: Final = 1_000
PROBE_SECONDS_MAX: Final = 1.0
STOP_SECONDS_MAX: Final = 8.0

Answer = TypeVar("Answer")

log = structlog.get_logger()


class ClusterError(Exception):
    """Ray could not be started or joined; the text says why and what to do."""


class RayCall:
    """A shard's `answer`, as a gateway calls it."""

    def __init__(self, name: str) -> None:
        # By name: a handle among an actor's arguments would lie in the object store, and be lost with it.
        self._name = name
        self._actor: Any = None

    async def __call__(self, batch: bytes) -> bytes:
        """Raises ShardUnreachableError if the call failed, whether or not the shard got it."""
        try:
            if self._actor is None:
                self._actor = await asyncio.to_thread(ray.get_actor, self._name, NAMESPACE)
            answered: bytes = await self._actor.answer.remote(batch)
        except RayTaskError:
            raise  # the shard's own code failed: asking again would only fail again
        except (RayError, ValueError) as error:  # ValueError: there is no actor of that name yet
            raise ShardUnreachableError(str(error).partition("\n")[0]) from error
        return answered


class RayCluster:
    """A switch's actors on a Ray of its own on this machine."""

    def __init__(self, settings: ProcessSettings, shards: int, gateways: int) -> None:
        """Start Ray and all actors. Raises ClusterError."""
        os.environ["RAY_AUTH_TOKEN"] = secrets.token_hex(32)
        try:
            context: Any = ray.init(
                address="local",
                include_dashboard=False, namespace=NAMESPACE, object_store_memory=OBJECT_STORE_BYTES,
                log_to_driver=False, configure_logging=False,
            )  # fmt: skip
        except Exception as error:  # Ray raises whatever it likes here, also a plain Exception
            ray.shutdown()
            raise ClusterError(
                f"Ray cannot start on this machine: {error}. It needs about 600 MB of memory, some ports, and a few "
                "hundred open files (ulimit -n); its logs are under /tmp/ray/session_latest/logs"
            ) from error
        self.log_folder = f"{context.address_info['session_dir']}/logs"
        """What the processes write."""

        self.shards = [_actor(ShardProcess, f"shard-{number}", settings, number, shards) for number in range(shards)]
        calls = [RayCall(f"shard-{number}") for number in range(shards)]
        self.gateways = [
            _actor(GatewayProcess, f"gateway-{number}", settings, number, calls) for number in range(gateways)
        ]

    async def shard_statuses(self) -> list[ShardStatus | None]:
        """Each shard's status; None for one that does not answer."""
        statuses: list[ShardStatus | None] = await asyncio.gather(*map(_status, self.shards))
        return statuses

    async def gateway_statuses(self) -> list[GatewayStatus | None]:
        """Each gateway's status; None for one that does not answer."""
        statuses: list[GatewayStatus | None] = await asyncio.gather(*map(_status, self.gateways))
        return statuses

    async def stop(self) -> None:
        """Gateways first, so that what is in flight is answered; then shards, which write their snapshots; then Ray."""
        try:
            for actors in (self.gateways, self.shards):
                await asyncio.gather(*(_within(STOP_SECONDS_MAX, actor.stop.remote()) for actor in actors))
        finally:
            async with asyncio.timeout(STOP_SECONDS_MAX):
                await asyncio.to_thread(ray.shutdown)


def _actor(process: type, name: str, *arguments: Any) -> Any:
    options: Any = {
        "num_cpus": 0,
        "max_restarts": -1,
        "max_task_retries": 0,
        "max_concurrency": ACTOR_CALLS_MAX,
    }
    return ray.remote(**options)(process).options(name=name).remote(*arguments)


async def _status(actor: Any) -> Any:
    return await _within(PROBE_SECONDS_MAX, actor.status.remote())


async def _within(seconds: float, answer: Awaitable[Answer]) -> Answer | None:
    """The answer, or None if the actor is gone, fails, or does not answer in time."""
    try:
        async with asyncio.timeout(seconds):
            return await answer
    except (RayActorError, TimeoutError):
        return None
    except RayError as error:
        log.critical("call failed", error=repr(error), exc_info=error)
        return None
