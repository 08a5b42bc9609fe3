"""What time it is: the system's clock, or one that makes lunch happen at any hour."""

from __future__ import annotations

import time
from typing import Final

JUMP_US_MAX: Final = 3_600 * 1_000_000
"""A clock that is further than this from where it should be stamps no events."""


class Clock:
    """Microseconds since the Unix epoch, running at `speed` from `start_us`; by default the system clock itself.

    From `until_us` on a simulated clock keeps the pace of real time.

    A pickled clock shows the same time in another process, and there watches for jumps from its own start on.
    """

    def __init__(self, start_us: int | None = None, speed: float = 1.0, until_us: int | None = None) -> None:
        self.simulated = start_us is not None
        self.speed = speed
        self._origin_us = time.time_ns() // 1_000
        self._start_us = self._origin_us if start_us is None else start_us
        self._until_us = until_us
        self._watch()

    def __getstate__(self) -> tuple[bool, float, int, int, int | None]:
        return self.simulated, self.speed, self._origin_us, self._start_us, self._until_us

    def __setstate__(self, state: tuple[bool, float, int, int, int | None]) -> None:
        self.simulated, self.speed, self._origin_us, self._start_us, self._until_us = state
        self._watch()

    def _watch(self) -> None:
        self._system_start_us = time.time_ns() // 1_000
        self._boot_start_us = time.clock_gettime_ns(time.CLOCK_BOOTTIME) // 1_000

    def now_us(self) -> int:
        """The time now."""
        now_us = self._start_us + int((time.time_ns() // 1_000 - self._origin_us) * self.speed)
        if self._until_us is None or now_us <= self._until_us:
            return now_us
        return self._until_us + int((now_us - self._until_us) / self.speed)

    def jump_us(self) -> int:
        """How far the system clock has moved against the boot clock (it runs while suspended too) since the start."""
        system = time.time_ns() // 1_000 - self._system_start_us
        booted = time.clock_gettime_ns(time.CLOCK_BOOTTIME) // 1_000 - self._boot_start_us
        return system - booted

    def problem(self, newest_event_us: int) -> str | None:
        """Why no event may be stamped now, or None. `newest_event_us`: time of the journal's last event, or 0."""
        jump_us = self.jump_us()
        if abs(jump_us) > JUMP_US_MAX:
            return f"the system clock jumped by {jump_us / 1e6:.0f} s while running: set it right and restart"
        behind_us = newest_event_us - self.now_us()
        if behind_us > JUMP_US_MAX:
            return (
                f"the clock is {behind_us / 1e6:.0f} s behind the journal's last event: "
                "set it (or the START of --simulated-clock) right and restart"
            )
        return None
