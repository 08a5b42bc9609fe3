"""Claim a subsidy (ISO 8583 0200/21): what is granted moves into the subsidy purse, asked for or not.

Any other tap does it as well, be it a purchase, a hold or an offline purchase, with an event of its own before that of
the tap.
"""

from __future__ import annotations

from typing import Any, Final

from actors.account.checks.card import card_check
from actors.account.checks.refusal import Refusal
from actors.account.checks.terminal import UNREGISTERED, service_check
from actors.account.events import Event, SubsidyClaimDeclined, SubsidyClaimed, SubsidyClaimedAtTap
from actors.account.postings import Booking
from actors.account.service import DECLINED, EventRow, ServiceRow, approved
from actors.account.state import Account, Grant
from actors.account.subsidy import apply_claimed, claimable, claimed, subsidy_postings
from actors.calendar import Moment
from actors.policy import Policy, Service, Terminal
from wire.codes import Code, Reason
from wire.messages import Advice, Hold, Purchase, SubsidyClaim

_NOTHING_GRANTED: Final = Refusal(Code.INVALID_TRANSACTION, Reason.NOTHING_GRANTED)
_TAPS: Final[dict[type, Service]] = {
    Purchase: Service.PURCHASE,
    Hold: Service.HOLD,
    Advice: Service.ADVICE,
}
"""Requests that claim what is granted before they are decided."""


def claim_at_tap(account: Account, request: Any, moment: Moment, policy: Policy) -> SubsidyClaimedAtTap | None:
    """The claim before the event of `request`: if that is a tap of a good card, at a terminal that offers it."""
    service, terminal = _TAPS.get(type(request)), policy.terminals.get(request.terminal, UNREGISTERED)
    if service is None or service_check(terminal, service) or card_check(account, request.card, moment.business_day):
        return None
    grants = claimable(account, moment)
    if not grants:
        return None
    batches, amount, expires_us, balances = claimed(account, grants)
    return SubsidyClaimedAtTap(
        account.number, moment.time_us, account.position, batches, amount, expires_us, moment.business_day, balances,
    )  # fmt: skip


def _refusal(
    account: Account, request: SubsidyClaim, grants: tuple[Grant, ...], terminal: Terminal, moment: Moment
) -> Refusal | None:
    return (
        service_check(terminal, Service.SUBSIDY_CLAIM)
        or card_check(account, request.card, moment.business_day)
        or (None if grants else _NOTHING_GRANTED)
    )


def _decide(
    account: Account, request: SubsidyClaim, _original: Event | None, moment: Moment, policy: Policy, authorization: int
) -> SubsidyClaimed | SubsidyClaimDeclined:
    terminal, grants = policy.terminals.get(request.terminal, UNREGISTERED), claimable(account, moment)
    refusal = _refusal(account, request, grants, terminal, moment)
    if refusal is not None:
        return SubsidyClaimDeclined(
            account.number, moment.time_us, account.position, request.terminal, request.stan, request.card,
            terminal.merchant, moment.business_day, moment.period, refusal.code, refusal.reason, account.purses,
        )  # fmt: skip
    batches, amount, expires_us, balances = claimed(account, grants)
    return SubsidyClaimed(
        account.number, moment.time_us, account.position, request.terminal, request.stan, request.card,
        batches, amount, expires_us, terminal.merchant, moment.business_day, moment.period, balances, authorization,
    )  # fmt: skip


def _book(event: SubsidyClaimed) -> Booking:
    totals = (event.business_day, event.merchant, event.terminal, Service.SUBSIDY_CLAIM.value, event.period)
    return totals, event.amount, subsidy_postings(event.amount)


SUBSIDY_CLAIM: Final = ServiceRow(
    service=Service.SUBSIDY_CLAIM,
    request=SubsidyClaim,
    content=("card",),
    decide=_decide,
    events={
        SubsidyClaimed: EventRow(apply_claimed, approved, lambda event: event.amount, _book),
        SubsidyClaimDeclined: DECLINED,
    },
)
