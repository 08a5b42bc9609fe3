"""What the operating system refused, in words: without the number that it has for it."""

from __future__ import annotations


def in_words(error: OSError) -> str:
    """As `campus.toml: Permission denied`."""
    why = error.strerror or str(error)
    return why if error.filename is None else f"{error.filename}: {why}"
