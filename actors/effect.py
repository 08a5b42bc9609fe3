"""Effects: what the world outside the switch should learn of an event. They are read from the journal by followers."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import NamedTuple


class EffectName(StrEnum):
    """What an effect is about: followers choose by it. A closed set."""

    ALERT = "alert"
    """A purchase drew more from the family purse than its guardian wants to hear nothing of."""

    HOT_LIST = "hot-list"
    """A card must not be used any more, or is what it was before."""

    REVIEW_OVERDUE = "review-overdue"
    """Nobody has reviewed a loss in the time that the campus gives."""

    SUSPICIOUS = "suspicious"
    """Money that could not be posted cleanly, and stands in suspense until somebody explains it."""

    EMERGENCY = "emergency"
    """Somebody at a terminal called for help; account and card are what the terminal knew, perhaps nothing."""


class Effect(NamedTuple):
    """`details`: names and values for a reader; amounts are minor units."""

    name: EffectName
    details: Mapping[str, str | int]
