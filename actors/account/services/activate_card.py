"""Activate: the issued card may be used."""

from __future__ import annotations

from typing import Final

from msgspec.structs import replace

from actors.account.card import CardState
from actors.account.checks.card import last_day_check, open_check
from actors.account.checks.office import state_check
from actors.account.checks.refusal import Refusal
from actors.account.events import CardActivated
from actors.account.office import done, just, office_service
from actors.account.service import EventRow, ServiceRow
from actors.account.state import Account
from actors.calendar import Moment
from actors.policy import Policy, Service
from wire.messages import ActivateCard


def _refusal(account: Account, _request: ActivateCard, moment: Moment, _policy: Policy) -> Refusal | None:
    return (
        open_check(account)
        or state_check(account.card_state, CardState.ISSUED)
        or last_day_check(account, moment.business_day)
    )


def _apply(account: Account, _event: CardActivated, position: int) -> Account:
    return replace(account, position=position, card_state=CardState.ACTIVE)


ACTIVATE_CARD: Final[ServiceRow] = office_service(
    Service.ACTIVATE_CARD, ActivateCard, (), _refusal, just(CardActivated), {CardActivated: EventRow(_apply, done)}
)
