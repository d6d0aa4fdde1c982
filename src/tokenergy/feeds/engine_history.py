"""What an engine did hour by hour before anyone watched, out of a Prometheus server."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from tokenergy.company.finding import Finding
from tokenergy.company.observe import Engine
from tokenergy.feeds.engine_names import Quantity, wanted_of
from tokenergy.feeds.http import Http
from tokenergy.feeds.prometheus_api import (
    PrometheusApi,
    PromRange,
    checked_selector,
    names_query,
    recognised,
)

HOUR: Final = timedelta(hours=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class HourRow:
    """One hour `[start, start + 1 h)`; None where the server kept nothing of it.

    Token counts are whole numbers near Prometheus' estimate: its `increase` stretches what it
    saw between the first and the last scrape to the edges of the hour.
    """

    start: datetime
    prompt_tokens: int | None
    cached_tokens: int | None
    output_tokens: int | None
    requests: int | None
    running_count: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineHistory:
    """Hours of one engine, in order and without gaps in time."""

    engine: str
    version: str
    hours: tuple[HourRow, ...]
    findings: tuple[Finding, ...]


def hourly_increase(
    http: Http, url: str, *, name: str, selector: str, start: datetime, end: datetime
) -> PromRange:
    """Return how much a counter grew in each hour of `[start, end)`.

    Prometheus itself takes a counter that fell for one that began anew at 0, so a reset loses
    only what was counted between the last scrape before it and the reset.
    """
    picked = f"{name}{{{checked_selector(selector)}}}"
    return PrometheusApi(http, url).steps(f"sum(increase({picked}[1h]))", start=start, end=end)


def engine_history(http: Http, engine: Engine, *, start: datetime, end: datetime) -> EngineHistory:
    """Return an engine's hours in `[start, end)`; `start` and `end` are full hours.

    The names are those of today: an engine that was upgraded in between under other names has
    hours that are None, and a finding says how many.

    Raises:
        FindingsError: as `PrometheusSampler.sample`.
    """
    api = PrometheusApi(http, engine.metrics_url)
    selector = checked_selector(engine.selector or "")
    found, _, warned = api.vector(names_query(wanted_of(""), selector))
    version = recognised(api, found, selector)
    ranges: dict[Quantity, PromRange] = {}
    findings: dict[Finding, None] = dict.fromkeys(warned)
    for row, name in version.names:
        if row.quantity == "waiting" or row.void_if_help:
            continue
        picked = f"{name}{{{selector}}}"
        if row.kind == "counter":
            promql = f"sum(increase({picked}[1h]))"
        else:
            without = f" without ({', '.join(row.copy_labels)})" if row.copy_labels else ""
            inner = f"max{without} (avg_over_time({picked}[1h]))"
            promql = f"sum({inner if without else f'avg_over_time({picked}[1h])'})"
        ranges[row.quantity] = api.steps(promql, start=start, end=end)
        findings.update(dict.fromkeys(ranges[row.quantity].findings))
    hours = tuple(_hour(ranges, at, start + at * HOUR) for at in range(_count(ranges)))
    findings.update(dict.fromkeys(_missing(hours, api.shown)))
    return EngineHistory(
        engine=version.engine, version=version.version, hours=hours, findings=tuple(findings)
    )


def _count(ranges: dict[Quantity, PromRange]) -> int:
    return max((len(told.points) for told in ranges.values()), default=0)


def _hour(ranges: dict[Quantity, PromRange], at: int, start: datetime) -> HourRow:
    def value(quantity: Quantity) -> float | None:
        return ranges[quantity].points[at].value if quantity in ranges else None

    prompt = value("prompt_tokens")
    if "uncached_prompt_tokens" in ranges:
        terms = [value("uncached_prompt_tokens")]
        terms += [value("cached_tokens")] if "cached_tokens" in ranges else []
        known = [term for term in terms if term is not None]
        prompt = sum(known) if len(known) == len(terms) else None
    return HourRow(
        start=start,
        prompt_tokens=_whole(prompt),
        cached_tokens=_whole(value("cached_tokens")),
        output_tokens=_whole(value("output_tokens")),
        requests=_whole(value("requests")),
        running_count=value("running"),
    )


def _whole(value: float | None) -> int | None:
    return None if value is None else round(value)


def _missing(hours: tuple[HourRow, ...], shown: str) -> tuple[Finding, ...]:
    lacking = [row.start for row in hours if row.output_tokens is None]
    if not lacking:
        return ()
    return (
        Finding(
            code="PROMETHEUS_GAP",
            path=shown,
            value=f"{len(lacking)}",
            limit=f"{len(hours)}",
            unit="hours",
            reason=f"the server has nothing for some hours, the first {lacking[0]:%Y-%m-%dT%HZ}",
            remedy="They stay unknown; check since when the server keeps the engine, and whether "
            "its names changed",
            severity="warning",
        ),
    )
