"""The process's limit of open files."""

from __future__ import annotations

import resource


def raise_open_file_limit(needed: int) -> None:
    """Take so many descriptors, as far as the hard limit allows it; a higher soft limit stays."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != resource.RLIM_INFINITY and soft < needed:
        wanted = needed if hard == resource.RLIM_INFINITY else min(needed, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
