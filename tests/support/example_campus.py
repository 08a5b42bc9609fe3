"""A small campus: its policy, its accounts, short ways to say what a terminal asks, and a shard that answers."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import time
from typing import Any
from zoneinfo import ZoneInfo

from msgspec.structs import replace

from actors.account.card import CardState, PersonClass
from actors.account.due import with_due
from actors.account.kind import ACCOUNT
from actors.account.pins import keyed_hash
from actors.account.state import Account, OutstandingHold, Pin
from actors.calendar import Calendar, MealPeriod, Moment
from actors.journal import Journal
from actors.opening import Opening, open_accounts
from actors.policy import HOLD_LIFETIME_US, OPERATOR_COMMANDS, Limits, PinKeys, Policy, Service, Terminal
from actors.recovery import recover
from actors.shard import Shard, Turn
from actors.store import Store
from wire.codec import reply_decoder
from wire.messages import (
    Advice,
    BalanceInquiry,
    Capture,
    ChangePin,
    Hold,
    MiniStatement,
    Purchase,
    Refund,
    Release,
    ReportLoss,
    ResetPin,
    Reversal,
    Settlement,
    SettleSuspicion,
    SubsidyClaim,
    TopUp,
)
from wire.pin import PinContext, PinUse, seal_pin

CALENDAR = Calendar(
    ZoneInfo("Asia/Shanghai"),
    time(0),
    (MealPeriod("breakfast", time(10)), MealPeriod("lunch", time(14)), MealPeriod("dinner", time(20))),
)
DAY_US = 86_400_000_000
HOUR_US = 3_600_000_000
NOON_US = 1_788_235_200_000_000
"""2026-09-01 12:00 in Shanghai."""

NOON = CALENDAR.moment(NOON_US)
TODAY = 20260901
BREAKFAST, LUNCH = 0, 1

INQUIRIES = {Service.BALANCE_INQUIRY, Service.MINI_STATEMENT}
TILL = Terminal(
    1001, 1, frozenset({Service.PURCHASE, Service.REFUND, Service.REVERSAL, Service.ADVICE} | INQUIRIES), None
)
OTHER_TILL = Terminal(1002, 2, TILL.services, None)
BREAKFAST_TILL = Terminal(1003, 2, TILL.services, frozenset({BREAKFAST}))
TOP_UP_MACHINE = Terminal(
    2001, 3, frozenset({Service.TOP_UP, Service.SUBSIDY_CLAIM, Service.REVERSAL} | INQUIRIES), None
)
KIOSK = Terminal(3001, 0, frozenset({Service.REPORT_LOSS, Service.SUBSIDY_CLAIM, Service.CHANGE_PIN} | INQUIRIES), None)
DESK = Terminal(4001, 9, frozenset(OPERATOR_COMMANDS), None, "manager")
SMALL_DESK = Terminal(4002, 9, frozenset({Service.REVIEW_LOSS, Service.REPORT_LOSS}), None, "reviewer")
BATH = Terminal(5001, 4, TILL.services | {Service.HOLD, Service.CAPTURE, Service.RELEASE}, None)
TERMINALS = (TILL, OTHER_TILL, BREAKFAST_TILL, TOP_UP_MACHINE, KIOSK, DESK, SMALL_DESK, BATH)
REPLACEMENT_FEE = 1_500

LIMITS = Limits(purchase_max=20_000, day_max=50_000, top_up_max=100_000, balance_max=500_000)
NO_LIMITS = Limits(0, 0, 0, 0)
HASH_KEY = bytes(range(32))
PIN_KEYS = PinKeys(
    HASH_KEY,
    {
        TILL.number: bytes([1]) * 32, KIOSK.number: bytes([3]) * 32, DESK.number: bytes([4]) * 32,
        BATH.number: bytes([5]) * 32,
    },
)  # fmt: skip
"""The other tills take no PINs."""

POLICY = Policy(
    LIMITS,
    {terminal.number: terminal for terminal in TERMINALS},
    CALENDAR,
    replacement_fee=REPLACEMENT_FEE,
    pin_keys=PIN_KEYS,
)

ALICE, BOB = "20260001", "20260002"


def card_of(account: str) -> str:
    """The serial of the account's card."""
    return f"C{account}"


def opening(
    number: str = ALICE, balance: int = 10_000, card_state: CardState = CardState.ACTIVE, purses: tuple[int, ...] = ()
) -> Opening:
    """A student's account to open."""
    return Opening(number, card_of(number), card_state, 20300731, PersonClass.STUDENT, purses or (balance,))


def account(**changes: Any) -> Account:
    """Alice's account with 100.00 yuan, its only event at position 1; with these fields changed."""
    fields: dict[str, Any] = {
        "number": ALICE, "position": 1, "opened_at": 1, "card": card_of(ALICE), "card_state": CardState.ACTIVE,
        "expires": 20300731, "person_class": PersonClass.STUDENT, "purses": (10_000,), "spending_day": 0, "spent": 0,
    }  # fmt: skip
    return Account(**{**fields, **changes})


def purchase(stan: int, amount: int = 1_000, number: str = ALICE, terminal: int = TILL.number, **more: Any) -> Purchase:
    """Goods, paid with the account's own card."""
    return Purchase(terminal, stan, more.get("wait_ms", 3_000), number, more.get("card", card_of(number)), amount)


def pin_of(pin: str = "314159", number: str = ALICE, *, is_initial: bool = False, wrong_tries: int = 0) -> Pin:
    """What an account keeps of it."""
    return Pin(keyed_hash(HASH_KEY, number, pin), is_initial, wrong_tries)


def sealed_pin(pin: str, context: PinContext) -> bytes:
    """As its terminal seals it, which may be one that the switch has no key for."""
    key = PIN_KEYS.terminals.get(context.terminal, bytes(32))
    return seal_pin(pin, key, context.stan.to_bytes(12, "big"), context)


def purchase_with_pin(
    stan: int, amount: int = LIMITS.purchase_max + 1, pin: str = "314159", terminal: int = TILL.number
) -> Purchase:
    """Goods above the limit of one purchase."""
    context = PinContext(PinUse.PURCHASE, terminal, stan, ALICE, amount)
    return Purchase(terminal, stan, 3_000, ALICE, card_of(ALICE), amount, sealed_pin(pin, context))


def hold_with_pin(stan: int, amount: int = LIMITS.purchase_max + 1, pin: str = "314159") -> Hold:
    """A hold above the limit of one purchase."""
    context = PinContext(PinUse.HOLD, BATH.number, stan, ALICE, amount)
    return Hold(BATH.number, stan, 3_000, ALICE, card_of(ALICE), amount, sealed_pin(pin, context))


def change_pin(stan: int, old: str = "314159", new: str = "271828", terminal: int = KIOSK.number) -> ChangePin:
    """Another PIN, with the account's own card."""
    context = PinContext(PinUse.OLD, terminal, stan, ALICE)
    sealed_old, sealed_new = sealed_pin(old, context), sealed_pin(new, context._replace(use=PinUse.NEW))
    return ChangePin(terminal, stan, 3_000, ALICE, card_of(ALICE), sealed_old, sealed_new)


def reset_pin(stan: int, pin: str = "141421", terminal: int = DESK.number, clerk: str = "wu") -> ResetPin:
    """A first PIN, from the card office."""
    sealed = sealed_pin(pin, PinContext(PinUse.NEW, terminal, stan, ALICE))
    return ResetPin(terminal, stan, 3_000, ALICE, clerk, sealed)


def top_up(
    stan: int, amount: int = 1_000, number: str = ALICE, terminal: int = TOP_UP_MACHINE.number, channel: int = 1
) -> TopUp:
    """Money in, with the account's own card."""
    return TopUp(terminal, stan, 3_000, number, card_of(number), amount, channel)


def subsidy_claim(stan: int, terminal: int = KIOSK.number, card: str = "") -> SubsidyClaim:
    """The holder asks for what is granted, with the account's own card."""
    return SubsidyClaim(terminal, stan, 3_000, ALICE, card or card_of(ALICE))


def reversal(stan: int, original: Any, terminal: int = TILL.number, amount: int | None = None) -> Reversal:
    """The original undone."""
    stated = original.amount if amount is None else amount
    return Reversal(terminal, stan, 3_000, original.account, original.terminal, original.stan, stated)


def command(stan: int, request: type, *fields: Any, number: str = ALICE, terminal: int = DESK.number) -> Any:
    """What an operator asks; `fields` are those after the clerk."""
    return request(terminal, stan, 3_000, number, "wu", *fields)


def settle(
    stan: int, of: Any, how: Settlement = Settlement.COLLECT, note: str = "seen", terminal: int = DESK.number
) -> SettleSuspicion:
    """An operator says what becomes of what was posted although it was not clean."""
    return SettleSuspicion(terminal, stan, 3_000, of.account, "wu", of.terminal, of.stan, how, note)


def report_loss(stan: int, number: str = ALICE, terminal: int = KIOSK.number) -> ReportLoss:
    """The holder reports the card lost."""
    return ReportLoss(terminal, stan, 3_000, number)


def advice(stan: int, number: int, amount: int = 1_000, account: str = ALICE, **more: Any) -> Advice:
    """Goods, paid an hour ago at an offline till with the account's own card."""
    return Advice(
        more.get("terminal", TILL.number), stan, 3_000, account, more.get("card", card_of(account)), amount, number,
        more.get("taken_us", NOON_US - HOUR_US),
    )  # fmt: skip


def refund(stan: int, original: Any, amount: int | None = None, terminal: int = TILL.number) -> Refund:
    """What the original paid given back, all of it or this much."""
    stated = original.amount if amount is None else amount
    return Refund(terminal, stan, 3_000, original.account, original.terminal, original.stan, stated)


def hold(stan: int, amount: int = 1_000, number: str = ALICE, terminal: int = BATH.number, **more: Any) -> Hold:
    """An amount reserved, with the account's own card."""
    return Hold(terminal, stan, 3_000, number, more.get("card", card_of(number)), amount)


def capture(stan: int, of: Any, amount: int | None = None, terminal: int = BATH.number) -> Capture:
    """What was used of a hold (all of it, unless an amount is given) paid."""
    used = of.amount if amount is None else amount
    return Capture(terminal, stan, 3_000, of.account, of.terminal, of.stan, used)


def release(stan: int, of: Any, terminal: int = BATH.number) -> Release:
    """A hold given back."""
    return Release(terminal, stan, 3_000, of.account, of.terminal, of.stan)


def holding(holder: Account, *holds: OutstandingHold) -> Account:
    """The account with these holds and no others."""
    return with_due(replace(holder, holds=holds))


def outstanding(
    amount: int, stan: int = 1, expires_us: int = NOON_US + HOLD_LIFETIME_US, **more: int
) -> OutstandingHold:
    """What an account knows of a hold at the bath."""
    return OutstandingHold(
        more.get("terminal", BATH.number),
        stan,
        amount,
        expires_us,
        BATH.merchant,
        more.get("business_day", TODAY),
        more.get("period", LUNCH),
    )


def balance_inquiry(stan: int, number: str = ALICE, terminal: int = TILL.number) -> BalanceInquiry:
    """How much is left?"""
    return BalanceInquiry(terminal, stan, 3_000, number, card_of(number))


def mini_statement(stan: int, number: str = ALICE, count: int = 5) -> MiniStatement:
    """What happened lately?"""
    return MiniStatement(TILL.number, stan, 3_000, number, card_of(number), count)


def opened_shard(store: Store, *openings: Opening, **bounds: int) -> Shard:
    """A shard with these accounts, or Alice's and Bob's. `bounds` are those of `recover`."""
    shard = recover(store, ACCOUNT, **bounds)
    open_accounts(shard, openings or (opening(ALICE), opening(BOB)), CALENDAR.moment(NOON_US - DAY_US))
    return shard


def answers_of(turn: Turn) -> list[Any]:
    """A turn's answers as their receivers read them."""
    return [reply_decoder.decode_message(answer) for answer in turn.answers]


def perform(shard: Shard, *requests: Any, moment: Moment = NOON, policy: Policy = POLICY) -> list[Any]:
    """The answers of one turn, once it is durable and adopted."""
    turn = shard.decide(requests, moment, policy)
    shard.commit(turn)
    shard.adopt(turn)
    return answers_of(turn)


def answer_of(shard: Shard, request: Any, moment: Moment = NOON) -> Any:
    """The answer to a request in a turn of its own."""
    (answer,) = perform(shard, request, moment=moment)
    return answer


def restarted(store: Store, **bounds: int) -> Shard:
    """The shard as a new process finds it."""
    return recover(store, ACCOUNT, **bounds)


def highest_stans(shard: Shard) -> dict[int, int]:
    """Highest STAN by terminal, of those that have one: a terminal that was only asked about has none."""
    return {number: cell.durable for number, cell in sorted(shard.terminals.items()) if cell.durable}


def image(shard: Shard, numbers: Iterable[str]) -> dict[str, Any]:
    """Everything that a shard knows, as a value to compare: of these accounts, and of all that the journal names."""
    states = {number: shard.state(number) for number in sorted(numbers)}
    days = {
        (event.business_day, event.terminal) for _, event in shard.journal.events(1) if hasattr(event, "business_day")
    }
    return {
        "states": states,
        "stans": highest_stans(shard),
        "alarms": {number: cell.durable for number, cell in sorted(shard.alarms.items()) if cell.durable},
        "held": shard.ledger.held,
        "reserved": (shard.ledger.reservations, shard.ledger.reserved),
        "balances": dict(sorted(shard.ledger.balances.items())),
        "head": shard.head,
        "time_us": shard.time_us,
        "totals": {day: {key: [*sums] for key, sums in shard.totals.of(*day).items()} for day in sorted(days)},
    }


def events_of(store: Store) -> list[Any]:
    """All events of a store's journal, in order."""
    return [event for _, event in Journal(store, ACCOUNT.event_type).events(1)]
