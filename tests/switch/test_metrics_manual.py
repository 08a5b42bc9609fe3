"""The page of the manual that lists every metric."""

from __future__ import annotations

from pathlib import Path

from switch import meters
from switch.metric_catalogue import CATALOGUE, LABELS, Sort
from switch.metrics_manual import page

PAGE = Path(__file__).parents[2] / "docs" / "operations" / "metrics.md"


def test_the_page_is_what_the_code_says():
    assert PAGE.read_text(encoding="utf-8") == page(), "`make manual` makes it anew"


def test_names_follow_prometheus_conventions():
    for described in CATALOGUE.values():
        assert described.meaning.endswith(".")
        assert not described.name.endswith("_total"), "it is added where the metric is read"
        if described.sort is Sort.HISTOGRAM:
            assert described.name.endswith(("_seconds", "_events"))


def test_every_label_is_explained_and_none_besides():
    assert {label for described in CATALOGUE.values() for label in described.labels} == LABELS.keys()


def test_every_histogram_has_its_edges_on_the_page():
    edges = page().partition("## Edges")[2]
    for described in CATALOGUE.values():
        assert (f"`tapswitch_{described.name}`" in edges) == (described.sort is Sort.HISTOGRAM)
    assert f"{meters.LATENCY_EDGES_S[0]:g}, {meters.LATENCY_EDGES_S[1]:g}" in edges
