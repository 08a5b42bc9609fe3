"""Set limits: what the holder allows of purchases. They tighten the school's, and never loosen them."""

from __future__ import annotations

from typing import Final

from msgspec.structs import replace

from actors.account.checks.amounts import limit_check
from actors.account.checks.card import open_check
from actors.account.checks.refusal import Refusal
from actors.account.events import LimitsSet
from actors.account.office import done, event_start, office_service
from actors.account.service import EventRow, ServiceRow
from actors.account.state import Account, OwnLimits
from actors.calendar import Moment
from actors.policy import Policy, Service
from wire.messages import SetLimits

_LIMITS: Final = OwnLimits.__struct_fields__


def _refusal(account: Account, request: SetLimits, _moment: Moment, _policy: Policy) -> Refusal | None:
    return limit_check(*_limits(request)) or open_check(account)


def _approve(account: Account, request: SetLimits, moment: Moment, _policy: Policy, _authorization: int) -> LimitsSet:
    return LimitsSet(*event_start(account, request, moment), *_limits(request))


def _apply(account: Account, event: LimitsSet, position: int) -> Account:
    limits = _limits(event)
    return replace(account, position=position, own_limits=OwnLimits(*limits) if any(limits) else None)


def _limits(source: SetLimits | LimitsSet) -> tuple[int, ...]:
    """All of them, in the order of OwnLimits."""
    return tuple(getattr(source, name) for name in _LIMITS)


SET_LIMITS: Final[ServiceRow] = office_service(
    Service.SET_LIMITS, SetLimits, _LIMITS, _refusal, _approve, {LimitsSet: EventRow(_apply, done)}
)
