"""May this subsidy be granted, or claimed?"""

from __future__ import annotations

from typing import Final

from actors.account.checks.refusal import Refusal
from actors.account.purses import SUBSIDY
from actors.account.state import Account
from wire.codes import Code, Reason
from wire.messages import CorrectionReason

BATCHES_MAX: Final = 120
"""Batches that an account may be granted in all, ten years of one a month: it remembers every one."""

_GRANTED_BEFORE: Final = Refusal(Code.INVALID_TRANSACTION, Reason.GRANTED_BEFORE)
_BATCHES_USED_UP: Final = Refusal(Code.INVALID_TRANSACTION, Reason.BATCHES_USED_UP)
_NOT_PAID_OUT: Final = Refusal(Code.INVALID_TRANSACTION, Reason.SUBSIDY_NOT_PAID_OUT)


def batch_check(account: Account, batch: str) -> Refusal | None:
    """The account was never granted this batch, whatever became of that."""
    return _GRANTED_BEFORE if batch in account.batches.split() else None


def batches_check(account: Account) -> Refusal | None:
    """It has been granted few enough."""
    return _BATCHES_USED_UP if len(account.batches.split()) >= BATCHES_MAX else None


def no_cash_check(purse: int, reason: CorrectionReason) -> Refusal | None:
    """A subsidy is never paid out."""
    return _NOT_PAID_OUT if purse == SUBSIDY and reason is CorrectionReason.PAID_OUT else None
