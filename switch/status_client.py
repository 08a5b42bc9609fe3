"""Reads `/status.json` of a running switch, for the commands that show it."""

from __future__ import annotations

import urllib.error
import urllib.request
from http.client import HTTPException
from typing import Final, TypeVar

import click
import msgspec

from switch.addresses import ADDRESS, Address
from switch.system_errors import in_words

Status = TypeVar("Status")

http_option: Final = click.option(
    "--http",
    type=ADDRESS,
    default="127.0.0.1:7180",
    show_default=True,
    help="The --http address of the running switch.",
)


class NobodyAnswersError(Exception):
    """Nobody is at the address, or he takes too long; the text says which."""


class NotThisSwitchError(Exception):
    """Somebody is there, and what he says is not what was asked for."""


def read_status(http: Address, status_type: type[Status], seconds_max: float) -> tuple[Status, bytes]:
    """What the switch says, and the page as it is. Raises NobodyAnswersError or NotThisSwitchError."""
    try:
        with urllib.request.urlopen(f"http://{http}/status.json", timeout=seconds_max) as answer:
            page: bytes = answer.read()
        return msgspec.json.decode(page, type=status_type), page
    except urllib.error.HTTPError as error:
        error.close()
        raise NotThisSwitchError(str(error)) from error
    except (HTTPException, msgspec.MsgspecError) as error:  # whoever is there does not speak HTTP, or is no switch
        raise NotThisSwitchError(str(error)) from error
    except OSError as error:
        why = error.reason if isinstance(error, urllib.error.URLError) else error
        raise NobodyAnswersError(in_words(why) if isinstance(why, OSError) else str(why)) from error
