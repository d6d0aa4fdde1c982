"""Prometheus text: the names, what is unknown, and series that no crowd of users can grow."""

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st
from prometheus_client.parser import text_string_to_metric_families

from tokenergy.serve.exposition import Exposition
from tokenergy.serve.figures import (
    CostFigure,
    EnergyFigure,
    Figures,
    PowerFigure,
    PriceFigure,
    RequestFigure,
    TokenFigure,
    tenant_labels,
)

PLACE = {"model": "large", "site": "texas"}


def tokens(tenant: str, count: int | None, kind="output") -> TokenFigure:
    return TokenFigure(tenant=tenant, tier="chat", token_type=kind, tokens=count, **PLACE)


def joules(tenant: str, energy_j: float | None) -> EnergyFigure:
    return EnergyFigure(
        tenant=tenant,
        tier="chat",
        energy_tier="measured",
        boundary="it",
        energy_j=energy_j,
        **PLACE,
    )


FIGURES = Figures(
    tokens=(tokens("acme", 300), tokens("acme", None, "input")),
    energy=(joules("acme", 1.5e6),),
    cost=(CostFigure(component="purchase", usd=12.5), CostFigure(component="lease", usd=None)),
    prices=(
        PriceFigure(token_type="output", component="energy", usd_per_mtok=0.4, **PLACE),
        PriceFigure(token_type="output", component="mw_rent", usd_per_mtok=None, **PLACE),
    ),
    power=(
        PowerFigure(site="texas", usd_per_mwh=-3.0),
        PowerFigure(site="paris", usd_per_mwh=None),
    ),
    requests=(RequestFigure(decision="refused", reason="value", requests=7),),
)


def series(text: bytes) -> dict[tuple[str, tuple[tuple[str, str], ...]], float]:
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(text.decode())
        for sample in family.samples
    }


def test_every_name_and_no_series_of_what_is_unknown():
    found = series(Exposition(lambda: FIGURES).text())
    where = (("model", "large"), ("site", "texas"))
    who = (("tenant", "acme"), ("tier", "chat"))
    assert found == {
        ("tokenergy_tokens_total", (*where, *who, ("token_type", "output"))): 300.0,
        ("tokenergy_energy_joules_total", (
            ("boundary", "it"), ("energy_tier", "measured"), ("model", "large"), ("phase", "all"),
            ("site", "texas"), *who)): 1.5e6,
        ("tokenergy_cost_usd_total", (("component", "purchase"),)): 12.5,
        ("tokenergy_requests_total", (("decision", "refused"), ("reason", "value"))): 7.0,
        ("tokenergy_marginal_cost_usd_per_mtok", (
            ("component", "energy"), *where, ("token_type", "output"))): 0.4,
        ("tokenergy_power_price_usd_per_mwh", (("site", "texas"),)): -3.0,
        ("tokenergy_tenants_in_other", ()): 0.0,
    }  # fmt: skip


def crowd(count: int) -> Figures:
    return Figures(
        tokens=tuple(tokens(f"tenant-{at}", 1000 - min(at, 999)) for at in range(count)),
        energy=tuple(joules(f"tenant-{at}", 2.0) for at in range(count)),
    )


def test_ten_thousand_users_leave_the_series_as_they_were():
    held: list[Figures] = [crowd(51)]
    exposition = Exposition(lambda: held[0], tenants_limit_count=50)
    before = series(exposition.text())
    held[0] = crowd(10_000)
    after = series(exposition.text())
    assert set(after) == set(before)
    assert before["tokenergy_tenants_in_other", ()] == 1.0
    assert after["tokenergy_tenants_in_other", ()] == 9_950.0


@given(st.lists(st.tuples(st.sampled_from("abcdefgh"), st.integers(0, 1000)), max_size=40))
def test_no_token_is_lost_among_the_others(rows: list[tuple[str, int]]):
    figures = Figures(tokens=tuple(tokens(tenant, count) for tenant, count in rows))
    found = series(Exposition(lambda: figures, tenants_limit_count=3).text())
    told = [value for (name, _), value in found.items() if name == "tokenergy_tokens_total"]
    assert sum(told) == sum(count for _, count in rows)
    assert len(told) <= 4


def test_who_has_a_label_keeps_it():
    """Else its counter would end and begin anew, which Prometheus takes for a restart."""
    first = tenant_labels(Figures(tokens=(tokens("a", 1),)), limit_count=1)
    later = Figures(tokens=(tokens("a", 1), tokens("b", 99), tokens("other", 5)))
    second = tenant_labels(later, limit_count=1, known=first.own)
    assert (second.of("a"), second.of("b"), second.of("other"), second.of("")) == (
        "a", "other", "other", "",
    )  # fmt: skip
    assert second.other_count == 1


def test_one_unknown_part_makes_the_sum_unknown():
    figures = Figures(tokens=(tokens("a", 1), tokens("b", None)))
    found = series(Exposition(lambda: figures, tenants_limit_count=0).text())
    assert set(found) == {("tokenergy_tenants_in_other", ())}


def test_labels_are_escaped():
    odd = replace(FIGURES, tokens=(tokens('a"b\\c\nd', 1),), energy=())
    (labels,) = [
        dict(key[1]) for key in series(Exposition(lambda: odd).text()) if "tokens" in key[0]
    ]
    assert labels["tenant"] == 'a"b\\c\nd'
