"""The waterfall: steps by hand, end to end, and the margin that is left."""

import pytest
from economics.paying import POLICIES, SEEDS, margins
from hypothesis import given, settings
from hypothesis import strategies as st

from tokenergy.economics.margin import company_margin
from tokenergy.economics.waterfall import COMPANY, waterfalls

TIER_STEPS = ["revenue", "energy", "gpu", "facility", "battery_wear", "network", "staff", "margin"]


def test_steps_are_those_of_the_page():
    full, tiers = margins(0, "clairvoyant")
    company, *each = waterfalls(full, tiers)
    assert (company.of, company.is_company, company.basis) == (COMPANY, True, "allocation")
    assert [step.name for step in company.steps] == [
        *TIER_STEPS[:6], "unused_capacity", "staff", "margin",
    ]  # fmt: skip
    assert [fall.of for fall in each] == [tier.tier for tier in tiers]
    for fall in each:
        assert [step.name for step in fall.steps] == TIER_STEPS
        assert (fall.is_company, fall.basis) == (False, "usage")


def test_a_tiers_steps_are_its_costs():
    full, tiers = margins(1, "clairvoyant")
    steps = {step.name: step.usd for step in waterfalls(full, tiers)[1].steps}
    tier = tiers[0]
    assert steps == {
        "revenue": tier.revenue_usd, "energy": -tier.power_usd, "gpu": -tier.silicon_usd,
        "facility": -tier.powered_capacity_usd, "battery_wear": -tier.wear_usd,
        "network": -tier.network_usd, "staff": -tier.tier_fixed_usd, "margin": 0.0,
    }  # fmt: skip


@settings(max_examples=20)
@given(SEEDS, st.sampled_from(POLICIES))
def test_steps_lie_end_to_end_and_leave_the_margin(seed, policy):
    full, tiers = margins(seed, policy)
    falls = waterfalls(full, tiers)
    left = [company_margin(full, tiers).margin_usd, *(tier.full_margin_usd for tier in tiers)]
    for fall, margin_usd in zip(falls, left, strict=True):
        assert fall.steps[0].start_usd == 0.0
        size = sum(abs(step.usd) for step in fall.steps)
        for before, after in zip(fall.steps, fall.steps[1:], strict=False):
            assert after.start_usd == before.end_usd
        for step in fall.steps[:-1]:
            assert step.start_usd + step.usd == pytest.approx(step.end_usd, abs=1e-12 * size)
        assert sum(step.usd for step in fall.steps) == pytest.approx(margin_usd, abs=1e-10 * size)
        assert fall.margin_usd == fall.steps[-1].start_usd == fall.steps[-1].end_usd
    company, *each = (fall.to_dict()["steps"] for fall in falls)
    for at, name in enumerate(TIER_STEPS[:6]):
        assert company[at]["name"] == name
        of_tiers = sum(steps[at]["usd"] for steps in each)
        assert company[at]["usd"] == pytest.approx(of_tiers, rel=1e-12)


def test_a_company_without_tiers_has_only_its_own_steps():
    full, _ = margins(0, "refuser")
    (company,) = waterfalls(full, ())
    assert company.margin_usd == pytest.approx(
        -full.unused_capacity_usd - full.staff_usd - full.tier_fixed_usd
    )
