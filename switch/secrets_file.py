"""The secrets file: the pre-shared keys of the stations. Nothing here ever shows a key, not even a wrong one."""

from __future__ import annotations

import os
import re
import secrets
import stat
from collections.abc import Collection, Iterable, Mapping
from pathlib import Path
from typing import Any

from switch.addresses import is_loopback
from switch.campus import STATION_NAME, ConfigurationError, read_toml
from wire.noise import KEY_BYTES

KEY_NUMBER_MAX = 255
MARKER = b"INSECURE"
"""Every key that is public, because it stands in a repository or a document, begins with these bytes."""
OWNER_ONLY = 0o600

Keys = dict[int, bytes]
"""The keys of one station by key number; two during a rotation."""
Secrets = dict[str, Keys]
"""The keys of every station by its name."""


def read_secrets(path: Path, stations: Collection[str] | None = None) -> Secrets:
    """The keys in the file at `path`, which only its owner may read.

    With `stations` (those of the campus), each of them must have a key and no other may. Raises ConfigurationError.
    """
    _require_owner_only(path)
    document = read_toml(path, secret=True)
    tables = document.get("stations")
    if set(document) != {"stations"} or not isinstance(tables, dict):
        raise ConfigurationError(path, ["expected tables such as [stations.north-1], and nothing else"])
    mistakes: list[str] = []
    found = {name: _read_keys(name, table, mistakes) for name, table in tables.items()}
    if stations is not None:
        mistakes += [f"{_key_path(name)}: the campus has no such station" for name in found if name not in stations]
        mistakes += [
            f"stations.{name}: this station of the campus has no key" for name in stations if name not in found
        ]
    if mistakes:
        raise ConfigurationError(path, mistakes)
    return found


def write_fresh_secrets(path: Path, stations: Iterable[str]) -> None:
    """Make the file at `path`, readable by its owner alone, with a new random key number 1 for each station.

    Raises FileExistsError rather than replace a file, other OSError when it cannot be written.
    """
    tables = [f'[stations.{name}]\n1 = "{secrets.token_hex(KEY_BYTES)}"\n' for name in stations]
    explanation = (
        "# Pre-shared keys: for each station, key number (0 to 255) = key (64 hex characters).\n"
        "# A station may hold two keys while it changes from one to the other.\n"
        "# Keep this file secret, and its mode 0600.\n"
    )
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, OWNER_ONLY)
    try:
        with os.fdopen(descriptor, "w", encoding="ascii") as file:
            file.write("\n".join([explanation, *tables]))
    except OSError:
        path.unlink()
        raise


def has_marked_key(keys: Mapping[int, bytes]) -> bool:
    """Whether one of a station's keys is public."""
    return any(key.startswith(MARKER) for key in keys.values())


def marked_stations(found: Mapping[str, Mapping[int, bytes]]) -> list[str]:
    """The stations that hold a public key, in the order of their names."""
    return sorted(name for name, keys in found.items() if has_marked_key(keys))


def refuse_marked_beyond_loopback(path: Path, found: Mapping[str, Mapping[int, bytes]], host: str) -> None:
    """Raise ConfigurationError if the switch would listen on `host`, reachable by others, with a public key."""
    marked = [] if is_loopback(host) else marked_stations(found)
    if marked:
        explanation = f"its key is public (it begins with {MARKER.decode()}), which is refused when listening on {host}"
        raise ConfigurationError(path, [f"stations.{name}: {explanation}; expected a random key" for name in marked])


def _require_owner_only(path: Path) -> None:
    try:
        mode = stat.S_IMODE(path.stat().st_mode)
    except OSError as error:
        raise ConfigurationError(path, [f"cannot be read: {error.strerror}"]) from None
    if mode & ~OWNER_ONLY:
        raise ConfigurationError(path, [f"mode {mode:04o} is wider than 0600; run: chmod 600 {path}"])


def _read_keys(name: str, table: Any, mistakes: list[str]) -> Keys:
    if not isinstance(table, dict):
        mistakes.append(f"{_key_path(name)}: expected a table of key number = key")
        return {}
    keys: Keys = {}
    for place, (number, text) in enumerate(table.items(), start=1):
        # A key typed where its number belongs must not be shown either, so a wrong number is named by its place.
        if not re.fullmatch(r"0|[1-9][0-9]{0,2}", number) or int(number) > KEY_NUMBER_MAX:
            mistakes.append(f"{_key_path(name)}: entry {place}: expected a key number from 0 to {KEY_NUMBER_MAX}")
        elif not isinstance(text, str):
            mistakes.append(f"{_key_path(name)}.{number}: expected a key in quotes")
        elif not re.fullmatch(r"[0-9A-Fa-f]*", text):
            mistakes.append(f"{_key_path(name)}.{number}: expected hex characters only (0-9, a-f)")
        elif len(text) != 2 * KEY_BYTES:
            mistakes.append(f"{_key_path(name)}.{number}: {len(text)} hex characters; expected {2 * KEY_BYTES}")
        else:
            keys[int(number)] = bytes.fromhex(text)
    if not table:
        mistakes.append(f"{_key_path(name)}: expected at least one key")
    return keys


def _key_path(name: str) -> str:
    return f"stations.{name}" if STATION_NAME.fullmatch(name) else "stations: a name that no station can have"
