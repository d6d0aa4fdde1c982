"""A number that a Prometheus server keeps: a counter of energy, or a power."""

import re
from typing import Final

from tokenergy.company.observe import PrometheusMeter
from tokenergy.errors import FindingsError
from tokenergy.feeds.engine_text import Labels
from tokenergy.feeds.http import Http
from tokenergy.feeds.meters.board_series import series_counts
from tokenergy.feeds.prometheus_api import PrometheusApi
from tokenergy.metering.meter import DeviceCount, MeterRule

NOTE: Final = "as a Prometheus server says; no newer than its last scrape"
SOURCE: Final = "query"
_PLAIN: Final = re.compile(r"\s*[a-zA-Z_:][a-zA-Z0-9_:]*\s*(?:\{[^{}]*\}\s*)?")
"""A bare selector: of such a query, and of no other, a server tells when it scraped each series."""


class PrometheusEnergy:
    """One query, whose series are boards: DCGM's board counters, Kepler's joules, a PDU.

    Each series is held against its own past, so leave sums to us: in `sum(...)` a board that
    began anew hides behind the others.
    """

    def __init__(self, meter: PrometheusMeter, http: Http, *, every_s: float | None = None) -> None:
        """Ask nothing yet."""
        self._meter = meter
        self._api = PrometheusApi(http, meter.url)
        self._is_plain = _PLAIN.fullmatch(meter.query) is not None
        self.claims = frozenset({f"prometheus:{self._api.shown} {meter.query.strip()}"})
        self.rule = MeterRule(
            tier="measured",
            boundary="gpu",
            note=NOTE,
            least_span_s=meter.updates_s or 0.0,
            every_s=every_s,
        )

    def counts(self) -> tuple[DeviceCount, ...]:
        """Return what each series of the query says now."""
        try:
            found, moment, _ = self._api.vector(self._meter.query)
            renewed: dict[Labels, float] = {}
            if self._is_plain and moment is not None:
                told, _, _ = self._api.vector(f"timestamp({self._meter.query})", at=moment)
                renewed = {
                    each.labels: each.value
                    for rows in told.values()
                    for each in rows
                    if each.value is not None
                }
        except FindingsError as error:
            reasons = "; ".join(finding.reason for finding in error.findings)
            return (DeviceCount(device=SOURCE, reason=f"{SOURCE}: {reasons}"),)
        series = [each for rows in found.values() for each in rows]
        if not series:
            reason = f"{SOURCE}: the query has no series: {self._meter.query}"
            return (DeviceCount(device=SOURCE, reason=reason),)
        return series_counts(
            series,
            gives=self._meter.gives,
            source=SOURCE,
            renewed=renewed,
            updates_s=self._meter.updates_s,
        )

    def close(self) -> None:
        """The connections belong to whoever made `http`."""
