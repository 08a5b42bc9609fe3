"""Close: nothing more happens on an account whose purses are empty."""

from __future__ import annotations

from typing import Final

from msgspec.structs import replace

from actors.account.card import CardState
from actors.account.checks.card import open_check
from actors.account.checks.office import empty_check
from actors.account.checks.refusal import Refusal
from actors.account.events import AccountClosed
from actors.account.office import done, just, office_service
from actors.account.service import EventRow, ServiceRow
from actors.account.state import Account
from actors.calendar import Moment
from actors.policy import Policy, Service
from wire.messages import CloseAccount


def _refusal(account: Account, _request: CloseAccount, _moment: Moment, _policy: Policy) -> Refusal | None:
    return open_check(account) or empty_check(account)


def _apply(account: Account, _event: AccountClosed, position: int) -> Account:
    return replace(account, position=position, card_state=CardState.CLOSED, loss=None)


CLOSE_ACCOUNT: Final[ServiceRow] = office_service(
    Service.CLOSE_ACCOUNT, CloseAccount, (), _refusal, just(AccountClosed), {AccountClosed: EventRow(_apply, done)}
)
