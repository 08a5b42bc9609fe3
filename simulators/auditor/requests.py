"""What is asked of every request: its key, its service, and whether its decision is kept."""

from __future__ import annotations

from collections.abc import Mapping

from msgspec.structs import replace

from wire.messages import (
    AccountRequest,
    ActivateCard,
    Advice,
    BalanceInquiry,
    BindFamily,
    Capture,
    ChangePin,
    CloseAccount,
    CorrectEntry,
    CreditFamily,
    FindCard,
    FreezeCard,
    GrantSubsidy,
    Hold,
    IssueCard,
    MiniStatement,
    OpenAccount,
    Purchase,
    Refund,
    Release,
    ReplaceCard,
    ReportLoss,
    ResetPin,
    Reversal,
    ReviewLoss,
    SetExpiry,
    SetFamilyPolicy,
    SetLimits,
    SettleSuspicion,
    SubsidyClaim,
    TerminalRequest,
    TopUp,
    UnbindFamily,
    UnfreezeCard,
)

Key = tuple[int, int]
"""(terminal, STAN)."""


def key_of(request: AccountRequest | TerminalRequest) -> Key:
    """What its replies are matched by."""
    return request.terminal, request.stan


def identity_of(request: AccountRequest) -> Key:
    """What it is known by for ever: an offline number stands below zero, where no STAN is."""
    return (request.terminal, -request.offline_number) if isinstance(request, Advice) else key_of(request)


def content_of(request: AccountRequest) -> AccountRequest:
    """What copies have in common; a PIN is sealed anew for each."""
    pins = {field: b"" for field in ("pin", "old_pin", "new_pin") if hasattr(request, field)}
    return replace(request, wait_ms=0, stan=0, **pins)


def service_of(request: AccountRequest) -> str:
    """Its service, named as the switch's metrics name it."""
    return _SERVICE_NAMES[type(request)]


_SERVICE_NAMES: Mapping[type, str] = {
    Purchase: "purchase",
    TopUp: "top-up",
    BalanceInquiry: "balance-inquiry",
    MiniStatement: "mini-statement",
    Reversal: "reversal",
    Refund: "refund",
    Hold: "hold",
    Capture: "capture",
    Release: "release",
    ReportLoss: "report-loss",
    OpenAccount: "open",
    IssueCard: "issue",
    ActivateCard: "activate",
    ReviewLoss: "review-loss",
    FindCard: "found",
    FreezeCard: "freeze",
    UnfreezeCard: "unfreeze",
    ReplaceCard: "replace",
    CloseAccount: "close",
    SetExpiry: "set-expiry",
    ResetPin: "reset-pin",
    CorrectEntry: "correct",
    SubsidyClaim: "subsidy-claim",
    GrantSubsidy: "grant-subsidy",
    BindFamily: "bind-family",
    UnbindFamily: "unbind-family",
    SetFamilyPolicy: "set-family-policy",
    CreditFamily: "credit-family",
    SetLimits: "set-limits",
    SettleSuspicion: "settle",
    Advice: "advice",
    ChangePin: "change-pin",
}


def is_recorded(request: AccountRequest) -> bool:
    """Whether its decision is kept and counts for ever; inquiries are answered anew each time."""
    return not isinstance(request, BalanceInquiry | MiniStatement)
