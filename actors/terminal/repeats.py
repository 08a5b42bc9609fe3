"""What a terminal is told that asks again for what was recorded of it: the recorded answer."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from actors.terminal.emergency import answer_emergency
from actors.terminal.events import Alarm, EmergencyRaised, GapExplained, GapExplanationDeclined
from actors.terminal.explain_gap import answer_explained, answer_explanation_declined, explanation_of
from wire.codes import Code, Reason
from wire.messages import Answer, Emergency, ExplainGap

ALARM_ANSWERS: Final[Mapping[type, Callable[[Any], Answer]]] = {
    EmergencyRaised: answer_emergency,
    GapExplained: answer_explained,
    GapExplanationDeclined: answer_explanation_declined,
}
"""By event."""


def answer_alarm_again(event: Alarm, request: Emergency | ExplainGap) -> Answer:
    """The answer to a request that `event` settled, or that this STAN was used for something else."""
    if _same_content(event, request):
        return ALARM_ANSWERS[type(event)](event)
    return Answer(request.terminal, request.stan, Code.DUPLICATE, Reason.CONTENT_DIFFERS, 0, (), ())


def _same_content(event: Alarm, request: Emergency | ExplainGap) -> bool:
    """Of a call for help, terminal and STAN are all of its content."""
    if isinstance(event, EmergencyRaised) or isinstance(request, Emergency):
        return isinstance(event, EmergencyRaised) and isinstance(request, Emergency)
    said = event.asked if isinstance(event, GapExplanationDeclined) else event
    return bool(explanation_of(said) == explanation_of(request))
