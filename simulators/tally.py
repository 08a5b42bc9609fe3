"""What the fleet counts while it drives, and how it spreads over the run."""

from __future__ import annotations

from collections import Counter

from msgspec import Struct

from simulators.latency import Histogram
from simulators.requester import Ending
from wire.codes import Code

SLICES = 100
SLICE_DIGITS = 2


class Slice(Struct):
    """One hundredth of the driving."""

    offered: int
    answered: int
    intended: Histogram


class Tally:
    """Plain counts, which belong to the event loop's thread."""

    def __init__(self, drive_seconds: float) -> None:
        self.drive_seconds = drive_seconds
        self.offered = 0
        self.by_code: Counter[Code] = Counter()
        """First decided answers; a tap that is reversed later stays counted here."""

        self.retried = 0
        self.reversed = 0
        self.endings: Counter[Ending] = Counter()
        """How visits ended."""

        self.intended = Histogram()
        self.actual = Histogram()
        self.coarse = Histogram(SLICE_DIGITS)
        """Like `intended`, with fewer digits: quick enough to be looked at during the run."""

        self.slices = [Slice(0, 0, Histogram(SLICE_DIGITS)) for _ in range(SLICES)]

    @property
    def answered(self) -> int:
        """Taps with a decided answer."""
        return self.by_code.total()

    @property
    def approved(self) -> int:
        """Taps whose first decided answer was an approval."""
        return self.by_code[Code.APPROVED]

    def offer(self, second: float) -> None:
        """A tap was due, `second` real seconds into the run."""
        self.offered += 1
        self._slice(second).offered += 1

    def answer(self, code: Code, second: float, intended: float, actual: float) -> None:
        """A tap got its first decided answer, `second` real seconds into the run; both latencies in seconds."""
        self.by_code[code] += 1
        self.intended.record(intended)
        self.coarse.record(intended)
        self.actual.record(actual)
        slice_ = self._slice(second)
        slice_.answered += 1
        slice_.intended.record(intended)

    def end(self, ending: Ending) -> None:
        """A visit is over, perhaps with a reversal to come."""
        self.endings[ending] += 1

    def retry(self) -> None:
        """A further copy of a STAN was sent."""
        self.retried += 1

    def declined_by_code(self) -> dict[str, int]:
        """Two-digit code and count of every answer that was no approval, in order of the code."""
        return {f"{code:02d}": count for code, count in sorted(self.by_code.items()) if code is not Code.APPROVED}

    def _slice(self, second: float) -> Slice:
        return self.slices[min(int(second / self.drive_seconds * SLICES), SLICES - 1)]
