"""The registry: who may speak, for which terminals, and by which rules. It may change while the switch runs."""

from __future__ import annotations

from pathlib import Path

import structlog
from msgspec import Struct
from msgspec.structs import replace

from switch.addresses import Address
from switch.campus import Campus, ConfigurationError, read_campus
from switch.secrets_file import StationKeys, read_secrets, refuse_marked_beyond_loopback

log = structlog.get_logger()


class Registry(Struct, frozen=True):
    """One version of the campus and its stations' keys. The keys for PINs are in its policy."""

    version: int
    """From 1 on, since the switch was started."""

    campus: Campus
    secrets: StationKeys


class RegistryFiles:
    """`campus.toml` and the `secrets.toml` beside it, and the last version of them that was found to be right."""

    def __init__(self, campus_file: Path, listen: Address) -> None:
        """Read them. Raises ConfigurationError, also for marked keys if `listen` is beyond loopback."""
        self._campus_file = campus_file
        self._listen = listen
        self.newest = self._read(1)

    def read_again(self) -> Registry:
        """The next version; or, if the files have a mistake, the one that held so far, and the log says why."""
        try:
            self.newest = self._read(self.newest.version + 1)
        except ConfigurationError as error:
            log.error(  # noqa: TRY400 - the mistakes are the operator's, and a traceback says nothing of them
                "registry not changed", version=self.newest.version, mistakes=error.mistakes
            )
        else:
            log.info("registry read", version=self.newest.version, stations=len(self.newest.campus.stations))
        return self.newest

    def _read(self, version: int) -> Registry:
        secrets_file = self._campus_file.parent / "secrets.toml"
        campus = read_campus(self._campus_file)
        secrets = read_secrets(secrets_file, campus.stations, campus.policy.terminals)
        refuse_marked_beyond_loopback(secrets_file, secrets, self._listen.host)
        if secrets.unused:
            log.warning("keys without a station or terminal are ignored", file=str(secrets_file), keys=secrets.unused)
        policy = replace(campus.policy, pin_keys=secrets.pin_keys)
        return Registry(version, replace(campus, policy=policy), secrets.stations)
