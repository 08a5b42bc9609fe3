"""Every message of the protocol: a msgpack array whose first element is the tag, then the fields in this order.

Amounts and balances are integers in minor units (fen), times are microseconds since the Unix epoch, waits are
milliseconds. A new field is added at the end only and has a default; unknown trailing fields are ignored.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Literal

from msgspec import Meta, Struct

from wire.codes import Code, Reason

PROTOCOL_VERSION = 1

AccountNumber = Annotated[str, Meta(min_length=1, max_length=19)]
"""1 to 19 decimal digits; leading zeros count. Other characters name no account and are answered 14."""

CardSerial = Annotated[str, Meta(min_length=1, max_length=20)]
TerminalNumber = Annotated[int, Meta(ge=1, le=99_999_999)]
Stan = Annotated[int, Meta(ge=1, le=2**63 - 1)]
"""System trace audit number: a counter of its terminal that never repeats."""

OfflineNumber = Annotated[int, Meta(ge=1, le=2**63 - 1)]
"""A second counter of its terminal, of what it accepted offline: from 1, without gaps."""

BusinessDay = Annotated[int, Meta(ge=20_000_101, le=99_991_231)]
"""As a number: 20260901 is 1 September 2026."""

WAIT_MS_MAX = 600_000
Milliseconds = Annotated[int, Meta(ge=0, le=WAIT_MS_MAX)]
Amount = Annotated[int, Meta(ge=-(2**63), le=2**63 - 1)]
"""Minor units. The full range can be read, so that a zero or negative amount gets its own code."""

PurchaseCount = Annotated[int, Meta(ge=-(2**63), le=2**63 - 1)]
"""How many purchases. The full range can be read, as of an amount."""

SealedPin = Annotated[bytes, Meta(max_length=64)]
"""See `wire.pin`: 34 bytes; empty: none. Other lengths up to 64 are read, and declined 55."""

NewAccountNumber = Annotated[str, Meta(min_length=1, max_length=19, pattern=r"^[0-9]+\Z")]
NewCardSerial = Annotated[str, Meta(min_length=1, max_length=20, pattern=r"^[!-~]+\Z")]
"""Printable ASCII without spaces, as in an accounts file."""

Clerk = Annotated[str, Meta(min_length=1, max_length=32, pattern=r"^[a-z0-9.-]+\Z")]
"""Who gave an operator command: a short identifier of the school's, and never a person's full name."""

BatchIdentifier = Annotated[str, Meta(min_length=1, max_length=24, pattern=r"^[A-Za-z0-9.-]+\Z")]
"""Names a batch of subsidies, such as 2026-09: an account gets each batch once."""

Guardian = Annotated[str, Meta(min_length=1, max_length=32, pattern=r"^[A-Za-z0-9.-]+\Z")]
"""Whose family account it is: an identifier of the school's that says nothing of the person."""

Note = Annotated[str, Meta(min_length=1, max_length=80, pattern=r"^[^\x00-\x1f\x7f-\x9f\u2028\u2029]+\Z")]
"""Why an operator did something, in words that say nothing of a person: it is kept for ever. One line."""

Channel = Annotated[int, Meta(ge=1, le=3)]
"""How money comes in: 1 cash, 2 bank, 3 wallet."""

Day = Annotated[int, Meta(ge=2000_01_01, le=9999_12_31)]
"""A business day as a number, such as 20300731. One that no calendar has can be read, and gets its own answer."""


class FeePayment(StrEnum):
    """How the fee of a new card is paid."""

    PURSES = "purses"
    CASH = "cash"
    WAIVED = "waived"


class CorrectionReason(StrEnum):
    """Why an entry is corrected. The order is kept for ever: a reason's place names its ledger account."""

    WRONG_AMOUNT = "wrong-amount"
    WRONG_ACCOUNT = "wrong-account"
    POSTED_TWICE = "posted-twice"
    NOT_DELIVERED = "not-delivered"
    PAID_OUT = "paid-out"
    GOODWILL = "goodwill"


class Settlement(StrEnum):
    """What becomes of something that was posted although it was not clean, and of what it owes in suspense."""

    COLLECT = "collect"
    WRITE_OFF = "write-off"
    ACCEPT = "accept"


class SignOn(Struct, array_like=True, tag=1, frozen=True):
    """The only message of a session's first record: which protocol version the station speaks."""

    protocol: int
    software: Annotated[str, Meta(max_length=64)] = ""


class SignOff(Struct, array_like=True, tag=2, frozen=True):
    """The station leaves; the switch answers everything in flight, then SignedOff, then closes."""


class Echo(Struct, array_like=True, tag=3, frozen=True):
    """Is the switch alive? `token` comes back unchanged."""

    token: Annotated[int, Meta(ge=0, le=2**63 - 1)]


class Purchase(Struct, array_like=True, tag=10, frozen=True, gc=False):
    """ISO 8583 0200/00: debit the account for goods. `pin` is looked at above the limit of one purchase only."""

    terminal: TerminalNumber
    stan: Stan
    wait_ms: Milliseconds
    account: AccountNumber
    card: CardSerial
    amount: Amount
    pin: SealedPin = b""


class TopUp(Struct, array_like=True, tag=11, frozen=True, gc=False):
    """ISO 8583 0200/21: credit the main purse. `channel` is 1 cash, 2 bank, 3 wallet."""

    terminal: TerminalNumber
    stan: Stan
    wait_ms: Milliseconds
    account: AccountNumber
    card: CardSerial
    amount: Amount
    channel: Channel


class SubsidyClaim(Struct, array_like=True, tag=23, frozen=True, gc=False):
    """ISO 8583 0200/21: what is granted moves into the subsidy purse, as it does with the first purchase."""

    terminal: TerminalNumber
    stan: Stan
    wait_ms: Milliseconds
    account: AccountNumber
    card: CardSerial


class BalanceInquiry(Struct, array_like=True, tag=12, frozen=True, gc=False):
    """ISO 8583 0200/31: balances by purse; no effect, not recorded."""

    terminal: TerminalNumber
    stan: Stan
    wait_ms: Milliseconds
    account: AccountNumber
    card: CardSerial


class MiniStatement(Struct, array_like=True, tag=13, frozen=True, gc=False):
    """ISO 8583 0200/38: the newest `count` events of the account; no effect, not recorded."""

    terminal: TerminalNumber
    stan: Stan
    wait_ms: Milliseconds
    account: AccountNumber
    card: CardSerial
    count: Annotated[int, Meta(ge=5, le=20)]


class Reversal(Struct, array_like=True, tag=14, frozen=True, gc=False):
    """ISO 8583 0400: undo a purchase or top-up, whether or not it ever arrived. Has a STAN of its own."""

    terminal: TerminalNumber
    stan: Stan
    wait_ms: Milliseconds
    account: AccountNumber
    original_terminal: TerminalNumber
    original_stan: Stan
    amount: Amount


class Refund(Struct, array_like=True, tag=15, frozen=True, gc=False):
    """ISO 8583 0200/20: give back some or all of what a purchase paid. A new transaction, which names that purchase."""

    terminal: TerminalNumber
    stan: Stan
    wait_ms: Milliseconds
    account: AccountNumber
    original_terminal: TerminalNumber
    original_stan: Stan
    amount: Amount
    """What is given back, at most what is left of what the purchase paid."""


class ChangePin(Struct, array_like=True, tag=19, frozen=True, gc=False):
    """Give the account another PIN. The old one proves that the cardholder asks."""

    terminal: TerminalNumber
    stan: Stan
    wait_ms: Milliseconds
    account: AccountNumber
    card: CardSerial
    old_pin: SealedPin
    new_pin: SealedPin


class Hold(Struct, array_like=True, tag=16, frozen=True, gc=False):
    """ISO 8583 0100: reserve an amount for goods whose quantity shows only when they were taken. Debits nothing.

    `pin` is looked at above the limit of one purchase only.
    """

    terminal: TerminalNumber
    stan: Stan
    wait_ms: Milliseconds
    account: AccountNumber
    card: CardSerial
    amount: Amount
    """The most that may be captured."""

    pin: SealedPin = b""


class Capture(Struct, array_like=True, tag=17, frozen=True, gc=False):
    """ISO 8583 0220: debit what was used of a hold; the rest of it is free again."""

    terminal: TerminalNumber
    stan: Stan
    wait_ms: Milliseconds
    account: AccountNumber
    original_terminal: TerminalNumber
    original_stan: Stan
    amount: Amount
    """What was used: at least 1, at most what is held."""


class Release(Struct, array_like=True, tag=18, frozen=True, gc=False):
    """ISO 8583 0220: nothing of a hold was used; all of it is free again."""

    terminal: TerminalNumber
    stan: Stan
    wait_ms: Milliseconds
    account: AccountNumber
    original_terminal: TerminalNumber
    original_stan: Stan


class ReportLoss(Struct, array_like=True, tag=20, frozen=True, gc=False):
    """The card is lost: it is declined 41 from now on. `clerk` is empty at a kiosk."""

    terminal: TerminalNumber
    stan: Stan
    wait_ms: Milliseconds
    account: AccountNumber
    clerk: Annotated[str, Meta(max_length=32, pattern=r"^[a-z0-9.-]*\Z")] = ""


class Advice(Struct, array_like=True, tag=21, frozen=True, gc=False):
    """ISO 8583 0220: a purchase that was accepted offline at `taken_us`. Known by its `offline_number`."""

    terminal: TerminalNumber
    stan: Stan
    wait_ms: Milliseconds
    account: AccountNumber
    card: CardSerial
    amount: Amount
    offline_number: OfflineNumber
    taken_us: Annotated[int, Meta(ge=0, le=2**63 - 1)]


class OperatorCommand(Struct, array_like=True, frozen=True, gc=False):
    """How every command of an operator begins."""

    terminal: TerminalNumber
    stan: Stan
    wait_ms: Milliseconds
    account: AccountNumber
    clerk: Clerk


class OpenAccount(OperatorCommand, array_like=True, tag=40, frozen=True, gc=False):
    """Open an account that does not exist yet, with its first card."""

    account: NewAccountNumber
    card: NewCardSerial
    expires: Day
    person_class: Literal["student", "staff", "administrator", "service-staff", "visitor"]


class IssueCard(OperatorCommand, array_like=True, tag=41, frozen=True, gc=False):
    """A new card in place of one that has expired."""

    card: NewCardSerial
    expires: Day


class ActivateCard(OperatorCommand, array_like=True, tag=42, frozen=True, gc=False):
    """The issued card may be used from now on."""


class ReviewLoss(OperatorCommand, array_like=True, tag=43, frozen=True, gc=False):
    """Somebody has looked at the reported loss: the card can be found or replaced now."""


class FindCard(OperatorCommand, array_like=True, tag=44, frozen=True, gc=False):
    """The lost card is back, and is what it was before the loss."""


class FreezeCard(OperatorCommand, array_like=True, tag=45, frozen=True, gc=False):
    """The school takes the card out of use."""


class UnfreezeCard(OperatorCommand, array_like=True, tag=46, frozen=True, gc=False):
    """The card may be used again."""


class ReplaceCard(OperatorCommand, array_like=True, tag=47, frozen=True, gc=False):
    """A new card in place of the lost one, for a fee."""

    card: NewCardSerial
    fee: FeePayment


class CloseAccount(OperatorCommand, array_like=True, tag=48, frozen=True, gc=False):
    """Nothing more happens on the account, whose purses are empty."""


class SetExpiry(OperatorCommand, array_like=True, tag=49, frozen=True, gc=False):
    """The card's last day is another one."""

    expires: Day


class ResetPin(OperatorCommand, array_like=True, tag=51, frozen=True, gc=False):
    """The account has this first PIN, which the cardholder has to change before it counts."""

    new_pin: SealedPin


class GrantSubsidy(OperatorCommand, array_like=True, tag=60, frozen=True, gc=False):
    """A batch's subsidy for this account: it can be claimed, and then spent, until `last_day` is over."""

    batch: BatchIdentifier
    amount: Amount
    last_day: Day


class BindFamily(OperatorCommand, array_like=True, tag=61, frozen=True, gc=False):
    """A guardian may have money on this account from now on, in the family purse."""

    guardian: Guardian


class UnbindFamily(OperatorCommand, array_like=True, tag=62, frozen=True, gc=False):
    """The account has no guardian any more; the family purse is empty."""


class SetFamilyPolicy(OperatorCommand, array_like=True, tag=63, frozen=True, gc=False):
    """What purchases may draw from the family purse, in a business day and each, and what one of them alerts above.

    0 is no limit, or no alert; three times 0 deletes the policy.
    """

    day_max: Amount
    purchase_max: Amount
    alert_above: Amount


class CreditFamily(OperatorCommand, array_like=True, tag=64, frozen=True, gc=False):
    """A guardian's money comes into the family purse, in whole yuan."""

    amount: Amount
    channel: Channel


class SetLimits(OperatorCommand, array_like=True, tag=70, frozen=True, gc=False):
    """The holder's own limits are these from here on, where they are lower than the school's; 0: none.

    Day and meal period are those of purchases.
    """

    purchase_max: Amount
    day_max: Amount
    period_max: Amount
    day_count_max: PurchaseCount
    period_count_max: PurchaseCount


class CorrectEntry(OperatorCommand, array_like=True, tag=50, frozen=True, gc=False):
    """A counter-entry: `amount`, which may be negative, goes into a purse (0 main, 1 subsidy, 2 family)."""

    purse: Annotated[int, Meta(ge=0, le=2)]
    amount: Amount
    reason: CorrectionReason


class SettleSuspicion(OperatorCommand, array_like=True, tag=66, frozen=True, gc=False):
    """Somebody has looked at what was posted although it was not clean, and says what becomes of it.

    What it owes in suspense is collected from the purses, or written off as the school's loss; what owes nothing is
    accepted.
    """

    original_terminal: TerminalNumber
    original_stan: Stan
    how: Settlement
    note: Note


class ServiceTotal(Struct, array_like=True, frozen=True, gc=False):
    """What a terminal did of one service on a business day: how many approved ones, and their amounts together."""

    service: Annotated[str, Meta(min_length=1, max_length=32)]
    count: Annotated[int, Meta(ge=0, le=2**53 - 1)]
    amount: Annotated[int, Meta(ge=-(2**53) + 1, le=2**53 - 1)]
    """Corrections may come to less than nothing."""


class Reconciliation(Struct, array_like=True, tag=24, frozen=True):
    """ISO 8583 0500: do terminal and switch agree about a business day? No effect, closes nothing, not recorded."""

    terminal: TerminalNumber
    stan: Stan
    wait_ms: Milliseconds
    business_day: BusinessDay
    totals: Annotated[tuple[ServiceTotal, ...], Meta(max_length=32)]


class Emergency(Struct, array_like=True, tag=25, frozen=True, gc=False):
    """Somebody at the terminal calls for help, perhaps with a card, of whatever state. Never declined."""

    terminal: TerminalNumber
    stan: Stan
    wait_ms: Milliseconds
    account: Annotated[str, Meta(max_length=19)] = ""
    card: Annotated[str, Meta(max_length=20)] = ""


class ExplainGap(Struct, array_like=True, tag=67, frozen=True, gc=False):
    """An operator says why offline numbers `first` to `last` of a terminal were never uploaded."""

    terminal: TerminalNumber
    stan: Stan
    wait_ms: Milliseconds
    clerk: Clerk
    of_terminal: TerminalNumber
    first: OfflineNumber
    last: OfflineNumber
    note: Note


class ParametersInquiry(Struct, array_like=True, tag=26, frozen=True, gc=False):
    """What a terminal of this kind has to know, if anything of it is not in `version`. No effect, not recorded."""

    terminal: TerminalNumber
    stan: Stan
    wait_ms: Milliseconds
    version: Annotated[str, Meta(max_length=64)] = ""


class HotListInquiry(Struct, array_like=True, tag=27, frozen=True, gc=False):
    """Which cards must not be used, as far as that is not in `version`? No effect, not recorded."""

    terminal: TerminalNumber
    stan: Stan
    wait_ms: Milliseconds
    cards_max: Annotated[int, Meta(ge=10, le=500)]
    version: Annotated[str, Meta(max_length=4_096)] = ""


class SignedOn(Struct, array_like=True, tag=101, frozen=True):
    """Answer to SignOn: the limits of this session. With a code other than 00 the switch then closes."""

    code: Code
    reason: Reason
    protocol: int
    time_us: int
    in_flight_max: int
    record_bytes_max: int
    idle_ms_max: int
    echo_interval_ms: int


class SignedOff(Struct, array_like=True, tag=102, frozen=True):
    """Answer to SignOff, and the switch's own last word when it stops."""


class Echoed(Struct, array_like=True, tag=103, frozen=True):
    """Answer to Echo."""

    token: int
    time_us: int


class Answer(Struct, array_like=True, tag=110, frozen=True, gc=False):
    """Answer to a purchase, top-up, balance inquiry, reversal or refund, matched by (terminal, stan).

    `balances` and `paid` are by purse: main first. `authorization` is 0 unless the request was approved with an
    effect. `retry_after_ms` says with code 91 when a further copy may be sent; otherwise 0.
    """

    terminal: int
    stan: int
    code: Code
    reason: Reason
    authorization: int
    balances: tuple[int, ...]
    paid: tuple[int, ...]
    retry_after_ms: int = 0


class StatementEntry(Struct, array_like=True, frozen=True, gc=False):
    """One event of a mini statement. `amount` is the change of the balance: negative when it fell."""

    time_us: int
    service: str
    code: Code
    amount: int
    balances: tuple[int, ...]
    terminal: int
    stan: int


class Statement(Struct, array_like=True, tag=111, frozen=True):
    """Answer to an approved MiniStatement, newest entry first. A refused one gets an Answer."""

    terminal: int
    stan: int
    balances: tuple[int, ...]
    entries: tuple[StatementEntry, ...]


class Figures(Struct, array_like=True, tag=112, frozen=True):
    """Answer to a Reconciliation that is not in balance: both sides' totals. One in balance gets an Answer.

    Each service that has a total stands once in a list, in alphabetical order.
    """

    terminal: int
    stan: int
    business_day: int
    of_terminal: tuple[ServiceTotal, ...]
    of_switch: tuple[ServiceTotal, ...]


class MealPeriodEnd(Struct, array_like=True, frozen=True, gc=False):
    """A part of the local day; it begins where the one before it ends."""

    name: str
    until: str


class Parameters(Struct, array_like=True, tag=113, frozen=True):
    """Answer to a ParametersInquiry. If `version` is the one that was asked from, nothing else is told.

    Amounts are minor units.
    """

    terminal: int
    stan: int
    version: str
    prompt: str = ""
    pin_above: int = 0
    meal_periods: tuple[MealPeriodEnd, ...] = ()
    offline_floor: int = 0
    offline_total: int = 0
    time_zone: str = ""
    business_day_starts: str = ""


class HotCard(Struct, array_like=True, frozen=True, gc=False):
    """A card and why it must not be used; an empty `state`: it may be used again."""

    card: str
    state: str


class HotList(Struct, array_like=True, tag=114, frozen=True):
    """Answer to a HotListInquiry. `whole` 1: these cards stand instead of all that were known; `more` 1: ask again."""

    terminal: int
    stan: int
    version: str
    whole: int
    more: int
    cards: tuple[HotCard, ...]


class Rejected(Struct, array_like=True, tag=120, frozen=True):
    """Answer to a message that could not be read: its place in its record (from 0) and what was expected.

    `terminal` and `stan` are those of the message where they could still be read, otherwise 0.
    """

    terminal: int
    stan: int
    code: Code
    reason: Reason
    place: int
    explanation: str


OfficeRequest = (
    ReportLoss
    | OpenAccount
    | IssueCard
    | ActivateCard
    | ReviewLoss
    | FindCard
    | FreezeCard
    | UnfreezeCard
    | ReplaceCard
    | CloseAccount
    | SetExpiry
    | ResetPin
    | GrantSubsidy
    | BindFamily
    | UnbindFamily
    | SetFamilyPolicy
    | CreditFamily
    | SetLimits
    | CorrectEntry
    | SettleSuspicion
)
"""What the card office asks; a loss can be reported by its holder too."""

AccountRequest = (
    Purchase
    | TopUp
    | SubsidyClaim
    | BalanceInquiry
    | MiniStatement
    | Reversal
    | Refund
    | Hold
    | Capture
    | Release
    | Advice
    | ChangePin
    | OfficeRequest
)
"""Requests about one account: the shard answers them."""

TerminalRequest = Reconciliation | Emergency | ExplainGap | ParametersInquiry | HotListInquiry
"""Requests about a terminal, which need no account."""

Request = SignOn | SignOff | Echo | AccountRequest | TerminalRequest
Reply = SignedOn | SignedOff | Echoed | Answer | Statement | Figures | Parameters | HotList | Rejected
AccountReply = Answer | Statement
TerminalReply = Answer | Figures | Parameters | HotList
