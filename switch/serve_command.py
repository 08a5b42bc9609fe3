"""`tapswitch serve`."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Any, Final
from zoneinfo import ZoneInfo

import click
import uvloop

from actors.lmdb_store import MAP_BYTES
from actors.store import StoreDamagedError, StoreFormatError, StoreLockedError
from switch import logs
from switch.addresses import ADDRESS, Address, parse_address
from switch.campus import Campus, ConfigurationError
from switch.clock import Clock
from switch.data_folder import close_all, open_all
from switch.process_settings import ProcessSettings
from switch.registry import RegistryFiles
from switch.serve import Settings
from switch.serve import serve as serve_until_stopped
from switch.system_errors import in_words

GATEWAYS_MAX: Final = 64
LOCAL: Final = "local"
"""`--cluster local`."""

SimulatedTime = tuple[datetime, float, datetime | None]


class SimulatedClockType(click.ParamType[SimulatedTime]):
    """START,SPEED[,UNTIL]: a local ISO time at the campus, simulated seconds per real second, and until when."""

    name = "START,SPEED[,UNTIL]"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> SimulatedTime:
        """The naive local times and the speed."""
        start, _, rest = str(value).partition(",")
        speed, _, until = rest.partition(",")
        try:
            begins, pace = datetime.fromisoformat(start), float(speed)
            ends = datetime.fromisoformat(until) if until else None
        except ValueError:
            expected = "2026-09-01T10:55:00,60 or 2026-09-01T10:55:00,60,2026-09-01T14:00:00"
            self.fail(f"{value!r} is not like {expected}", param, ctx)
        if begins.tzinfo is not None or (ends is not None and ends.tzinfo is not None):
            self.fail(f"{value!r} has a UTC offset: START and UNTIL are local time at the campus", param, ctx)
        if not 0 < pace <= 100_000:
            self.fail(f"speed {speed} is not between 0 and 100000", param, ctx)
        if ends is not None and ends <= begins:
            self.fail(f"{until} is not after {start}", param, ctx)
        return begins, pace, ends


class ClusterType(click.ParamType["Address | str"]):
    """`local`, or the HOST:PORT of a Ray's head."""

    name = "local|HOST:PORT"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Address | str:
        """LOCAL or the address."""
        try:
            return LOCAL if value == LOCAL else parse_address(str(value))
        except ValueError as error:
            self.fail(f"{error}; or `{LOCAL}`", param, ctx)


@click.command()
@click.option(
    "--data",
    type=click.Path(path_type=Path),
    help="Data folder, made by `init`, `import` or `reshard`. Not with --cluster HOST:PORT: nodes have their own.",
)
@click.option(
    "--campus",
    "campus_file",
    type=click.Path(path_type=Path),
    required=True,
    help="campus.toml; secrets.toml lies beside it.",
)
@click.option("--listen", type=ADDRESS, default="127.0.0.1:7100", show_default=True, help="Where terminals connect.")
@click.option(
    "--http",
    type=ADDRESS,
    default="127.0.0.1:7180",
    show_default=True,
    help="Where /healthz, /readyz, /metrics, /status.json and its page / are; with --cluster also /targets.",
)
@click.option(
    "--simulated-clock",
    type=SimulatedClockType(),
    help="Run on a simulated clock, on loopback only: local START (not before the data folder's last event) and SPEED, "
    "as 2030-09-02T10:55:00,60; from UNTIL on, if given, it keeps the pace of real time.",
)
@click.option(
    "--map-size",
    type=click.IntRange(min=1),
    default=MAP_BYTES >> 20,
    show_default=True,
    help="Size of the store's map in MiB: the most the data folder can hold.",
)
@click.option(
    "--log-level",
    type=click.Choice(["debug", "info", "warning", "error"]),
    default="info",
    show_default=True,
    help="debug logs every request.",
)
@click.option(
    "--cluster",
    type=ClusterType(),
    help="Run gateways and shards in processes of their own: `local` on a Ray that is started on this machine, "
    "HOST:PORT on the running Ray whose head is there.",
)
@click.option("--shards", type=click.IntRange(min=1), help="With --cluster: how many shards the data folder must have.")
@click.option(
    "--gateways",
    type=click.IntRange(1, GATEWAYS_MAX),
    default=1,
    show_default=True,
    help="With --cluster: how many gateways share the terminals' port.",
)
def serve(
    *,
    data: Path | None,
    campus_file: Path,
    listen: Address,
    http: Address,
    simulated_clock: SimulatedTime | None,
    map_size: int,
    log_level: str,
    cluster: Address | str | None,
    shards: int | None,
    gateways: int,
) -> None:
    """Run the switch until SIGTERM. On SIGHUP it reads campus.toml and secrets.toml again."""
    if cluster is None and (shards is not None or gateways != 1):
        raise click.UsageError("--shards and --gateways are for --cluster: without it, one process serves all shards")
    _check_places(cluster, data, listen)
    logs.configure(log_level)
    try:
        registry_files = RegistryFiles(campus_file, listen)
    except ConfigurationError as error:
        raise click.UsageError(str(error)) from error
    clock = _clock(registry_files.newest.campus, listen, simulated_clock)
    map_bytes = map_size << 20
    try:
        if cluster is None:
            assert data is not None, "it was checked"
            settings = Settings(data, registry_files, listen, http, clock, map_bytes, log_level == "debug")
            status = uvloop.run(serve_until_stopped(settings))
        else:
            web_host = http.host if cluster == LOCAL else None
            process = ProcessSettings("", listen, web_host, clock, map_bytes, log_level)
            status = _serve_cluster(cluster, data, shards, gateways, process, http, registry_files)
    except StoreDamagedError as error:
        raise click.ClickException(str(error)) from error
    except (StoreFormatError, StoreLockedError) as error:
        raise click.UsageError(str(error)) from error
    except OSError as error:
        raise click.UsageError(f"cannot start: {in_words(error)}") from error
    raise SystemExit(status)


def _check_places(cluster: Address | str | None, data: Path | None, listen: Address) -> None:
    if not isinstance(cluster, Address):
        if data is None:
            raise click.UsageError("--data is missing: the data folder that is to be served")
        return
    if data is not None:
        raise click.UsageError(
            f"--data: not with --cluster {cluster}: each node says with `tapswitch cluster node --data` what it has"
        )
    if not listen.port:
        raise click.UsageError(f"--listen {listen}: with --cluster {cluster}, all nodes need the same port; name one")


def _serve_cluster(
    cluster: Address | str,
    data: Path | None,
    shards: int | None,
    gateways: int,
    settings: ProcessSettings,
    http: Address,
    registry_files: RegistryFiles,
) -> int:
    from switch.ray_cluster import ClusterError  # Ray takes a while to import, and most switches do without it
    from switch.serve_cluster import ClusterOptions, serve_cluster

    if data is not None:
        found = open_all(data)  # with their locks: a folder in use is refused before anything is started
        close_all(found)
        if shards is not None and shards != len(found):
            raise click.UsageError(
                f"--shards {shards}: {data} has {len(found)}; `tapswitch reshard` makes one with another number"
            )
    address = cluster if isinstance(cluster, Address) else None
    try:
        options = ClusterOptions(address, data, shards, gateways)
        return uvloop.run(serve_cluster(options, settings, http, registry_files))
    except ClusterError as error:
        raise click.ClickException(str(error)) from error


def _clock(campus: Campus, listen: Address, simulated: SimulatedTime | None) -> Clock:
    if simulated is None:
        return Clock()
    if not listen.is_loopback:
        raise click.UsageError("--simulated-clock: only on loopback, not with --listen " + str(listen))
    start, speed, until = simulated
    zone = campus.policy.calendar.zone
    return Clock(_us(start, zone), speed, None if until is None else _us(until, zone))


def _us(local: datetime, zone: ZoneInfo) -> int:
    return int(local.replace(tzinfo=zone).timestamp()) * 1_000_000
