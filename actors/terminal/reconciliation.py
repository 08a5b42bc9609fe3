"""Reconciliation (ISO 8583 0500): what terminal and switch say that the terminal took on a business day."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from operator import attrgetter
from typing import Final

from actors.kind import Part
from wire.codes import APPROVED, NO_REASON
from wire.messages import Answer, Figures, Reconciliation, ServiceTotal

_service: Final = attrgetter("service")


def figures_of_part(request: Reconciliation, part: Part) -> Figures:
    """The switch's side, as far as one shard knows it."""
    taken = part.totals.read(request.business_day, request.terminal)
    of_shard = (ServiceTotal(service, count, amount) for (_, _, _, service, _), (count, amount, _) in taken.items())
    return Figures(request.terminal, request.stan, request.business_day, (), _by_service(of_shard))


def reconcile(request: Reconciliation, parts: Iterable[Figures]) -> Answer | Figures:
    """What the terminal is told when every shard has given its part: in balance, or both sides' totals."""
    of_terminal = tuple(sorted(filter(_is_any, request.totals), key=_service))
    of_switch = _by_service(total for part in parts for total in part.of_switch)
    if of_terminal == of_switch:
        return Answer(request.terminal, request.stan, APPROVED, NO_REASON, 0, (), ())
    return Figures(request.terminal, request.stan, request.business_day, of_terminal, of_switch)


def _by_service(totals: Iterable[ServiceTotal]) -> tuple[ServiceTotal, ...]:
    """Added up by service, in alphabetical order."""
    sums: defaultdict[str, list[int]] = defaultdict(lambda: [0, 0])
    for total in totals:
        sums[total.service][0] += total.count
        sums[total.service][1] += total.amount
    return tuple(ServiceTotal(service, count, amount) for service, (count, amount) in sorted(sums.items()))


def _is_any(total: ServiceTotal) -> bool:
    return total.count != 0 or total.amount != 0
