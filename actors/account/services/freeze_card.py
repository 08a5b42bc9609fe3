"""Freeze and unfreeze: the school takes a card out of use, and gives it back. A lost one will be found so."""

from __future__ import annotations

from typing import Final

from msgspec.structs import replace

from actors.account.card import CardState
from actors.account.checks.card import open_check
from actors.account.checks.office import frozen_check, state_but_for_loss, state_check
from actors.account.checks.refusal import Refusal
from actors.account.events import CardFrozen, CardUnfrozen
from actors.account.office import done, hot_list_change, just, office_service
from actors.account.service import EventRow, ServiceRow
from actors.account.state import Account, Loss
from actors.calendar import Moment
from actors.policy import Policy, Service
from wire.messages import FreezeCard, UnfreezeCard


def _freeze_refusal(account: Account, _request: FreezeCard, _moment: Moment, _policy: Policy) -> Refusal | None:
    return open_check(account) or state_check(state_but_for_loss(account), CardState.ACTIVE)


def _unfreeze_refusal(account: Account, _request: UnfreezeCard, _moment: Moment, _policy: Policy) -> Refusal | None:
    return open_check(account) or frozen_check(account)


def _apply_frozen(account: Account, _event: CardFrozen, position: int) -> Account:
    return _with_state(account, CardState.FROZEN, position)


def _apply_unfrozen(account: Account, _event: CardUnfrozen, position: int) -> Account:
    return _with_state(account, CardState.ACTIVE, position)


def _with_state(account: Account, state: CardState, position: int) -> Account:
    if account.card_state is not CardState.LOST:
        return replace(account, position=position, card_state=state)
    loss = Loss(0, state) if account.loss is None else replace(account.loss, found_state=state)
    return replace(account, position=position, loss=loss)


FREEZE_CARD: Final[ServiceRow] = office_service(
    Service.FREEZE_CARD,
    FreezeCard,
    (),
    _freeze_refusal,
    just(CardFrozen),
    {CardFrozen: EventRow(_apply_frozen, done, effect=hot_list_change("frozen"))},
)
UNFREEZE_CARD: Final[ServiceRow] = office_service(
    Service.UNFREEZE_CARD,
    UnfreezeCard,
    (),
    _unfreeze_refusal,
    just(CardUnfrozen),
    {CardUnfrozen: EventRow(_apply_unfrozen, done, effect=hot_list_change("unfrozen"))},
)
