"""The same figures to an OpenTelemetry collector, over OTLP/HTTP; an optional extra (`otel`).

The GenAI conventions are all in development (in a repository of their own since 5 May 2026), so
`NAMES` pins the ones we write. `semconv` says how far to go: `stable` are names that stand in
the conventions, `experimental` adds what is only proposed (cost: semantic-conventions-genai PR
443; energy: aitra-meter PR 65).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, Final, Literal

from tokenergy.errors import InputError
from tokenergy.serve.figures import Figures, tenant_labels

if TYPE_CHECKING:
    from opentelemetry.metrics import CallbackOptions, Histogram, Meter, Observation
    from opentelemetry.sdk.metrics import MeterProvider

Semconv = Literal["stable", "experimental"]
SEMCONV: Final[tuple[Semconv, ...]] = ("stable", "experimental")
NAMES: Final[Mapping[str, tuple[str, str, Semconv]]] = {
    "token_usage": ("gen_ai.client.token.usage", "{token}", "stable"),
    "energy": ("hw.energy", "J", "stable"),
    "power_price": ("tokenergy.power_price", "USD/MWh", "stable"),
    "marginal_cost": ("tokenergy.marginal_cost", "USD/{Mtoken}", "stable"),
    "cost": ("gen_ai.usage.cost.amount", "USD", "experimental"),
    "energy_per_token": ("gen_ai.infrastructure.energy.per_token", "J/{token}", "experimental"),
}
"""Name, unit and standing of each metric; retrieved 2026-11-24 from economics.md section 11."""
TOKEN_BUCKETS: Final = tuple(float(4**power) for power in range(14))
"""Edges of `gen_ai.client.token.usage`: 1, 4, 16 .. 4^13."""
INSTALL: Final = "pip install 'tokenergy[otel]'"
TIMEOUT_S: Final = 5.0
Attributes = Mapping[str, str]


class Telemetry:
    """Sends figures; use it as a context manager, or `close` it.

    Nothing is sent but by `send`: who watches decides when.
    """

    def __init__(
        self,
        endpoint: str,
        *,
        semconv: Semconv = "stable",
        provider_name: str,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        """Take the collector's base address, e.g. `http://127.0.0.1:4318`.

        Args:
            provider_name: who makes the tokens (`gen_ai.provider.name`).
            headers: what the collector asks for, e.g. a key; never told in an error.

        Raises:
            InputError: if the extra is not installed, or `semconv` is another word.
        """
        if semconv not in SEMCONV:
            raise InputError(f"semconv {semconv!r}: choose {' or '.join(SEMCONV)}")
        self._experimental = semconv == "experimental"
        self._provider_name = provider_name
        self._figures = Figures()
        self._known: frozenset[str] = frozenset()
        self._taken: list[bool] = []
        self._provider = _provider(endpoint, headers, self._taken)
        meter = self._provider.get_meter("tokenergy")
        self._usage = _usage_histogram(meter)
        self._observe(meter)

    def record_request(
        self, *, model: str, input_tokens: int | None, output_tokens: int | None,
        operation: str = "chat",
    ) -> None:  # fmt: skip
        """Count the tokens of one request; what is unknown is not recorded."""
        for kind, tokens in (("input", input_tokens), ("output", output_tokens)):
            if tokens is not None:
                self._usage.record(
                    tokens,
                    {
                        "gen_ai.operation.name": operation,
                        "gen_ai.provider.name": self._provider_name,
                        "gen_ai.request.model": model,
                        "gen_ai.token.type": kind,
                    },
                )

    def send(self, figures: Figures) -> bool:
        """Send the figures and all requests recorded, and tell whether the collector took them."""
        self._figures = figures
        self._taken.clear()
        self._provider.force_flush(timeout_millis=TIMEOUT_S * 1e3)
        return bool(self._taken) and all(self._taken)

    def close(self) -> None:
        """End the exporter; what was recorded since the last `send` is not sent."""
        self._provider.shutdown(timeout_millis=TIMEOUT_S * 1e3)

    def __enter__(self) -> Telemetry:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _observe(self, meter: Meter) -> None:
        """Register what is read from the figures when they are sent."""
        self._counter(meter, "energy", self._energy)
        self._gauge(meter, "power_price", self._power_price)
        self._gauge(meter, "marginal_cost", self._marginal_cost)
        if self._experimental:
            self._gauge(meter, "cost", self._cost)  # no counter: power may earn
            self._gauge(meter, "energy_per_token", self._energy_per_token)

    def _counter(self, meter: Meter, key: str, read: _Read) -> None:
        name, unit, _ = NAMES[key]
        meter.create_observable_counter(name, callbacks=[_callback(read)], unit=unit)

    def _gauge(self, meter: Meter, key: str, read: _Read) -> None:
        name, unit, _ = NAMES[key]
        meter.create_observable_gauge(name, callbacks=[_callback(read)], unit=unit)

    def _energy(self) -> Iterable[tuple[float | None, Attributes]]:
        labels = tenant_labels(self._figures, known=self._known)
        self._known = labels.own
        sums: dict[tuple[tuple[str, str], ...], float | None] = {}
        for f in self._figures.energy:
            attributes = {
                "hw.id": f"{f.site}/{f.model}", "hw.type": "gpu",
                "tokenergy.site": f.site, "tokenergy.model": f.model, "tokenergy.tier": f.tier,
                "tokenergy.tenant": labels.of(f.tenant), "tokenergy.phase": f.phase,
                "tokenergy.energy_tier": f.energy_tier, "tokenergy.boundary": f.boundary,
            }  # fmt: skip
            key = tuple(attributes.items())
            before = sums.get(key, 0.0)
            unknown = before is None or f.energy_j is None
            sums[key] = None if unknown else (before or 0.0) + (f.energy_j or 0.0)
        return [(value, dict(key)) for key, value in sums.items()]

    def _power_price(self) -> Iterable[tuple[float | None, Attributes]]:
        return [(f.usd_per_mwh, {"tokenergy.site": f.site}) for f in self._figures.power]

    def _marginal_cost(self) -> Iterable[tuple[float | None, Attributes]]:
        return [
            (
                f.usd_per_mtok,
                {
                    "tokenergy.site": f.site,
                    "gen_ai.request.model": f.model,
                    "gen_ai.token.type": f.token_type,
                    "tokenergy.component": f.component,
                },
            )
            for f in self._figures.prices
        ]

    def _cost(self) -> Iterable[tuple[float | None, Attributes]]:
        told = {"gen_ai.usage.cost.currency": "USD", "gen_ai.usage.cost.source": "provider"}
        return [(f.usd, told | {"tokenergy.component": f.component}) for f in self._figures.cost]

    def _energy_per_token(self) -> Iterable[tuple[float | None, Attributes]]:
        """Joules over output tokens by model and site; unknown where a part of either is."""
        joules = _by_place((f.site, f.model, f.energy_j) for f in self._figures.energy)
        tokens = _by_place(
            (f.site, f.model, None if f.tokens is None else float(f.tokens))
            for f in self._figures.tokens
            if f.token_type == "output"
        )
        for (site, model), energy_j in joules.items():
            made = tokens.get((site, model))
            if energy_j is not None and made:
                place = {"tokenergy.site": site, "gen_ai.request.model": model}
                yield energy_j / made, place


if TYPE_CHECKING:
    from collections.abc import Callable

    _Read = Callable[[], Iterable[tuple[float | None, Attributes]]]


def _callback(read: _Read) -> Callable[[CallbackOptions], Iterable[Observation]]:
    """Return what the SDK calls; a figure that nobody knows is no observation."""
    from opentelemetry.metrics import Observation

    def call(_: CallbackOptions) -> Iterable[Observation]:
        return [Observation(value, told) for value, told in read() if value is not None]

    return call


def _by_place(
    figures: Iterable[tuple[str, str, float | None]],
) -> dict[tuple[str, str], float | None]:
    sums: dict[tuple[str, str], float | None] = {}
    for site, model, value in figures:
        before = sums.get((site, model), 0.0)
        sums[site, model] = None if before is None or value is None else before + value
    return sums


def _usage_histogram(meter: Meter) -> Histogram:
    name, unit, _ = NAMES["token_usage"]
    return meter.create_histogram(
        name, unit=unit, explicit_bucket_boundaries_advisory=list(TOKEN_BUCKETS)
    )


def _provider(endpoint: str, headers: Mapping[str, str] | None, taken: list[bool]) -> MeterProvider:
    """Return a provider that exports when it is told to, and at no other time.

    Args:
        taken: gets whether the collector took each export: the SDK itself only logs a failure.

    Raises:
        InputError: if the extra is not installed.
    """
    try:
        from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
        from opentelemetry.sdk.metrics import MeterProvider
        from opentelemetry.sdk.metrics.export import (
            MetricExportResult,
            MetricsData,
            PeriodicExportingMetricReader,
        )
        from opentelemetry.sdk.resources import Resource
    except ImportError as error:
        raise InputError(
            f"OpenTelemetry is not installed: {INSTALL} (missing: {error.name})"
        ) from error

    class Exporter(OTLPMetricExporter):
        def export(
            self, metrics_data: MetricsData, timeout_millis: float | None = None, **more: Any
        ) -> MetricExportResult:
            result = super().export(metrics_data, timeout_millis, **more)
            taken.append(result is MetricExportResult.SUCCESS)
            return result

    exporter = Exporter(
        endpoint=f"{endpoint.rstrip('/')}/v1/metrics",
        headers=dict(headers or {}),
        timeout=TIMEOUT_S,
    )
    reader = PeriodicExportingMetricReader(exporter, export_interval_millis=float("inf"))
    resource = Resource.create({"service.name": "tokenergy"})
    return MeterProvider(metric_readers=[reader], resource=resource, shutdown_on_exit=False)
