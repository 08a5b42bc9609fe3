"""`python -m dashboards FOLDER` writes each dashboard as JSON for Grafana's provisioning."""

from __future__ import annotations

import json
import sys
from pathlib import Path

from grafana_foundation_sdk.cog.encoder import JSONEncoder

from dashboards.money import money
from dashboards.noon import noon
from dashboards.shards import shards
from dashboards.terminals import terminals

ALL = {"noon": noon, "shards": shards, "terminals": terminals, "money": money}
"""By the name of its file."""


def written(name: str) -> str:
    """The file of a dashboard."""
    return json.dumps(ALL[name]().build(), cls=JSONEncoder, indent=2, sort_keys=True, ensure_ascii=False) + "\n"


def main(folder: Path) -> None:
    """Write all into this folder."""
    for name in ALL:
        (folder / f"{name}.json").write_text(written(name), "utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
