"""What is known now, in the text that Prometheus scrapes.

Series are few: tenants beyond a limit are told as `other`, no user is a label, and a figure that
nobody knows leaves no series. Prices stand in USD/MWh and USD/Mtok, because $/J is unreadable.
"""

from collections.abc import Callable, Iterable, Iterator
from typing import Final

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest
from prometheus_client.registry import CollectorRegistry

from tokenergy.serve.figures import TENANTS_LIMIT_COUNT, Figures, TenantLabels, tenant_labels

CONTENT_TYPE: Final = CONTENT_TYPE_LATEST
"""What the answer says it is."""
Sample = tuple[tuple[str, ...], float | None]


class Exposition:
    """Makes the text of `/metrics`, and remembers which tenants have a label."""

    def __init__(
        self, read: Callable[[], Figures], *, tenants_limit_count: int = TENANTS_LIMIT_COUNT
    ) -> None:
        """Take who knows the figures, asked at each scrape, and how many tenants have labels."""
        self._read, self._limit_count = read, tenants_limit_count
        self._known: frozenset[str] = frozenset()
        self._registry = CollectorRegistry(auto_describe=False)
        self._registry.register(self)

    def text(self) -> bytes:
        """Return the answer to one scrape."""
        return generate_latest(self._registry)

    def describe(self) -> Iterable[Metric]:
        """Tell the registry nothing beforehand: it need not ask for figures to be set up."""
        return ()

    def collect(self) -> Iterator[Metric]:
        """Yield the families with their samples."""
        figures = self._read()
        labels = tenant_labels(figures, limit_count=self._limit_count, known=self._known)
        self._known = labels.own
        yield from _counters(figures, labels)
        yield from _gauges(figures, labels)


def _counters(figures: Figures, labels: TenantLabels) -> Iterator[Metric]:
    by_tokens = ("tenant", "tier", "model", "site", "token_type")
    yield _counter("tokenergy_tokens", "Tokens taken in and made.", by_tokens, (
        ((labels.of(f.tenant), f.tier, f.model, f.site, f.token_type), f.tokens)
        for f in figures.tokens
    ))  # fmt: skip
    by_energy = ("tenant", "tier", "model", "site", "phase", "energy_tier", "boundary")
    yield _counter("tokenergy_energy_joules", "Joules, by how they are known.", by_energy, (
        ((labels.of(f.tenant), f.tier, f.model, f.site, f.phase, f.energy_tier, f.boundary),
         f.energy_j)
        for f in figures.energy
    ))  # fmt: skip
    yield _counter("tokenergy_cost_usd", "Paid, by component.", ("component",), (
        ((f.component,), f.usd) for f in figures.cost
    ))  # fmt: skip
    yield _counter("tokenergy_requests", "Requests, by decision.", ("decision", "reason"), (
        ((f.decision, f.reason), f.requests) for f in figures.requests
    ))  # fmt: skip


def _gauges(figures: Figures, labels: TenantLabels) -> Iterator[Metric]:
    price = ("site", "model", "token_type", "component")
    yield _gauge(
        "tokenergy_marginal_cost_usd_per_mtok", "What one Mtok more costs, in parts.", price,
        (((f.site, f.model, f.token_type, f.component), f.usd_per_mtok) for f in figures.prices),
    )  # fmt: skip
    yield _gauge(
        "tokenergy_power_price_usd_per_mwh", "Price of power.", ("site",),
        (((f.site,), f.usd_per_mwh) for f in figures.power),
    )  # fmt: skip
    yield _gauge(
        "tokenergy_tenants_in_other", "Tenants told together as `other`.", (),
        (((), float(labels.other_count)),),
    )  # fmt: skip


def _counter(name: str, about: str, names: tuple[str, ...], samples: Iterable[Sample]) -> Metric:
    family = CounterMetricFamily(name, about, labels=names)
    for labels, value in _summed(samples):
        family.add_metric(labels, value)
    return family


def _gauge(name: str, about: str, names: tuple[str, ...], samples: Iterable[Sample]) -> Metric:
    family = GaugeMetricFamily(name, about, labels=names)
    for labels, value in _summed(samples):
        family.add_metric(labels, value)
    return family


def _summed(samples: Iterable[Sample]) -> Iterator[tuple[tuple[str, ...], float]]:
    """Add up what shares its labels; where one part is unknown the sum is, and leaves no series."""
    sums: dict[tuple[str, ...], float | None] = {}
    for labels, value in samples:
        before = sums.get(labels, 0.0)
        sums[labels] = None if before is None or value is None else before + value
    yield from ((labels, value) for labels, value in sums.items() if value is not None)
