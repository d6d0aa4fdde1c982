"""Carbon intensity of the power that a zone consumes, from Electricity Maps (API version 4).

A zone is one of the service's own keys, e.g. `DE` or `US-CAL-CISO`. Values are gCO2eq/kWh by
hour, either over the life cycle of the plants or of their chimneys alone (`direct`): the column's
name says which, because the two differ by a multiple. Stamps are UTC, starts of hours. What the
service has estimated is counted, and a value may be revised for days: `updatedAt` tells.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any, Final, Literal

from tokenergy.company.finding import Finding
from tokenergy.company.refusal import refuse
from tokenergy.feeds.answer import Answer, Refused, Secret
from tokenergy.feeds.answer_shape import moment, number, part
from tokenergy.feeds.http import Http
from tokenergy.feeds.kept import Described, series_of
from tokenergy.feeds.laid import pieces
from tokenergy.feeds.series import Ask, FeedQuantity, FeedRow, FeedSeries, check_quantity

FactorType = Literal["lifecycle", "direct"]

HOUR: Final = timedelta(hours=1)
SPAN_LIMIT: Final = timedelta(days=10)
"""Longest span of hours that one call of `past-range` gives."""
HISTORY_SPAN: Final = timedelta(hours=24)
"""What `history` gives back, on every plan."""
DENIED: Final = (401, 403)
"""The service says 401 also to a good key whose plan does not hold this signal."""


class ElectricityMaps:
    """Hourly carbon intensity of a zone's consumption, in gCO2eq/kWh."""

    name: str = "electricity-maps"
    quantities: tuple[FeedQuantity, ...] = ("carbon",)

    def __init__(
        self,
        http: Http,
        *,
        base_url: str = "https://api.electricitymaps.com",
        key: str | None = None,
        factors: FactorType = "lifecycle",
    ) -> None:
        """Keep the door, the key, and which emissions are meant."""
        self._http = http
        self._base_url = base_url.rstrip("/")
        self._key = key
        self._factors: FactorType = factors

    def fetch(self, ask: Ask) -> FeedSeries:
        """Return the carbon intensity of one zone.

        Raises:
            InputError: without a key, or if the service cannot be read.
        """
        check_quantity(ask.quantity, feed=self.name, known=self.quantities)
        if not self._key:
            refuse(
                "FEED_NO_KEY",
                path=self.name,
                reason="the Electricity Maps API answers only with a key",
                remedy="Make one at the service, and set ELECTRICITYMAPS_API_KEY in the "
                "environment",
            )
        answers, findings = self._answers(ask)
        rows: list[FeedRow] = []
        estimated: dict[FeedRow, str] = {}
        for answer in answers:
            came, guessed = rows_of(
                answer.json(), zone=ask.zone, factors=self._factors, path=answer.url
            )
            rows += came
            estimated |= guessed
        series = series_of(
            ask,
            Described(
                feed=self.name,
                unit="gCO2/kWh",
                column=f"carbon_{self._factors}_gco2_per_kwh",
                source=f"Electricity Maps, zone {ask.zone}, {self._factors} emission factors, "
                f"flow-traced consumption: {self._base_url}/v4/carbon-intensity/",
                step=HOUR,
            ),
            rows=rows,
            answers=answers,
            findings=findings,
        )
        told = told_estimates(series.rows, estimated, path=f"{self.name} {ask.zone}")
        return replace(series, findings=(*series.findings, *told))

    def _answers(self, ask: Ask) -> tuple[list[Answer], list[Finding]]:
        """Read the span in pieces; where the plan denies it, the last 24 hours that all may see."""
        try:
            return [
                self._get("past-range", ask, start=start.isoformat(), end=end.isoformat())
                for start, end in pieces(ask.start, ask.end, limit=SPAN_LIMIT)
            ], []
        except Refused as refused:
            if refused.status not in DENIED or ask.end <= self._http.now() - HISTORY_SPAN:
                raise
            denied = refused
        answer = self._get("history", ask)
        told = Finding(
            code="FEED_SHORT_HISTORY",
            path=answer.url,
            value=f"{denied.status}",
            reason="the plan behind this key does not hold past spans: only the last 24 hours came",
            remedy="Fetch once a day and keep the files, or use a plan with history",
            severity="warning",
        )
        return [answer], [told]

    def _get(self, call: str, ask: Ask, **span: str) -> Answer:
        assert self._key is not None
        return self._http.get(
            f"{self._base_url}/v4/carbon-intensity/{call}",
            params={
                "zone": ask.zone,
                "temporalGranularity": "hourly",
                "emissionFactorType": self._factors,
                "disableCallerLookup": "true",  # else a mistyped zone is where the caller sits
                **span,
            },
            secret=Secret("header", "auth-token", self._key),
            accept="application/json",
        )


def rows_of(
    answer: Any, *, zone: str, factors: FactorType, path: str
) -> tuple[list[FeedRow], dict[FeedRow, str]]:
    """Return the hours of an answer, and the method of those of them that are estimates.

    The hours stand under `data` (also `history`, in answers of the older shape).

    Raises:
        FindingsError: for another zone, another kind of factors, or what is no series.
    """
    told = part(answer, "zone", str, path=path)
    if told != zone:
        refuse(
            "FEED_OTHER_ZONE",
            path=path,
            value=told,
            limit=zone,
            reason="the service answered about another zone than was asked",
            remedy="Check the key of the zone in the service's own list",
        )
    name = "history" if "data" not in answer and "history" in answer else "data"
    rows: list[FeedRow] = []
    estimated: dict[FeedRow, str] = {}
    for index, hour in enumerate(part(answer, name, list, path=path)):
        where = f"{path} {name}[{index}]"
        row = _row(hour, factors=factors, path=where)
        rows.append(row)
        if hour.get("isEstimated"):
            estimated[row] = str(hour.get("estimationMethod") or "unnamed")
    return rows, estimated


def _row(hour: Any, *, factors: FactorType, path: str) -> FeedRow:
    """Return one hour; a value of null is a hole, a value that is not there is no series."""
    start = moment(part(hour, "datetime", str, path=path), path=f"{path} datetime")
    _check_factors(hour, factors=factors, path=path)
    if "carbonIntensity" not in hour:
        part(hour, "carbonIntensity", float, path=path)
    updated = hour.get("updatedAt")
    return FeedRow(
        start=start,
        step=HOUR,
        value=number(hour["carbonIntensity"], path=f"{path} carbonIntensity"),
        published_at=None if updated is None else moment(updated, path=f"{path} updatedAt"),
    )


def _check_factors(hour: Any, *, factors: FactorType, path: str) -> None:
    """Refuse chimneys for life cycles, and a step that is no hour."""
    for name, wanted in (("emissionFactorType", factors), ("temporalGranularity", "hourly")):
        value = hour.get(name, wanted)
        if value != wanted:
            refuse(
                "FEED_UNIT",
                path=f"{path} {name}",
                value=f"{value!r}"[:40],
                limit=wanted,
                reason="the service answered in another kind of value than was asked",
                remedy="Ask again; if it stays, the service has changed its answers",
            )


def told_estimates(
    kept: Sequence[FeedRow], estimated: Mapping[FeedRow, str], *, path: str
) -> list[Finding]:
    """Say how many of the kept hours are estimated, and how; nothing where none is."""
    methods = Counter(estimated[row] for row in kept if row in estimated)
    if not methods:
        return []
    how = ", ".join(f"{name} {count}" for name, count in sorted(methods.items()))
    return [
        Finding(
            code="FEED_ESTIMATED",
            path=path,
            value=f"{methods.total()}",
            limit=f"{len(kept)}",
            unit="hours",
            reason=f"hours that the service has estimated, not measured ({how})",
            remedy="Fetch the span again in a few days: measured values replace most of them",
            severity="warning",
        )
    ]
