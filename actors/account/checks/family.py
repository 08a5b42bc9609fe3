"""May a guardian's money be on this account, and this much of it?"""

from __future__ import annotations

from typing import Final

from actors.account.card import PersonClass
from actors.account.checks.refusal import Refusal
from actors.account.purses import FAMILY, held_in
from actors.account.state import Account
from wire.codes import Code, Reason

YUAN: Final = 100
"""Minor units."""

_FAMILY_BOUND: Final = Refusal(Code.INVALID_TRANSACTION, Reason.FAMILY_BOUND)
_NO_FAMILY: Final = Refusal(Code.INVALID_TRANSACTION, Reason.NO_FAMILY)
_NOT_A_STUDENT: Final = Refusal(Code.INVALID_TRANSACTION, Reason.NOT_A_STUDENT)
_NOT_WHOLE_YUAN: Final = Refusal(Code.INVALID_AMOUNT, Reason.NOT_WHOLE_YUAN)
_PURSE_NOT_EMPTY: Final = Refusal(Code.INVALID_TRANSACTION, Reason.PURSES_NOT_EMPTY)


def student_check(account: Account) -> Refusal | None:
    """Its holder is a student."""
    return None if account.person_class is PersonClass.STUDENT else _NOT_A_STUDENT


def unbound_check(account: Account) -> Refusal | None:
    """It has no guardian yet."""
    return None if account.family is None else _FAMILY_BOUND


def bound_check(account: Account) -> Refusal | None:
    """It has a guardian."""
    return _NO_FAMILY if account.family is None else None


def family_purse_check(account: Account) -> Refusal | None:
    """Nothing is in the family purse."""
    return _PURSE_NOT_EMPTY if held_in(account.purses, FAMILY) else None


def whole_yuan_check(amount: int) -> Refusal | None:
    """No odd fen."""
    return _NOT_WHOLE_YUAN if amount % YUAN else None
