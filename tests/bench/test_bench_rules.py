"""The timed purchases are approved under every rule, and each rule has its figure."""

from __future__ import annotations

import json
from pathlib import Path

from click.testing import CliRunner

from bench.rules import main, measure, variants


def test_every_variant_is_measured() -> None:
    told: list[int] = []
    figures = measure(variants(), 2, 1, told.append)
    assert list(figures) == [variant.name for variant in variants()]
    assert min(figures.values()) > 0
    assert told == [0, 1]


def test_table_and_file(tmp_path: Path) -> None:
    path = tmp_path / "rules.json"
    result = CliRunner().invoke(main, ["--repeats", "1", "--turns", "1", "--json", str(path)])
    assert result.exit_code == 0, result.output
    figures = json.loads(path.read_text())
    for variant in variants():
        assert figures[variant.name] > 0
        assert variant.name.split()[0] in result.output
