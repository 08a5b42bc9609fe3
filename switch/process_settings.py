"""What a process of a cluster needs to start, also when it is started again."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from switch.addresses import Address
from switch.clock import Clock


class ProcessSettings(NamedTuple):
    """Paths and not contents: a process that starts again reads what stands there then."""

    data: Path
    data_folder: str
    """Which one it is (`Made.data_folder`): no other may take its place while the switch runs."""

    campus_file: Path
    secrets_file: Path
    listen: Address
    clock: Clock
    map_bytes: int
    log_level: str
