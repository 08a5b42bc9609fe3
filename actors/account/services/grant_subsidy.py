"""Grant a subsidy: a batch's money for this account, once. It moves with the card's next tap."""

from __future__ import annotations

from typing import Final

from msgspec.structs import replace

from actors.account.checks.amounts import range_check
from actors.account.checks.card import open_check
from actors.account.checks.office import expiry_check
from actors.account.checks.refusal import Refusal
from actors.account.checks.subsidy import batch_check, batches_check
from actors.account.events import SubsidyGranted
from actors.account.office import done, event_start, office_service
from actors.account.service import EventRow, ServiceRow
from actors.account.state import Account, Grant
from actors.calendar import Moment
from actors.policy import Policy, Service
from wire.messages import GrantSubsidy


def _refusal(account: Account, request: GrantSubsidy, moment: Moment, _policy: Policy) -> Refusal | None:
    return (
        range_check(request.amount)
        or open_check(account)
        or batch_check(account, request.batch)
        or expiry_check(request.last_day, moment.business_day)
        or batches_check(account)
    )


def _approve(
    account: Account, request: GrantSubsidy, moment: Moment, policy: Policy, _authorization: int
) -> SubsidyGranted:
    return SubsidyGranted(
        *event_start(account, request, moment), request.batch, request.amount, request.last_day,
        policy.calendar.end_us(request.last_day),
    )  # fmt: skip


def _apply(account: Account, event: SubsidyGranted, position: int) -> Account:
    in_time = (grant for grant in account.unclaimed if event.time_us < grant.expires_us)
    return replace(
        account,
        position=position,
        unclaimed=(*in_time, Grant(event.batch, event.amount, event.expires_us)),
        batches=f"{account.batches} {event.batch}".lstrip(),
    )


GRANT_SUBSIDY: Final[ServiceRow] = office_service(
    Service.GRANT_SUBSIDY,
    GrantSubsidy,
    ("batch", "amount", "last_day"),
    _refusal,
    _approve,
    {SubsidyGranted: EventRow(_apply, done)},
)
