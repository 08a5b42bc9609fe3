"""What happened to an account. Events are kept for ever: a changed event gets a new tag, and old tags stay readable.

Every event begins with the same three fields: whose it is, when it was decided (microseconds since the Unix epoch), and
the journal position of the same account's previous event (0: none). Amounts are minor units; `paid`, `returned`
and `balances` are by purse; `balances` are those after the event. `business_day`, `period` and `merchant` are what the
rules used.
"""

from __future__ import annotations

from typing import Final

from msgspec import Struct

from actors.account.card import CardState, PersonClass
from actors.account.suspicion import Suspicion
from wire.codes import Code, Reason
from wire.messages import CorrectionReason, FeePayment, OfficeRequest, Settlement


class Opened(Struct, array_like=True, tag=1, frozen=True, gc=False):
    """The account exists from here on, with its card and an opening balance."""

    account: str
    time_us: int
    previous: int
    card: str
    card_state: CardState
    expires: int
    person_class: PersonClass
    balances: tuple[int, ...]


class Purchased(Struct, array_like=True, tag=21, frozen=True, gc=False):
    """Goods were paid for. It counts in the purchases of its business day and meal period."""

    account: str
    time_us: int
    previous: int
    terminal: int
    stan: int
    card: str
    amount: int
    merchant: int
    business_day: int
    period: int
    paid: tuple[int, ...]
    balances: tuple[int, ...]
    authorization: int


class PurchasedUncounted(Purchased, array_like=True, tag=2, frozen=True, gc=False):
    """Goods were paid for, before purchases were counted: only its amount counts, in its business day."""


class PricedPurchase(Purchased, array_like=True, tag=51, frozen=True, gc=False):
    """Goods were paid for at a price that a rule made of the amount that was asked: `amount` plus `adjustment`.

    A discount is below zero, a fee above. `paid` sums to the price.
    """

    adjustment: int


class PricedPurchaseWithPin(PricedPurchase, array_like=True, tag=28, frozen=True, gc=False):
    """Goods whose price was above the limit of one purchase were paid for, with the right PIN."""


class AlertingPurchase(PricedPurchase, array_like=True, tag=77, frozen=True, gc=False):
    """Goods were paid for, with more from the family purse than `alert_above`: the guardian should learn of it.

    `adjustment` is 0 where no rule made a price. `with_pin`: its price was above the limit, and the PIN was right.
    """

    with_pin: bool
    guardian: str
    alert_above: int


class PurchaseDeclined(Struct, array_like=True, tag=3, frozen=True, gc=False):
    """A purchase was refused, and stays refused."""

    account: str
    time_us: int
    previous: int
    terminal: int
    stan: int
    card: str
    amount: int
    merchant: int
    business_day: int
    period: int
    code: Code
    reason: Reason
    balances: tuple[int, ...]


class PurchasedWithPin(Purchased, array_like=True, tag=22, frozen=True, gc=False):
    """Goods above the limit of one purchase were paid for, with the right PIN: wrong tries are forgotten."""


class PurchaseDeclinedWithPin(PurchaseDeclined, array_like=True, tag=23, frozen=True, gc=False):
    """A purchase was refused after its PIN was compared, and stays refused; `wrong_tries` in a row were made now."""

    wrong_tries: int


class ToppedUp(Struct, array_like=True, tag=4, frozen=True, gc=False):
    """Money came in through a channel (1 cash, 2 bank, 3 wallet)."""

    account: str
    time_us: int
    previous: int
    terminal: int
    stan: int
    card: str
    amount: int
    channel: int
    merchant: int
    business_day: int
    period: int
    balances: tuple[int, ...]
    authorization: int


class TopUpDeclined(Struct, array_like=True, tag=5, frozen=True, gc=False):
    """A top-up was refused, and stays refused."""

    account: str
    time_us: int
    previous: int
    terminal: int
    stan: int
    card: str
    amount: int
    channel: int
    merchant: int
    business_day: int
    period: int
    code: Code
    reason: Reason
    balances: tuple[int, ...]


class SubsidyClaimed(Struct, array_like=True, tag=68, frozen=True, gc=False):
    """A terminal was asked for what is granted: these batches moved into the subsidy purse.

    The whole purse expires at `expires_us`; 0: it stays.
    """

    account: str
    time_us: int
    previous: int
    terminal: int
    stan: int
    card: str
    batches: tuple[str, ...]
    amount: int
    expires_us: int
    merchant: int
    business_day: int
    period: int
    balances: tuple[int, ...]
    authorization: int


class SubsidyClaimDeclined(Struct, array_like=True, tag=69, frozen=True, gc=False):
    """A claim was refused, and stays refused."""

    account: str
    time_us: int
    previous: int
    terminal: int
    stan: int
    card: str
    merchant: int
    business_day: int
    period: int
    code: Code
    reason: Reason
    balances: tuple[int, ...]


class SubsidyClaimedAtTap(Struct, array_like=True, tag=70, frozen=True, gc=False):
    """The card was used for something else, which is the next event: first these batches moved into the subsidy purse.

    The whole purse expires at `expires_us`; 0: it stays.
    """

    account: str
    time_us: int
    previous: int
    batches: tuple[str, ...]
    amount: int
    expires_us: int
    business_day: int
    balances: tuple[int, ...]


class SubsidyExpired(Struct, array_like=True, tag=71, frozen=True, gc=False):
    """What was left in the subsidy purse at `expires_us`, or came back into it later, was taken back."""

    account: str
    time_us: int
    previous: int
    amount: int
    expires_us: int
    business_day: int
    balances: tuple[int, ...]


class Reversed(Struct, array_like=True, tag=6, frozen=True, gc=False):
    """A purchase or top-up was undone: `returned` is the change of each purse, negative when a top-up is undone.

    `service`, `channel` and the `original_` fields are those of the original. What a spent top-up no longer holds is
    `shortfall`, and sits in suspense.
    """

    account: str
    time_us: int
    previous: int
    terminal: int
    stan: int
    original_terminal: int
    original_stan: int
    amount: int
    service: str
    channel: int
    merchant: int
    original_merchant: int
    original_business_day: int
    business_day: int
    period: int
    returned: tuple[int, ...]
    shortfall: int
    balances: tuple[int, ...]
    authorization: int


class PurchaseReversed(Reversed, array_like=True, tag=24, frozen=True, gc=False):
    """A purchase was undone that counts in its business day and in its meal period, `original_period`."""

    original_period: int


class PricedPurchaseReversed(PurchaseReversed, array_like=True, tag=52, frozen=True, gc=False):
    """A purchase was undone whose price was `amount` plus `adjustment`: so much was returned."""

    adjustment: int


class PurchaseReturned(PricedPurchaseReversed, array_like=True, tag=180, frozen=True, gc=False):
    """A purchase was undone, and the terminal is told what went back: it may never have seen the price."""


class CaptureReversed(PurchaseReversed, array_like=True, tag=120, frozen=True, gc=False):
    """A capture was undone, which counts in day and period of its hold; it drew from the family purse on `drawn_on`."""

    drawn_on: int


class Tombstoned(Struct, array_like=True, tag=7, frozen=True, gc=False):
    """A reversal was accepted that found nothing to undo: its original is unknown, was refused, or is reversed already.

    Should the original still come, it is declined.
    """

    account: str
    time_us: int
    previous: int
    terminal: int
    stan: int
    original_terminal: int
    original_stan: int
    amount: int
    merchant: int
    business_day: int
    period: int
    balances: tuple[int, ...]


class ReversalDeclined(Struct, array_like=True, tag=8, frozen=True, gc=False):
    """A reversal was refused, and stays refused."""

    account: str
    time_us: int
    previous: int
    terminal: int
    stan: int
    original_terminal: int
    original_stan: int
    amount: int
    merchant: int
    business_day: int
    period: int
    code: Code
    reason: Reason
    balances: tuple[int, ...]


UNCOUNTED: Final = -1
"""In place of a meal period: of a purchase that counts in no number of purchases, and in its business day alone."""


class Refunded(Struct, array_like=True, tag=9, frozen=True, gc=False):
    """Some or all of what was paid was given back: `returned` is the change of each purse.

    `left` is what may still be given back of that payment, by purse: the next refund needs no older event.
    `original_business_day` and `original_period` are those in which it counts; the period may be UNCOUNTED.
    """

    account: str
    time_us: int
    previous: int
    terminal: int
    stan: int
    original_terminal: int
    original_stan: int
    amount: int
    merchant: int
    original_business_day: int
    original_period: int
    business_day: int
    period: int
    returned: tuple[int, ...]
    left: tuple[int, ...]
    balances: tuple[int, ...]
    authorization: int


class PostedRefunded(Refunded, array_like=True, tag=122, frozen=True, gc=False):
    """Some or all of a capture or an offline purchase was given back: what was posted, whatever the purses held.

    Of `amount`, `settled` went to suspense, which is still owed `shortfall_left`, and the rest to the purses. What went
    into the family purse was drawn on `drawn_on`.
    """

    drawn_on: int
    settled: int
    shortfall_left: int


class RefundDeclined(Struct, array_like=True, tag=10, frozen=True, gc=False):
    """A refund was refused, and stays refused."""

    account: str
    time_us: int
    previous: int
    terminal: int
    stan: int
    original_terminal: int
    original_stan: int
    amount: int
    merchant: int
    business_day: int
    period: int
    code: Code
    reason: Reason
    balances: tuple[int, ...]


class Held(Struct, array_like=True, tag=13, frozen=True, gc=False):
    """An amount was reserved until `expires_us`. It is in the purses still, and may not be spent otherwise."""

    account: str
    time_us: int
    previous: int
    terminal: int
    stan: int
    card: str
    amount: int
    expires_us: int
    merchant: int
    business_day: int
    period: int
    balances: tuple[int, ...]
    authorization: int


class HeldWithPin(Held, array_like=True, tag=123, frozen=True, gc=False):
    """More than the limit of one purchase was reserved, with the right PIN: wrong tries are forgotten."""


class HoldDeclined(Struct, array_like=True, tag=14, frozen=True, gc=False):
    """A hold was refused, and stays refused."""

    account: str
    time_us: int
    previous: int
    terminal: int
    stan: int
    card: str
    amount: int
    merchant: int
    business_day: int
    period: int
    code: Code
    reason: Reason
    balances: tuple[int, ...]


class HoldDeclinedWithPin(HoldDeclined, array_like=True, tag=124, frozen=True, gc=False):
    """A hold was refused after its PIN was compared, and stays refused; `wrong_tries` in a row were made now."""

    wrong_tries: int


class Captured(Struct, array_like=True, tag=15, frozen=True, gc=False):
    """What was used of a hold was paid for, and the rest of it is free again.

    `merchant`, `original_business_day` and `original_period` are the hold's, `held` is its amount. `shortfall` is what
    the purses did not have any more: the merchant has it from suspense. `suspicious`: it came after its hold had
    expired.
    """

    account: str
    time_us: int
    previous: int
    terminal: int
    stan: int
    original_terminal: int
    original_stan: int
    amount: int
    held: int
    merchant: int
    original_business_day: int
    original_period: int
    business_day: int
    period: int
    paid: tuple[int, ...]
    shortfall: int
    suspicious: bool
    balances: tuple[int, ...]
    authorization: int


class CapturedShort(Captured, array_like=True, tag=121, frozen=True, gc=False):
    """What was used of a hold was paid for in time, but the purses had less than was held: a subsidy had expired."""


class CaptureDeclined(Struct, array_like=True, tag=16, frozen=True, gc=False):
    """A capture was refused, and stays refused."""

    account: str
    time_us: int
    previous: int
    terminal: int
    stan: int
    original_terminal: int
    original_stan: int
    amount: int
    merchant: int
    business_day: int
    period: int
    code: Code
    reason: Reason
    balances: tuple[int, ...]


class Released(Struct, array_like=True, tag=17, frozen=True, gc=False):
    """A hold of `amount` was given back whole."""

    account: str
    time_us: int
    previous: int
    terminal: int
    stan: int
    original_terminal: int
    original_stan: int
    amount: int
    merchant: int
    business_day: int
    period: int
    balances: tuple[int, ...]
    authorization: int


class ReleaseDeclined(Struct, array_like=True, tag=18, frozen=True, gc=False):
    """A release was refused, and stays refused."""

    account: str
    time_us: int
    previous: int
    terminal: int
    stan: int
    original_terminal: int
    original_stan: int
    merchant: int
    business_day: int
    period: int
    code: Code
    reason: Reason
    balances: tuple[int, ...]


class HoldReversed(Struct, array_like=True, tag=20, frozen=True, gc=False):
    """A hold was undone by a terminal that did not learn its end: it is free again, and no copy of it holds."""

    account: str
    time_us: int
    previous: int
    terminal: int
    stan: int
    original_terminal: int
    original_stan: int
    amount: int
    merchant: int
    business_day: int
    period: int
    balances: tuple[int, ...]
    authorization: int


class HoldExpired(Struct, array_like=True, tag=19, frozen=True, gc=False):
    """A hold that stood until `expires_us` was found overdue, and is free again. Nobody asked for it.

    The rest is the hold's: a capture that comes late needs no older event.
    """

    account: str
    time_us: int
    previous: int
    original_terminal: int
    original_stan: int
    amount: int
    expires_us: int
    merchant: int
    original_business_day: int
    original_period: int
    balances: tuple[int, ...]


class ReviewOverdue(Struct, array_like=True, tag=142, frozen=True, gc=False):
    """A loss was found to wait for its review still at `review_due_us`. Nobody asked for it, and it is told once."""

    account: str
    time_us: int
    previous: int
    card: str
    reported_us: int
    review_due_us: int
    balances: tuple[int, ...]


class PinChanged(Struct, array_like=True, tag=26, frozen=True, gc=False):
    """The cardholder has another PIN, of which the account keeps the hash."""

    account: str
    time_us: int
    previous: int
    terminal: int
    stan: int
    card: str
    merchant: int
    business_day: int
    period: int
    keyed_hash: bytes
    balances: tuple[int, ...]


class PinChangeDeclined(Struct, array_like=True, tag=27, frozen=True, gc=False):
    """Another PIN was refused, and stays refused. `wrong_tries` in a row were made now; None: no PIN was compared."""

    account: str
    time_us: int
    previous: int
    terminal: int
    stan: int
    card: str
    merchant: int
    business_day: int
    period: int
    code: Code
    reason: Reason
    balances: tuple[int, ...]
    wrong_tries: int | None


class OfficeEvent(Struct, array_like=True, frozen=True, gc=False):
    """How every event of the card office begins.

    `clerk` is who did it (empty: a kiosk), `card` the serial of the account's card after it.
    """

    account: str
    time_us: int
    previous: int
    terminal: int
    stan: int
    clerk: str
    card: str
    business_day: int
    balances: tuple[int, ...]


class LossReportedWithoutDeadline(OfficeEvent, array_like=True, tag=30, frozen=True, gc=False):
    """The card is lost from here on, from before reviews were to be made in time."""


class LossReported(OfficeEvent, array_like=True, tag=141, frozen=True, gc=False):
    """The card is lost from here on. If nobody has reviewed it at `review_due_us`, operators are told."""

    review_due_us: int


class AccountOpened(OfficeEvent, array_like=True, tag=31, frozen=True, gc=False):
    """The account exists from here on, with its first card and nothing in its purses."""

    card_state: CardState
    expires: int
    person_class: PersonClass


class CardIssued(OfficeEvent, array_like=True, tag=32, frozen=True, gc=False):
    """`card` took the place of `dead_card`, which had expired and is dead for ever."""

    dead_card: str
    expires: int


class CardActivated(OfficeEvent, array_like=True, tag=33, frozen=True, gc=False):
    """The issued card may be used."""


class LossReviewed(OfficeEvent, array_like=True, tag=34, frozen=True, gc=False):
    """Somebody has looked at the loss."""


class CardFound(OfficeEvent, array_like=True, tag=35, frozen=True, gc=False):
    """The lost card is what it was before the loss."""


class CardFrozen(OfficeEvent, array_like=True, tag=36, frozen=True, gc=False):
    """The card is out of use; a lost one will be when it is found."""


class CardUnfrozen(OfficeEvent, array_like=True, tag=37, frozen=True, gc=False):
    """The card is not frozen any more."""


class CardReplaced(OfficeEvent, array_like=True, tag=38, frozen=True, gc=False):
    """`card` took the place of `dead_card`, which was lost and is dead for ever.

    `amount` is what it cost, and `paid` how much of that came from each purse.
    """

    dead_card: str
    fee: FeePayment
    amount: int
    paid: tuple[int, ...]
    merchant: int
    period: int
    authorization: int


class AccountClosed(OfficeEvent, array_like=True, tag=39, frozen=True, gc=False):
    """Nothing more happens on the account, and its card is dead."""


class ExpirySet(OfficeEvent, array_like=True, tag=40, frozen=True, gc=False):
    """The card's last day is `expires`."""

    expires: int


class EntryCorrected(OfficeEvent, array_like=True, tag=41, frozen=True, gc=False):
    """A counter-entry: `amount`, which may be negative, went into `purse`."""

    purse: int
    amount: int
    reason: CorrectionReason
    merchant: int
    period: int
    authorization: int


class PinReset(OfficeEvent, array_like=True, tag=25, frozen=True, gc=False):
    """The account has a first PIN, which does not count before it is changed."""

    keyed_hash: bytes


class SubsidyGranted(OfficeEvent, array_like=True, tag=67, frozen=True, gc=False):
    """A batch's subsidy waits for the card's next tap, until `expires_us`, the end of `last_day`."""

    batch: str
    amount: int
    last_day: int
    expires_us: int


class FamilyBound(OfficeEvent, array_like=True, tag=73, frozen=True, gc=False):
    """A guardian may have money on the account from here on."""

    guardian: str


class FamilyUnbound(OfficeEvent, array_like=True, tag=74, frozen=True, gc=False):
    """The account has no guardian any more."""


class FamilyPolicySet(OfficeEvent, array_like=True, tag=75, frozen=True, gc=False):
    """These are what purchases may draw from the family purse from here on, and what is told; 0: no limit, nothing."""

    day_max: int
    purchase_max: int
    alert_above: int


class FamilyCredited(OfficeEvent, array_like=True, tag=76, frozen=True, gc=False):
    """A guardian's money came into the family purse through a channel (1 cash, 2 bank, 3 wallet)."""

    amount: int
    channel: int
    merchant: int
    period: int
    authorization: int


class LimitsSet(OfficeEvent, array_like=True, tag=140, frozen=True, gc=False):
    """The holder's own limits are these from here on, where they are lower than the school's; 0: none."""

    purchase_max: int
    day_max: int
    period_max: int
    day_count_max: int
    period_count_max: int


class AccountClosedWithSubsidy(OfficeEvent, array_like=True, tag=78, frozen=True, gc=False):
    """Nothing more happens on the account, its card is dead, and `amount` of subsidy was taken back."""

    amount: int
    merchant: int
    period: int


class AccountClosedForGood(AccountClosedWithSubsidy, array_like=True, tag=125, frozen=True, gc=False):
    """Nothing more is bought; `amount` of subsidy, maybe 0, was taken back, and what comes back of it later is too."""


class SuspicionSettled(OfficeEvent, array_like=True, tag=160, frozen=True, gc=False):
    """What was posted although it was not clean is settled: of its shortfall, `amount`, nothing is owed any more.

    `paid` is what the purses gave of that.
    """

    original_terminal: int
    original_stan: int
    how: Settlement
    note: str
    amount: int
    paid: tuple[int, ...]
    merchant: int
    period: int
    authorization: int


class OfficeDeclined(Struct, array_like=True, tag=42, frozen=True, gc=False):
    """A request to the card office was refused, and stays refused: `asked` is the request itself."""

    account: str
    time_us: int
    previous: int
    terminal: int
    stan: int
    asked: OfficeRequest
    business_day: int
    code: Code
    reason: Reason
    balances: tuple[int, ...]


class Advised(Struct, array_like=True, tag=54, frozen=True, gc=False):
    """Goods were paid for while the terminal was offline: posted, whatever stood against it.

    `business_day` and `period` are those of the purchase, as its terminal told (`taken_us`). What the purses did not
    hold is `shortfall`, and sits in suspense. `suspicious` says what is not clean; empty if nothing is.
    """

    account: str
    time_us: int
    previous: int
    terminal: int
    stan: int
    card: str
    amount: int
    offline_number: int
    taken_us: int
    merchant: int
    business_day: int
    period: int
    paid: tuple[int, ...]
    shortfall: int
    suspicious: Suspicion
    balances: tuple[int, ...]
    authorization: int


class AdviceDeclined(Struct, array_like=True, tag=55, frozen=True, gc=False):
    """What was sent cannot have been a purchase there. It stays refused, but its offline number remains free."""

    account: str
    time_us: int
    previous: int
    terminal: int
    stan: int
    card: str
    amount: int
    offline_number: int
    taken_us: int
    merchant: int
    business_day: int
    period: int
    code: Code
    reason: Reason
    balances: tuple[int, ...]


Reversal = (
    Reversed
    | PurchaseReversed
    | PricedPurchaseReversed
    | PurchaseReturned
    | CaptureReversed
    | HoldReversed
    | Tombstoned
)
"""Events that settle their original as well as themselves."""

Office = (
    LossReportedWithoutDeadline
    | LossReported
    | AccountOpened
    | CardIssued
    | CardActivated
    | LossReviewed
    | CardFound
    | CardFrozen
    | CardUnfrozen
    | CardReplaced
    | AccountClosed
    | ExpirySet
    | EntryCorrected
    | PinReset
    | SubsidyGranted
    | FamilyBound
    | FamilyUnbound
    | FamilyPolicySet
    | FamilyCredited
    | LimitsSet
    | AccountClosedWithSubsidy
    | AccountClosedForGood
    | SuspicionSettled
    | OfficeDeclined
)
"""Events of the card office."""

Decided = (
    Purchased
    | PurchasedUncounted
    | PurchasedWithPin
    | AlertingPurchase
    | PurchaseDeclined
    | PurchaseDeclinedWithPin
    | ToppedUp
    | TopUpDeclined
    | SubsidyClaimed
    | SubsidyClaimDeclined
    | Reversed
    | PurchaseReversed
    | Tombstoned
    | ReversalDeclined
    | Advised
    | AdviceDeclined
    | Refunded
    | PostedRefunded
    | RefundDeclined
    | Held
    | HeldWithPin
    | HoldDeclined
    | HoldDeclinedWithPin
    | Captured
    | CapturedShort
    | CaptureDeclined
    | Released
    | ReleaseDeclined
    | HoldReversed
    | PricedPurchase
    | PricedPurchaseWithPin
    | PinChanged
    | PinChangeDeclined
    | PricedPurchaseReversed
    | PurchaseReturned
    | CaptureReversed
    | Office
)
"""Events that answer a terminal's request."""

Unasked = SubsidyClaimedAtTap | SubsidyExpired | HoldExpired | ReviewOverdue
"""Events that answer nobody."""

Event = Opened | Decided | Unasked
