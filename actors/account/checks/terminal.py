"""May this terminal ask for that, now?"""

from __future__ import annotations

from typing import Final

from actors.account.checks.refusal import Refusal
from actors.policy import Service, Terminal
from wire.codes import Code, Reason

UNREGISTERED: Final = Terminal(0, 0, frozenset(), None)
"""What a terminal that the policy does not know may do: nothing."""

SERVICE_NOT_OFFERED: Final = Refusal(Code.NOT_PERMITTED_TO_TERMINAL, Reason.SERVICE_NOT_OFFERED)
_BEYOND_ROLE: Final = Refusal(Code.NOT_PERMITTED_TO_CARDHOLDER, Reason.BEYOND_ROLE)
_CLERK_MISSING: Final = Refusal(Code.INVALID_TRANSACTION, Reason.CLERK_MISSING)
OUTSIDE_HOURS: Final = Refusal(Code.NOT_PERMITTED_TO_TERMINAL, Reason.OUTSIDE_HOURS)


def service_check(terminal: Terminal, service: Service) -> Refusal | None:
    """A terminal offers what its kind offers."""
    return None if service in terminal.services else SERVICE_NOT_OFFERED


def command_check(terminal: Terminal, service: Service, clerk: str) -> Refusal | None:
    """As `service_check`; an operator's terminal offers what its role permits, to somebody who says who it is."""
    if service not in terminal.services:
        return _BEYOND_ROLE if terminal.role else SERVICE_NOT_OFFERED
    return _CLERK_MISSING if terminal.role and not clerk else None


def hours_check(terminal: Terminal, period: int) -> Refusal | None:
    """A merchant sells in its meal periods only."""
    return None if terminal.open_periods is None or period in terminal.open_periods else OUTSIDE_HOURS
