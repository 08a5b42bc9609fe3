"""The one error for what a person can mend: a file, an option, an address."""

from __future__ import annotations


class BadInputError(Exception):
    """The text names the file or option and the field, and says what to do."""
