"""What a terminal of its kind has to know, and the version of it."""

from __future__ import annotations

from hashlib import blake2b

import msgspec

from actors.policy import Service
from switch.campus import Campus
from wire.messages import MealPeriodEnd, Parameters, ParametersInquiry

_VERSION_BYTES = 8


def parameters(request: ParametersInquiry, campus: Campus) -> Parameters:
    """All of them; or, if the terminal has this version, only that."""
    terminal, policy = request.terminal, campus.policy
    calendar = policy.calendar_at(terminal)
    sells_offline = Service.ADVICE in policy.terminals[terminal].services
    told = Parameters(
        terminal, request.stan, "",
        prompt=campus.prompts[terminal],
        pin_above=policy.limits.purchase_max,
        meal_periods=tuple(MealPeriodEnd(period.name, period.until.isoformat()) for period in calendar.periods),
        offline_floor=policy.offline.floor if sells_offline else 0,
        offline_total=policy.offline.total if sells_offline else 0,
        time_zone=calendar.zone.key,
        business_day_starts=calendar.cut_over.isoformat(),
    )  # fmt: skip
    content = msgspec.structs.replace(told, terminal=0, stan=0)
    version = blake2b(msgspec.msgpack.encode(content), digest_size=_VERSION_BYTES).hexdigest()
    if version == request.version:
        return Parameters(terminal, request.stan, version)
    return msgspec.structs.replace(told, version=version)
