"""Where money goes: every path by hand, and for every run the invoices and the tiers' usage."""

import math

import numpy as np
import pytest
from economics.paying import POLICIES, paid
from economics.test_attribution import hand_full, hand_run, two_sites
from hypothesis import given, settings
from hypothesis import strategies as st

from tokenergy.economics.invoice_paths import InvoicePath, invoice_paths
from tokenergy.economics.reconcile import Invoice, invoices_of
from tokenergy.errors import UnexpectedError
from tokenergy.simulate.account import account


def paths_of(seed: int, policy: str) -> tuple[tuple[Invoice, ...], tuple[InvoicePath, ...]]:
    world, run, full, _ = paid(seed, policy)
    invoices = invoices_of(world, run, account(world, run).power_usd)
    return invoices, invoice_paths(world, run, full, invoices)


def test_every_path_by_hand():
    """The hour of `test_attribution.test_every_part_by_hand`, invoice by invoice.

    Site 0 pays 100 USD: 62.50 for chat, 37.50 for batch; site 1, where nobody is served, 16: 10
    and 6. Fleet 0 costs 10 x 2 USD: 5 and 3 used, 12 asleep; fleet 1 one GPU-hour of 3 USD for
    nobody: 1.875 and 1.125 by all GPU-hours. Facility 3,333.33: 40 % used, 5/8 of it by chat.
    The API 20, network 3, staff 87,600 / 8,760 = 10.
    """
    made = two_sites()
    run = hand_run(made, serve=[[10.0], [6.0], [5.0]], awake=[[4.0], [1.0], [0.0]])
    full = hand_full(made, run, power_usd=116.0)
    power_usd = {"spot-s0": 100.0, "spot-s1": 16.0}
    found = {
        (each.kind, each.site, each.model, each.tier): each.usd
        for each in invoice_paths(made, run, full, invoices_of(made, run, power_usd))
    }
    facility = 50_000 / 15
    assert found == pytest.approx(
        {
            ("power", "s0", "m", "tier0"): 62.5,
            ("power", "s0", "m", "tier1"): 37.5,
            ("power", "s1", "m", "tier0"): 10.0,
            ("power", "s1", "m", "tier1"): 6.0,
            ("gpu", "s0", "m", "tier0"): 5.0,
            ("gpu", "s0", "m", "tier1"): 3.0,
            ("gpu", "s0", "", ""): 12.0,
            ("gpu", "s1", "m", "tier0"): 1.875,
            ("gpu", "s1", "m", "tier1"): 1.125,
            ("facility", "s0", "m", "tier0"): 0.4 * facility * 5 / 8,
            ("facility", "s0", "m", "tier1"): 0.4 * facility * 3 / 8,
            ("facility", "s0", "", ""): 0.6 * facility,
            ("api", "", "m", "tier0"): 20.0,
            ("network", "s0", "m", "tier0"): 3.0,
            ("staff", "", "", ""): 10.0,
        }
    )


@settings(max_examples=6, deadline=None)
@given(st.integers(0, 10**6), st.sampled_from(POLICIES))
def test_paths_sum_to_each_kind_of_invoice_and_to_each_tiers_usage(seed, policy):
    """To 1e-6 of a dollar for each million: as exact as floats add up."""
    invoices, paths = paths_of(seed, policy)
    _, _, full, costs = paid(seed, policy)
    whole = math.fsum(abs(each.usd) for each in invoices)
    close = {"rel": 1e-9, "abs": 1e-12 * whole}
    assert math.fsum(p.usd for p in paths) == pytest.approx(
        math.fsum(i.usd for i in invoices), **close
    )
    for kind in {each.kind for each in invoices}:
        assert math.fsum(p.usd for p in paths if p.kind == kind) == pytest.approx(
            math.fsum(i.usd for i in invoices if i.kind == kind), **close
        )
    for tier in {cost.tier for cost in costs}:
        used = math.fsum(p.usd for p in paths if p.tier == tier and p.kind != "tier")
        assert used == pytest.approx(
            math.fsum(cost.usage_usd for cost in costs if cost.tier == tier), **close
        )
    unused = math.fsum(p.usd for p in paths if p.site and not p.tier)
    assert unused == pytest.approx(full.unused_capacity_usd, **close)


def test_where_nothing_was_served_it_is_for_what_was_asked():
    """20 Mtok of chat and 6 of batch were asked for, none served: 20/26 and 6/26 of the bill."""
    made = two_sites()
    run = hand_run(made, serve=np.zeros((3, 1)), awake=np.zeros((3, 1)))
    full = hand_full(made, run, power_usd=26.0)
    power = [Invoice(kind="power", of="spot-s0", usd=26.0)]
    paths = invoice_paths(made, run, full, power)
    assert {(p.site, p.model, p.tier): p.usd for p in paths} == pytest.approx(
        {("s0", "", "tier0"): 20.0, ("s0", "", "tier1"): 6.0}
    )
    assert paths[0].to_dict()["tenant"] == paths[0].tier
    assert "tier" not in paths[0].to_dict()


def test_an_invoice_that_nobody_knows_is_our_fault():
    made = two_sites()
    run = hand_run(made, serve=np.zeros((3, 1)), awake=np.zeros((3, 1)))
    with pytest.raises(UnexpectedError, match="'gift'"):
        invoice_paths(
            made, run, hand_full(made, run, power_usd=0.0), [Invoice(kind="gift", of="x", usd=1.0)]
        )
