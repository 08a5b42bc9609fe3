"""The words for a card's state and for the class of person who holds it."""

from enum import StrEnum


class CardState(StrEnum):
    """Where a card stands in its life; only an active card may spend."""

    ISSUED = "issued"
    ACTIVE = "active"
    LOST = "lost"
    FROZEN = "frozen"
    EXPIRED = "expired"
    REPLACED = "replaced"
    CLOSED = "closed"


class PersonClass(StrEnum):
    """The classes of people who hold an account."""

    __hash__ = str.__hash__  # an enumeration's own hash is Python code, and a class may be looked up for every purchase

    STUDENT = "student"
    STAFF = "staff"
    ADMINISTRATOR = "administrator"
    SERVICE_STAFF = "service-staff"
    VISITOR = "visitor"
