"""What an audit can find, and what it says at its end."""

from __future__ import annotations

from enum import StrEnum

from msgspec import Struct


class Fault(StrEnum):
    """Kinds of fault. LOST and DOUBLED are about money; each counts one effect."""

    LOST = "lost"
    DOUBLED = "doubled"
    WRONG_BALANCE = "wrong-balance"
    WRONG_ANSWER = "wrong-answer"
    CHANGED_ANSWER = "changed-answer"
    AUTHORIZATION_REUSED = "authorization-reused"
    UNREADABLE_TO_SWITCH = "unreadable-to-switch"
    REFUSED_TO_STATION = "refused-to-station"
    UNASKED_REPLY = "unasked-reply"
    UNRESOLVED = "unresolved"
    OUT_OF_BALANCE = "out-of-balance"
    WRONG_HOT_LIST = "wrong-hot-list"
    WRONG_SUSPENSE = "wrong-suspense"


class Finding(Struct, frozen=True):
    """One fault, with what was expected and what was found."""

    fault: Fault
    account: str
    terminal: int
    stan: int
    explanation: str
