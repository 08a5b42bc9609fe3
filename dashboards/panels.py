"""Panels as all dashboards have them: expressions, a unit, limits, and what to do when it looks wrong."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, TypeAlias

from grafana_foundation_sdk.builders import common, dashboard, prometheus, stat, timeseries
from grafana_foundation_sdk.models.common import GraphThresholdsStyleMode, LegendDisplayMode, TooltipDisplayMode
from grafana_foundation_sdk.models.dashboard import (
    DashboardCursorSync,
    DashboardLinkType,
    DataSourceRef,
    Threshold,
    ThresholdsMode,
)

SOURCE: Final = DataSourceRef(type_val="prometheus", uid="${source}")
COLUMNS: Final = 24

Expressions: TypeAlias = Mapping[str, str]
"""By legend; Grafana puts labels' values in place of {{label}}."""

Limits: TypeAlias = Mapping[str, float]
"""From which value on a panel has which colour. Below all of them it is green."""


def figure(
    title: str, expression: str, unit: str, description: str, limits: Limits | None = None, *, bad_below: bool = False
) -> stat.Panel:
    """One number as it is now. `bad_below`: it is red until it reaches the limits."""
    return (
        stat.Panel()
        .title(title)
        .description(description)
        .datasource(SOURCE)
        .unit(unit)
        .thresholds(_thresholds(limits or {}, "red" if bad_below else "green"))
        .reduce_options(common.ReduceDataOptions().calcs(["lastNotNull"]))
        .with_target(_query("A", "", expression).instant())
        .height(4)
        .span(COLUMNS // 6)
    )


def graph(
    title: str, expressions: Expressions, unit: str, description: str, limits: Limits | None = None
) -> timeseries.Panel:
    """Lines over time, from zero; limits are dashed lines."""
    panel = (
        timeseries.Panel()
        .title(title)
        .description(description)
        .datasource(SOURCE)
        .unit(unit)
        .min(0)
        .thresholds(_thresholds(limits or {}, "green"))
        .thresholds_style(
            common.GraphThresholdsStyleConfig().mode(
                GraphThresholdsStyleMode.DASHED if limits else GraphThresholdsStyleMode.OFF
            )
        )
        .legend(common.VizLegendOptions().display_mode(LegendDisplayMode.LIST).show_legend(True))  # noqa: FBT003 - the library's
        .tooltip(common.VizTooltipOptions().mode(TooltipDisplayMode.MULTI))
        .height(8)
        .span(COLUMNS // 3)
    )
    for place, (legend, expression) in enumerate(expressions.items()):
        panel.with_target(_query(chr(ord("A") + place), legend, expression).range())
    return panel


def page(name: str, title: str, description: str, *panels: stat.Panel | timeseries.Panel) -> dashboard.Dashboard:
    """A dashboard. Its name is the file's, and part of its address for ever."""
    made = (
        dashboard.Dashboard(f"tapswitch: {title}")
        .uid(f"tapswitch-{name}")
        .description(description)
        .tags(["tapswitch"])
        .time("now-3h", "now")
        .refresh("10s")
        .timezone("browser")
        .tooltip(DashboardCursorSync.CROSSHAIR)
        .with_variable(dashboard.DatasourceVariable("source").label("Prometheus").type("prometheus"))
        .link(
            dashboard.DashboardLink("tapswitch").type(DashboardLinkType.DASHBOARDS).tags(["tapswitch"]).keep_time(True)  # noqa: FBT003 - the library's
        )
    )
    for panel in panels:
        made.with_panel(panel)
    return made


def _query(name: str, legend: str, expression: str) -> prometheus.Dataquery:
    return prometheus.Dataquery().ref_id(name).datasource(SOURCE).expr(expression).legend_format(legend)


def _thresholds(limits: Limits, base: str) -> dashboard.ThresholdsConfig:
    steps = [Threshold(value=None, color=base), *(Threshold(value=value, color=c) for c, value in limits.items())]
    return dashboard.ThresholdsConfig().mode(ThresholdsMode.ABSOLUTE).steps(steps)
