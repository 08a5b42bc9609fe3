"""Emergency: a call for help is recorded, whoever calls with whatever card, and is never declined."""

from __future__ import annotations

from actors.calendar import Moment
from actors.effect import Effect, EffectName
from actors.policy import Policy
from actors.terminal.events import EmergencyRaised
from wire.codes import APPROVED, NO_REASON
from wire.messages import Answer, Emergency


def raise_emergency(request: Emergency, previous: int, moment: Moment, policy: Policy) -> EmergencyRaised:
    """What is recorded: everything, and nothing is checked."""
    terminal = policy.terminals.get(request.terminal)
    return EmergencyRaised(
        request.account, moment.time_us, previous, request.terminal, request.stan, request.card,
        terminal.merchant if terminal is not None else 0, moment.business_day, moment.period,
    )  # fmt: skip


def answer_emergency(event: EmergencyRaised) -> Answer:
    """Help was called: the same for every copy, whatever account or card it names."""
    return Answer(event.terminal, event.stan, APPROVED, NO_REASON, 0, (), ())


def effect_of_emergency(event: EmergencyRaised) -> Effect:
    """Operators should know at once."""
    return Effect(EffectName.EMERGENCY, {"card": event.card, "merchant": event.merchant})
