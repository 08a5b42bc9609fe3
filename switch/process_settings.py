"""What a process of a cluster needs to start, also when it is started again."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from switch.addresses import Address
from switch.clock import Clock


class ProcessSettings(NamedTuple):
    """The same for all processes of a switch."""

    data_folder: str
    """Which one it is (`Made.data_folder`): no other may take its place while the switch runs."""

    listen: Address
    web_host: str | None
    """Where `/metrics` is served, on any free port; None: on the address of the node."""

    clock: Clock
    map_bytes: int
    log_level: str


class Place(NamedTuple):
    """Where a process runs."""

    node: str
    """Identity of the Ray node."""

    address: str
    """The node's host."""

    data: Path
    """Its data folder."""
