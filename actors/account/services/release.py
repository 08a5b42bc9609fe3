"""Release (ISO 8583 0220): nothing of a hold was used; all of it is free again."""

from __future__ import annotations

from typing import Final

from msgspec.structs import replace

from actors.account.checks.original import hold_check
from actors.account.checks.refusal import Refusal
from actors.account.checks.terminal import UNREGISTERED, service_check
from actors.account.events import Event, Held, HoldExpired, Released, ReleaseDeclined
from actors.account.holds import freed
from actors.account.service import DECLINED, EventRow, ServiceRow, approved
from actors.account.state import Account
from actors.calendar import Moment
from actors.policy import Policy, Service, Terminal
from wire.codes import Code, Reason
from wire.messages import Release

_HOLD_EXPIRED: Final = Refusal(Code.INVALID_TRANSACTION, Reason.HOLD_EXPIRED)


def _refusal(request: Release, terminal: Terminal, original: Event | None) -> Refusal | None:
    return service_check(terminal, Service.RELEASE) or hold_check(request, original) or _expiry_check(original)


def _expiry_check(original: Event | None) -> Refusal | None:
    return _HOLD_EXPIRED if isinstance(original, HoldExpired) else None


def _decide(
    account: Account, request: Release, original: Event | None, moment: Moment, policy: Policy, authorization: int
) -> Released | ReleaseDeclined:
    terminal = policy.terminals.get(request.terminal, UNREGISTERED)
    refusal = _refusal(request, terminal, original)
    if refusal is not None:
        return ReleaseDeclined(
            account.number, moment.time_us, account.position, request.terminal, request.stan,
            request.original_terminal, request.original_stan, terminal.merchant, moment.business_day, moment.period,
            refusal.code, refusal.reason, account.purses,
        )  # fmt: skip
    assert isinstance(original, Held), "nothing else passes the checks"
    return Released(
        account.number, moment.time_us, account.position, request.terminal, request.stan,
        request.original_terminal, request.original_stan, original.amount, original.merchant, moment.business_day,
        moment.period, account.purses, authorization,
    )  # fmt: skip


def _apply(account: Account, event: Released, position: int) -> Account:
    return replace(freed(account, event.original_terminal, event.original_stan), position=position)


RELEASE: Final = ServiceRow(
    service=Service.RELEASE,
    request=Release,
    content=("original_terminal", "original_stan"),
    decide=_decide,
    events={Released: EventRow(_apply, approved, uses_original=True), ReleaseDeclined: DECLINED},
    names_original=True,
)
