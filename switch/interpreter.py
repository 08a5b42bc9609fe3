"""How the interpreter is set for a process that answers terminals."""

from __future__ import annotations

import gc
import sys
from typing import Final

SWITCH_INTERVAL_S: Final = 0.0002
"""How long the event loop may keep the interpreter while the commit thread wants it."""


def settle_in() -> None:
    """Call once when everything that lives as long as the process has been made."""
    sys.setswitchinterval(SWITCH_INTERVAL_S)
    # What was made so far stays for good: the collector need not look at it again.
    gc.collect()
    gc.freeze()
    gc.set_threshold(100_000, 50, 100)
