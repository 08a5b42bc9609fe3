"""The account as a row for the shard, with the requests about a terminal that its shards answer beside it."""

from __future__ import annotations

from typing import Any, Final

from actors.account.answers import answer_repeat, bears_on, concerns, same_content
from actors.account.booking import book, holdings
from actors.account.checks.suspicious import Suspicious
from actors.account.events import Event
from actors.account.expiry import fall_due
from actors.account.holds import Reserving, reserved
from actors.account.hot_cards import hot_card, hot_changes
from actors.account.inquiries import events_wanted, inquire
from actors.account.services.claim_subsidy import claim_at_tap
from actors.account.state import Account, new_account
from actors.account.tables import ANSWER, APPLY, DECIDE, EFFECT, OFFLINE_NUMBER, OPENING, ORIGINAL_OF, SERVICE
from actors.kind import Kind
from actors.policy import Service
from actors.terminal.emergency import effect_of_emergency, raise_emergency
from actors.terminal.events import Alarm, AnyAlarm, EmergencyRaised, GapExplained
from actors.terminal.explain_gap import explain_gap
from actors.terminal.hot_list import hot_list_of_part
from actors.terminal.reconciliation import figures_of_part
from actors.terminal.repeats import ALARM_ANSWERS, answer_alarm_again
from wire.messages import Emergency, ExplainGap, HotListInquiry, Reconciliation

_EXPLAIN_GAP: Final = Service.EXPLAIN_GAP.value


def _concerns(event: Any) -> tuple[tuple[int, int], ...]:
    return ((event.terminal, event.stan),) if isinstance(event, Alarm) else concerns(event)


def _answer_repeat(event: Any, request: Any) -> Any:
    return answer_alarm_again(event, request) if isinstance(event, Alarm) else answer_repeat(event, request)


def _owner(event: Any) -> str | int:
    owner: str | int = event.terminal if isinstance(event, Alarm) else event.account
    return owner


ACCOUNT: Final = Kind(
    state_type=Account,
    event_type=Event | AnyAlarm,
    new=new_account,
    decide=DECIDE,
    precede=claim_at_tap,
    fall_due=fall_due,
    apply=APPLY,
    service={
        **SERVICE,
        Emergency: "emergency",
        EmergencyRaised: "emergency",
        ExplainGap: _EXPLAIN_GAP,
        GapExplained: _EXPLAIN_GAP,
    },
    answer={**ANSWER, **ALARM_ANSWERS},
    answer_repeat=_answer_repeat,
    same_content=same_content,
    concerns=_concerns,
    bears_on=bears_on,
    original_of=ORIGINAL_OF,
    offline_number=OFFLINE_NUMBER,
    events_wanted=events_wanted,
    inquire=inquire,
    holdings=holdings,
    reserving=frozenset(event for event in APPLY if issubclass(event, Reserving)),
    reserved=reserved,
    doubtful=frozenset(event for event in APPLY if issubclass(event, Suspicious)),
    effect={**EFFECT, EmergencyRaised: effect_of_emergency},
    book=book,
    opening=OPENING,
    alarms={Emergency: raise_emergency, ExplainGap: explain_gap},
    owner=_owner,
    part={Reconciliation: figures_of_part, HotListInquiry: hot_list_of_part},
    hot_changes=hot_changes,
    hot_card=hot_card,
)
