"""What happened to a terminal itself: *alarms*, in one chain for each terminal, in the journal of its slot's shard.

They begin as the events of accounts do, are kept for ever as those are, and share their tags.
"""

from __future__ import annotations

from msgspec import Struct

from wire.codes import Code, Reason
from wire.messages import ExplainGap


class Alarm(Struct, array_like=True, frozen=True, gc=False):
    """How every event of a terminal itself begins. `account` is empty where none was named."""

    account: str
    time_us: int
    previous: int
    """Position of the same terminal's previous alarm; 0: none."""

    terminal: int
    stan: int


class EmergencyRaised(Alarm, array_like=True, tag=61, frozen=True, gc=False):
    """Somebody called for help. `account` and `card` are what the terminal knew of them, unchecked; perhaps empty."""

    card: str
    merchant: int
    business_day: int
    period: int


class GapExplained(Alarm, array_like=True, tag=161, frozen=True, gc=False):
    """An operator has said why offline numbers `first` to `last` of `of_terminal` were never uploaded.

    `terminal` is the operator's own, and `clerk` who it was.
    """

    clerk: str
    of_terminal: int
    first: int
    last: int
    note: str
    business_day: int


class GapExplanationDeclined(Alarm, array_like=True, tag=162, frozen=True, gc=False):
    """An explanation was refused, and stays refused: `asked` is the request itself."""

    asked: ExplainGap
    business_day: int
    code: Code
    reason: Reason


AnyAlarm = EmergencyRaised | GapExplained | GapExplanationDeclined
