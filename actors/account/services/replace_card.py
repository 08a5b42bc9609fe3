"""Replace: a new card in place of a lost one, for a fee. All but the card stays; the old card is dead for ever."""

from __future__ import annotations

from typing import Final

from actors.account.card import CardState
from actors.account.checks.amounts import funds_check
from actors.account.checks.card import open_check
from actors.account.checks.office import lost_check, new_card_check, reviewed_check, thawed_check
from actors.account.checks.refusal import Refusal
from actors.account.due import with_due
from actors.account.events import CardReplaced
from actors.account.holds import held
from actors.account.office import hot_list_change, office_service, with_new_card
from actors.account.postings import CHANNELS, FEE_INCOME, Booking, purse_postings
from actors.account.purses import Amounts, draw, left
from actors.account.service import EventRow, ServiceRow
from actors.account.state import Account
from actors.calendar import Moment
from actors.policy import Policy, Service
from wire.codes import APPROVED, NO_REASON
from wire.messages import Answer, FeePayment, ReplaceCard

_CASH: Final = (CHANNELS, 1)


def _fee(request: ReplaceCard, policy: Policy) -> int:
    return 0 if request.fee is FeePayment.WAIVED else policy.replacement_fee


def _refusal(account: Account, request: ReplaceCard, _moment: Moment, policy: Policy) -> Refusal | None:
    return (
        open_check(account)
        or lost_check(account)
        or reviewed_check(account)
        or thawed_check(account)
        or new_card_check(account, request.card)
        or _fee_check(account, request, policy)
    )


def _fee_check(account: Account, request: ReplaceCard, policy: Policy) -> Refusal | None:
    if request.fee is not FeePayment.PURSES:
        return None
    return funds_check(account.purses, _fee(request, policy), reserved=held(account))


def _approve(
    account: Account, request: ReplaceCard, moment: Moment, policy: Policy, authorization: int
) -> CardReplaced:
    fee, terminal = _fee(request, policy), policy.terminals[request.terminal]
    paid: Amounts = ()
    balances = account.purses
    if request.fee is FeePayment.PURSES:
        paid = draw(balances, fee, policy.spending_order)
        balances = left(balances, paid)
    return CardReplaced(
        account.number, moment.time_us, account.position, request.terminal, request.stan, request.clerk, request.card,
        moment.business_day, balances, account.card, request.fee, fee,
        paid, terminal.merchant, moment.period, authorization,
    )  # fmt: skip


def _apply(account: Account, event: CardReplaced, position: int) -> Account:
    return with_due(with_new_card(account, position, event.card, card_state=CardState.ISSUED, purses=event.balances))


def _answer(event: CardReplaced) -> Answer:
    return Answer(event.terminal, event.stan, APPROVED, NO_REASON, event.authorization, event.balances, event.paid)


def _book(event: CardReplaced) -> Booking:
    totals = (event.business_day, event.merchant, event.terminal, Service.REPLACE_CARD.value, event.period)
    if not event.amount:
        return totals, 0, ()
    source = purse_postings(event.paid, -1) if event.fee is FeePayment.PURSES else ((_CASH, -event.amount),)
    return totals, event.amount, (*source, (FEE_INCOME, event.amount))


REPLACE_CARD: Final[ServiceRow] = office_service(
    Service.REPLACE_CARD,
    ReplaceCard,
    ("card", "fee"),
    _refusal,
    _approve,
    {
        CardReplaced: EventRow(
            _apply, _answer, lambda event: -sum(event.paid), _book, hot_list_change("replaced", "dead_card")
        )
    },
)
