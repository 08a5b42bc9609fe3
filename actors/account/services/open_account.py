"""Open: an account that did not exist does, with its first card and empty purses."""

from __future__ import annotations

from typing import Final

from actors.account.card import CardState, PersonClass
from actors.account.checks.office import expiry_check, new_account_check
from actors.account.checks.refusal import Refusal
from actors.account.events import AccountOpened
from actors.account.office import done, event_start, office_service
from actors.account.opening import apply_opened
from actors.account.service import EventRow, ServiceRow
from actors.account.state import Account
from actors.calendar import Moment
from actors.policy import Policy, Service
from wire.messages import OpenAccount


def _refusal(account: Account, request: OpenAccount, moment: Moment, _policy: Policy) -> Refusal | None:
    return new_account_check(account) or expiry_check(request.expires, moment.business_day)


def _approve(
    account: Account, request: OpenAccount, moment: Moment, _policy: Policy, _authorization: int
) -> AccountOpened:
    person_class = PersonClass(request.person_class)
    return AccountOpened(*event_start(account, request, moment), CardState.ISSUED, request.expires, person_class)


OPEN_ACCOUNT: Final[ServiceRow] = office_service(
    Service.OPEN_ACCOUNT,
    OpenAccount,
    ("card", "expires", "person_class"),
    _refusal,
    _approve,
    {AccountOpened: EventRow(apply_opened, done)},
    opens=True,
)
