"""OpenTelemetry: what a collector on loopback takes out of the protobuf that we send."""

import builtins
from collections.abc import Iterator
from typing import Any

import pytest
from otlp_collector import Collector, otlp_collector

from tokenergy.errors import InputError
from tokenergy.serve.figures import (
    CostFigure,
    EnergyFigure,
    Figures,
    PowerFigure,
    PriceFigure,
    TokenFigure,
)
from tokenergy.serve.telemetry import NAMES, TOKEN_BUCKETS, Telemetry

PLACE = {"model": "large", "site": "texas"}
FIGURES = Figures(
    tokens=(TokenFigure(token_type="output", tokens=500, tenant="acme", **PLACE),),
    energy=(EnergyFigure(energy_tier="measured", boundary="it", energy_j=1000.0, **PLACE),),
    cost=(CostFigure(component="resale", usd=-4.0),),
    prices=(PriceFigure(token_type="output", component="energy", usd_per_mtok=0.4, **PLACE),),
    power=(
        PowerFigure(site="texas", usd_per_mwh=None),
        PowerFigure(site="paris", usd_per_mwh=31.0),
    ),
)


@pytest.fixture
def collector() -> Iterator[Collector]:
    with otlp_collector() as held:
        yield held


def attributes(point: Any) -> dict[str, str]:
    return {pair.key: pair.value.string_value for pair in point.attributes}


def test_the_stable_names_arrive(collector: Collector):
    with Telemetry(collector.url, provider_name="acme", headers={"x-key": "secret"}) as told:
        told.record_request(model="large", input_tokens=20, output_tokens=300)
        told.record_request(model="large", input_tokens=None, output_tokens=5)
        assert told.send(FIGURES)
    assert collector.paths == ["/v1/metrics"] and collector.keys == ["secret"]
    found = collector.metrics()
    assert {NAMES[k][0] for k in ("token_usage", "energy", "power_price", "marginal_cost")} == set(
        found
    )
    usage = {
        attributes(p)["gen_ai.token.type"]: p
        for p in found["gen_ai.client.token.usage"].histogram.data_points
    }
    assert (
        tuple(usage["output"].explicit_bounds) == TOKEN_BUCKETS == tuple(4.0**k for k in range(14))
    )
    assert (usage["input"].sum, usage["output"].sum, usage["output"].count) == (20.0, 305.0, 2)
    assert attributes(usage["input"])["gen_ai.provider.name"] == "acme"
    assert attributes(usage["input"])["gen_ai.operation.name"] == "chat"
    energy = found["hw.energy"]
    (point,) = energy.sum.data_points
    assert (energy.unit, energy.sum.is_monotonic, point.as_double) == ("J", True, 1000.0)
    assert attributes(point)["hw.id"] == "texas/large"


def test_what_is_unknown_is_not_sent(collector: Collector):
    with Telemetry(collector.url, provider_name="acme") as told:
        told.send(FIGURES)
    (point,) = collector.metrics()["tokenergy.power_price"].gauge.data_points
    assert attributes(point) == {"tokenergy.site": "paris"} and point.as_double == 31.0


def test_proposals_only_behind_the_switch(collector: Collector):
    """1,000 J over 500 tokens: 2 J per token."""
    with Telemetry(collector.url, provider_name="acme", semconv="experimental") as told:
        told.send(FIGURES)
    found = collector.metrics()
    (cost,) = found["gen_ai.usage.cost.amount"].gauge.data_points
    assert cost.as_double == -4.0 and attributes(cost)["gen_ai.usage.cost.source"] == "provider"
    (each,) = found["gen_ai.infrastructure.energy.per_token"].gauge.data_points
    assert each.as_double == 2.0


def test_figures_of_later_are_sent_later(collector: Collector):
    with Telemetry(collector.url, provider_name="acme") as told:
        told.send(Figures())
        told.send(FIGURES)
    assert "hw.energy" in collector.metrics()


def test_a_collector_that_refuses_is_told(collector: Collector):
    collector.status = 400
    with Telemetry(collector.url, provider_name="acme") as told:
        assert not told.send(FIGURES)


def test_without_the_extra_the_error_says_what_to_install(monkeypatch: pytest.MonkeyPatch):
    real = builtins.__import__

    def missing(name: str, *args: Any, **more: Any) -> Any:
        if name.startswith("opentelemetry"):
            raise ImportError(f"No module named {name!r}", name=name)
        return real(name, *args, **more)

    monkeypatch.setattr(builtins, "__import__", missing)
    with pytest.raises(InputError, match=r"tokenergy\[otel\]"):
        Telemetry("http://127.0.0.1:1", provider_name="acme")


def test_another_word_for_semconv_is_refused():
    with pytest.raises(InputError, match="stable or experimental"):
        Telemetry("http://127.0.0.1:1", provider_name="acme", semconv="old")
