"""What may follow when a request meets a world."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, get_args

from simulators.auditor.model.advice import advice_outcomes
from simulators.auditor.model.card_office import office_outcomes
from simulators.auditor.model.change_pin import change_pin_outcomes
from simulators.auditor.model.hold import capture_outcomes, hold_outcomes, release_outcomes
from simulators.auditor.model.inquiry import inquiry_outcomes
from simulators.auditor.model.purchase import purchase_outcomes
from simulators.auditor.model.refund import refund_outcomes
from simulators.auditor.model.reversal import reversal_outcomes
from simulators.auditor.model.subsidy import at_tap, claim_outcomes, expired
from simulators.auditor.model.top_up import top_up_outcomes
from simulators.auditor.requests import content_of, is_recorded
from simulators.auditor.world import Decision, Outcome, Rules, World
from wire.codes import Code, Reason
from wire.messages import (
    AccountRequest,
    Advice,
    BalanceInquiry,
    Capture,
    ChangePin,
    Hold,
    MiniStatement,
    OfficeRequest,
    OpenAccount,
    Purchase,
    Refund,
    Release,
    Reversal,
    SubsidyClaim,
    TopUp,
)

_REVERSED = Outcome(Code.INVALID_TRANSACTION, Reason.REVERSED)
_NO_ACCOUNT = Outcome(Code.NO_SUCH_ACCOUNT, Reason.NO_ACCOUNT)
_CONTENT_DIFFERS = Outcome(Code.DUPLICATE, Reason.CONTENT_DIFFERS)

_OUTCOMES: Mapping[type, Callable[[World, Any, Rules], Iterator[tuple[World, Outcome]]]] = {
    Purchase: purchase_outcomes,
    TopUp: top_up_outcomes,
    SubsidyClaim: claim_outcomes,
    Reversal: reversal_outcomes,
    Advice: advice_outcomes,
    Refund: refund_outcomes,
    Hold: hold_outcomes,
    Capture: capture_outcomes,
    Release: release_outcomes,
    ChangePin: change_pin_outcomes,
    BalanceInquiry: inquiry_outcomes,
    MiniStatement: inquiry_outcomes,
    **dict.fromkeys(get_args(OfficeRequest), office_outcomes),
}
"""By request: (world, request that is new to it, rules) → every (next world, expected answer) that the rules allow."""


def outcomes(
    world: World, request: AccountRequest, rules: Rules, *, overtakes: bool = False
) -> Iterator[tuple[World, Outcome]]:
    """Everything that may follow when `request` meets `world`; at least one.

    `overtakes`: a copy that was answered before a reversal of it may be heard of after that reversal.
    """
    world = expired(world, rules)
    decision = world.decision(request) if is_recorded(request) else None
    if decision is not None:
        yield from ((world, outcome) for outcome in _repeats(decision, request, overtakes=overtakes))
    elif not (world.opened or world.uploaded or isinstance(request, OpenAccount | Advice)):
        yield world, _NO_ACCOUNT
    else:
        yield from _OUTCOMES[type(request)](at_tap(world, request, rules), request, rules)


def _repeats(decision: Decision, request: AccountRequest, *, overtakes: bool) -> Iterator[Outcome]:
    if decision.is_reversed:
        yield _REVERSED
    if decision.outcome is None or (decision.is_reversed and not overtakes):
        return
    if decision.request is None or content_of(request) == content_of(decision.request):
        yield decision.outcome
    elif not decision.is_reversed:
        yield _CONTENT_DIFFERS
