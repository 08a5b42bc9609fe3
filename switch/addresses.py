"""Network addresses as people write them: HOST:PORT, an IPv6 host in brackets."""

from __future__ import annotations

import ipaddress
import re
from typing import NamedTuple

import click

EXPECTED = "expected HOST:PORT, such as 127.0.0.1:7100, localhost:7100 or [::1]:7100"


class Address(NamedTuple):
    """Where to listen or to connect. An IPv6 `host` stands without its brackets; `port` 0 asks for any free one."""

    host: str
    port: int

    @property
    def is_loopback(self) -> bool:
        """Whether only this machine can be meant."""
        return is_loopback(self.host)

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


def is_loopback(host: str) -> bool:
    """True for 127.0.0.0/8, ::1 and the name localhost; no name is looked up."""
    if host.lower() == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def parse_address(text: str) -> Address:
    """The address that `text` writes. Raises ValueError with what was expected."""
    match = re.fullmatch(r"(?:\[(?P<ipv6>[^\[\]]*)\]|(?P<host>[^:\[\]]*)):(?P<port>[0-9]{1,5})", text)
    if match is None:
        hint = "; an IPv6 host stands in brackets" if text.count(":") > 1 and "[" not in text else ""
        raise ValueError(f"{text!r} is not an address; {EXPECTED}{hint}")
    host = match["host"] if match["ipv6"] is None else match["ipv6"]
    if not _is_host(host, in_brackets=match["ipv6"] is not None):
        raise ValueError(f"{host!r} in {text!r} is not a host; {EXPECTED}")
    port = int(match["port"])
    if port > 65_535:
        raise ValueError(f"port {port} in {text!r} is too large; expected 0 to 65535")
    return Address(host, port)


def _is_host(host: str, *, in_brackets: bool) -> bool:
    if not in_brackets and not re.fullmatch(r"[0-9.]+", host):
        return re.fullmatch(r"[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?\.?", host) is not None
    try:
        ipaddress.IPv6Address(host) if in_brackets else ipaddress.IPv4Address(host)
    except ValueError:
        return False
    return True


class AddressType(click.ParamType["Address", "str | Address"]):
    """A command line value of the form HOST:PORT."""

    name = "HOST:PORT"

    def convert(self, value: str | Address, param: click.Parameter | None, ctx: click.Context | None) -> Address:
        """The address; a mistake ends the command with status 2."""
        if isinstance(value, Address):
            return value
        try:
            return parse_address(value)
        except ValueError as error:
            self.fail(str(error), param, ctx)


ADDRESS = AddressType()
