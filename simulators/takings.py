"""What a terminal took by its own count, as it reconciles it: see `Reconciliation`.

A terminal that never saw a purchase's answer learns from the answer to its reversal that there was one.
"""

from __future__ import annotations

from simulators.errands import Reversible
from simulators.money import format_yuan
from wire.messages import AccountRequest, Advice, Answer, Capture, Figures, Purchase, ServiceTotal, TopUp

_NOTHING = (0, 0)


class Takings:
    """Of one terminal on one business day."""

    def __init__(self) -> None:
        self._totals: dict[str, tuple[int, int]] = {}

    def begin(self, before: Figures) -> None:
        """The switch says what was taken before the terminal began to count."""
        self._totals = {total.service: (total.count, total.amount) for total in before.of_switch}

    def take(self, request: AccountRequest, answer: Answer) -> None:
        """The terminal has got `answer` to `request`, and none before."""
        if not answer.authorization:
            return
        match request:
            case Purchase():
                self._count("purchase", sum(answer.paid))
            case TopUp():
                self._count("top-up", request.amount)
            case Capture():
                self._count("capture", request.amount)
            case Advice():
                self._count("advice", request.amount)
            case _:
                pass

    def take_reversal(self, original: Reversible, answer: Answer) -> None:
        """The reversal of what was never answered was: if with an authorization number, both of them count."""
        if not answer.authorization:
            return
        match original:
            case Purchase():
                self._count_both("purchase", -sum(answer.paid))
            case TopUp():
                self._count_both("top-up", original.amount)
            case _:
                pass

    @property
    def totals(self) -> tuple[ServiceTotal, ...]:
        """By service, in alphabetical order."""
        return tuple(ServiceTotal(service, count, amount) for service, (count, amount) in sorted(self._totals.items()))

    def _count_both(self, service: str, amount: int) -> None:
        self._count(service, amount)
        self._count(f"reversal-of-{service}", amount)

    def _count(self, service: str, amount: int) -> None:
        count, total = self._totals.get(service, _NOTHING)
        self._totals[service] = count + 1, total + amount


def difference(figures: Figures) -> str:
    """In words: the services of which terminal and switch have other totals."""
    sides = [{total.service: total for total in side} for side in (figures.of_terminal, figures.of_switch)]
    return "; ".join(
        f"{service}: the terminal has {_told(sides[0].get(service))}, the switch {_told(sides[1].get(service))}"
        for service in sorted(sides[0].keys() | sides[1].keys())
        if sides[0].get(service) != sides[1].get(service)
    )


def _told(total: ServiceTotal | None) -> str:
    return "none" if total is None else f"{total.count} of {format_yuan(total.amount)}"
