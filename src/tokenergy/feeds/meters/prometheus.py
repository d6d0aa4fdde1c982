"""A number that a Prometheus server keeps: a counter of energy, or a power."""

from typing import Final

from tokenergy.company.observe import PrometheusMeter
from tokenergy.errors import FindingsError
from tokenergy.feeds.http import Http
from tokenergy.feeds.prometheus_api import PromValue, query_value
from tokenergy.metering.meter import DeviceCount, MeterRule
from tokenergy.units import MICROJOULES_PER_J

MICROJOULES_PER: Final = {"j": MICROJOULES_PER_J, "mj": 1000.0}
NOTE: Final = "as a Prometheus server says; no newer than its last scrape"


class PrometheusEnergy:
    """One query, whose series are added up: DCGM's board counters, Kepler's joules, a PDU."""

    def __init__(self, meter: PrometheusMeter, http: Http, *, every_s: float | None = None) -> None:
        """Ask nothing yet."""
        self._meter = meter
        self._http = http
        self.rule = MeterRule(tier="measured", boundary="gpu", note=NOTE, every_s=every_s)

    def counts(self) -> tuple[DeviceCount, ...]:
        """Return the query's number now."""
        try:
            told = query_value(self._http, self._meter.url, self._meter.query)
        except FindingsError as error:
            reasons = "; ".join(finding.reason for finding in error.findings)
            return (DeviceCount(device="query", reason=f"query: {reasons}"),)
        return (self._count(told),)

    def close(self) -> None:
        """The connections belong to whoever made `http`."""

    def _count(self, told: PromValue) -> DeviceCount:
        if told.value is None:
            return DeviceCount(device="query", reason=f"query: {told.reason}")
        if told.value < 0.0:
            return DeviceCount(
                device="query",
                reason=f"query: {told.value:g} is below 0, which neither joules nor watts can be",
            )
        identity = f"{told.series_count} series"
        if self._meter.gives == "w":
            return DeviceCount(device="query", identity=identity, power_w=told.value)
        microjoules = round(told.value * MICROJOULES_PER[self._meter.gives])
        return DeviceCount(device="query", identity=identity, energy_microjoules=microjoules)
