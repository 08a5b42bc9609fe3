"""Checks that several services share: each is a verdict against the request, or None."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from simulators.accounts import CardState
from simulators.auditor.requests import service_of
from simulators.auditor.world import Rules, World
from wire.codes import Code, Reason
from wire.messages import AccountRequest

AMOUNT_MAX = 100_000_000
"""The largest amount that a request may name, in minor units: a million yuan."""

Verdict = tuple[Code, Reason]
APPROVED: Verdict = Code.APPROVED, Reason.NONE
OUTSIDE_HOURS: Verdict = Code.NOT_PERMITTED_TO_TERMINAL, Reason.OUTSIDE_HOURS

BY_STATE: Mapping[CardState, Verdict] = {
    CardState.CLOSED: (Code.RESTRICTED_CARD, Reason.ACCOUNT_CLOSED),
    CardState.ISSUED: (Code.RESTRICTED_CARD, Reason.CARD_NOT_ACTIVE),
    CardState.FROZEN: (Code.RESTRICTED_CARD, Reason.CARD_FROZEN),
    CardState.REPLACED: (Code.RESTRICTED_CARD, Reason.CARD_REPLACED),
    CardState.LOST: (Code.LOST_CARD, Reason.CARD_LOST),
    CardState.EXPIRED: (Code.EXPIRED_CARD, Reason.CARD_EXPIRED),
}
"""Why a card may not be used."""


def terminal_problem(request: AccountRequest, rules: Rules) -> Verdict | None:
    """The terminal does not offer the service."""
    terminal = rules.terminals.get(request.terminal)
    offered = terminal is not None and service_of(request) in terminal.services
    return None if offered else (Code.NOT_PERMITTED_TO_TERMINAL, Reason.SERVICE_NOT_OFFERED)


def amount_problem(amount: int) -> Verdict | None:
    """The amount is none."""
    return None if 1 <= amount <= AMOUNT_MAX else (Code.INVALID_AMOUNT, Reason.AMOUNT_OUT_OF_RANGE)


def closed_problem(world: World) -> Verdict | None:
    """The account is closed, or nobody ever opened it."""
    if not world.opened:
        return Code.NO_SUCH_ACCOUNT, Reason.NO_ACCOUNT
    return BY_STATE[CardState.CLOSED] if world.card.state is CardState.CLOSED else None


def card_problem(world: World, request: Any, rules: Rules) -> Verdict | None:
    """The card may not be used."""
    card = world.card
    if (closed := closed_problem(world)) is not None:
        return closed
    if request.card != card.serial:
        dead = request.card in world.dead_cards
        return BY_STATE[CardState.REPLACED] if dead else (Code.NO_SUCH_ACCOUNT, Reason.NO_CARD)
    if card.state is not CardState.ACTIVE:
        return BY_STATE[card.state]
    expires = card.expires.year * 10_000 + card.expires.month * 100 + card.expires.day
    return BY_STATE[CardState.EXPIRED] if expires < rules.today else None
