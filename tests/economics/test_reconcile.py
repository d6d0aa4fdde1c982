"""Reconciliation: every invoice charged once; one that is lost, or charged twice, is an error."""

from dataclasses import replace

import pytest
from economics.paying import POLICIES, SEEDS, margins, paid
from hypothesis import given, settings
from hypothesis import strategies as st

from tokenergy.economics.reconcile import Invoice, invoices_of, reconcile
from tokenergy.economics.unit_cost import capital_rent
from tokenergy.simulate.account import account


def invoices(seed: int, policy: str) -> tuple[Invoice, ...]:
    world, run, _, _ = paid(seed, policy)
    return invoices_of(world, run, account(world, run).power_usd)


@settings(max_examples=30)
@given(SEEDS, st.sampled_from(POLICIES))
def test_every_invoice_is_charged_to_somebody(seed, policy):
    found = reconcile(invoices(seed, policy), *margins(seed, policy))
    assert found.residual_share == pytest.approx(0.0, abs=1e-9)
    assert found.findings == ()
    assert found.sentence().startswith("Allocated 100.0% of invoices")
    charged = found.tiers_usd + found.unused_capacity_usd + found.fixed_usd
    assert charged + found.residual_usd == pytest.approx(found.invoiced_usd, rel=1e-12)


def test_invoices_are_written_apart_from_the_full_cost():
    """By kind they are the full cost's own parts, each summed another way."""
    world, run, full, _ = paid(2, "clairvoyant")
    sums: dict[str, float] = {}
    for invoice in invoices(2, "clairvoyant"):
        sums[invoice.kind] = sums.get(invoice.kind, 0.0) + invoice.usd
    rent, spent = capital_rent(world.company), account(world, run)
    assert sums["power"] == pytest.approx(spent.bill_usd)
    assert sums["gpu"] == pytest.approx(rent.gpu_usd_per_h * full.hours_h + spent.lease_usd)
    assert sums["facility"] == pytest.approx(rent.facility_usd_per_h * full.hours_h)
    assert sums["battery"] == pytest.approx(rent.battery_usd_per_h * full.hours_h)
    assert sums.get("network", 0.0) == pytest.approx(spent.network_usd)
    assert sums.get("api", 0.0) == pytest.approx(spent.api_usd)
    assert sums.get("wear", 0.0) == pytest.approx(spent.cycling_usd)
    assert (sums["staff"], sums["tier"]) == pytest.approx((full.staff_usd, full.tier_fixed_usd))


@pytest.mark.parametrize("kind", ["power", "gpu", "facility", "staff", "tier"])
def test_an_invoice_that_is_lost_or_doubled_is_seen(kind):
    every = invoices(1, "clairvoyant")
    full, tiers = margins(1, "clairvoyant")
    one = max((i for i in every if i.kind == kind), key=lambda i: i.usd)
    assert one.usd > 0.0
    lost = reconcile([i for i in every if i is not one], full, tiers)
    assert lost.residual_usd == pytest.approx(-one.usd)
    doubled = reconcile([*every, one], full, tiers)
    assert doubled.residual_usd == pytest.approx(one.usd)
    (finding,) = doubled.findings
    assert (finding.code, finding.severity) == ("ALLOCATION_RESIDUAL", "error")
    assert "charged to nobody" in finding.reason
    assert "never invoiced" in lost.findings[0].reason


def test_the_limit_by_hand():
    """1,000 USD charged: an invoice of 1,000.99 is 0.099 % away, one of 1,001.01 is 0.101 %."""
    full, _ = margins(0, "refuser")
    full = replace(full, staff_usd=1000.0, unused_capacity_usd=0.0, tier_fixed_usd=0.0)
    within = reconcile([Invoice(kind="staff", of="x", usd=1000.99)], full, ())
    assert within.findings == ()
    assert within.residual_share == pytest.approx(0.99 / 1000.99)
    beyond = reconcile([Invoice(kind="staff", of="x", usd=1001.01)], full, ())
    assert [finding.limit for finding in beyond.findings] == ["0.1%"]
    assert beyond.allocated_share == pytest.approx(1.0 - 1.01 / 1001.01)
    assert "residual 1.01 USD" in beyond.sentence()


def test_sales_do_not_hide_a_residual():
    """A bill of 1,000 and a sale of 999 USD sum to 1; a residual of 0.5 is of 1,999."""
    full, _ = margins(0, "refuser")
    full = replace(full, staff_usd=0.5, unused_capacity_usd=0.0)
    pair = [Invoice(kind="power", of="s", usd=1000.0), Invoice(kind="power", of="p", usd=-999.0)]
    assert reconcile(pair, full, ()).residual_share == pytest.approx(0.5 / 1999.0)


def test_nothing_invoiced_and_something_charged_is_an_error():
    full, _ = margins(0, "refuser")
    assert full.staff_usd > 0.0
    found = reconcile([], full, ())
    assert found.residual_share is None
    assert [finding.value for finding in found.findings] == ["no invoices"]
    assert "no invoices" in found.sentence()
