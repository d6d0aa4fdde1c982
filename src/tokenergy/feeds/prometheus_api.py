"""What a Prometheus server keeps: an engine's counters, a meter's number, a month of history."""

import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final, NoReturn

from tokenergy.company.finding import Finding
from tokenergy.company.observe import Engine
from tokenergy.company.refusal import refuse
from tokenergy.errors import FindingsError
from tokenergy.feeds.engine_counts import Moment, sample_of
from tokenergy.feeds.engine_names import EngineVersion, recognise, wanted_of
from tokenergy.feeds.engine_scrape import USER_AGENT, without_credentials
from tokenergy.feeds.engine_text import Labels, Series
from tokenergy.feeds.http import Http, Refused
from tokenergy.metering.sample import EngineSample

_SELECTOR: Final = re.compile(
    r'\s*[a-zA-Z_]\w*\s*(?:=|!=|=~|!~)\s*"(?:[^"\\\n]|\\.)*"\s*'
    r'(?:,\s*[a-zA-Z_]\w*\s*(?:=|!=|=~|!~)\s*"(?:[^"\\\n]|\\.)*"\s*)*,?\s*'
)
POINTS_LIMIT: Final = 11000
"""Most points of one series that a server gives for a range."""
_EMPTY_REMEDY: Final = (
    "Try the query in the server's own page: the selector may match nothing, or the target is "
    "down (Prometheus forgets a series five minutes after its last scrape)"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class PromValue:
    """One number out of a server; None with the reason, never 0 for nothing.

    Attributes:
        at: the server's moment of evaluation.
        series_count: how many series were added up.
        findings: the server's warnings, such as partial data.
    """

    value: float | None
    at: datetime | None
    series_count: int
    reason: str = ""
    findings: tuple[Finding, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class PromPoint:
    """The value of a range query at the end of one step; None where the server has none."""

    start: datetime
    value: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class PromRange:
    """A range query, step by step and without gaps in time.

    Attributes:
        points: one for each step, `start` its beginning.
        missing_count: steps without a value.
    """

    points: tuple[PromPoint, ...]
    missing_count: int
    findings: tuple[Finding, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class _Told:
    """The data of an answer, and the server's warnings."""

    data: Any
    findings: tuple[Finding, ...]


class PrometheusApi:
    """A server's query API, by GET only."""

    def __init__(self, http: Http, url: str) -> None:
        """Ask nothing yet; `url` is the base address, without `/api/v1`."""
        self._http = http
        bare, self._secret, self.shown = without_credentials(url)
        self._base = bare.rstrip("/").removesuffix("/api/v1")

    def vector(
        self, promql: str, *, at: datetime | None = None
    ) -> tuple[dict[str, tuple[Series, ...]], datetime | None, tuple[Finding, ...]]:
        """Return the series of an instant query by name, the moment, and warnings.

        Raises:
            FindingsError: PROMETHEUS_UNREACHABLE, PROMETHEUS_REFUSED (in the server's words),
                PROMETHEUS_SHAPE.
        """
        params = {"query": promql}
        if at is not None:
            params["time"] = _stamp(at)
        told = self._ask("query", params)
        kind, result = self._result(told.data)
        found: dict[str, list[Series]] = {}
        moment: datetime | None = None
        if kind == "scalar":
            result = [{"metric": {}, "value": result}]
        elif kind != "vector":
            self._shape(f"a {kind} where one number for each series was asked")
        for one in result:
            try:
                labels = {str(key): str(value) for key, value in one["metric"].items()}
                stamp_s, text = one["value"]
                value = _number(text)
                moment = datetime.fromtimestamp(float(stamp_s), tz=UTC)
            except (KeyError, TypeError, ValueError, AttributeError, OverflowError):
                self._shape(str(one)[:80])
            name = labels.pop("__name__", "")
            sorted_labels: Labels = tuple(sorted(labels.items()))
            found.setdefault(name, []).append(Series(sorted_labels, value))
        return {name: tuple(rows) for name, rows in found.items()}, moment, told.findings

    def value(self, promql: str, *, at: datetime | None = None) -> PromValue:
        """Return one number: the series of a query added up; None if one of them has none."""
        found, moment, findings = self.vector(promql, at=at)
        series = [one for rows in found.values() for one in rows]
        known = [one.value for one in series if one.value is not None]
        reason = ""
        if not series:
            reason = f"the query has no series: {promql}"
        elif len(known) < len(series):
            reason = f"{len(series) - len(known)} of {len(series)} series say NaN or Inf"
        return PromValue(
            value=None if reason else math.fsum(known),
            at=moment,
            series_count=len(series),
            reason=reason,
            findings=findings,
        )

    def steps(
        self, promql: str, *, start: datetime, end: datetime, step: timedelta = timedelta(hours=1)
    ) -> PromRange:
        """Return a query at the end of each step of `[start, end)`, its series added up.

        Raises:
            FindingsError: as `vector`, and PROMETHEUS_RANGE for a span that is none or too long.
        """
        count = math.ceil((end - start) / step)
        if not 0 < count <= POINTS_LIMIT:
            refuse(
                "PROMETHEUS_RANGE",
                path=self.shown,
                value=f"{count}",
                limit=f"{POINTS_LIMIT}",
                unit="steps",
                reason=f"{start:%Y-%m-%dT%H:%MZ} to {end:%Y-%m-%dT%H:%MZ} cannot be asked at once",
                remedy="Ask for another span or a longer step",
            )
        told = self._ask(
            "query_range",
            {
                "query": promql,
                "start": _stamp(start + step),
                "end": _stamp(start + count * step),
                "step": f"{step.total_seconds():g}",
            },
        )
        kind, result = self._result(told.data)
        if kind != "matrix":
            self._shape(f"a {kind} where a range was asked")
        sums: dict[int, float | None] = {}
        try:
            for one in result:
                for stamp_s, text in one["values"]:
                    at = round((float(stamp_s) - start.timestamp()) / step.total_seconds()) - 1
                    value, before = _number(text), sums.get(at, 0.0)
                    sums[at] = None if value is None or before is None else before + value
        except (KeyError, TypeError, ValueError):
            self._shape(str(result)[:80])
        points = tuple(
            PromPoint(start=start + at * step, value=sums.get(at)) for at in range(count)
        )
        missing = sum(point.value is None for point in points)
        return PromRange(points=points, missing_count=missing, findings=told.findings)

    def label_values(self, label: str, *, selector: str = "") -> tuple[str, ...]:
        """Return the values of a label, of the series that a selector picks."""
        params = {"match[]": f"{{{checked_selector(selector)}}}"} if selector else {}
        told = self._ask(f"label/{label}/values", params)
        if not isinstance(told.data, list):
            self._shape(str(told.data)[:80])
        return tuple(str(value) for value in told.data)

    def _ask(self, verb: str, params: Mapping[str, str]) -> _Told:
        """One GET; an error is told in the server's own words."""
        said: dict[str, Any] | None = None
        findings: tuple[Finding, ...] = ()
        try:
            answer = self._http.get(
                f"{self._base}/api/v1/{verb}",
                params=params,
                headers={"User-Agent": USER_AGENT},
                secret=self._secret,
                accept="application/json",
            )
            said = answer.json()
        except Refused as error:
            said = _json_of(error.body)
            findings = error.findings
        except FindingsError as error:
            findings = error.findings
        if isinstance(said, dict) and said.get("status") == "success" and "data" in said:
            return _Told(data=said["data"], findings=self._warnings(said))
        if isinstance(said, dict) and said.get("status") == "error":
            refuse(
                "PROMETHEUS_REFUSED",
                path=self.shown,
                value=str(said.get("errorType", ""))[:40],
                reason=f"the server says: {str(said.get('error', 'no reason'))[:200]}",
                remedy="Correct the query or the selector; its own page shows where it fails",
            )
        if findings:
            raise FindingsError([_as_prometheus(finding, self.shown) for finding in findings])
        self._shape(f"{str(said)[:80]}")

    def _warnings(self, said: dict[str, Any]) -> tuple[Finding, ...]:
        """The server's warnings: partial data, a rate over something that is no counter."""
        told = [*(said.get("warnings") or ()), *(said.get("infos") or ())]
        return tuple(
            Finding(
                code="PROMETHEUS_WARNING",
                path=self.shown,
                reason=f"the server warns: {str(text)[:200]}",
                remedy="Read its figures with that in mind: some series may be missing",
                severity="warning",
            )
            for text in told
        )

    def _result(self, data: Any) -> tuple[str, Any]:
        if isinstance(data, dict) and isinstance(data.get("result"), list):
            return str(data.get("resultType", "")), data["result"]
        self._shape(str(data)[:80])

    def _shape(self, value: str) -> NoReturn:
        refuse(
            "PROMETHEUS_SHAPE",
            path=self.shown,
            value=value,
            reason="the answer is not one of Prometheus' query API",
            remedy="Name the server's base address: what stands before /api/v1",
        )


class PrometheusSampler:
    """The same samples as `EngineScraper`, out of a server that scrapes the engine already.

    They are as old as the server's last scrape: over a short window tokens come in lumps, over
    a long one they are the same.
    """

    def __init__(
        self,
        http: Http,
        engine: Engine,
        clock: Callable[[], datetime],
        ticks: Callable[[], float],
        *,
        served_model: str | None = None,
    ) -> None:
        """Ask nothing yet; `engine.selector` picks the series."""
        self.engine = engine
        self._api = PrometheusApi(http, engine.metrics_url)
        self._clock = clock
        self._ticks = ticks
        self._served_model = served_model
        self._selector = checked_selector(engine.selector or "")

    def sample(self) -> EngineSample:
        """Return what the server last saw of the engine.

        Raises:
            FindingsError: PROMETHEUS_EMPTY, ENGINE_NAMES_UNKNOWN, and those of `vector`.
        """
        began_at, began_s = self._clock(), self._ticks()
        found, _, _ = self._api.vector(names_query(wanted_of(""), self._selector))
        half_s = max(self._ticks() - began_s, 0.0) / 2.0
        version = recognised(self._api, found, self._selector)
        return sample_of(
            version,
            found,
            moment=Moment(at=began_at + timedelta(seconds=half_s), ticks_s=began_s + half_s),
            served_model=self._served_model,
            path=self._api.shown,
        )


def recognised(
    api: PrometheusApi, found: Mapping[str, tuple[Series, ...]], selector: str
) -> EngineVersion:
    """Return the version whose names a server has under a selector."""
    if not found:
        refuse(
            "PROMETHEUS_EMPTY",
            path=api.shown,
            value=f"{{{selector}}}",
            reason="the server has no series of any engine that we know under this selector",
            remedy=_EMPTY_REMEDY,
        )
    return recognise(frozenset(found), path=api.shown, others=lambda: tuple(found))


def names_query(names: frozenset[str], selector: str) -> str:
    """Return the PromQL that gives every one of some names at once."""
    matcher = f'__name__=~"{"|".join(sorted(names))}"'
    return f"{{{matcher}, {selector}}}" if selector else f"{{{matcher}}}"


def checked_selector(selector: str) -> str:
    """Return a selector without braces.

    Raises:
        FindingsError: PROMETHEUS_SELECTOR, if it is no list of labels.
    """
    bare = selector.strip()
    if bare.startswith("{") and bare.endswith("}"):
        bare = bare[1:-1]
    if bare.strip() and not _SELECTOR.fullmatch(bare):
        refuse(
            "PROMETHEUS_SELECTOR",
            path="selector",
            value=selector[:80],
            reason="a selector is a list of labels, each with a value in double quotes",
            remedy='Write e.g. job="vllm", site="paris"',
        )
    return bare.strip().rstrip(",").strip()


def query_value(http: Http, url: str, promql: str) -> PromValue:
    """Return one number for a meter: see `PrometheusApi.value`."""
    return PrometheusApi(http, url).value(promql)


def _number(text: Any) -> float | None:
    value = float(text)
    return value if math.isfinite(value) else None


def _stamp(at: datetime) -> str:
    return f"{at.timestamp():.3f}"


def _json_of(body: bytes) -> dict[str, Any] | None:
    import json

    try:
        said = json.loads(body)
    except ValueError:
        return None
    return said if isinstance(said, dict) else None


def _as_prometheus(finding: Finding, shown: str) -> Finding:
    code = finding.code.replace("FEED_", "PROMETHEUS_")
    return Finding(
        code="PROMETHEUS_SHAPE" if code == "PROMETHEUS_NOT_JSON" else code,
        path=shown,
        value=finding.value,
        limit=finding.limit,
        unit=finding.unit,
        reason=finding.reason,
        remedy="Name the server's base address: what stands before /api/v1"
        if code == "PROMETHEUS_NOT_JSON"
        else finding.remedy,
    )
