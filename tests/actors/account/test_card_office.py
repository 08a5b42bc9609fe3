"""The card's life: every command in every state, what it changes, what it costs, and what is told again."""

from __future__ import annotations

from itertools import product
from typing import Any, get_args

import pytest
from example_campus import (
    ALICE,
    DESK,
    KIOSK,
    LUNCH,
    NOON,
    NOON_US,
    POLICY,
    REPLACEMENT_FEE,
    SMALL_DESK,
    TILL,
    TODAY,
    account,
    card_of,
    command,
    holding,
    outstanding,
    purchase,
    report_loss,
    reset_pin,
    top_up,
)
from msgspec.structs import replace

from actors.account.answers import answer_repeat
from actors.account.booking import postings
from actors.account.card import CardState, PersonClass
from actors.account.checks.office import DEAD_CARDS_MAX
from actors.account.events import (
    AccountClosedForGood,
    AccountOpened,
    CardActivated,
    CardFound,
    CardFrozen,
    CardIssued,
    CardReplaced,
    CardUnfrozen,
    EntryCorrected,
    ExpirySet,
    FamilyBound,
    FamilyCredited,
    FamilyPolicySet,
    FamilyUnbound,
    LimitsSet,
    LossReported,
    LossReviewed,
    OfficeDeclined,
    PinReset,
    SubsidyGranted,
)
from actors.account.state import Account, Family, Loss, new_account
from actors.account.tables import ANSWER, APPLY, BOOK, DECIDE, EFFECT
from actors.effect import Effect, EffectName
from wire.codes import Code, Reason
from wire.messages import (
    ActivateCard,
    Answer,
    BindFamily,
    CloseAccount,
    CorrectEntry,
    CorrectionReason,
    CreditFamily,
    FeePayment,
    FindCard,
    FreezeCard,
    GrantSubsidy,
    IssueCard,
    OfficeRequest,
    OpenAccount,
    ReplaceCard,
    ReviewLoss,
    SetExpiry,
    SetFamilyPolicy,
    SetLimits,
    SettleSuspicion,
    UnbindFamily,
    UnfreezeCard,
)

LATER = 20310731
CARD = card_of(ALICE)
ISSUED, ACTIVE, LOST, FROZEN, EXPIRED, REPLACED, CLOSED = CardState

REQUESTS = {
    "open": command(1, OpenAccount, "C2", LATER, "student"),
    "issue": command(1, IssueCard, "C2", LATER),
    "activate": command(1, ActivateCard),
    "report-loss": report_loss(1),
    "review-loss": command(1, ReviewLoss),
    "found": command(1, FindCard),
    "freeze": command(1, FreezeCard),
    "unfreeze": command(1, UnfreezeCard),
    "replace": command(1, ReplaceCard, "C2", FeePayment.CASH),
    "close": command(1, CloseAccount),
    "set-expiry": command(1, SetExpiry, LATER),
    "reset-pin": reset_pin(1),
    "correct": command(1, CorrectEntry, 0, 500, CorrectionReason.GOODWILL),
    "grant-subsidy": command(1, GrantSubsidy, "2026-09", 500, LATER),
    "bind-family": command(1, BindFamily, "g-7"),
    "unbind-family": command(1, UnbindFamily),
    "set-family-policy": command(1, SetFamilyPolicy, 500, 400, 300),
    "credit-family": command(1, CreditFamily, 500, 2),
    "set-limits": command(1, SetLimits, 2_000, 4_000, 3_000, 5, 3),
}
EVENTS = {
    "open": AccountOpened, "issue": CardIssued, "activate": CardActivated, "report-loss": LossReported,
    "review-loss": LossReviewed, "found": CardFound, "freeze": CardFrozen, "unfreeze": CardUnfrozen,
    "replace": CardReplaced, "close": AccountClosedForGood, "set-expiry": ExpirySet, "reset-pin": PinReset,
    "correct": EntryCorrected,
    "grant-subsidy": SubsidyGranted, "bind-family": FamilyBound, "unbind-family": FamilyUnbound,
    "set-family-policy": FamilyPolicySet, "credit-family": FamilyCredited, "set-limits": LimitsSet,
}  # fmt: skip
STATES: dict[str, dict[str, Any]] = {
    "issued": {"card_state": ISSUED},
    "active": {},
    "past its last day": {"expires": TODAY - 1},
    "lost": {"card_state": LOST, "loss": Loss(7, ACTIVE)},
    "lost before opening": {"card_state": LOST},
    "lost and frozen": {"card_state": LOST, "loss": Loss(7, FROZEN)},
    "reviewed": {"card_state": LOST, "loss": Loss(7, ACTIVE, reviewed=True)},
    "reviewed and frozen": {"card_state": LOST, "loss": Loss(7, FROZEN, reviewed=True)},
    "frozen": {"card_state": FROZEN},
    "expired": {"card_state": EXPIRED},
    "replaced": {"card_state": REPLACED},
    "closed": {"card_state": CLOSED},
}
EXISTS, USED_UP, GOOD = (12, "account-exists"), (12, "cards-used-up"), (12, "card-good")
LOST_CARD, FROZEN_CARD, REPLACED_CARD = (41, "card-lost"), (62, "card-frozen"), (62, "card-replaced")
EXPIRED_CARD, NOT_ACTIVE, CLOSED_ACCOUNT = (54, "card-expired"), (62, "card-not-active"), (62, "account-closed")
NOT_LOST, NOT_REVIEWED, NOT_FROZEN = (12, "not-lost"), (12, "not-reviewed"), (12, "not-frozen")
REVIEWED, IS_ACTIVE, DONE = (12, "loss-reviewed"), (12, "card-active"), (0, "")

COLUMNS = ("activate", "report-loss", "review-loss", "found", "freeze", "unfreeze", "replace", "issue", "set-expiry")
LIFE = {
    "issued": (DONE, DONE, NOT_LOST, NOT_LOST, NOT_ACTIVE, NOT_FROZEN, NOT_LOST, GOOD, DONE),
    "active": (IS_ACTIVE, DONE, NOT_LOST, NOT_LOST, DONE, NOT_FROZEN, NOT_LOST, GOOD, DONE),
    "past its last day": (IS_ACTIVE, DONE, NOT_LOST, NOT_LOST, DONE, NOT_FROZEN, NOT_LOST, DONE, DONE),
    "lost": (LOST_CARD, LOST_CARD, DONE, NOT_REVIEWED, DONE, NOT_FROZEN, NOT_REVIEWED, LOST_CARD, LOST_CARD),
    "lost before opening":
        (LOST_CARD, LOST_CARD, DONE, NOT_REVIEWED, DONE, NOT_FROZEN, NOT_REVIEWED, LOST_CARD, LOST_CARD),
    "lost and frozen":
        (LOST_CARD, LOST_CARD, DONE, NOT_REVIEWED, FROZEN_CARD, DONE, NOT_REVIEWED, LOST_CARD, LOST_CARD),
    "reviewed": (LOST_CARD, LOST_CARD, REVIEWED, DONE, DONE, NOT_FROZEN, DONE, LOST_CARD, LOST_CARD),
    "reviewed and frozen":
        (LOST_CARD, LOST_CARD, REVIEWED, DONE, FROZEN_CARD, DONE, FROZEN_CARD, LOST_CARD, LOST_CARD),
    "frozen": (FROZEN_CARD, DONE, NOT_LOST, NOT_LOST, FROZEN_CARD, DONE, NOT_LOST, FROZEN_CARD, DONE),
    "expired": (EXPIRED_CARD, DONE, NOT_LOST, NOT_LOST, EXPIRED_CARD, NOT_FROZEN, NOT_LOST, DONE, DONE),
    "replaced":
        (REPLACED_CARD, REPLACED_CARD, NOT_LOST, NOT_LOST, REPLACED_CARD, NOT_FROZEN, NOT_LOST, DONE, REPLACED_CARD),
    "closed": (CLOSED_ACCOUNT,) * 9,
}  # fmt: skip


def decided(request: Any, holder: Account) -> Any:
    """The event that the request comes to, with authorization number 99."""
    return DECIDE[type(request)](holder, request, None, NOON, POLICY, 99)


def applied(request: Any, holder: Account) -> Account:
    """The account after the request, whose event stands at position 9."""
    event = decided(request, holder)
    assert not isinstance(event, OfficeDeclined), event
    return APPLY[type(event)](holder, event, 9)


def outcome(request: Any, holder: Account) -> tuple[int, str]:
    """Code and reason."""
    event = decided(request, holder)
    answer = ANSWER[type(event)](event)
    assert (answer.code is Code.APPROVED) == (not hasattr(event, "code"))
    return int(answer.code), answer.reason.value


def test_the_tables_are_complete() -> None:
    others = {SettleSuspicion}  # which asks nothing of account and card: see test_settlement.py
    assert {type(request) for request in REQUESTS.values()} == set(get_args(OfficeRequest)) - others
    assert set(LIFE) == set(STATES)
    assert {account(**changes).card_state for changes in STATES.values()} == set(CardState)


@pytest.mark.parametrize(("state", "name"), [*product(STATES, COLUMNS)], ids=str)
def test_every_command_in_every_state(state: str, name: str) -> None:
    holder = account(**STATES[state])
    assert outcome(REQUESTS[name], holder) == LIFE[state][COLUMNS.index(name)]
    event = decided(REQUESTS[name], holder)
    assert type(event) is (EVENTS[name] if LIFE[state][COLUMNS.index(name)] == DONE else OfficeDeclined)
    assert event.previous == holder.position
    if isinstance(event, OfficeDeclined):
        assert APPLY[OfficeDeclined](holder, event, 9) == replace(holder, position=9)


@pytest.mark.parametrize("state", STATES)
def test_commands_that_ask_little_of_the_card(state: str) -> None:
    empty, full = account(**STATES[state], purses=(0, 0)), account(**STATES[state])
    open_ = CLOSED_ACCOUNT if state == "closed" else None
    assert outcome(REQUESTS["open"], full) == EXISTS
    assert outcome(REQUESTS["close"], empty) == (open_ or DONE)
    assert outcome(REQUESTS["close"], full) == (open_ or (12, "purses-not-empty"))
    held = holding(replace(empty, purses=(0, 700)), outstanding(600))
    assert outcome(REQUESTS["close"], held) == (open_ or (12, "holds-outstanding"))
    assert outcome(REQUESTS["close"], replace(held, purses=(0, 0, 1))) == (open_ or (12, "purses-not-empty"))
    assert outcome(REQUESTS["correct"], full) == (open_ or DONE)
    assert outcome(REQUESTS["reset-pin"], full) == (open_ or DONE)
    assert outcome(REQUESTS["grant-subsidy"], full) == (open_ or DONE)
    assert outcome(REQUESTS["set-limits"], full) == (open_ or DONE)
    assert outcome(REQUESTS["unbind-family"], full) == (open_ or (12, "no-family"))
    bound = replace(full, family=Family("g-7"))
    for name in ("unbind-family", "set-family-policy", "credit-family"):
        assert outcome(REQUESTS[name], bound) == (open_ or DONE)


@pytest.mark.parametrize("name", REQUESTS)
def test_command_beyond_the_role(name: str) -> None:
    """It comes before every other reason, and nothing is changed."""
    for state in STATES.values():
        holder, request = account(**state), REQUESTS[name]
        if name not in {"report-loss", "review-loss"}:
            assert outcome(replace(request, terminal=SMALL_DESK.number), holder) == (57, "beyond-role")
        for terminal in (TILL.number, 7, *((KIOSK.number,) if name != "report-loss" else ())):
            assert outcome(replace(request, terminal=terminal), holder) == (58, "service-not-offered")


def test_operator_who_reports_a_loss_says_who_it_is() -> None:
    lost = account(card_state=LOST)
    assert outcome(report_loss(1, terminal=DESK.number), lost) == (12, "clerk-missing")
    assert outcome(replace(report_loss(1, terminal=DESK.number), clerk="wu"), account()) == DONE


NEW_CARD = [
    ("replace", account(**STATES["reviewed"])),
    ("issue", account(**STATES["expired"])),
]


@pytest.mark.parametrize(("name", "holder"), NEW_CARD, ids=[row[0] for row in NEW_CARD])
def test_serial_that_was_ever_used_cannot_become_current(name: str, holder: Account) -> None:
    request = REQUESTS[name]
    dead = replace(holder, dead_cards=("C8", "C9"))
    for serial in (CARD, "C8", "C9"):
        assert outcome(replace(request, card=serial), dead) == (12, "card-used")
    many = tuple(f"D{number}" for number in range(DEAD_CARDS_MAX))
    assert outcome(request, replace(holder, dead_cards=many)) == USED_UP
    assert outcome(replace(request, card="D3"), replace(holder, dead_cards=many)) == (12, "card-used")
    assert outcome(request, replace(holder, dead_cards=many[1:])) == DONE


DATED = pytest.mark.parametrize(
    ("name", "holder"),
    [("open", new_account(ALICE)), ("issue", account(card_state=EXPIRED)), ("set-expiry", account())],
    ids=["open", "issue", "set-expiry"],
)


@DATED
@pytest.mark.parametrize("expires", [TODAY, 20280229, 99991231])
def test_last_day_that_is_possible(name: str, holder: Account, expires: int) -> None:
    assert outcome(replace(REQUESTS[name], expires=expires), holder) == DONE


@DATED
@pytest.mark.parametrize("expires", [TODAY - 1, 20290229, 20301301, 20300100, 20000101])
def test_last_day_that_is_not(name: str, holder: Account, expires: int) -> None:
    assert outcome(replace(REQUESTS[name], expires=expires), holder) == (12, "expiry-not-possible")


def test_card_that_has_expired_is_not_activated() -> None:
    assert outcome(REQUESTS["activate"], account(card_state=ISSUED, expires=TODAY)) == DONE
    assert outcome(REQUESTS["activate"], account(card_state=ISSUED, expires=TODAY - 1)) == EXPIRED_CARD


def test_opening() -> None:
    assert applied(REQUESTS["open"], new_account(ALICE)) == Account(
        ALICE, 9, 9, "C2", ISSUED, LATER, PersonClass.STUDENT, (0,), 0, 0
    )


@pytest.mark.parametrize("person_class", PersonClass)
def test_every_class_of_people_can_be_written(person_class: PersonClass) -> None:
    after = applied(command(1, OpenAccount, "C2", LATER, person_class.value), new_account(ALICE))
    assert after.person_class is person_class


@pytest.mark.parametrize("state", [ISSUED, ACTIVE, FROZEN, EXPIRED])
def test_found_card_is_what_it_was_before_the_loss(state: CardState) -> None:
    holder = account(card_state=state)
    lost = applied(REQUESTS["report-loss"], holder)
    assert (lost.card_state, lost.loss.reported_us, lost.loss.found_state) == (LOST, NOON_US, state)
    reviewed = applied(REQUESTS["review-loss"], lost)
    assert reviewed == replace(lost, loss=Loss(NOON_US, state, reviewed=True), due_us=0)
    assert applied(REQUESTS["found"], reviewed) == replace(holder, position=9)


def test_loss_that_an_accounts_file_brought_is_reviewed_and_found() -> None:
    reviewed = applied(REQUESTS["review-loss"], account(card_state=LOST))
    assert reviewed.loss == Loss(0, ACTIVE, reviewed=True)
    assert applied(REQUESTS["found"], reviewed) == account(position=9)


def test_lost_card_is_frozen_and_unfrozen_as_it_will_be_found() -> None:
    for lost in (account(**STATES["reviewed"]), account(**STATES["lost before opening"])):
        frozen = applied(REQUESTS["freeze"], lost)
        assert (frozen.card_state, frozen.loss and frozen.loss.found_state) == (LOST, FROZEN)
        thawed = applied(REQUESTS["unfreeze"], frozen)
        assert (thawed.card_state, thawed.loss and thawed.loss.found_state) == (LOST, ACTIVE)
    assert applied(REQUESTS["freeze"], account()) == account(position=9, card_state=FROZEN)
    assert applied(REQUESTS["unfreeze"], account(card_state=FROZEN)) == account(position=9)


def test_replaced_card_is_dead_for_ever_and_everything_else_stays() -> None:
    holder = account(**STATES["reviewed"], purses=(900, 400, 600), spending_day=TODAY, spent=300, dead_cards=("C0",))
    request = command(1, ReplaceCard, "C2", FeePayment.PURSES)
    after = applied(request, holder)
    assert after == replace(
        holder, position=9, card="C2", card_state=ISSUED, loss=None, dead_cards=("C0", CARD), purses=(400, 0, 0)
    )
    active = applied(REQUESTS["activate"], after)
    for dead in ("C0", CARD):
        assert outcome(replace(purchase(2, 1), card=dead), active) == REPLACED_CARD
        assert outcome(replace(top_up(2, 1), card=dead), active) == REPLACED_CARD
    assert outcome(replace(purchase(2, 1), card="C7"), active) == (14, "no-card")
    assert outcome(replace(purchase(2, 1), card="C2"), active) == DONE


def test_issued_card_takes_the_place_of_the_expired_one() -> None:
    holder = account(card_state=EXPIRED, expires=TODAY - 1)
    assert applied(REQUESTS["issue"], holder) == replace(
        holder, position=9, card="C2", card_state=ISSUED, expires=LATER, dead_cards=(CARD,)
    )


def test_expiry_wakes_a_card_that_had_expired_and_no_other() -> None:
    assert applied(REQUESTS["set-expiry"], account(card_state=EXPIRED)) == account(position=9, expires=LATER)
    frozen = account(card_state=FROZEN)
    assert applied(REQUESTS["set-expiry"], frozen) == replace(frozen, position=9, expires=LATER)


def test_closing_ends_a_loss_too() -> None:
    holder = account(**STATES["lost"], purses=(0,))
    assert applied(REQUESTS["close"], holder) == replace(
        holder, position=9, card_state=CLOSED, loss=None, subsidy_expires_us=NOON_US
    )


FEES = [
    (
        FeePayment.PURSES,
        (1_000, 300, 700),
        (500, 300, 700),
        {("purse", 0): -500, ("purse", 1): -300, ("purse", 2): -700},
    ),
    (FeePayment.PURSES, (REPLACEMENT_FEE,), (REPLACEMENT_FEE,), {("purse", 0): -REPLACEMENT_FEE}),
    (FeePayment.CASH, (0,), (), {("channel", 1): -REPLACEMENT_FEE}),
]  # fmt: skip


@pytest.mark.parametrize(("payment", "purses", "paid", "sources"), FEES)
def test_fee(payment: FeePayment, purses: Any, paid: Any, sources: dict[Any, int]) -> None:
    holder = account(**STATES["reviewed"], purses=purses)
    event = decided(command(1, ReplaceCard, "C2", payment), holder)
    assert (event.card, event.dead_card, event.amount, event.paid) == ("C2", CARD, REPLACEMENT_FEE, paid)
    assert dict(postings(event)) == {**sources, ("fee income", 0): REPLACEMENT_FEE}
    assert BOOK[CardReplaced](event)[:2] == ((TODAY, DESK.merchant, DESK.number, "replace", LUNCH), REPLACEMENT_FEE)
    assert ANSWER[CardReplaced](event) == Answer(DESK.number, 1, Code.APPROVED, Reason.NONE, 99, event.balances, paid)


def test_fee_of_nothing_needs_no_money_even_where_holds_exceed_it() -> None:
    holder = holding(account(**STATES["reviewed"], purses=(50, 0)), outstanding(600))
    asked = command(1, ReplaceCard, "C3", FeePayment.PURSES)
    event = DECIDE[ReplaceCard](holder, asked, None, NOON, replace(POLICY, replacement_fee=0), 99)
    assert (type(event), event.paid, event.balances) == (CardReplaced, (0, 0), (50, 0))


def test_waived_fee_moves_nothing() -> None:
    event = decided(command(1, ReplaceCard, "C2", FeePayment.WAIVED), account(**STATES["reviewed"]))
    assert (event.amount, event.paid, event.balances, postings(event)) == (0, (), (10_000,), ())


@pytest.mark.parametrize("purses", [(REPLACEMENT_FEE - 1,), (500, 500, REPLACEMENT_FEE - 1_001)])
def test_fee_that_the_purses_do_not_hold(purses: tuple[int, ...]) -> None:
    holder = account(**STATES["reviewed"], purses=purses)
    request = command(1, ReplaceCard, "C2", FeePayment.PURSES)
    assert outcome(request, holder) == (51, "funds")
    assert outcome(replace(request, card=CARD), holder) == (12, "card-used")


@pytest.mark.parametrize(
    ("purses", "purse", "amount", "after"),
    [
        ((1_000,), 0, -1_000, (0,)),
        ((1_000,), 0, -1_001, None),
        ((1_000,), 1, -1, None),
        ((1_000,), 2, 5, (1_000, 0, 5)),
        ((1_000, 20, 30), 1, -20, (1_000, 0, 30)),
        ((1_000, 20, 30), 1, -21, None),
        ((0,), 0, 100_000_000, (100_000_000,)),
    ],
)
def test_correction(purses: Any, purse: int, amount: int, after: Any) -> None:
    holder = account(purses=purses)
    request = command(1, CorrectEntry, purse, amount, CorrectionReason.POSTED_TWICE)
    if after is None:
        assert outcome(request, holder) == (51, "funds")
        return
    event = decided(request, holder)
    assert APPLY[EntryCorrected](holder, event, 9) == replace(holder, position=9, purses=after)
    assert dict(postings(event)) == {("purse", purse): amount, ("correction", 3): -amount}
    assert ANSWER[EntryCorrected](event).authorization == 99


@pytest.mark.parametrize("amount", [0, 100_000_001, -100_000_001, 2**63 - 1, -(2**63)])
def test_correction_by_an_amount_out_of_range(amount: int) -> None:
    request = command(1, CorrectEntry, 0, amount, CorrectionReason.WRONG_AMOUNT)
    assert outcome(request, account(card_state=CLOSED)) == (13, "amount-out-of-range")


def test_ledger_account_of_each_reason_never_changes() -> None:
    numbers = {}
    for reason in CorrectionReason:
        (_, ((_, number), _)) = postings(decided(command(1, CorrectEntry, 0, 1, reason), account()))
        numbers[reason.value] = number
    assert numbers == {
        "wrong-amount": 1, "wrong-account": 2, "posted-twice": 3, "not-delivered": 4, "paid-out": 5, "goodwill": 6,
    }  # fmt: skip


def test_who_did_it_and_to_which_card_is_in_the_event() -> None:
    for name, state in (("freeze", "active"), ("close", "closed"), ("found", "reviewed"), ("report-loss", "active")):
        holder = replace(account(**STATES[state]), purses=(0,))
        holder = replace(holder, card_state=ACTIVE) if state == "closed" else holder
        event = decided(REQUESTS[name], holder)
        assert event.card == CARD
        assert event.clerk == ("" if name == "report-loss" else "wu")
        assert event.terminal == REQUESTS[name].terminal
    refused = decided(REQUESTS["found"], account())
    assert refused.asked == REQUESTS["found"]


def test_kiosk_is_told_nothing_of_the_account() -> None:
    for holder in (account(), account(card_state=LOST), account(card_state=CLOSED)):
        event = decided(REQUESTS["report-loss"], holder)
        assert ANSWER[type(event)](event).balances == ()


@pytest.mark.parametrize("name", REQUESTS)
def test_repeat_is_answered_like_the_first_and_other_content_is_a_duplicate(name: str) -> None:
    request = REQUESTS[name]
    fitting = next(
        holder
        for holder in (
            new_account(ALICE),
            *(account(**state, purses=(0,)) for state in STATES.values()),
            account(family=Family("g-7")),
        )
        if outcome(request, holder) == DONE
    )
    refusing = account(card_state=CLOSED)
    changes: dict[str, Any] = {
        "clerk": "li", "card": "C3", "expires": LATER + 1, "person_class": "staff", "fee": FeePayment.WAIVED,
        "purse": 2, "amount": 600, "reason": CorrectionReason.PAID_OUT, "batch": "2026-10", "last_day": LATER + 1,
        "guardian": "g-8", "day_max": 1, "purchase_max": 1, "alert_above": 1, "channel": 1,
    }  # fmt: skip
    for event in (decided(request, fitting), decided(request, refusing)):
        first = ANSWER[type(event)](event)
        assert answer_repeat(event, replace(request, wait_ms=1)) == first
        others = [replace(request, **{field: value}) for field, value in changes.items() if hasattr(request, field)]
        assert len(others) >= 1
        for other in (*others, purchase(1, terminal=request.terminal), _another(request)):
            assert answer_repeat(event, other).reason is Reason.CONTENT_DIFFERS


def _another(request: Any) -> Any:
    """Another command under the same STAN."""
    kind = FreezeCard if type(request) is not FreezeCard else UnfreezeCard
    return kind(request.terminal, request.stan, request.wait_ms, request.account, request.clerk or "wu")


HOT_LIST_CHANGES = {
    "report-loss": ({}, CARD, "lost"),
    "found": (STATES["reviewed"], CARD, "found"),
    "freeze": ({}, CARD, "frozen"),
    "unfreeze": (STATES["frozen"], CARD, "unfrozen"),
    "replace": (STATES["reviewed"], CARD, "replaced"),
    "issue": (STATES["expired"], CARD, "replaced"),
    "close": ({"purses": (0,)}, CARD, "closed"),
}


@pytest.mark.parametrize("name", REQUESTS)
def test_what_terminals_have_to_know_leaves_as_an_effect(name: str) -> None:
    changes, card, change = HOT_LIST_CHANGES.get(name, ({}, CARD, None))
    event = decided(REQUESTS[name], account(**changes))
    expected = None if change is None else Effect(EffectName.HOT_LIST, {"card": card, "change": change})
    assert EFFECT[type(event)](event) == expected
    if change is not None:
        assert type(event) is EVENTS[name]
