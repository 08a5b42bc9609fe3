"""Every message of the protocol: a msgpack array whose first element is the tag, then the fields in this order.

Amounts and balances are integers in minor units (fen), times are microseconds since the Unix epoch, waits are
milliseconds. A new field is added at the end only and has a default; unknown trailing fields are ignored.
"""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta, Struct

from wire.codes import Code, Reason

PROTOCOL_VERSION = 1

AccountNumber = Annotated[str, Meta(min_length=1, max_length=19)]
"""1 to 19 decimal digits; leading zeros count. Other characters name no account and are answered 14."""

CardSerial = Annotated[str, Meta(min_length=1, max_length=20)]
TerminalNumber = Annotated[int, Meta(ge=1, le=99_999_999)]
Stan = Annotated[int, Meta(ge=1, le=2**63 - 1)]
"""System trace audit number: a counter of its terminal that never repeats."""

WAIT_MS_MAX = 600_000
Milliseconds = Annotated[int, Meta(ge=0, le=WAIT_MS_MAX)]
Amount = Annotated[int, Meta(ge=-(2**63), le=2**63 - 1)]
"""Minor units. The full range can be read, so that a zero or negative amount gets its own code."""


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
    """ISO 8583 0200/00: debit the account for goods."""

    terminal: TerminalNumber
    stan: Stan
    wait_ms: Milliseconds
    account: AccountNumber
    card: CardSerial
    amount: Amount


class TopUp(Struct, array_like=True, tag=11, frozen=True, gc=False):
    """ISO 8583 0200/21: credit the main purse. `channel` is 1 cash, 2 bank, 3 wallet."""

    terminal: TerminalNumber
    stan: Stan
    wait_ms: Milliseconds
    account: AccountNumber
    card: CardSerial
    amount: Amount
    channel: Annotated[int, Meta(ge=1, le=3)]


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
    """Answer to a purchase, top-up, balance inquiry or reversal, matched by (terminal, stan).

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


AccountRequest = Purchase | TopUp | BalanceInquiry | MiniStatement | Reversal
"""Requests about one account: the shard answers them."""

Request = SignOn | SignOff | Echo | AccountRequest
Reply = SignedOn | SignedOff | Echoed | Answer | Statement | Rejected
AccountReply = Answer | Statement
