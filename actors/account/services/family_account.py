"""The family account: a guardian's money beside a student's own, spent under the guardian's policy."""

from __future__ import annotations

from typing import Final

from msgspec.structs import replace

from actors.account.card import CardState
from actors.account.checks.amounts import credit_check, limit_check, limits_of, range_check
from actors.account.checks.card import last_day_check, open_check
from actors.account.checks.family import (
    bound_check,
    family_purse_check,
    student_check,
    unbound_check,
    whole_yuan_check,
)
from actors.account.checks.office import state_check
from actors.account.checks.refusal import Refusal
from actors.account.events import FamilyBound, FamilyCredited, FamilyPolicySet, FamilyUnbound
from actors.account.office import done, event_start, just, office_service
from actors.account.postings import CHANNELS, Booking
from actors.account.purses import FAMILY, change, into
from actors.account.service import EventRow, ServiceRow, approved
from actors.account.state import Account, Family
from actors.calendar import Moment
from actors.ledger import PURSES
from actors.policy import Policy, Service
from wire.messages import BindFamily, CreditFamily, SetFamilyPolicy, UnbindFamily


def _bind_refusal(account: Account, _request: BindFamily, moment: Moment, _policy: Policy) -> Refusal | None:
    return (
        open_check(account)
        or student_check(account)
        or unbound_check(account)
        or state_check(account.card_state, CardState.ACTIVE)
        or last_day_check(account, moment.business_day)
    )


def _unbind_refusal(account: Account, _request: UnbindFamily, _moment: Moment, _policy: Policy) -> Refusal | None:
    return open_check(account) or bound_check(account) or family_purse_check(account)


def _policy_refusal(account: Account, request: SetFamilyPolicy, _moment: Moment, _policy: Policy) -> Refusal | None:
    limits = request.day_max, request.purchase_max, request.alert_above
    return limit_check(*limits) or open_check(account) or bound_check(account)


def _credit_refusal(account: Account, request: CreditFamily, _moment: Moment, policy: Policy) -> Refusal | None:
    return (
        range_check(request.amount)
        or whole_yuan_check(request.amount)
        or open_check(account)
        or bound_check(account)
        or credit_check(account, request.amount, limits_of(account, policy), FAMILY)
    )


def _bound(account: Account, request: BindFamily, moment: Moment, _policy: Policy, _authorization: int) -> FamilyBound:
    return FamilyBound(*event_start(account, request, moment), request.guardian)


def _policy_set(
    account: Account, request: SetFamilyPolicy, moment: Moment, _policy: Policy, _authorization: int
) -> FamilyPolicySet:
    return FamilyPolicySet(
        *event_start(account, request, moment), request.day_max, request.purchase_max, request.alert_above
    )


def _credited(
    account: Account, request: CreditFamily, moment: Moment, policy: Policy, authorization: int
) -> FamilyCredited:
    return FamilyCredited(
        account.number, moment.time_us, account.position, request.terminal, request.stan, request.clerk, account.card,
        moment.business_day, change(account.purses, into(FAMILY, request.amount)), request.amount, request.channel,
        policy.terminals[request.terminal].merchant, moment.period, authorization,
    )  # fmt: skip


def _apply_bound(account: Account, event: FamilyBound, position: int) -> Account:
    return replace(account, position=position, family=Family(event.guardian))


def _apply_unbound(account: Account, _event: FamilyUnbound, position: int) -> Account:
    return replace(account, position=position, family=None)


def _apply_policy(account: Account, event: FamilyPolicySet, position: int) -> Account:
    guardian = "" if account.family is None else account.family.guardian
    family = Family(guardian, event.day_max, event.purchase_max, event.alert_above)
    return replace(account, position=position, family=family)


def _apply_credited(account: Account, event: FamilyCredited, position: int) -> Account:
    return replace(account, position=position, purses=event.balances)


def _book_credited(event: FamilyCredited) -> Booking:
    amount = event.amount
    return (
        (event.business_day, event.merchant, event.terminal, Service.CREDIT_FAMILY.value, event.period),
        amount,
        (((PURSES, FAMILY), amount), ((CHANNELS, event.channel), -amount)),
    )


BIND_FAMILY: Final[ServiceRow] = office_service(
    Service.BIND_FAMILY, BindFamily, ("guardian",), _bind_refusal, _bound, {FamilyBound: EventRow(_apply_bound, done)}
)
UNBIND_FAMILY: Final[ServiceRow] = office_service(
    Service.UNBIND_FAMILY,
    UnbindFamily,
    (),
    _unbind_refusal,
    just(FamilyUnbound),
    {FamilyUnbound: EventRow(_apply_unbound, done)},
)
SET_FAMILY_POLICY: Final[ServiceRow] = office_service(
    Service.SET_FAMILY_POLICY,
    SetFamilyPolicy,
    ("day_max", "purchase_max", "alert_above"),
    _policy_refusal,
    _policy_set,
    {FamilyPolicySet: EventRow(_apply_policy, done)},
)
CREDIT_FAMILY: Final[ServiceRow] = office_service(
    Service.CREDIT_FAMILY,
    CreditFamily,
    ("amount", "channel"),
    _credit_refusal,
    _credited,
    {FamilyCredited: EventRow(_apply_credited, approved, lambda event: event.amount, _book_credited)},
)
