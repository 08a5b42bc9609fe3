"""Requests that every shard answers for its part; their sender gets one answer, made of all parts."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import structlog

from switch.mailbox import Parcel, Sender, refusal
from switch.shards import Shards, room_for
from wire.codec import encode_message, reply_decoder
from wire.codes import Code, Reason
from wire.messages import Answer, TerminalReply

log = structlog.get_logger()

AddUp = Callable[[Any, Sequence[Any]], TerminalReply]
"""(request, every shard's part) → what the terminal is told."""


def ask_every_shard(shards: Shards[Any], sender: Sender, request: Any, received: float, add_up: AddUp) -> Reason | None:
    """Have the request answered to its sender, or say why not now (to be answered 91)."""
    for shard in shards.handles:
        room, reason = room_for(shard)
        if room < 1:
            return reason
    gathering = _Gathering(sender, request, received, len(shards.handles), add_up)
    for shard in shards.handles:
        shard.submit(Parcel(gathering, [request], received))
    return None


class _Gathering:
    """Whom the shards answer. It has no effect anywhere, so that trying again is always safe."""

    def __init__(self, sender: Sender, request: Any, received: float, shards: int, add_up: AddUp) -> None:
        self._sender = sender
        self._parcel = Parcel(sender, [request], received)
        self._waiting = shards
        self._answers: list[bytes] = []
        self._add_up = add_up

    def deliver(self, _parcel: Parcel, answers: Sequence[bytes]) -> None:
        """See switch.mailbox.Sender."""
        self._answers += answers
        self._waiting -= len(answers)
        if not self._waiting:
            (request,) = self._parcel.requests
            self._sender.deliver(self._parcel, [self._answer(request)])

    def _answer(self, request: Any) -> bytes:
        try:
            return self._answer_of_all(request)
        except Exception:
            # A shard's turn delivers this, and must not end with what one terminal asked. Nothing was recorded.
            log.exception("the shards' parts do not add up", request=repr(request))
            return refusal(request, Code.TRY_AGAIN, Reason.SHARD_SILENT)

    def _answer_of_all(self, request: Any) -> bytes:
        parts: list[Any] = list(map(reply_decoder.decode_message, self._answers))
        refused = [part for part in parts if isinstance(part, Answer)]
        if not refused:
            return encode_message(self._add_up(request, parts))
        code, reason = refused[0].code, refused[0].reason
        return refusal(request, Code.TRY_AGAIN, reason if code is Code.TRY_AGAIN else Reason.SHARD_SILENT)
