"""What happened to a terminal itself: *alarms*, in one chain for each terminal, in the journal of its slot's shard.

They begin as the events of accounts do, are kept for ever as those are, and share their tags.
"""

from __future__ import annotations

from msgspec import Struct


class EmergencyRaised(Struct, array_like=True, tag=61, frozen=True, gc=False):
    """Somebody called for help. `account` and `card` are what the terminal knew of them, unchecked; perhaps empty."""

    account: str
    time_us: int
    previous: int
    """Position of the same terminal's previous alarm; 0: none."""

    terminal: int
    stan: int
    card: str
    merchant: int
    business_day: int
    period: int


Alarm = EmergencyRaised
"""Events of a terminal itself."""
