"""A dashboard in Grafana's classic JSON model, out of panels that are a line or two each.

It is written at the model's last schema version, so that a current Grafana has nothing to migrate.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

SCHEMA_VERSION: Final = 42
"""The last one of the classic model."""
WIDTH: Final = 24
DATA: Final = {"type": "prometheus", "uid": "${datasource}"}
ANY: Final = ".*"


@dataclass(frozen=True, slots=True, kw_only=True)
class Query:
    """One expression of a panel.

    Attributes:
        expr: PromQL; a table and a bar are asked for now, a line for the span that is shown.
        legend: of its series.
    """

    expr: str
    legend: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Panel:
    """One panel.

    Attributes:
        kind: timeseries, stat, bargauge, state-timeline or table.
        about: what it shows and what to do about it.
        unit: Grafana's name of the unit, or `suffix:` and a text.
        steps: thresholds: a value and the colour from there on; the first one's value is None.
        words: text for values, e.g. of a state.
        colours: of series, by name.
        stacked: whether lines are laid on each other.
        names: of a table's columns, by label or query.
        repeat: variable that it is repeated for.
    """

    kind: str
    title: str
    about: str
    queries: Sequence[Query]
    unit: str = "short"
    width: int = 8
    height: int = 8
    decimals: int | None = None
    lowest: float | None = None
    highest: float | None = None
    steps: Sequence[tuple[float | None, str]] = ()
    words: Mapping[str, tuple[str, str]] = field(default_factory=dict)
    colours: Mapping[str, str] = field(default_factory=dict)
    stacked: bool = False
    names: Mapping[str, str] = field(default_factory=dict)
    units: Mapping[str, str] = field(default_factory=dict)
    repeat: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """A heading, and the panels below it; a closed one asks for nothing until it is opened."""

    title: str
    panels: Sequence[Panel]
    closed: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Variable:
    """What the reader chooses: the values of a label of a metric.

    Attributes:
        several: whether all or several may be chosen, which is where it begins.
    """

    name: str
    label: str
    metric: str
    of: str
    about: str
    several: bool = True


def dashboard(rows: Sequence[Row], variables: Sequence[Variable]) -> dict[str, Any]:
    """Return the dashboard as Grafana imports it."""
    return {
        "annotations": {"list": [_annotations()]},
        "description": "Tokenergy's gateway: what a token costs, why a request was refused, who "
        "spent what, and whether the figures can be trusted. Panels say what to do; the pages are "
        "docs/monitoring.md and docs/serve.md.",
        "editable": True,
        "fiscalYearStartMonth": 0,
        "graphTooltip": 1,
        "id": None,
        "links": [],
        "panels": _laid(rows),
        "preload": False,
        "refresh": "30s",
        "schemaVersion": SCHEMA_VERSION,
        "tags": ["tokenergy", "energy", "llm"],
        "templating": {"list": [_source(), *(_variable(each) for each in variables)]},
        "time": {"from": "now-6h", "to": "now"},
        "timepicker": {},
        "timezone": "browser",
        "title": "Tokenergy",
        "uid": "tokenergy",
        "version": 1,
        "weekStart": "",
    }


def _laid(rows: Sequence[Row]) -> list[dict[str, Any]]:
    """Lay panels out from left to right, and number them."""
    laid: list[dict[str, Any]] = []
    number, top = 1, 0
    for row in rows:
        head = _row(row, number, top)
        laid.append(head)
        number, top = number + 1, top + 1
        left = deepest = 0
        for panel in row.panels:
            if left + panel.width > WIDTH:
                left, top = 0, top + deepest
                deepest = 0
            made = _panel(panel, number, {"h": panel.height, "w": panel.width, "x": left, "y": top})
            (head["panels"] if row.closed else laid).append(made)
            number, left = number + 1, left + panel.width
            deepest = max(deepest, panel.height)
        top += deepest
    return laid


def _row(row: Row, number: int, top: int) -> dict[str, Any]:
    return {
        "collapsed": row.closed,
        "gridPos": {"h": 1, "w": WIDTH, "x": 0, "y": top},
        "id": number,
        "panels": [],
        "title": row.title,
        "type": "row",
    }


def _panel(panel: Panel, number: int, place: Mapping[str, int]) -> dict[str, Any]:
    made = {
        "datasource": DATA,
        "description": panel.about,
        "fieldConfig": {"defaults": _defaults(panel), "overrides": _overrides(panel)},
        "gridPos": place,
        "id": number,
        "options": _options(panel),
        "targets": [_target(panel, at, query) for at, query in enumerate(panel.queries)],
        "title": panel.title,
        "type": panel.kind,
    }
    if panel.kind == "table":
        made["transformations"] = _table(panel)
    if panel.repeat:
        made |= {"repeat": panel.repeat, "repeatDirection": "h", "maxPerRow": WIDTH // panel.width}
    return made


def _defaults(panel: Panel) -> dict[str, Any]:
    steps = panel.steps or ((None, "text" if panel.kind == "stat" else "green"),)
    told: dict[str, Any] = {
        "color": {"mode": "thresholds" if panel.steps else "palette-classic"},
        "custom": _custom(panel),
        "mappings": [],
        "thresholds": {
            "mode": "absolute",
            "steps": [{"color": colour, "value": value} for value, colour in steps],
        },
        "unit": panel.unit,
    }
    if panel.kind == "stat" and not panel.steps:
        told["color"] = {"mode": "fixed", "fixedColor": "text"}
    for key, value in (("decimals", panel.decimals), ("min", panel.lowest), ("max", panel.highest)):
        if value is not None:
            told[key] = value
    if panel.words:
        options = {
            value: {"color": colour, "index": at, "text": text}
            for at, (value, (text, colour)) in enumerate(panel.words.items())
        }
        told["mappings"] = [{"options": options, "type": "value"}]
    return told


def _custom(panel: Panel) -> dict[str, Any]:
    if panel.kind == "state-timeline":
        return {"fillOpacity": 70, "lineWidth": 0}
    if panel.kind == "table":
        return {"align": "auto", "cellOptions": {"type": "auto"}, "inspect": False}
    if panel.kind != "timeseries":
        return {}
    return {
        "axisPlacement": "auto",
        "drawStyle": "line",
        "fillOpacity": 60 if panel.stacked else 8,
        "lineInterpolation": "linear",
        "lineWidth": 1,
        "scaleDistribution": {"type": "linear"},
        "showPoints": "never",
        "spanNulls": False,
        "stacking": {"group": "A", "mode": "normal" if panel.stacked else "none"},
        "thresholdsStyle": {"mode": "dashed" if panel.steps else "off"},
    }


def _overrides(panel: Panel) -> list[dict[str, Any]]:
    """Return what single series or columns have of their own: a colour, a unit."""
    found = [
        _override(name, "color", {"fixedColor": colour, "mode": "fixed"})
        for name, colour in panel.colours.items()
    ]
    found += [_override(name, "unit", unit) for name, unit in panel.units.items()]
    return found


def _override(name: str, what: str, value: object) -> dict[str, Any]:
    return {
        "matcher": {"id": "byName", "options": name},
        "properties": [{"id": what, "value": value}],
    }


def _options(panel: Panel) -> dict[str, Any]:
    calculated = {"calcs": ["lastNotNull"], "fields": "", "values": False}
    legend = {"calcs": ["lastNotNull"], "displayMode": "table", "placement": "bottom"}
    if panel.kind == "stat":
        return {
            "colorMode": "value",
            "graphMode": "area",
            "justifyMode": "auto",
            "orientation": "auto",
            "reduceOptions": calculated,
            "textMode": "name" if panel.queries[0].legend else "auto",
            "wideLayout": True,
        }
    if panel.kind == "bargauge":
        return {
            "displayMode": "basic",
            "orientation": "horizontal",
            "reduceOptions": calculated,
            "showUnfilled": True,
            "valueMode": "color",
        }
    if panel.kind == "table":
        return {"cellHeight": "sm", "showHeader": True}
    if panel.kind == "state-timeline":
        legend = {"displayMode": "list", "placement": "bottom"}
        rest = {"mergeValues": True, "rowHeight": 0.9, "showValue": "never"}
        return {**rest, "legend": {**legend, "showLegend": True}, "tooltip": {"mode": "single"}}
    return {"legend": {**legend, "showLegend": True}, "tooltip": {"mode": "multi", "sort": "desc"}}


def _target(panel: Panel, at: int, query: Query) -> dict[str, Any]:
    now = panel.kind == "table"
    return {
        "datasource": DATA,
        "editorMode": "code",
        "expr": query.expr,
        "format": "table" if now else "time_series",
        "instant": now,
        "legendFormat": query.legend or "__auto",
        "range": not now,
        "refId": chr(ord("A") + at),
    }


def _table(panel: Panel) -> list[dict[str, Any]]:
    """Join the queries of a table by their labels, and name its columns."""
    values = {f"Value #{chr(ord('A') + at)}": one.legend for at, one in enumerate(panel.queries)}
    if len(panel.queries) == 1:
        values = {"Value": panel.queries[0].legend}
    return [
        {"id": "merge", "options": {}},
        {
            "id": "organize",
            "options": {
                "excludeByName": {"Time": True},
                "includeByName": {},
                "indexByName": {},
                "renameByName": {**panel.names, **values},
            },
        },
    ]


def _source() -> dict[str, Any]:
    return {
        "current": {},
        "description": "The Prometheus that scrapes the gateway.",
        "hide": 0,
        "includeAll": False,
        "label": "Data source",
        "multi": False,
        "name": "datasource",
        "options": [],
        "query": "prometheus",
        "refresh": 1,
        "regex": "",
        "type": "datasource",
    }


def _variable(made: Variable) -> dict[str, Any]:
    text = f"label_values({made.metric}, {made.of})"
    all_of_them = {"text": ["All"], "value": ["$__all"]} if made.several else {}
    told = {
        "current": all_of_them,
        "datasource": DATA,
        "definition": text,
        "description": made.about,
        "hide": 0,
        "includeAll": made.several,
        "label": made.label,
        "multi": made.several,
        "name": made.name,
        "options": [],
        "query": {"qryType": 1, "query": text, "refId": f"of-{made.name}"},
        "refresh": 2,
        "regex": "",
        "sort": 1,
        "type": "query",
    }
    return told | ({"allValue": ANY} if made.several else {})


def _annotations() -> dict[str, Any]:
    return {
        "builtIn": 1,
        "datasource": {"type": "grafana", "uid": "-- Grafana --"},
        "enable": True,
        "hide": True,
        "iconColor": "rgba(0, 211, 255, 1)",
        "name": "Annotations & Alerts",
        "type": "dashboard",
    }
