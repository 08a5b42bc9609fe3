"""Accounts that have a PIN, and what is decided of those who type one."""

from __future__ import annotations

from typing import Any

from example_campus import LIMITS, NOON, POLICY, account, pin_of
from msgspec.structs import replace

from actors.account.tables import ANSWER, APPLY, DECIDE
from wire.codes import Code, Reason

RICH = account(purses=(100_000,), pin=pin_of())
OVER = LIMITS.purchase_max + 1
WRONG = "000000"


def decided(request: Any, holder: Any = RICH, policy: Any = POLICY, original: Any = None) -> Any:
    return DECIDE[type(request)](holder, request, original, NOON, policy, 99)


def applied(holder: Any, event: Any) -> Any:
    return APPLY[type(event)](holder, event, 8)


def outcome(event: Any) -> tuple[Code, Reason]:
    answer = ANSWER[type(event)](event)
    return answer.code, answer.reason


def holder_with(**pin: Any) -> Any:
    return replace(RICH, pin=pin_of(**pin))
