"""What a check answers when it refuses."""

from __future__ import annotations

from typing import NamedTuple

from wire.codes import Code, Reason


class Refusal(NamedTuple):
    """A business refusal: a value, not an error."""

    code: Code
    reason: Reason
