"""What may interrupt a console: a key, a signal to end, another size of the window."""

from __future__ import annotations

import os
import select
import signal
import sys
import termios
import tty
from types import FrameType
from typing import Any, Final, Self

_ENDING: Final = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
_END_KEYS: Final = b"qQ\x03\x04"


class TerminalEvents:
    """While inside, keys are read one by one and not shown; afterwards all is as it was. For the main thread."""

    def __init__(self) -> None:
        self.ended = False
        """Whether somebody wants this to end."""

        self._keyboard: int | None = sys.stdin.fileno() if sys.stdin.isatty() else None

    def __enter__(self) -> Self:
        self._awake, wake = os.pipe()
        self._wake = wake
        os.set_blocking(wake, False)
        self._wake_before = signal.set_wakeup_fd(wake, warn_on_full_buffer=False)
        self._handlers: dict[signal.Signals, Any] = {of: signal.signal(of, self._end) for of in _ENDING}
        self._handlers[signal.SIGWINCH] = signal.signal(signal.SIGWINCH, lambda *_: None)
        if self._keyboard is not None:
            self._terminal = termios.tcgetattr(self._keyboard)
            tty.setcbreak(self._keyboard)
        return self

    def __exit__(self, *_: object) -> None:
        if self._keyboard is not None:
            termios.tcsetattr(self._keyboard, termios.TCSADRAIN, self._terminal)
        for of, handler in self._handlers.items():
            signal.signal(of, handler)
        signal.set_wakeup_fd(self._wake_before)
        os.close(self._awake)
        os.close(self._wake)

    def wait(self, seconds: float) -> None:
        """Until something happens, or so long."""
        watched = [self._awake] if self._keyboard is None else [self._awake, self._keyboard]
        readable, _, _ = select.select(watched, [], [], max(0.0, seconds))
        if self._awake in readable:
            os.read(self._awake, 1_024)
        if self._keyboard is not None and self._keyboard in readable:
            keys = os.read(self._keyboard, 1_024)
            if not keys or any(key in _END_KEYS for key in keys):  # nothing to read: the terminal is gone
                self.ended = True

    def _end(self, _number: int, _frame: FrameType | None) -> None:
        self.ended = True
