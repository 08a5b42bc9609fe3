"""Where money goes: double entries between named ledger accounts, and the total in which an event counts."""

from __future__ import annotations

from typing import Final

from actors.account.purses import MAIN, Amounts
from actors.ledger import PURSES, LedgerAccount
from actors.totals import TotalsKey

Posting = tuple[LedgerAccount, int]
"""A change of one ledger account in minor units; the postings of an event sum to zero."""

Booking = tuple[TotalsKey | None, int, tuple[Posting, ...]]
"""Which total an event counts in (None: in no terminal's), with what amount, and its postings."""

MERCHANTS: Final = "merchant"
CHANNELS: Final = "channel"
CORRECTIONS: Final = "correction"
SUBSIDIES: Final[LedgerAccount] = ("subsidy", 0)
FEE_INCOME: Final[LedgerAccount] = ("fee income", 0)
LOSSES: Final[LedgerAccount] = ("loss", 0)
SUSPENSE: Final[LedgerAccount] = ("suspense", 0)
OPENING: Final[LedgerAccount] = ("opening", 0)
MAIN_PURSE: Final[LedgerAccount] = (PURSES, MAIN)


def suspense_postings(change: int) -> tuple[Posting, ...]:
    """What comes into suspense, in minor units, or goes out of it; none if that is nothing."""
    return ((SUSPENSE, change),) if change else ()


def purse_postings(changes: Amounts, sign: int = 1) -> tuple[Posting, ...]:
    """Those of each purse that changed."""
    return tuple(((PURSES, purse), sign * change) for purse, change in enumerate(changes) if change)
