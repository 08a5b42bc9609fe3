"""What holds for every account, every request and every original, also absurd ones."""

from __future__ import annotations

from itertools import product
from typing import Any, get_args

import msgspec
from example_campus import (
    ALICE,
    CALENDAR,
    DESK,
    KIOSK,
    LIMITS,
    NO_LIMITS,
    NOON_US,
    POLICY,
    SMALL_DESK,
    TERMINALS,
    TILL,
    account,
    card_of,
    change_pin,
    hold_with_pin,
    holding,
    outstanding,
    pin_of,
    purchase,
    purchase_with_pin,
    refund,
)
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from actors.account import events
from actors.account.answers import answer_repeat, concerns, same_content
from actors.account.booking import holdings, postings
from actors.account.card import CardState, PersonClass
from actors.account.checks.amounts import AMOUNT_MAX
from actors.account.expiry import fall_due
from actors.account.holds import held
from actors.account.hot_cards import LEAVE_CARD
from actors.account.inquiries import inquire, statement_entry
from actors.account.kind import ACCOUNT
from actors.account.purses import SUBSIDY, held_in
from actors.account.purses import draw as draw_on
from actors.account.service import asked
from actors.account.state import Account, Family, Grant, Loss, OwnLimits
from actors.account.tables import ANSWER, APPLY, BOOK, DECIDE, SERVICE
from actors.ledger import PURSES
from actors.policy import Limits, Price
from actors.suspicious import suspicion_of
from actors.terminal.events import AnyAlarm, EmergencyRaised, GapExplained
from wire.codes import Code, Reason
from wire.messages import (
    AccountReply,
    AccountRequest,
    ActivateCard,
    Advice,
    BalanceInquiry,
    BindFamily,
    Capture,
    ChangePin,
    CloseAccount,
    CorrectEntry,
    CorrectionReason,
    CreditFamily,
    Emergency,
    ExplainGap,
    FeePayment,
    FindCard,
    FreezeCard,
    GrantSubsidy,
    Hold,
    IssueCard,
    MiniStatement,
    OfficeRequest,
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
    Settlement,
    SettleSuspicion,
    SubsidyClaim,
    TopUp,
    UnbindFamily,
    UnfreezeCard,
)

SMALL = st.integers(1, 6)
TERMINAL_NUMBERS = st.sampled_from([*(terminal.number for terminal in TERMINALS), 99_999_999])
STANS = SMALL | st.integers(1, 2**63 - 1)
AMOUNTS = (
    st.integers(1, 30_000)
    | st.integers(-(2**63), 2**63 - 1)
    | st.sampled_from([0, LIMITS.purchase_max, LIMITS.top_up_max, AMOUNT_MAX, AMOUNT_MAX + 1])
)
CARDS = st.just(card_of(ALICE)) | st.just("another")
MOMENTS = st.integers(NOON_US - 5 * 10**11, NOON_US + 5 * 10**11).map(CALENDAR.moment)
TIGHT = Limits(20_000, 30_000, 0, 0, period_max=25_000, day_count_max=4, period_count_max=3, balance_min=5_000)
PRICES = {
    (person_class, merchant, period): price
    for (person_class, price), merchant, period in product(
        zip(PersonClass, (Price(93, 0), Price(200, 0), Price(0, 700), Price(0, 0), Price(50, 0)), strict=True),
        (1, 2), range(4),
    )
}  # fmt: skip
POLICIES = st.sampled_from(
    [
        POLICY,
        replace(POLICY, limits=NO_LIMITS, spending_order=(0, 1, 2)),
        replace(POLICY, limits=TIGHT),
        replace(POLICY, class_limits={PersonClass.STUDENT: TIGHT, PersonClass.VISITOR: NO_LIMITS}),
        replace(POLICY, prices=PRICES),
    ]
)
PURSES_HELD = st.tuples(st.integers(0, 600_000)) | st.lists(st.integers(0, 9_000), min_size=2, max_size=3).map(tuple)
HOLDS = st.builds(
    outstanding, st.integers(1, 1_000), SMALL | st.integers(1, 99), st.integers(NOON_US + 6 * 10**11, 2**60)
)
ACCOUNTS = st.builds(
    Account,
    number=st.just(ALICE), position=st.integers(1, 2**40), opened_at=st.sampled_from([0, 1]),
    card=st.just(card_of(ALICE)), card_state=st.just(CardState.ACTIVE) | st.sampled_from(CardState),
    expires=st.sampled_from([20300731, 20260901, 20260831]),
    person_class=st.sampled_from(PersonClass), purses=PURSES_HELD,
    spending_day=st.sampled_from([0, 20260901, 20260831]), spent=st.integers(0, 60_000),
    purchases=st.integers(0, 5), spending_period=st.integers(0, 3), period_spent=st.integers(0, 60_000),
    period_purchases=st.integers(0, 5),
    loss=st.none() | st.builds(
        Loss, st.integers(0, 2**50), st.sampled_from([CardState.ACTIVE, CardState.FROZEN, CardState.ISSUED])
    ),
    pin=st.none() | st.builds(
        pin_of, st.sampled_from(["314159", "271828"]), is_initial=st.booleans(), wrong_tries=st.integers(0, 3)
    ),
    unclaimed=st.lists(
        st.builds(Grant, st.just("old"), st.integers(1, 9_000), st.sampled_from([NOON_US - 1, NOON_US + 10**12])),
        max_size=2,
    ).map(tuple),
    batches=st.sampled_from(["", "old", " ".join(f"2026-{number}" for number in range(120))]),
    subsidy_expires_us=st.sampled_from([0, NOON_US - 1, NOON_US + 10**12]),
    family=st.none() | st.builds(
        Family, st.just("g-7"), *[st.sampled_from([0, 1, 500, 9_000])] * 3
    ),
    family_day=st.sampled_from([0, 20260901, 20260831]), family_drawn=st.integers(0, 9_000),
    own_limits=st.none() | st.builds(OwnLimits, *[st.sampled_from([0, 500, 9_000])] * 3, *[st.integers(0, 5)] * 2),
    dead_cards=st.sampled_from([(), ("C3",), tuple(f"D{number}" for number in range(32))]),
).flatmap(
    lambda account: st.lists(HOLDS, max_size=8, unique_by=lambda hold: hold.stan).map(
        lambda holds: holding(account, *holds)
    )
)  # fmt: skip
PINS = st.sampled_from(["314159", "271828", "111111", "3141"])
WAITS = st.integers(0, 600_000)
PURCHASES = st.builds(
    Purchase, TERMINAL_NUMBERS, STANS, WAITS, st.just(ALICE), CARDS, AMOUNTS, st.just(b"") | st.binary(max_size=64)
) | st.builds(purchase_with_pin, STANS, st.integers(1, 60_000), PINS)
PIN_CHANGES = st.builds(
    ChangePin, TERMINAL_NUMBERS, STANS, WAITS, st.just(ALICE), CARDS, st.binary(max_size=64), st.binary(max_size=64)
) | st.builds(change_pin, STANS, PINS, PINS)
TOP_UPS = st.builds(TopUp, TERMINAL_NUMBERS, STANS, WAITS, st.just(ALICE), CARDS, AMOUNTS, st.integers(1, 3))
REVERSALS = st.builds(
    Reversal, TERMINAL_NUMBERS, STANS, WAITS, st.just(ALICE), TERMINAL_NUMBERS, STANS, AMOUNTS
)  # fmt: skip
TAKEN = st.integers(NOON_US - 10**13, NOON_US + 10**12) | st.integers(0, 2**63 - 1)
ADVICES = st.builds(Advice, TERMINAL_NUMBERS, STANS, WAITS, st.just(ALICE), CARDS, AMOUNTS, STANS, TAKEN)
REFUNDS = st.builds(Refund, TERMINAL_NUMBERS, STANS, WAITS, st.just(ALICE), TERMINAL_NUMBERS, STANS, AMOUNTS)
CLAIMS = st.builds(SubsidyClaim, TERMINAL_NUMBERS, STANS, WAITS, st.just(ALICE), CARDS)
HOLD_REQUESTS = st.builds(
    Hold, TERMINAL_NUMBERS, STANS, WAITS, st.just(ALICE), CARDS, AMOUNTS, st.just(b"") | st.binary(max_size=64)
) | st.builds(hold_with_pin, STANS, st.integers(1, 60_000), PINS)
CAPTURES = st.builds(Capture, TERMINAL_NUMBERS, STANS, WAITS, st.just(ALICE), TERMINAL_NUMBERS, STANS, AMOUNTS)
RELEASES = st.builds(Release, TERMINAL_NUMBERS, STANS, WAITS, st.just(ALICE), TERMINAL_NUMBERS, STANS)
REQUESTS = (
    PURCHASES | TOP_UPS | REVERSALS | ADVICES | REFUNDS | PIN_CHANGES | CLAIMS | HOLD_REQUESTS | CAPTURES | RELEASES
)
NAMED = (Reversal, Refund, Capture, Release, SettleSuspicion)
OFFICE_TERMINALS = st.sampled_from([DESK.number, DESK.number, SMALL_DESK.number, KIOSK.number, TILL.number])
INQUIRIES = st.builds(BalanceInquiry, TERMINAL_NUMBERS, STANS, WAITS, st.just(ALICE), CARDS) | st.builds(
    MiniStatement, TERMINAL_NUMBERS, STANS, WAITS, st.just(ALICE), CARDS, st.integers(5, 20)
)

COMMAND = (TERMINAL_NUMBERS, STANS, WAITS, st.just(ALICE), st.just("wu"))
NEW_CARDS = CARDS | st.sampled_from(["C2", "C3"])
DAYS = st.sampled_from([20260831, 20260901, 20300731, 20300231])
OFFICE_REQUESTS = st.one_of(
    st.builds(ReportLoss, *COMMAND[:-1], st.sampled_from(["", "wu"])),
    st.builds(OpenAccount, *COMMAND, NEW_CARDS, DAYS, st.sampled_from([each.value for each in PersonClass])),
    st.builds(IssueCard, *COMMAND, NEW_CARDS, DAYS),
    st.sampled_from([ActivateCard, ReviewLoss, FindCard, FreezeCard, UnfreezeCard, CloseAccount]).flatmap(
        lambda command: st.builds(command, *COMMAND)
    ),
    st.builds(ReplaceCard, *COMMAND, NEW_CARDS, st.sampled_from(FeePayment)),
    st.builds(SetExpiry, *COMMAND, DAYS),
    st.builds(ResetPin, *COMMAND, st.binary(max_size=64)),
    st.builds(GrantSubsidy, *COMMAND, st.sampled_from(["old", "new"]), AMOUNTS, DAYS),
    st.builds(BindFamily, *COMMAND, st.just("g-8")),
    st.builds(UnbindFamily, *COMMAND),
    st.builds(SetFamilyPolicy, *COMMAND, AMOUNTS, AMOUNTS, AMOUNTS),
    st.builds(CreditFamily, *COMMAND, AMOUNTS, st.integers(1, 3)),
    st.builds(SetLimits, *COMMAND, *[AMOUNTS | st.just(0)] * 5),
    st.builds(CorrectEntry, *COMMAND, st.integers(0, 2), AMOUNTS, st.sampled_from(CorrectionReason)),
    st.builds(
        SettleSuspicion, *COMMAND, st.integers(1, 9), st.integers(1, 9), st.sampled_from(Settlement), st.just("seen")
    ),
)

DECLINES = (
    events.PurchaseDeclined, events.TopUpDeclined, events.SubsidyClaimDeclined, events.ReversalDeclined,
    events.AdviceDeclined, events.RefundDeclined, events.PinChangeDeclined, events.OfficeDeclined,
    events.HoldDeclined, events.CaptureDeclined, events.ReleaseDeclined,
)  # fmt: skip
PIN_EVENTS = (
    events.PurchasedWithPin, events.PricedPurchaseWithPin, events.PurchaseDeclinedWithPin, events.PinChanged,
    events.PinChangeDeclined, events.HeldWithPin, events.HoldDeclinedWithPin,
)  # fmt: skip
PAYMENTS = (events.Purchased, events.Captured, events.Advised)
HOLD_KEPT = (events.Held, events.HeldWithPin, events.Released, events.HoldReversed)
"""Approvals that hold or free money, and move none."""

AUTHORIZED = (
    events.Purchased, events.ToppedUp, events.Reversed, events.Advised, events.CardReplaced, events.EntryCorrected,
    events.Refunded, events.SubsidyClaimed, events.FamilyCredited, events.Captured, events.SuspicionSettled, *HOLD_KEPT,
)  # fmt: skip
CLOSED_WITH_SUBSIDY = events.AccountClosedWithSubsidy, events.AccountClosedForGood
WITHOUT_MONEY = (
    events.Tombstoned,
    events.PinChanged,
    events.PurchaseDeclinedWithPin,
    events.HoldDeclinedWithPin,
    *HOLD_KEPT,
    *(set(get_args(events.Office)) - {*AUTHORIZED, events.OfficeDeclined, *CLOSED_WITH_SUBSIDY}),
)


@st.composite
def decisions(draw: st.DrawFn) -> tuple[Account, Any, Any]:
    """An account, a request, and the event it came to; an original that it names is what some request came to."""
    account, moment, policy = draw(ACCOUNTS), draw(MOMENTS), draw(POLICIES)
    request, original = draw(REQUESTS | OFFICE_REQUESTS), None
    if isinstance(request, OfficeRequest) and draw(st.booleans()):
        request = replace(request, terminal=draw(OFFICE_TERMINALS))
    if isinstance(request, NAMED) and draw(st.booleans()):
        named = draw(HOLD_REQUESTS if draw(st.booleans()) else REQUESTS | OFFICE_REQUESTS)
        original = DECIDE[type(named)](draw(ACCOUNTS), named, None, moment, policy, 1)
        request = replace(request, original_terminal=named.terminal, original_stan=named.stan)
        if isinstance(original, events.Held):
            original = draw(st.sampled_from([original, *_ends(account, original, moment, policy)]))
        if hasattr(request, "amount") and hasattr(original, "amount") and draw(st.booleans()):
            request = replace(request, amount=original.amount)
        if isinstance(request, Refund) and isinstance(original, PAYMENTS) and draw(st.booleans()):
            request = replace(request, terminal=original.terminal, original_stan=original.stan)
    return account, request, DECIDE[type(request)](account, request, original, moment, policy, 77)


def _ends(account: Account, held: events.Held, moment: Any, policy: Any) -> list[Any]:
    """What may have become of a hold."""
    named = 5001, 900, 0, ALICE, held.terminal, held.stan
    requests = Capture(*named, held.amount), Release(*named), Reversal(*named, held.amount)
    late = holding(
        replace(account, subsidy_expires_us=0),
        outstanding(held.amount, held.stan, held.expires_us, terminal=held.terminal),
    )
    expired = fall_due(late, replace(moment, time_us=held.expires_us))
    return [expired, *(DECIDE[type(request)](account, request, held, moment, policy, 1) for request in requests)]


@settings(max_examples=200, deadline=None)
@given(decisions())
def test_every_request_gets_one_event_that_follows_its_account(decision: tuple[Account, Any, Any]) -> None:
    account, request, event = decision
    assert isinstance(event, get_args(events.Decided))
    assert (event.account, event.previous) == (ALICE, account.position)
    assert (event.terminal, event.stan) == (request.terminal, request.stan)
    if hasattr(request, "amount"):
        assert asked(event).amount == request.amount
    assert SERVICE[type(asked(event))] == SERVICE[type(request)]
    assert concerns(event)[0] == (request.terminal, request.stan)


@settings(max_examples=200, deadline=None)
@given(decisions())
def test_money_is_neither_made_nor_lost(decision: tuple[Account, Any, Any]) -> None:
    account, _, event = decision
    after = APPLY[type(event)](account, event, account.position + 1)
    assert sum(change for _, change in postings(event)) == 0
    gained = holdings([after]) - holdings([account])
    assert sum(change for (name, _), change in postings(event) if name == PURSES) == gained
    assert after.purses == event.balances
    assert min(after.purses) >= 0
    assert after.position == account.position + 1
    due = [hold.expires_us for hold in after.holds]
    if after.subsidy_expires_us and held_in(after.purses, SUBSIDY):
        due.append(after.subsidy_expires_us)
    if after.loss is not None and after.loss.review_due_us:
        due.append(after.loss.review_due_us)
    assert after.due_us == min(due, default=0)
    if held(account) <= sum(account.purses):
        assert held(after) <= sum(after.purses), "what is held is never spent otherwise"
    if isinstance(event, DECLINES):
        assert replace(after, position=account.position, pin=account.pin) == account
    if not isinstance(event, PIN_EVENTS):
        assert after.pin == account.pin
    if type(event) not in ACCOUNT.reserving:
        assert after.holds == account.holds
    if suspicion_of(event, ACCOUNT) is not None:
        assert type(event) in ACCOUNT.doubtful


@settings(max_examples=200, deadline=None)
@given(decisions())
def test_repeat_is_answered_like_the_first(decision: tuple[Account, Any, Any]) -> None:
    _, request, event = decision
    first = ANSWER[type(event)](event)
    assert isinstance(first, AccountReply)
    assert same_content(event, request)
    assert answer_repeat(event, replace(request, wait_ms=0)) == first
    assert (first.code is Code.APPROVED) == (not isinstance(event, DECLINES))
    assert (first.authorization == 77) == isinstance(event, AUTHORIZED)


@settings(max_examples=200, deadline=None)
@given(decisions())
def test_event_survives_the_journal(decision: tuple[Account, Any, Any]) -> None:
    account, _, event = decision
    assert msgspec.msgpack.decode(msgspec.msgpack.encode(event), type=events.Event) == event
    after = APPLY[type(event)](account, event, account.position + 1)
    assert msgspec.msgpack.decode(msgspec.msgpack.encode(after), type=Account) == after
    assert type(event) not in LEAVE_CARD or (after.card, after.card_state) == (account.card, account.card_state)


@settings(max_examples=200, deadline=None)
@given(
    st.lists(st.integers(0, 900), min_size=1, max_size=3).map(tuple).filter(any),
    st.permutations(range(3)).map(tuple),
    st.lists(st.integers(1, 900), min_size=1, max_size=4),
)
def test_what_refunds_leave_of_a_purchase_is_what_a_smaller_one_would_have_drawn(
    purses: tuple[int, ...], order: tuple[int, ...], parts: list[int]
) -> None:
    moment, policy = CALENDAR.moment(NOON_US), replace(POLICY, spending_order=order)
    bought, left = purchase(1, sum(purses)), sum(purses)
    newest = DECIDE[Purchase](account(purses=purses), bought, None, moment, policy, 1)
    for part in parts:
        event = DECIDE[Refund](account(), refund(2, bought, part), newest, moment, policy, 2)
        if part > left:
            assert event.reason is Reason.MORE_THAN_LEFT
        else:
            newest, left = event, left - part
            assert event.left == draw_on(purses, left, order)


@settings(max_examples=100, deadline=None)
@given(ACCOUNTS, INQUIRIES, MOMENTS, decisions())
def test_every_inquiry_gets_an_answer(
    account: Account, request: Any, moment: Any, decision: tuple[Account, Any, Any]
) -> None:
    reply = inquire(account, request, [decision[2]], moment, POLICY)
    assert isinstance(reply, AccountReply)
    assert (reply.terminal, reply.stan) == (request.terminal, request.stan)
    entry = statement_entry(decision[2])
    after = APPLY[type(decision[2])](decision[0], decision[2], 2**41)
    assert entry.amount == holdings([after]) - holdings([decision[0]])


def test_tables_of_the_kind_know_every_event_and_request() -> None:
    decided = set(get_args(events.Decided))
    unasked = {events.Opened, *get_args(events.Unasked)}
    assert set(ACCOUNT.apply) == decided | unasked
    assert set(ACCOUNT.answer) == decided | set(get_args(AnyAlarm))
    known = set(get_args(AccountRequest)) | {EmergencyRaised, Emergency, GapExplained, ExplainGap}
    assert set(ACCOUNT.service) == (decided - {events.OfficeDeclined}) | known
    assert set(ACCOUNT.decide) == set(get_args(AccountRequest)) - {BalanceInquiry, MiniStatement}
    without_money = {*DECLINES, *WITHOUT_MONEY, events.HoldExpired, events.ReviewOverdue}
    assert set(BOOK) == (decided | unasked) - without_money
    assert ACCOUNT.opening == {OpenAccount, Advice}


def test_every_event_is_known_to_leave_the_card_or_to_change_it() -> None:
    kinds = {*get_args(events.Event), EmergencyRaised}
    assert kinds >= LEAVE_CARD
    assert kinds - LEAVE_CARD == {
        events.Opened, events.AccountOpened, events.LossReportedWithoutDeadline, events.LossReported, events.CardIssued,
        events.CardActivated, events.CardFound, events.CardFrozen, events.CardUnfrozen, events.CardReplaced,
        events.ExpirySet, events.AccountClosed, *CLOSED_WITH_SUBSIDY,
    }  # fmt: skip


def test_tags_of_events_never_change() -> None:
    kinds = (*get_args(events.Event), *get_args(AnyAlarm))
    tags = {kind.__name__: kind.__struct_config__.tag for kind in kinds}
    assert tags == {
        "Opened": 1, "PurchasedUncounted": 2, "PurchaseDeclined": 3, "ToppedUp": 4, "TopUpDeclined": 5,
        "Reversed": 6, "Tombstoned": 7, "ReversalDeclined": 8, "Refunded": 9, "RefundDeclined": 10,
        "Held": 13, "HoldDeclined": 14, "Captured": 15, "CaptureDeclined": 16, "Released": 17, "ReleaseDeclined": 18,
        "HoldExpired": 19, "HoldReversed": 20,
        "Purchased": 21, "PurchasedWithPin": 22, "PurchaseDeclinedWithPin": 23, "PurchaseReversed": 24,
        "PinReset": 25, "PinChanged": 26, "PinChangeDeclined": 27, "PricedPurchaseWithPin": 28,
        "LossReportedWithoutDeadline": 30,
        "AccountOpened": 31, "CardIssued": 32, "CardActivated": 33, "LossReviewed": 34,
        "CardFound": 35, "CardFrozen": 36, "CardUnfrozen": 37, "CardReplaced": 38, "AccountClosed": 39,
        "ExpirySet": 40, "EntryCorrected": 41, "OfficeDeclined": 42, "PricedPurchase": 51,
        "PricedPurchaseReversed": 52, "Advised": 54, "AdviceDeclined": 55, "EmergencyRaised": 61,
        "SubsidyGranted": 67, "SubsidyClaimed": 68, "SubsidyClaimDeclined": 69,
        "SubsidyClaimedAtTap": 70, "SubsidyExpired": 71, "FamilyBound": 73, "FamilyUnbound": 74, "FamilyPolicySet": 75,
        "FamilyCredited": 76, "AlertingPurchase": 77, "AccountClosedWithSubsidy": 78, "CaptureReversed": 120,
        "CapturedShort": 121, "PostedRefunded": 122, "HeldWithPin": 123, "HoldDeclinedWithPin": 124,
        "AccountClosedForGood": 125,
        "LimitsSet": 140, "LossReported": 141, "ReviewOverdue": 142, "SuspicionSettled": 160,
        "GapExplained": 161, "GapExplanationDeclined": 162, "PurchaseReturned": 180,
    }  # fmt: skip
