"""The holder's own limits: all of them are set at once, and count beside the school's."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from simulators.accounts import Purses
from simulators.auditor.model.checks import AMOUNT_MAX, Verdict
from simulators.auditor.world import NOTHING
from wire.codes import Code, Reason
from wire.messages import SetLimits

_NAMES = ("purchase_max", "day_max", "period_max", "day_count_max", "period_count_max")


def own_limits_problem(request: SetLimits) -> Verdict | None:
    """One of them is none, whatever the account is."""
    possible = all(getattr(request, name) in range(AMOUNT_MAX + 1) for name in _NAMES)
    return None if possible else (Code.INVALID_AMOUNT, Reason.AMOUNT_OUT_OF_RANGE)


def own_limits_step(request: SetLimits) -> tuple[Purses, Purses, Mapping[str, Any]]:
    """Those that are not 0 hold, and no others."""
    given = {name: getattr(request, name) for name in _NAMES}
    return NOTHING, NOTHING, {"own_limits": {name: limit for name, limit in given.items() if limit}}
