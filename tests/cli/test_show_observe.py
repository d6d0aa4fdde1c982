"""An observation as people see it."""

from dataclasses import replace
from datetime import timedelta

import pytest
from observed import NOON, held_company, ones_of, places_of

from tokenergy.api.observed.now import priced_now
from tokenergy.api.observed.observation import Observation, TenantSeen
from tokenergy.api.observed.saving import AgainstOne, ObservedSaving
from tokenergy.api.observed.seen import sites_seen
from tokenergy.cli import columns, show_observe
from tokenergy.company.finding import Finding


@pytest.fixture
def shown(capsys):
    def show(seen):
        capsys.readouterr()
        show_observe.observation(seen)
        columns.money_in("USD")
        return capsys.readouterr().out

    return show


@pytest.fixture(scope="module")
def seen(tmp_path_factory):
    held = held_company(tmp_path_factory.mktemp("little"), past_count=24)
    now = priced_now(held.now, places_of(held, held.now.world), {"paris-1": 1.0, "oslo-1": 0.3})
    one = AgainstOne(baseline="as_observed", usd=13.95, share=0.637, low_usd=12.0, high_usd=15.0,
                     block_h=24.0, blocks_count=7)  # fmt: skip
    return Observation(
        heading={"company": "Little", "file": "little.yaml", "currency": "USD"},
        start=NOON,
        end=NOON + timedelta(seconds=60),
        sites=sites_seen(held, ones_of(held, 18_000, 6_000), now),
        tenants=tuple(
            TenantSeen(tenant=f"tenant-{at}", model="small", input_tokens=2, cached_input_tokens=0,
                       output_tokens=1, requests_count=None, energy_j=7.2e6, full_usd=3.5)
            for at in range(14)
        ),
        saving=ObservedSaving(
            basis="usage", start=NOON, end=NOON, policy="mpc", against=(one,), cost_usd={},
            whole_usd=10.36, sleep_usd=13.64, placement_usd=0.31, regret_share=0.0,
            refused_mtok=0.0, replicas_count=2.0, of_full_share=0.0086,
        ),
        allocated={"says": "Allocated 100.0% of invoices: 9.00 USD."},
        findings=(
            Finding(code="SOME_CODE", path="p", reason="3 USD are [no] EUR", remedy="Mend it",
                    severity="warning"),
        ),
        ledger="l.sqlite",
    )  # fmt: skip


def test_tokens_joules_and_both_costs_are_there(shown, seen):
    text = shown(seen)
    for word in (
        "Little, observed for 60 s to 2026-11-24 12:11:00 UTC",
        "18,000",
        "36,000",
        "modelled",
        "FULL",
        "MARGINAL",
        "paris: spot 80.00 USD/MWh, with contracts 100.00",
        "GPUs that no engine holds cost 6.00 USD/h",
        "ledger: l.sqlite",
        "Allocated 100.0% of invoices",
    ):
        assert word in text, word


def test_the_saving_says_what_it_is_made_of(shown, seen):
    text = shown(seen).replace("\n", " ")
    assert "saved at most 13.95 USD (12.00 to 15.00), 63.7% of its cost, against what you" in text
    assert "10.36 USD if replicas are rounded up to whole ones" in text
    assert "It is 0.86% of the full cost of these engines." in text


def test_tenants_beyond_a_dozen_are_counted(shown, seen):
    """7.2 MJ are 2 kWh."""
    text = shown(seen)
    assert "tenant-11" in text and "tenant-12" not in text
    assert "2 more are in --json." in text
    assert "2.000" in text


def test_findings_come_with_their_remedy_and_keep_their_money(shown, seen):
    euros = replace(seen, heading=seen.heading | {"currency": "EUR"})
    text = shown(euros)
    assert "warning SOME_CODE p: 3 USD are [no] EUR" in text
    assert "Mend it" in text
    assert "money is in EUR" in text
    assert "13.95 EUR" in text and "EUR/Mtok" in text
    assert "with contracts 100.00" in text and "80.00 EUR/MWh" in text


def test_what_is_unknown_is_a_dash_or_a_sentence(shown, seen, tmp_path):
    held = held_company(tmp_path, past_count=24)
    silent = replace(
        seen,
        sites=sites_seen(held, ones_of(held, None, None), None),
        tenants=(),
        saving=None,
        allocated=None,
        ledger=None,
        findings=(),
    )
    text = shown(silent)
    assert "paris: no price of power is known now" in text
    assert "unknown" in text and "MARGINAL" not in text and "would have saved" not in text
    assert "GPUs that no engine holds" in text
