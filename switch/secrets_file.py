"""The secrets file: the pre-shared keys of the stations, and the keys for PINs.

Nothing here ever shows a key, not even a wrong one.
"""

from __future__ import annotations

import os
import re
import secrets
import stat
from collections.abc import Collection, Iterable
from pathlib import Path
from typing import Any

from msgspec import Struct

from actors.policy import PinKeys
from switch.addresses import is_loopback
from switch.campus import STATION_NAME, ConfigurationError, read_toml
from wire.noise import KEY_BYTES

KEY_NUMBER_MAX = 255
MARKER = b"INSECURE"
"""Every key that is public, because it stands in a repository or a document, begins with these bytes."""
OWNER_ONLY = 0o600

Keys = dict[int, bytes]
"""The keys of one station by key number; two during a rotation."""
StationKeys = dict[str, Keys]
"""The keys of every station by its name."""


class Secrets(Struct, frozen=True):
    """A secrets file that was found to be right."""

    stations: StationKeys
    pin_keys: PinKeys = PinKeys()
    unused: tuple[str, ...] = ()
    """Where keys stand that are ignored, as the campus has no such station or terminal: `stations.north-1`."""


def read_secrets(
    path: Path, stations: Collection[str] | None = None, terminals: Collection[int] | None = None
) -> Secrets:
    """The keys in the file at `path`, which only its owner may read.

    With `stations` (those of the campus), each of them must have a key; keys of others, and with `terminals`
    (likewise) other terminals' keys for PINs, are not among what is returned. Raises ConfigurationError.
    """
    _require_owner_only(path)
    document = read_toml(path, secret=True)
    tables = document.get("stations")
    if not {"stations"} <= set(document) <= {"stations", "pin"} or not isinstance(tables, dict):
        explanation = "expected tables such as [stations.north-1], [pin] and [pin.terminals], and nothing else"
        raise ConfigurationError(path, [explanation])
    mistakes: list[str] = []
    found = {name: _read_keys(name, table, mistakes) for name, table in tables.items()}
    pin_keys = _read_pin_keys(document["pin"], mistakes) if "pin" in document else PinKeys()
    unused = []
    if stations is not None:
        unused += [_key_path(name) for name in found if name not in stations]
        lacking = [f"stations.{name}: this station of the campus has no key" for name in stations if name not in found]
        if lacking:  # a key without a station may be misspelt, and then says whose the lacking one is
            mistakes += [f"{place}: the campus has no such station" for place in unused]
        mistakes += lacking
        found = {name: keys for name, keys in found.items() if name in stations}
    if terminals is not None:
        unused += [_terminal_path(number) for number in pin_keys.terminals if number not in terminals]
        known = {number: key for number, key in pin_keys.terminals.items() if number in terminals}
        pin_keys = PinKeys(pin_keys.hash_key, known)
    if mistakes:
        raise ConfigurationError(path, mistakes)
    return Secrets(found, pin_keys, tuple(unused))


def write_fresh_secrets(path: Path, stations: Iterable[str], pin_terminals: Iterable[int] = ()) -> None:
    """Make the file at `path`, readable by its owner alone, with new random keys.

    Each station gets key number 1, and each of `pin_terminals` a key for PINs. Raises FileExistsError rather than
    replace a file, other OSError when it cannot be written.
    """
    tables = [f'[stations.{name}]\n1 = "{secrets.token_hex(KEY_BYTES)}"\n' for name in stations]
    pin_table = (
        "# The key under which accounts keep their PINs: with another one, every PIN is wrong.\n"
        f'[pin]\nhash_key = "{secrets.token_hex(KEY_BYTES)}"\n'
    )
    pin_terminals_table = (
        "# The key under which each terminal that takes PINs seals them; no other terminal and no station has it.\n"
        "[pin.terminals]\n" + "".join(f'{number} = "{secrets.token_hex(KEY_BYTES)}"\n' for number in pin_terminals)
    )
    explanation = (
        "# Pre-shared keys: for each station, key number (0 to 255) = key (64 hex characters).\n"
        "# A station may hold two keys while it changes from one to the other.\n"
        "# Keep this file secret, and its mode 0600.\n"
    )
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, OWNER_ONLY)
    try:
        with os.fdopen(descriptor, "w", encoding="ascii") as file:
            file.write("\n".join([explanation, *tables, pin_table, pin_terminals_table]))
    except OSError:
        path.unlink()
        raise


def marked(found: Secrets) -> list[str]:
    """Where public keys are: `stations.north-1`, in the order of their names; then `pin.hash_key` and the like."""
    stations = [(f"stations.{name}", keys.values()) for name, keys in sorted(found.stations.items())]
    pin_keys = found.pin_keys
    pins = [("pin.hash_key", [pin_keys.hash_key])]
    pins += [(_terminal_path(number), [key]) for number, key in pin_keys.terminals.items()]
    return [place for place, keys in (*stations, *pins) if any(key.startswith(MARKER) for key in keys)]


def refuse_marked_beyond_loopback(path: Path, found: Secrets, host: str) -> None:
    """Raise ConfigurationError if the switch would listen on `host`, reachable by others, with a public key."""
    if not is_loopback(host) and (places := marked(found)):
        explanation = f"its key is public (it begins with {MARKER.decode()}), which is refused when listening on {host}"
        raise ConfigurationError(path, [f"{place}: {explanation}; expected a random key" for place in places])


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
        elif key := _read_key(f"{_key_path(name)}.{number}", text, mistakes):
            keys[int(number)] = key
    if not table:
        mistakes.append(f"{_key_path(name)}: expected at least one key")
    return keys


def _read_pin_keys(table: Any, mistakes: list[str]) -> PinKeys:
    if not isinstance(table, dict) or not set(table) <= {"hash_key", "terminals"}:
        mistakes.append("pin: expected hash_key and a table [pin.terminals], and nothing else")
        return PinKeys()
    if "hash_key" not in table:
        mistakes.append("pin.hash_key: is missing; accounts keep their PINs under it")
        return PinKeys()
    hash_key = _read_key("pin.hash_key", table["hash_key"], mistakes)
    numbered = table.get("terminals", {})
    if not isinstance(numbered, dict):
        mistakes.append("pin.terminals: expected a table of terminal = key")
        return PinKeys()
    keys: dict[int, bytes] = {}
    owners = {hash_key: "pin.hash_key"}
    for place, (number, text) in enumerate(numbered.items(), start=1):
        # A key typed where a terminal belongs must not be shown either.
        if not re.fullmatch(r"[1-9][0-9]{0,7}", number):
            mistakes.append(f"pin.terminals: entry {place}: expected a terminal's number, from 1 to 99999999")
            continue
        path = _terminal_path(number)
        if key := _read_key(path, text, mistakes):
            if owners.setdefault(key, path) != path:
                mistakes.append(f"{path}: the same key as {owners[key]}; expected one of its own")
            keys[int(number)] = key
    return PinKeys(hash_key, keys)


def _read_key(path: str, text: Any, mistakes: list[str]) -> bytes:
    """The key that is written there; empty if that is none."""
    if not isinstance(text, str):
        mistakes.append(f"{path}: expected a key in quotes")
    elif not re.fullmatch(r"[0-9A-Fa-f]*", text):
        mistakes.append(f"{path}: expected hex characters only (0-9, a-f)")
    elif len(text) != 2 * KEY_BYTES:
        mistakes.append(f"{path}: {len(text)} hex characters; expected {2 * KEY_BYTES}")
    else:
        return bytes.fromhex(text)
    return b""


def _key_path(name: str) -> str:
    return f"stations.{name}" if STATION_NAME.fullmatch(name) else "stations: a name that no station can have"


def _terminal_path(number: int | str) -> str:
    return f"pin.terminals.{number}"
