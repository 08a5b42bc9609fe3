"""The hot list as terminals fetch it: differences since a version that names a position in every shard's journal."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from actors.hot_list import GOOD
from actors.kind import Part
from wire.messages import HotCard, HotList, HotListInquiry

_START_AGAIN: Final = ""


def hot_list_of_part(request: HotListInquiry, part: Part) -> HotList:
    """What one shard has that is newer than the version; as its version, itself and how far it has told."""
    since = _position(request.version, part)
    changes, more = part.hot_list.since(since or 0, request.cards_max)
    told = changes[-1].position if changes else since or 0
    cards = tuple(HotCard(change.card, change.state) for change in changes if since is not None or change.state != GOOD)
    version = f"{part.authorizations_after}.{part.number}.{told}"
    return HotList(request.terminal, request.stan, version, int(since is None), int(more), cards)


def add_up_hot_list(request: HotListInquiry, parts: Sequence[HotList]) -> HotList:
    """What the terminal is told: as much as it takes of what the shards have. What it cannot take comes next time."""
    whole = parts[0].whole
    _, *told_before = request.version.split(".")
    # Each part has looked at its own position in the version, and none at how many there are.
    if len({part.whole for part in parts}) > 1 or not (whole or len(told_before) == len(parts)):
        return HotList(request.terminal, request.stan, _START_AGAIN, 1, 1, ())
    epoch = parts[0].version.partition(".")[0]
    before = [0] * len(parts) if whole else list(map(int, told_before))
    cards: list[HotCard] = []
    more = 0
    positions: list[int] = []
    for shard, part in enumerate(sorted(parts, key=_number)):
        more |= part.more
        if cards and len(cards) + len(part.cards) > request.cards_max:
            more = 1
            positions.append(before[shard])
        else:
            cards += part.cards
            positions.append(int(part.version.rpartition(".")[2]))
    version = ".".join(map(str, (epoch, *positions)))
    return HotList(request.terminal, request.stan, version, whole, more, tuple(cards))


def _position(version: str, part: Part) -> int | None:
    """Up to where a terminal with this version knows the shard; None if it must begin anew."""
    epoch, *positions = version.split(".")
    if epoch != str(part.authorizations_after) or len(positions) <= part.number:
        return None
    position = positions[part.number]
    known = int(position) if position.isdecimal() and position.isascii() and len(position) < 20 else -1
    return known if 0 <= known <= part.head.position else None


def _number(part: HotList) -> int:
    return int(part.version.split(".")[1])
