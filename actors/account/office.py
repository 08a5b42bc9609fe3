"""What the services of the card office have in common: who may give a command, how it is refused, how answered."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from msgspec.structs import replace

from actors.account.checks.refusal import Refusal
from actors.account.checks.terminal import UNREGISTERED, command_check
from actors.account.events import Event, OfficeDeclined, OfficeEvent
from actors.account.purses import Amounts
from actors.account.service import DECLINED, EventRow, ServiceRow
from actors.account.state import Account
from actors.calendar import Moment
from actors.effect import Effect, EffectName
from actors.policy import Policy, Service
from wire.codes import APPROVED, NO_REASON
from wire.messages import Answer

Refuse = Callable[[Account, Any, Moment, Policy], Refusal | None]
"""(account, request, moment, policy) → the first reason against it, once the terminal may ask for it."""

Approve = Callable[[Account, Any, Moment, Policy, int], Any]
"""(account, request, moment, policy, authorization) → the event of a request that nothing speaks against."""


def office_service(
    service: Service,
    request: type,
    content: tuple[str, ...],
    refuse: Refuse,
    approve: Approve,
    events: Mapping[type, EventRow],
    *,
    opens: bool = False,
    recorded: Callable[[Any], Any] = lambda request: request,
) -> ServiceRow:
    """The row of a service of the card office. `content`: its own fields; who gave the command is content always.

    `recorded`: what the journal keeps of a request that is declined.
    """

    def decide(
        account: Account, asked: Any, _original: Event | None, moment: Moment, policy: Policy, authorization: int
    ) -> Any:
        terminal = policy.terminals.get(asked.terminal, UNREGISTERED)
        refusal = command_check(terminal, service, asked.clerk) or refuse(account, asked, moment, policy)
        if refusal is None:
            return approve(account, asked, moment, policy, authorization)
        return office_declined(account, recorded(asked), moment, refusal)

    return ServiceRow(service, request, ("clerk", *content), decide, {**events, OfficeDeclined: DECLINED}, opens=opens)


def office_declined(account: Account, asked: Any, moment: Moment, refusal: Refusal) -> OfficeDeclined:
    """The event of a request that is refused; `asked` is what the journal keeps of it."""
    return OfficeDeclined(
        account.number, moment.time_us, account.position, asked.terminal, asked.stan, asked, moment.business_day,
        refusal.code, refusal.reason, account.purses,
    )  # fmt: skip


def event_start(
    account: Account, request: Any, moment: Moment
) -> tuple[str, int, int, int, int, str, str, int, Amounts]:
    """The fields of OfficeEvent, with the card that the request names, or the present one, and the present purses."""
    return (
        account.number, moment.time_us, account.position, request.terminal, request.stan, request.clerk,
        getattr(request, "card", account.card), moment.business_day, account.purses,
    )  # fmt: skip


def just(event: type[OfficeEvent]) -> Approve:
    """An event that needs nothing but the fields of OfficeEvent."""

    def approve(account: Account, request: Any, moment: Moment, _policy: Policy, _authorization: int) -> OfficeEvent:
        return event(*event_start(account, request, moment))

    return approve


def done(event: OfficeEvent) -> Answer:
    """Yes, with the purses as they are, for whoever works at the card office."""
    return Answer(event.terminal, event.stan, APPROVED, NO_REASON, 0, event.balances, ())


def done_quietly(event: OfficeEvent) -> Answer:
    """Yes, and nothing of the account: whoever asks has shown no card."""
    return Answer(event.terminal, event.stan, APPROVED, NO_REASON, 0, (), ())


def hot_list_change(change: str, card: str = "card") -> Callable[[Any], Effect]:
    """The effect of an event after which terminals have to know another state of a card: what happened to it."""

    def effect(event: Any) -> Effect:
        return Effect(EffectName.HOT_LIST, {"card": getattr(event, card), "change": change})

    return effect


def with_new_card(account: Account, position: int, card: str, **changes: Any) -> Account:
    """The account with a card that was just issued, and the one before it dead for ever.

    Whoever had the old card may have seen its PIN: it has to be changed before it counts with the new one.
    """
    pin = account.pin if account.pin is None else replace(account.pin, is_initial=True)
    dead_cards = (*account.dead_cards, account.card)
    return replace(account, position=position, card=card, dead_cards=dead_cards, loss=None, pin=pin, **changes)
