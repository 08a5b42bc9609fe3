"""Protocol errors, split by whose mistake they are."""

from __future__ import annotations

from enum import StrEnum


class Breach(StrEnum):
    """Why a peer's bytes end its connection. A closed set: each value is also a metric label."""

    GREETING = "greeting"
    UNKNOWN_STATION = "unknown-station"
    HANDSHAKE = "handshake"
    RECORD_SIZE = "record-size"
    RECORD_UNOPENED = "record-unopened"
    RECORD_STRUCTURE = "record-structure"
    SIGN_ON_EXPECTED = "sign-on-expected"


class LocalProtocolError(Exception):
    """Our own side asked for something the protocol does not allow in this state: a bug in the caller."""


class PeerProtocolError(Exception):
    """The peer sent bytes that cannot continue this connection; close it and log `breach` and the text."""

    def __init__(self, breach: Breach, explanation: str) -> None:
        super().__init__(f"{breach}: {explanation}")
        self.breach = breach
        self.explanation = explanation
