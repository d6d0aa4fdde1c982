"""A page of an exporter of boards, without a Prometheus server: DCGM's, Kepler's, AMD's."""

from collections.abc import Iterable

from tokenergy.company.observe import ExporterMeter
from tokenergy.errors import FindingsError
from tokenergy.feeds.engine_scrape import ACCEPT, USER_AGENT, without_credentials
from tokenergy.feeds.engine_text import Series, looks_like_metrics, names_on, read_page
from tokenergy.feeds.http import Http
from tokenergy.feeds.meters.board_series import series_counts
from tokenergy.metering.meter import DeviceCount, MeterRule


class ExporterPage:
    """One metric of a page in Prometheus' text format, each series a board.

    An exporter looks at its boards at its own interval and says the same thing in between
    (DCGM's: every 30 s unless it is told otherwise). A window shorter than that has no figure.
    """

    def __init__(self, meter: ExporterMeter, http: Http, *, every_s: float | None = None) -> None:
        """Ask nothing yet."""
        self._meter = meter
        self._http = http
        self._url, self._secret, self._shown = without_credentials(meter.url)
        wanted = ", ".join(f"{key}={value}" for key, value in sorted(meter.labels.items()))
        self.claims = frozenset({f"exporter:{self._shown} {meter.metric} {wanted}"})
        self.rule = MeterRule(
            tier="measured",
            boundary="gpu",
            note=f"as an exporter says, which looks every {meter.updates_s:g} s: a window may "
            "lack or have as much of its neighbour's",
            least_span_s=meter.updates_s,
            every_s=every_s,
        )

    def counts(self) -> tuple[DeviceCount, ...]:
        """Return what each board's series says now."""
        try:
            series, told = self._series()
        except FindingsError as error:
            told, series = "; ".join(finding.reason for finding in error.findings), ()
        if told:
            return (DeviceCount(device="page", reason=f"{self._shown}: {told}"),)
        return series_counts(
            series, gives=self._meter.gives, source="page", updates_s=self._meter.updates_s
        )

    def close(self) -> None:
        """The connections belong to whoever made `http`."""

    def _series(self) -> tuple[Iterable[Series], str]:
        """Return the series that the labels pick, or why there are none."""
        answer = self._http.get(
            self._url, headers={"User-Agent": USER_AGENT}, secret=self._secret, accept=ACCEPT
        )
        if answer.from_cache:
            return (), "the answer is an old copy: counters must be read, never remembered"
        if not looks_like_metrics(answer.body):
            return (), "the answer is no page of metrics"
        metric = self._meter.metric
        page = read_page(answer.body, {metric}, path=self._shown)
        if not page.whole:
            return (), "the answer broke off"
        wanted = self._meter.labels.items()
        every = page.series.get(metric, ())
        series = [each for each in every if wanted <= dict(each.labels).items()]
        if series:
            return series, ""
        if every:
            return (), f"none of the {len(every)} series of {metric} has the labels asked for"
        energies = [name for name in names_on(answer.body) if _is_energy(name)][:6]
        return (), f"no {metric} on the page; of energy it has {', '.join(energies) or 'nothing'}"


def _is_energy(name: str) -> bool:
    return any(word in name.lower() for word in ("energy", "joule", "power"))
