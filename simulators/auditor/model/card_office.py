"""The card's life: what holder and operators may do with a card, and what becomes of it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from datetime import date, datetime
from typing import Any, get_args

from msgspec.structs import replace

from simulators.accounts import CardState, Purses
from simulators.auditor.model.checks import BY_STATE, Verdict, amount_problem, closed_problem
from simulators.auditor.model.family import FamilyCommand, family_amount_problem, family_problem, family_step
from simulators.auditor.model.limits import paid_by
from simulators.auditor.model.own_limits import own_limits_problem, own_limits_step
from simulators.auditor.model.pin import PIN_NOT_OFFERED, PIN_UNREADABLE, is_easy, opened
from simulators.auditor.model.settlement import settlement_problem, settlement_step
from simulators.auditor.model.subsidy import grant_problem, grant_step
from simulators.auditor.requests import service_of
from simulators.auditor.world import NOTHING, Outcome, Rules, World, added, decide, negative, refuse, shown
from wire.codes import Code, Reason
from wire.messages import (
    ActivateCard,
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
    ReportLoss,
    ResetPin,
    ReviewLoss,
    SetExpiry,
    SetFamilyPolicy,
    SetLimits,
    SettleSuspicion,
    UnbindFamily,
    UnfreezeCard,
)
from wire.pin import PinContext, PinUse

CARDS_MAX = 33
"""Cards that an account may have in all."""

LONG_OVER = 1
"""A last day of a subsidy."""

Step = tuple[Purses, Purses, Mapping[str, Any]]
"""The change of each purse, what each paid of it, and the other fields of the world that are new."""


def office_outcomes(world: World, request: OfficeRequest, rules: Rules) -> Iterator[tuple[World, Outcome]]:
    """One outcome: everything that it depends on is known. A refused opening leaves no trace."""
    problem = _permission_problem(request, rules) or _problem(world, request, rules)
    if problem is not None and not (world.opened or world.uploaded):
        yield world, Outcome(*problem, NOTHING, shown(problem[0], world.purses))
        return
    if problem is not None:
        yield refuse(world, request, *problem)
        return
    change, paid, changes = _STEPS[type(request)](world, request, rules)
    balances = () if isinstance(request, ReportLoss) else added(world.purses, change)
    authorized = isinstance(request, ReplaceCard | CorrectEntry | CreditFamily | SettleSuspicion)
    yield decide(world, request, Outcome(Code.APPROVED, Reason.NONE, change, balances, paid, authorized), **changes)


def _invalid(reason: Reason) -> Verdict:
    return Code.INVALID_TRANSACTION, reason


def _permission_problem(request: OfficeRequest, rules: Rules) -> Verdict | None:
    terminal = rules.terminals.get(request.terminal)
    if terminal is None or service_of(request) not in terminal.services:
        if terminal is not None and terminal.role is not None:
            return Code.NOT_PERMITTED_TO_CARDHOLDER, Reason.BEYOND_ROLE
        return Code.NOT_PERMITTED_TO_TERMINAL, Reason.SERVICE_NOT_OFFERED
    return _invalid(Reason.CLERK_MISSING) if terminal.role is not None and not request.clerk else None


def _problem(world: World, request: OfficeRequest, rules: Rules) -> Verdict | None:
    if isinstance(request, OpenAccount):
        return _invalid(Reason.ACCOUNT_EXISTS) if world.opened else _expiry_problem(request.expires, rules)
    if isinstance(request, SettleSuspicion):
        return settlement_problem(world, request)
    if (wrong := _amount_problem(request)) is not None:
        return wrong
    if not (world.opened and _pays_out(request)) and (closed := closed_problem(world)) is not None:
        return closed
    return _problem_of_an_open_account(world, request, rules)


def _pays_out(request: OfficeRequest) -> bool:
    """What came back to a closed account goes to whoever it belongs to."""
    return isinstance(request, CorrectEntry) and request.reason is CorrectionReason.PAID_OUT and request.amount < 0


def _amount_problem(request: OfficeRequest) -> Verdict | None:
    match request:
        case CorrectEntry():
            return amount_problem(abs(request.amount))
        case GrantSubsidy():
            return amount_problem(request.amount)
        case BindFamily() | UnbindFamily() | SetFamilyPolicy() | CreditFamily():
            return family_amount_problem(request)
        case SetLimits():
            return own_limits_problem(request)
        case _:
            return None


def _problem_of_an_open_account(world: World, request: OfficeRequest, rules: Rules) -> Verdict | None:
    card, state = world.card, world.card.state
    match request:
        case ReportLoss():
            return BY_STATE[state] if state in {CardState.LOST, CardState.REPLACED} else None
        case ActivateCard() if state is CardState.ACTIVE:
            return _invalid(Reason.CARD_ACTIVE)
        case ActivateCard() if state is CardState.ISSUED:
            return BY_STATE[CardState.EXPIRED] if _as_number(card.expires) < rules.today else None
        case ActivateCard():
            return BY_STATE[state]
        case FreezeCard():
            return None if _without_loss(world) is CardState.ACTIVE else BY_STATE[_without_loss(world)]
        case UnfreezeCard():
            return None if _without_loss(world) is CardState.FROZEN else _invalid(Reason.NOT_FROZEN)
        case SetExpiry() if state in {CardState.LOST, CardState.REPLACED}:
            return BY_STATE[state]
        case SetExpiry():
            return _expiry_problem(request.expires, rules)
        case ResetPin():
            return _pin_problem(request, rules)
        case SetLimits():
            return None
        case CloseAccount():
            return _closing_problem(world)
        case GrantSubsidy():
            return grant_problem(world, request, rules)
        case BindFamily() | UnbindFamily() | SetFamilyPolicy() | CreditFamily():
            return family_problem(world, request, rules)
        case CorrectEntry() if request.purse == 1 and request.reason is CorrectionReason.PAID_OUT:
            return _invalid(Reason.SUBSIDY_NOT_PAID_OUT)
        case CorrectEntry():
            left = world.purses[request.purse] + request.amount
            short = left < 0 or -request.amount > world.available
            return (Code.INSUFFICIENT_FUNDS, Reason.FUNDS) if short else None
        case IssueCard():
            return _issue_problem(world, request, rules)
        case _:
            return _loss_problem(world, request, rules)


def _issue_problem(world: World, request: IssueCard, rules: Rules) -> Verdict | None:
    state = world.card.state
    if state in {CardState.LOST, CardState.FROZEN}:
        return BY_STATE[state]
    if state in {CardState.ISSUED, CardState.ACTIVE} and _as_number(world.card.expires) >= rules.today:
        return _invalid(Reason.CARD_GOOD)
    return _serial_problem(world, request.card) or _expiry_problem(request.expires, rules)


def _closing_problem(world: World) -> Verdict | None:
    """A subsidy that is left goes back to the school, unless somebody counts on it."""
    if world.purses[0] or world.purses[2]:
        return _invalid(Reason.PURSES_NOT_EMPTY)
    return _invalid(Reason.HOLDS_OUTSTANDING) if world.held else None


def _pin_problem(request: ResetPin, rules: Rules) -> Verdict | None:
    if request.terminal not in rules.pin_keys:
        return PIN_NOT_OFFERED
    pin = _first_pin(request, rules)
    if pin is None:
        return PIN_UNREADABLE
    return (Code.INCORRECT_PIN, Reason.PIN_WEAK) if is_easy(pin) else None


def _first_pin(request: ResetPin, rules: Rules) -> str | None:
    return opened(request.new_pin, PinContext(PinUse.NEW, request.terminal, request.stan, request.account), rules)


def _loss_problem(world: World, request: OfficeRequest, rules: Rules) -> Verdict | None:
    """Of a review, and of what is possible only after one."""
    if world.card.state is not CardState.LOST:
        return _invalid(Reason.NOT_LOST)
    if isinstance(request, ReviewLoss):
        return _invalid(Reason.LOSS_REVIEWED) if world.loss_reviewed else None
    if not world.loss_reviewed:
        return _invalid(Reason.NOT_REVIEWED)
    if not isinstance(request, ReplaceCard):
        return None
    if world.state_when_found is CardState.FROZEN:
        return BY_STATE[CardState.FROZEN]
    if (used := _serial_problem(world, request.card)) is not None:
        return used
    short = request.fee is FeePayment.PURSES and world.available < rules.replacement_fee
    return (Code.INSUFFICIENT_FUNDS, Reason.FUNDS) if short else None


def _serial_problem(world: World, serial: str) -> Verdict | None:
    if serial in {world.card.serial, *world.dead_cards}:
        return _invalid(Reason.CARD_USED)
    return _invalid(Reason.CARDS_USED_UP) if len(world.dead_cards) + 1 >= CARDS_MAX else None


def _expiry_problem(expires: int, rules: Rules) -> Verdict | None:
    try:
        datetime.strptime(f"{expires:08}", "%Y%m%d")  # noqa: DTZ007 - a day, no moment
    except ValueError:
        return _invalid(Reason.EXPIRY_NOT_POSSIBLE)
    return _invalid(Reason.EXPIRY_NOT_POSSIBLE) if expires < rules.today else None


def _without_loss(world: World) -> CardState:
    return world.state_when_found if world.card.state is CardState.LOST else world.card.state


def _as_number(day: date) -> int:
    return int(day.strftime("%Y%m%d"))


def _as_date(day: int) -> date:
    return date.fromisoformat(str(day))


def _card(world: World, **changes: Any) -> Step:
    """Nothing but the card changes."""
    return NOTHING, NOTHING, {"card": replace(world.card, **changes)}


def _next_card(world: World, **changes: Any) -> Mapping[str, Any]:
    card = replace(world.card, state=CardState.ISSUED, **changes)
    fields = {"card": card, "dead_cards": world.dead_cards | {world.card.serial}}
    return {**fields, "is_initial_pin": True} if world.pin else fields


def _open(world: World, request: OpenAccount, _rules: Rules) -> Step:
    expires = _as_date(request.expires)
    changes = {"serial": request.card, "state": CardState.ISSUED, "expires": expires}
    change, paid, fields = _card(world, **changes, person_class=request.person_class)
    return change, paid, {**fields, "opened": True}


def _report_loss(world: World, _request: ReportLoss, rules: Rules) -> Step:
    change, paid, fields = _card(world, state=CardState.LOST)
    loss = {"state_when_found": world.card.state, "loss_reviewed": False, "review_due_us": rules.review_due_us}
    return change, paid, {**fields, **loss}


def _review(_world: World, _request: ReviewLoss, _rules: Rules) -> Step:
    return NOTHING, NOTHING, {"loss_reviewed": True, "review_due_us": 0}


def _freeze_or_unfreeze(world: World, request: FreezeCard | UnfreezeCard, _rules: Rules) -> Step:
    state = CardState.FROZEN if isinstance(request, FreezeCard) else CardState.ACTIVE
    if world.card.state is CardState.LOST:
        return NOTHING, NOTHING, {"state_when_found": state}
    return _card(world, state=state)


def _issue(world: World, request: IssueCard, _rules: Rules) -> Step:
    return NOTHING, NOTHING, _next_card(world, serial=request.card, expires=_as_date(request.expires))


def _replace(world: World, request: ReplaceCard, rules: Rules) -> Step:
    owed = rules.replacement_fee if request.fee is FeePayment.PURSES else 0
    paid = paid_by(world.purses, owed, rules.spending_order)
    return negative(paid), paid, _next_card(world, serial=request.card)


def _reset_pin(_world: World, request: ResetPin, rules: Rules) -> Step:
    return NOTHING, NOTHING, {"pin": _first_pin(request, rules), "is_initial_pin": True, "wrong_tries": 0}


def _set_expiry(world: World, request: SetExpiry, _rules: Rules) -> Step:
    state = CardState.ACTIVE if world.card.state is CardState.EXPIRED else world.card.state
    return _card(world, state=state, expires=_as_date(request.expires))


def _correct(_world: World, request: CorrectEntry, _rules: Rules) -> Step:
    main, subsidy, family = (request.amount if purse == request.purse else 0 for purse in range(3))
    return (main, subsidy, family), NOTHING, {}


def _close(world: World, _request: CloseAccount, _rules: Rules) -> Step:
    """What is left of a subsidy goes back to the school, now and later; and nothing that waited can be claimed."""
    card = replace(world.card, state=CardState.CLOSED)
    changes = {"card": card, "grants": (), "family": None, "review_due_us": 0, "subsidy_last_day": LONG_OVER}
    return (0, -world.purses[1], 0), NOTHING, changes


_STEPS: Mapping[type, Callable[[World, Any, Rules], Step]] = {
    ReportLoss: _report_loss,
    OpenAccount: _open,
    IssueCard: _issue,
    ActivateCard: lambda world, _request, _rules: _card(world, state=CardState.ACTIVE),
    ReviewLoss: _review,
    FindCard: lambda world, _request, _rules: _card(world, state=world.state_when_found),
    FreezeCard: _freeze_or_unfreeze,
    UnfreezeCard: _freeze_or_unfreeze,
    ReplaceCard: _replace,
    CloseAccount: _close,
    GrantSubsidy: lambda world, request, _rules: grant_step(world, request),
    **dict.fromkeys(get_args(FamilyCommand), lambda _world, request, _rules: family_step(request)),
    SetLimits: lambda _world, request, _rules: own_limits_step(request),
    SetExpiry: _set_expiry,
    ResetPin: _reset_pin,
    CorrectEntry: _correct,
    SettleSuspicion: settlement_step,
}
"""What an approved request changes."""
