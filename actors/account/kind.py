"""The account as a row for the shard."""

from __future__ import annotations

from typing import Final

from actors.account.answers import answer_repeat, bears_on, concerns, same_content
from actors.account.booking import book, holdings
from actors.account.events import Event
from actors.account.inquiries import events_wanted, inquire
from actors.account.state import Account, new_account
from actors.account.tables import ANSWER, APPLY, DECIDE, EFFECT, OFFLINE_NUMBER, OPENING, ORIGINAL_OF, SERVICE
from actors.kind import Kind

ACCOUNT: Final = Kind(
    state_type=Account,
    event_type=Event,
    new=new_account,
    decide=DECIDE,
    apply=APPLY,
    service=SERVICE,
    answer=ANSWER,
    answer_repeat=answer_repeat,
    same_content=same_content,
    concerns=concerns,
    bears_on=bears_on,
    original_of=ORIGINAL_OF,
    offline_number=OFFLINE_NUMBER,
    events_wanted=events_wanted,
    inquire=inquire,
    holdings=holdings,
    effect=EFFECT,
    book=book,
    opening=OPENING,
)
