"""Response codes (ISO 8583 field 39) and the finer reason that stands beside each of them."""

from __future__ import annotations

from enum import IntEnum, StrEnum
from typing import Final


class Code(IntEnum):
    """Two-digit response code; docs/protocol.md says for each what a terminal does next."""

    APPROVED = 0
    DO_NOT_HONOUR = 5
    INVALID_TRANSACTION = 12
    INVALID_AMOUNT = 13
    NO_SUCH_ACCOUNT = 14
    ORIGINAL_NOT_FOUND = 25
    FORMAT_ERROR = 30
    NOT_SUPPORTED = 40
    LOST_CARD = 41
    INSUFFICIENT_FUNDS = 51
    EXPIRED_CARD = 54
    INCORRECT_PIN = 55
    NOT_PERMITTED_TO_CARDHOLDER = 57
    NOT_PERMITTED_TO_TERMINAL = 58
    OVER_AMOUNT_LIMIT = 61
    RESTRICTED_CARD = 62
    SECURITY = 63
    OVER_COUNT_LIMIT = 65
    TOO_LATE = 68
    PIN_TRIES_EXCEEDED = 75
    TRY_AGAIN = 91
    DUPLICATE = 94
    SYSTEM_MALFUNCTION = 96


class Reason(StrEnum):
    """The finer reason beside a code. An approval has none."""

    NONE = ""
    # 12, 13, 14
    REVERSED = "reversed"
    AMOUNT_OUT_OF_RANGE = "amount-out-of-range"
    AMOUNT_DIFFERS = "amount-differs"
    NOT_REVERSIBLE = "not-reversible"
    ACCOUNT_EXISTS = "account-exists"
    CARD_ACTIVE = "card-active"
    CARD_GOOD = "card-good"
    CARD_USED = "card-used"
    CARDS_USED_UP = "cards-used-up"
    CLERK_MISSING = "clerk-missing"
    BATCHES_USED_UP = "batches-used-up"
    EXPIRY_NOT_POSSIBLE = "expiry-not-possible"
    FAMILY_BOUND = "family-bound"
    GRANTED_BEFORE = "granted-before"
    LOSS_REVIEWED = "loss-reviewed"
    NO_FAMILY = "no-family"
    NOT_A_STUDENT = "not-a-student"
    NOT_FROZEN = "not-frozen"
    NOT_LOST = "not-lost"
    NOT_REVIEWED = "not-reviewed"
    NOT_WHOLE_YUAN = "not-whole-yuan"
    NOTHING_GRANTED = "nothing-granted"
    NOTHING_OWED = "nothing-owed"
    OWED = "owed"
    PURSES_NOT_EMPTY = "purses-not-empty"
    HOLDS_OUTSTANDING = "holds-outstanding"
    RANGE_NOT_POSSIBLE = "range-not-possible"
    SUBSIDY_NOT_PAID_OUT = "subsidy-not-paid-out"
    NO_ACCOUNT = "no-account"
    NO_CARD = "no-card"
    # 12, 13, 25: a refund and its original
    NOT_REFUNDABLE = "not-refundable"
    ORIGINAL_DECLINED = "original-declined"
    ORIGINAL_REVERSED = "original-reversed"
    ORIGINAL_SETTLED = "original-settled"
    NOT_SUSPICIOUS = "not-suspicious"
    ORIGINAL_REFUNDED = "original-refunded"
    MORE_THAN_LEFT = "more-than-left"
    HOLD_CAPTURED = "hold-captured"
    HOLD_RELEASED = "hold-released"
    HOLD_EXPIRED = "hold-expired"
    MORE_THAN_HELD = "more-than-held"
    ORIGINAL_NOT_FOUND = "original-not-found"
    # 30, 40
    UNREADABLE = "unreadable"
    PROTOCOL_VERSION = "protocol-version"
    # 41, 54, 62
    CARD_LOST = "card-lost"
    CARD_EXPIRED = "card-expired"
    CARD_NOT_ACTIVE = "card-not-active"
    CARD_FROZEN = "card-frozen"
    CARD_REPLACED = "card-replaced"
    ACCOUNT_CLOSED = "account-closed"
    # 51, 61, 65
    FUNDS = "funds"
    PURCHASE_LIMIT = "purchase-limit"
    DAY_LIMIT = "day-limit"
    PERIOD_LIMIT = "period-limit"
    DAY_COUNT_LIMIT = "day-count-limit"
    PERIOD_COUNT_LIMIT = "period-count-limit"
    HOLDS_LIMIT = "holds-limit"
    TOP_UP_LIMIT = "top-up-limit"
    BALANCE_LIMIT = "balance-limit"
    # 55, 75
    PIN_REQUIRED = "pin-required"
    PIN_WRONG = "pin-wrong"
    PIN_UNREADABLE = "pin-unreadable"
    PIN_INITIAL = "pin-initial"
    PIN_NOT_SET = "pin-not-set"
    PIN_WEAK = "pin-weak"
    PIN_UNCHANGED = "pin-unchanged"
    PIN_TRIES_EXCEEDED = "pin-tries-exceeded"
    # 57, 58, 63
    BEYOND_ROLE = "beyond-role"
    SERVICE_NOT_OFFERED = "service-not-offered"
    OUTSIDE_HOURS = "outside-hours"
    OTHER_MERCHANT = "other-merchant"
    PIN_NOT_OFFERED = "pin-not-offered"
    TERMINAL_NOT_OF_STATION = "terminal-not-of-station"
    # 68, 91, 96
    WAITED_TOO_LONG = "waited-too-long"
    BUSY_SESSION = "busy-session"
    BUSY_TERMINAL = "busy-terminal"
    BUSY_SHARD = "busy-shard"
    BUSY_CONNECTIONS = "busy-connections"
    STORE_FULL = "store-full"
    NOT_READY = "not-ready"
    STOPPING = "stopping"
    SHARD_SILENT = "shard-silent"
    OUTCOME_UNKNOWN = "outcome-unknown"
    # 94
    CONTENT_DIFFERS = "content-differs"


# Reaching an enumeration's member costs 0.1 microseconds in Python 3.11; the two in every approval are reached once.
APPROVED: Final = Code.APPROVED
NO_REASON: Final = Reason.NONE

TECHNICAL_CODES = frozenset({Code.FORMAT_ERROR, Code.SECURITY, Code.TOO_LATE, Code.TRY_AGAIN, Code.SYSTEM_MALFUNCTION})
"""Codes that speak of the message or the switch and never of the cardholder; all others are business answers."""
