"""`tapswitch serve`."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Any, Final

import click
import uvloop

from actors.lmdb_store import MAP_BYTES
from actors.store import StoreFormatError, StoreLockedError
from switch import logs
from switch.addresses import ADDRESS, Address
from switch.campus import Campus, ConfigurationError, read_campus
from switch.clock import Clock
from switch.data_folder import close_all, open_all
from switch.process_settings import ProcessSettings
from switch.secrets_file import read_secrets, refuse_marked_beyond_loopback
from switch.serve import Settings
from switch.serve import serve as serve_until_stopped

GATEWAYS_MAX: Final = 64


class SimulatedClockType(click.ParamType[tuple[datetime, float]]):
    """START,SPEED: a local ISO time at the campus, and simulated seconds per real second."""

    name = "START,SPEED"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[datetime, float]:
        """The naive local time and the speed."""
        start, _, speed = str(value).partition(",")
        try:
            parsed = datetime.fromisoformat(start), float(speed)
        except ValueError:
            self.fail(f"{value!r} is not like 2026-09-01T10:55:00,60", param, ctx)
        if parsed[0].tzinfo is not None:
            self.fail(f"{start!r} has a UTC offset: START is local time at the campus", param, ctx)
        if not 0 < parsed[1] <= 100_000:
            self.fail(f"speed {speed} is not between 0 and 100000", param, ctx)
        return parsed


@click.command()
@click.option(
    "--data", type=click.Path(path_type=Path), required=True, help="Data folder, made by `init`, `import` or `reshard`."
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
    help="Where /healthz, /readyz and /metrics are.",
)
@click.option(
    "--simulated-clock",
    type=SimulatedClockType(),
    help="Run on a simulated clock, on loopback only: local START (not before the data folder's last event) and SPEED, "
    "as 2030-09-02T10:55:00,60.",
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
    type=click.Choice(["local"]),
    help="Run gateways and shards in processes of their own, on a Ray that is started on this machine.",
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
    data: Path,
    campus_file: Path,
    listen: Address,
    http: Address,
    simulated_clock: tuple[datetime, float] | None,
    map_size: int,
    log_level: str,
    cluster: str | None,
    shards: int | None,
    gateways: int,
) -> None:
    """Run the switch until SIGTERM."""
    if cluster is None and (shards is not None or gateways != 1):
        raise click.UsageError("--shards and --gateways are for --cluster: without it, one process serves all shards")
    logs.configure(log_level)
    secrets_file = campus_file.parent / "secrets.toml"
    try:
        campus = read_campus(campus_file)
        secrets = read_secrets(secrets_file, campus.stations)
        refuse_marked_beyond_loopback(secrets_file, secrets, listen.host)
    except ConfigurationError as error:
        raise click.UsageError(str(error)) from error
    clock = _clock(campus, listen, simulated_clock)
    try:
        if cluster is None:
            settings = Settings(data, campus, secrets, listen, http, clock, map_size << 20, log_level == "debug")
            status = uvloop.run(serve_until_stopped(settings))
        else:
            process = ProcessSettings(
                data.absolute(),
                "",
                campus_file.absolute(),
                secrets_file.absolute(),
                listen,
                clock,
                map_size << 20,
                log_level,
            )
            status = _serve_cluster(process, http, shards, gateways)
    except (StoreFormatError, StoreLockedError) as error:
        raise click.UsageError(str(error)) from error
    except OSError as error:
        raise click.UsageError(f"cannot start: {error}") from error
    raise SystemExit(status)


def _serve_cluster(settings: ProcessSettings, http: Address, shards: int | None, gateways: int) -> int:
    from switch.ray_cluster import ClusterError  # Ray takes a while to import, and most switches do without it
    from switch.serve_cluster import serve_cluster

    found = open_all(settings.data)  # with their locks: a folder in use is refused before anything is started
    close_all(found)
    settings = settings._replace(data_folder=found[0].made.data_folder)
    if shards is not None and shards != len(found):
        raise click.UsageError(
            f"--shards {shards}: {settings.data} has {len(found)}; `tapswitch reshard` makes one with another number"
        )
    try:
        return uvloop.run(serve_cluster(settings, http, len(found), gateways))
    except ClusterError as error:
        raise click.ClickException(str(error)) from error


def _clock(campus: Campus, listen: Address, simulated: tuple[datetime, float] | None) -> Clock:
    if simulated is None:
        return Clock()
    if not listen.is_loopback:
        raise click.UsageError("--simulated-clock: only on loopback, not with --listen " + str(listen))
    start, speed = simulated
    local = start.replace(tzinfo=campus.policy.calendar.zone)
    return Clock(int(local.timestamp()) * 1_000_000, speed)
