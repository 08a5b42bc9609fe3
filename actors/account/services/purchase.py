"""Purchase (ISO 8583 0200/00): goods are paid for from the purses."""

from __future__ import annotations

from typing import Final

from msgspec.structs import replace

from actors.account.card import CardState
from actors.account.checks.amounts import AMOUNT_MAX, AMOUNT_OUT_OF_RANGE, funds_check, limits_of, spending_check
from actors.account.checks.card import card_check
from actors.account.checks.pin import spending_pin_check
from actors.account.checks.refusal import Refusal
from actors.account.checks.terminal import OUTSIDE_HOURS, SERVICE_NOT_OFFERED, UNREGISTERED
from actors.account.due import with_due
from actors.account.events import (
    AlertingPurchase,
    Event,
    PricedPurchase,
    PricedPurchaseWithPin,
    Purchased,
    PurchaseDeclined,
    PurchaseDeclinedWithPin,
    PurchasedUncounted,
    PurchasedWithPin,
)
from actors.account.family import spendable, with_drawn
from actors.account.holds import held
from actors.account.postings import MERCHANTS, Booking, purse_postings
from actors.account.pricing import at_price
from actors.account.purses import FAMILY, Amounts, draw, held_in, left
from actors.account.service import DECLINED, DECLINED_WITH_PIN, EventRow, ServiceRow
from actors.account.state import Account, with_wrong_tries
from actors.calendar import Moment
from actors.effect import Effect, EffectName
from actors.policy import Limits, Policy, Service, Terminal
from wire.codes import APPROVED, NO_REASON
from wire.messages import Answer, Purchase
from wire.pin import PinUse

# Reaching an enumeration's member costs 0.1 microseconds in Python 3.11: what every tap needs is reached once, here.
_PURCHASE: Final = Service.PURCHASE
_ACTIVE: Final = CardState.ACTIVE


# A purchase is checked in three steps, and must succeed if none refuses: terminal, amount and card; the PIN, if its
# price is above the limit; sums and funds. A check is called only where it will refuse, or may: this runs for every
# tap, and in Python a call costs twice what the comparisons in it do.


def _refusal_before_pin(
    account: Account, request: Purchase, price: int, terminal: Terminal, moment: Moment
) -> Refusal | None:
    """`price` is what the amount that is asked comes to."""
    day = moment.business_day
    if _PURCHASE not in terminal.services:
        return SERVICE_NOT_OFFERED
    if terminal.open_periods is not None and moment.period not in terminal.open_periods:
        return OUTSIDE_HOURS
    if not 0 < request.amount <= AMOUNT_MAX or price > AMOUNT_MAX:
        return AMOUNT_OUT_OF_RANGE
    if request.card != account.card or account.card_state is not _ACTIVE or day > account.expires:
        return card_check(account, request.card, day)
    return None


def _refusal_after_pin(account: Account, price: int, purses: Amounts, moment: Moment, limits: Limits) -> Refusal | None:
    """`purses` is what may be drawn."""
    reserved = held(account) if account.holds else 0
    return spending_check(account, price, moment, limits) or funds_check(purses, price, limits.balance_min, reserved)


def _decide(
    account: Account, request: Purchase, _original: Event | None, moment: Moment, policy: Policy, authorization: int
) -> Purchased | PurchaseDeclined:
    terminal = policy.terminals.get(request.terminal, UNREGISTERED)
    limits = policy.limits
    if policy.class_limits or account.own_limits is not None:
        limits = limits_of(account, policy)
    price, rule = request.amount, None
    if policy.prices:
        rule = policy.prices.get((account.person_class, terminal.merchant, moment.period))
        price = price if rule is None else rule.of(price)
    purses = account.purses if account.family is None else spendable(account, moment.business_day)
    wrong_tries = None
    refusal = _refusal_before_pin(account, request, price, terminal, moment)
    if refusal is None and limits.purchase_max and price > limits.purchase_max:
        refusal, wrong_tries, _ = spending_pin_check(account, request, PinUse.PURCHASE, policy.pin_keys)
    if refusal is None:
        refusal = _refusal_after_pin(account, price, purses, moment, limits)
    if refusal is not None:
        declined = (
            account.number, moment.time_us, account.position, request.terminal, request.stan, request.card,
            request.amount, terminal.merchant, moment.business_day, moment.period, refusal.code, refusal.reason,
            account.purses,
        )  # fmt: skip
        return PurchaseDeclined(*declined) if wrong_tries is None else PurchaseDeclinedWithPin(*declined, wrong_tries)
    if len(purses) == 1:  # nearly every account: no call for every tap
        paid: Amounts = (price,)
        balances: Amounts = (purses[0] - price,)
    else:
        paid = draw(purses, price, policy.spending_order, limits.balance_min)
        balances = left(account.purses, paid)
        family = account.family
        if family is not None and 0 < family.alert_above < held_in(paid, FAMILY):
            return AlertingPurchase(
                account.number, moment.time_us, account.position, request.terminal, request.stan, request.card,
                request.amount, terminal.merchant, moment.business_day, moment.period, paid, balances, authorization,
                price - request.amount, wrong_tries is not None, family.guardian, family.alert_above,
            )  # fmt: skip
    if rule is None:
        purchased = Purchased if wrong_tries is None else PurchasedWithPin
        return purchased(
            account.number, moment.time_us, account.position, request.terminal, request.stan, request.card,
            price, terminal.merchant, moment.business_day, moment.period, paid, balances, authorization,
        )  # fmt: skip
    priced = PricedPurchase if wrong_tries is None else PricedPurchaseWithPin
    return priced(
        account.number, moment.time_us, account.position, request.terminal, request.stan, request.card,
        request.amount, terminal.merchant, moment.business_day, moment.period, paid, balances, authorization,
        price - request.amount,
    )  # fmt: skip


def _apply(account: Account, event: Purchased, position: int) -> Account:
    amount, day, period = event.amount, event.business_day, event.period
    spent, purchases, period_spent, period_purchases = amount, 1, amount, 1
    if account.spending_day == day:
        spent += account.spent
        purchases += account.purchases
        if account.spending_period >= period:  # a merchant's own meal period may last longer
            period = account.spending_period
            period_spent += account.period_spent
            period_purchases += account.period_purchases
    after = replace(
        account, position=position, purses=event.balances, spending_day=day, spent=spent, purchases=purchases,
        spending_period=period, period_spent=period_spent, period_purchases=period_purchases,
    )  # fmt: skip
    paid = event.paid
    if len(paid) == 1:
        return after
    if account.due_us:  # the subsidy that was due may be spent now
        after = with_due(after)
    return with_drawn(after, day, held_in(paid, FAMILY))


def _apply_with_pin(account: Account, event: PurchasedWithPin, position: int) -> Account:
    return replace(_apply(account, event, position), pin=with_wrong_tries(account.pin, 0))


def _apply_priced_with_pin(account: Account, event: PricedPurchaseWithPin, position: int) -> Account:
    return replace(_apply(account, at_price(event), position), pin=with_wrong_tries(account.pin, 0))


def _apply_alerting(account: Account, event: AlertingPurchase, position: int) -> Account:
    after = _apply(account, at_price(event), position)
    return replace(after, pin=with_wrong_tries(account.pin, 0)) if event.with_pin else after


def _apply_uncounted(account: Account, event: PurchasedUncounted, position: int) -> Account:
    day = event.business_day
    spent = account.spent if account.spending_day == day else 0
    return replace(account, position=position, purses=event.balances, spending_day=day, spent=spent + event.amount)


def _answer(event: Purchased) -> Answer:
    return Answer(event.terminal, event.stan, APPROVED, NO_REASON, event.authorization, event.balances, event.paid)


def _alert(event: AlertingPurchase) -> Effect:
    drawn = event.paid[FAMILY]
    return Effect(EffectName.ALERT, {"guardian": event.guardian, "drawn": drawn, "alert_above": event.alert_above})


def _book(event: Purchased) -> Booking:
    return (
        (event.business_day, event.merchant, event.terminal, _PURCHASE.value, event.period),
        event.amount,
        (*purse_postings(event.paid, -1), ((MERCHANTS, event.merchant), event.amount)),
    )


_PURCHASED: Final = EventRow(_apply, _answer, lambda event: -event.amount, _book)

_PRICED: Final = EventRow(
    lambda account, event, position: _apply(account, at_price(event), position),
    _answer,
    lambda event: -event.amount - event.adjustment,
    lambda event: _book(at_price(event)),
)

PURCHASE: Final = ServiceRow(
    service=Service.PURCHASE,
    request=Purchase,
    content=("card", "amount"),
    decide=_decide,
    events={
        Purchased: _PURCHASED,
        PurchasedWithPin: _PURCHASED._replace(apply=_apply_with_pin),
        PricedPurchase: _PRICED,
        PricedPurchaseWithPin: _PRICED._replace(apply=_apply_priced_with_pin),
        AlertingPurchase: _PRICED._replace(apply=_apply_alerting, effect=_alert),
        PurchasedUncounted: _PURCHASED._replace(apply=_apply_uncounted),
        PurchaseDeclined: DECLINED,
        PurchaseDeclinedWithPin: DECLINED_WITH_PIN,
    },
)
