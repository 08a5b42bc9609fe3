"""Which cards are hot: what changes of an account's card mean for the hot list."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Final

from actors.account.card import CardState
from actors.account.events import (
    AdviceDeclined,
    Advised,
    AlertingPurchase,
    Captured,
    CaptureDeclined,
    CapturedShort,
    CaptureReversed,
    EntryCorrected,
    FamilyBound,
    FamilyCredited,
    FamilyPolicySet,
    FamilyUnbound,
    Held,
    HeldWithPin,
    HoldDeclined,
    HoldDeclinedWithPin,
    HoldExpired,
    HoldReversed,
    LimitsSet,
    LossReviewed,
    OfficeDeclined,
    PinChanged,
    PinChangeDeclined,
    PinReset,
    PostedRefunded,
    PricedPurchase,
    PricedPurchaseReversed,
    PricedPurchaseWithPin,
    Purchased,
    PurchaseDeclined,
    PurchaseDeclinedWithPin,
    PurchasedUncounted,
    PurchasedWithPin,
    PurchaseReturned,
    PurchaseReversed,
    RefundDeclined,
    Refunded,
    Released,
    ReleaseDeclined,
    ReversalDeclined,
    Reversed,
    ReviewOverdue,
    SubsidyClaimDeclined,
    SubsidyClaimed,
    SubsidyClaimedAtTap,
    SubsidyExpired,
    SubsidyGranted,
    SuspicionSettled,
    Tombstoned,
    ToppedUp,
    TopUpDeclined,
)
from actors.account.state import Account
from actors.hot_list import GOOD, HotChange
from actors.terminal.events import EmergencyRaised

HOT: Final = frozenset({CardState.LOST, CardState.FROZEN, CardState.REPLACED, CardState.CLOSED})

LEAVE_CARD: Final = frozenset({
    Purchased, PurchasedUncounted, PurchasedWithPin, PricedPurchase, PricedPurchaseWithPin, AlertingPurchase,
    PurchaseDeclined, PurchaseDeclinedWithPin, ToppedUp, TopUpDeclined, SubsidyClaimed, SubsidyClaimDeclined,
    SubsidyClaimedAtTap, SubsidyExpired, Reversed, PurchaseReversed, PricedPurchaseReversed, PurchaseReturned,
    CaptureReversed, HoldReversed, Tombstoned, ReversalDeclined, Refunded, PostedRefunded, RefundDeclined, Held,
    HeldWithPin, HoldDeclined, HoldDeclinedWithPin, Captured, CapturedShort, CaptureDeclined, Released, ReleaseDeclined,
    HoldExpired, PinChanged, PinChangeDeclined, Advised, AdviceDeclined, LossReviewed, ReviewOverdue,
    LimitsSet, SuspicionSettled, EntryCorrected, PinReset, SubsidyGranted, FamilyBound, FamilyUnbound, FamilyPolicySet,
    FamilyCredited, OfficeDeclined, EmergencyRaised,
})  # fmt: skip
"""Events that never change a card: nearly all. One that is not here is looked at, and costs a little more."""


def hot_changes(events: Sequence[Any], befores: Sequence[Account], afters: Sequence[Account]) -> list[HotChange]:
    """What the events did to cards; `befores` and `afters` are the accounts' states, of those that are accounts'."""
    if LEAVE_CARD.issuperset(map(type, events)):
        return []
    return [change for pair in zip(befores, afters, strict=True) for change in _changes(*pair)]


def hot_card(account: Account) -> HotChange | None:
    """What is to be listed of an account that was opened so, and whose card never changed since."""
    return next(_changes(None, account), None)


def _changes(before: Account | None, after: Account) -> Iterator[HotChange]:
    was = before.card if before is not None and before.position else ""
    if was == after.card and before is not None and before.card_state is after.card_state:
        return
    position = after.opened_at if before is None else after.position
    if was and was != after.card:
        yield HotChange(position, was, CardState.REPLACED.value)
    if after.card_state in HOT and after.card:
        yield HotChange(position, after.card, after.card_state.value)
    elif was == after.card and before is not None and before.card_state in HOT:
        yield HotChange(position, after.card, GOOD)
