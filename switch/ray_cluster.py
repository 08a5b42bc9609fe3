"""Shards and gateways as Ray actors. The only module that knows Ray.

An actor is a plain class in a process of its own. Ray starts it again whenever it ends, for ever (`max_restarts`), and
never repeats a call by itself (`max_task_retries=0`): who calls knows which of its calls may be repeated. There are no
concurrency groups: each would have an event loop and a thread of its own, and everything here lives on one loop. Calls
only fill a mailbox and wait, so a probe is answered between two turns.
"""

from __future__ import annotations

import asyncio
import logging
import os
import secrets
from collections.abc import Awaitable
from pathlib import Path
from typing import Any, Final, Generic, TypeVar

import structlog

from switch.cluster_status import GatewayStatus, NodeStatus, ShardStatus
from switch.gateway_process import GatewayProcess
from switch.node_resources import (
    DATA_VARIABLE,
    GATEWAY,
    OBJECT_STORE_BYTES,
    Offer,
    gateways_of,
    resources,
    set_environment,
    shard_resource,
    shards_of,
    whole,
)
from switch.process_settings import Place, ProcessSettings
from switch.registry import Registry
from switch.remote_shard import ShardUnreachableError
from switch.shard_process import ShardProcess

set_environment(None)

import ray  # noqa: E402 - it looks at its environment when it is imported
from ray.exceptions import RayActorError, RayError, RayTaskError  # noqa: E402

NAMESPACE: Final = "tapswitch"
ACTOR_CALLS_MAX: Final = 1_000
PROBE_SECONDS_MAX: Final = 1.0
STOP_SECONDS_MAX: Final = 8.0
LEAVE_SECONDS_MAX: Final = 8.0

Answer = TypeVar("Answer")
Status = TypeVar("Status", ShardStatus, GatewayStatus)

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


class RayProcess(Generic[Status]):
    """An actor as the supervisor reaches it."""

    def __init__(self, name: str, actor: Any) -> None:
        self.name = name
        self._actor = actor

    async def status(self, newest_registry: int) -> Status | None:
        """See ClusterProcess; None if it does not answer in time."""
        return await _within(PROBE_SECONDS_MAX, self._actor.status.remote(newest_registry))

    async def change_registry(self, registry: Registry, position_seen: int) -> None:
        """See ClusterProcess. Whether it worked is in the next status."""
        await _within(PROBE_SECONDS_MAX, self._actor.change_registry.remote(registry, position_seen))

    async def stop(self) -> None:
        """In good order, or if it does not answer, or not in time, in any other; it is not started again."""
        if await self.status(0) is not None:
            await _within(STOP_SECONDS_MAX, self._actor.stop.remote())
        ray.kill(self._actor)


class RayCluster:
    """A Ray, of its own or joined, and a switch's processes on it once they are started."""

    def __init__(self, log_folder: str) -> None:
        self.log_folder = log_folder
        """Where the processes of this machine write."""

        self.shards: list[RayProcess[ShardStatus]] = []
        self.gateways: list[RayProcess[GatewayStatus]] = []

    @classmethod
    def start(cls, data: Path, gateways: int) -> RayCluster:
        """Start Ray on this machine alone, with the shards of `data` and room for so many gateways.

        Raises ClusterError.
        """
        set_environment(data)
        os.environ["RAY_AUTH_TOKEN"] = secrets.token_hex(32)
        hint = (
            "It needs about 600 MB of memory, some ports, and a few hundred open files (ulimit -n); its logs are under "
            "/tmp/ray/session_latest/logs"
        )
        return cls._connected(
            "Ray cannot start on this machine", hint, address="local", include_dashboard=False, num_cpus=0,
            object_store_memory=OBJECT_STORE_BYTES, resources=resources(data, gateways),
        )  # fmt: skip

    @classmethod
    def join(cls, address: str) -> RayCluster:
        """Join the Ray whose head is at `address` (HOST:PORT). Raises ClusterError."""
        hint = (
            "A node must run on this machine (tapswitch cluster node), with the same versions of Ray and Python and "
            "the same token (RAY_AUTH_TOKEN, or ~/.ray/auth_token) as all others"
        )
        return cls._connected(f"Ray at {address} cannot be joined", hint, address=address)

    @classmethod
    def _connected(cls, failure: str, hint: str, **options: Any) -> RayCluster:
        logging.getLogger("ray").setLevel(logging.ERROR)  # its warnings would be plain lines between the switch's own
        try:
            context: Any = ray.init(namespace=NAMESPACE, log_to_driver=False, configure_logging=False, **options)
        except Exception as error:  # Ray raises whatever it likes here, also a plain Exception
            ray.shutdown()
            raise ClusterError(f"{failure}: {error}. {hint}") from error
        return cls(f"{context.address_info['session_dir']}/logs")

    async def nodes(self) -> list[NodeStatus]:
        """The machines, those that were lost among them."""
        return [
            NodeStatus(
                node=node["NodeID"],
                address=node["NodeManagerAddress"],
                alive=node["Alive"],
                shards=shards_of(node["Resources"]),
                gateways=gateways_of(node["Resources"]),
            )
            for node in await asyncio.to_thread(ray.nodes)
        ]

    async def offer(self) -> Offer:
        """What the machines offer together now. Raises OfferError if that is not one whole data folder."""
        return whole([node["Resources"] for node in await asyncio.to_thread(ray.nodes) if node["Alive"]])

    def start_processes(self, settings: ProcessSettings, shards: int, gateways: int) -> None:
        """Shards where their data are, gateways spread over the nodes that have room. Raises ClusterError."""
        calls = [RayCall(f"shard-{number}") for number in range(shards)]
        try:
            for number in range(shards):
                resource = shard_resource(settings.data_folder, number, shards)
                actor = _actor(ShardProcess, f"shard-{number}", resource, settings, find_place, number, shards)
                self.shards.append(RayProcess(f"shard-{number}", actor))
            for number in range(gateways):
                actor = _actor(GatewayProcess, f"gateway-{number}", GATEWAY, settings, find_place, number, calls)
                self.gateways.append(RayProcess(f"gateway-{number}", actor))
        except ValueError as error:  # a name is taken
            raise ClusterError(f"another switch runs on this Ray, or has not ended yet: {error}") from error

    async def stop_processes(self) -> None:
        """Gateways first, so that what is in flight is answered; then shards, which write their snapshots."""
        for processes in (self.gateways, self.shards):
            await asyncio.gather(*(process.stop() for process in processes))

    async def leave(self) -> None:
        """Stop a Ray of its own, or leave the one that was joined; processes that still run there end then.

        Raises TimeoutError.
        """
        async with asyncio.timeout(LEAVE_SECONDS_MAX):
            await asyncio.to_thread(ray.shutdown)


def find_place() -> Place:
    """Where this process of Ray runs."""
    return Place(
        ray.get_runtime_context().get_node_id(),
        ray.util.get_node_ip_address(),  # type: ignore[no-untyped-call]
        Path(os.environ.get(DATA_VARIABLE, "")),
    )


def _actor(process: type, name: str, resource: str, *arguments: Any) -> Any:
    options: Any = {
        "num_cpus": 0,
        "resources": {resource: 1},
        "scheduling_strategy": "SPREAD",
        "max_restarts": -1,
        "max_task_retries": 0,
        "max_concurrency": ACTOR_CALLS_MAX,
    }
    return ray.remote(**options)(process).options(name=name).remote(*arguments)


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
