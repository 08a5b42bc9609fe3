"""The account as a row for the shard."""

from __future__ import annotations

from typing import Final

from actors.account.answers import ANSWER, ORIGINAL_OF, answer_repeat, concerns
from actors.account.apply import APPLY
from actors.account.decide import DECIDE
from actors.account.events import Event
from actors.account.inquiries import events_wanted, inquire
from actors.account.postings import book, holdings
from actors.account.services import SERVICE
from actors.account.state import Account, new_account
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
    concerns=concerns,
    original_of=ORIGINAL_OF,
    events_wanted=events_wanted,
    inquire=inquire,
    holdings=holdings,
    book=book,
)
