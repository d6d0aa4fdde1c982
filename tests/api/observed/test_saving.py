"""What dispatch would have saved against what was done, in parts that add up."""

from datetime import UTC, datetime

import numpy as np
import pytest
from observed import NOON, held_company, places_of

from tokenergy.api.observed.company import open_observed
from tokenergy.api.observed.saving import AgainstOne, ObservedSaving, observed_saving
from tokenergy.api.observed.world import observed_world


def saved(held, paris, oslo, *, basis="usage"):
    opened = held.past
    mtok = {"paris-1": np.asarray(paris, float), "oslo-1": np.asarray(oslo, float)}
    return observed_saving(
        observed_world(opened, places_of(held, opened.world), mtok), basis=basis, seed=1
    )


@pytest.fixture(scope="module")
def flat(tmp_path_factory):
    held = held_company(tmp_path_factory.mktemp("flat"), past_count=96)
    return saved(held, np.full(96, 1.0), np.full(96, 0.3))


def test_the_parts_of_a_saving_add_up(flat):
    did, greedy = flat.against
    assert flat.sleep_usd + flat.placement_usd == pytest.approx(did.usd)
    assert did.usd == pytest.approx(flat.cost_usd["as_observed"] - flat.cost_usd["mpc"])
    assert greedy.usd == pytest.approx(flat.cost_usd["greedy_battery"] - flat.cost_usd["mpc"])
    assert flat.cost_usd["clairvoyant"] <= flat.cost_usd["mpc"] * (1 + 1e-9)
    assert flat.cost_usd["as_needed"] <= flat.cost_usd["as_observed"]


def test_whole_replicas_save_no_more_than_fractions(flat):
    """All the work fits one replica in Oslo: the one in Paris sleeps, and that is real."""
    assert 0.0 < flat.whole_usd <= flat.against[0].usd + 1e-9
    assert "at most" in flat.sentence() and "whole ones" in flat.sentence()


def test_a_fleet_at_its_limit_is_no_fault_of_ours(tmp_path):
    """From nothing to a full fleet within an hour: what was done breaks no limit of ours.

    Nobody can forecast that: dispatch refuses, pays for it, and says so.
    """
    held = held_company(tmp_path, past_count=24, change=("gpu_count: 4,", "gpu_count: 1,"))
    rate = held.past.world.routes[0].rate_mtok_per_h
    steps = np.array([0.0, rate] * 12)
    found = saved(held, steps, steps)
    assert found.against[0].low_usd is None  # a day says nothing of days
    assert found.refused_mtok > 0.0
    assert found.against[0].usd < 0.0
    assert "for too few replicas" in found.made_of()
    assert found.cost_usd["clairvoyant"] <= found.cost_usd["as_needed"] * (1 + 1e-9)


def test_a_tier_that_may_wait_saves_by_waiting(tmp_path):
    """By turns 10 and 90 USD/MWh: work that waits an hour runs at 10."""
    start = datetime(2026, 2, 1, tzinfo=UTC)
    count = round((NOON - start).total_seconds() / 3600) + 48
    rows = [
        f"{datetime.fromtimestamp(start.timestamp() + 3600 * at, UTC):%Y-%m-%dT%H:%MZ},"
        f"{10 if at % 2 else 90}"
        for at in range(count)
    ]
    (tmp_path / "p.csv").write_text("\n".join(["utc,usd", *rows]) + "\n", encoding="utf-8")
    source = "{file: p.csv, column: usd}"
    prices = {"paris_price": source, "oslo_price": source}
    strict = held_company(tmp_path, past_count=24, **prices)
    hasty = saved(strict, np.full(24, 1.0), np.full(24, 1.0))
    text = strict.path.read_text().replace("must_serve: true", "deadline_s: 7200")
    strict.path.write_text(text)
    patient = saved(
        open_observed(strict.path, at=NOON, past_count=24), np.full(24, 1.0), np.full(24, 1.0)
    )
    assert patient.cost_usd["as_observed"] == pytest.approx(hasty.cost_usd["as_observed"])
    assert patient.placement_usd > hasty.placement_usd
    assert patient.refused_mtok == pytest.approx(0.0, abs=1e-6)


def test_batteries_rest_in_what_was_done_and_work_in_dispatch(tmp_path):
    store = (
        "fleets:\n",
        "batteries:\n  - {name: b, site: paris, power_mw: 0.02, capacity_mwh: 0.04}\nfleets:\n",
    )
    prices = {"paris_price": "{synthetic: germany}", "oslo_price": "{synthetic: norway-like}"}
    with_one = saved(
        held_company(tmp_path, past_count=24, change=store, **prices),
        np.full(24, 1.0),
        np.full(24, 0.3),
    )
    without = saved(
        held_company(tmp_path, past_count=24, **prices), np.full(24, 1.0), np.full(24, 0.3)
    )
    # at rest it holds at the end what it held at the start: no value of it is in the cost
    assert with_one.cost_usd["as_observed"] == pytest.approx(without.cost_usd["as_observed"])
    assert with_one.cost_usd["clairvoyant"] < without.cost_usd["clairvoyant"]
    assert with_one.whole_usd is not None


def test_a_sentence_tells_amounts_that_mean_something():
    one = AgainstOne(baseline="as_observed", usd=1234.5, share=0.1, low_usd=None, high_usd=None,
                     block_h=None, blocks_count=0)  # fmt: skip
    two = AgainstOne(baseline="greedy_battery", usd=-0.004, share=-1e-9, low_usd=-0.5, high_usd=0.5,
                     block_h=24.0, blocks_count=7)  # fmt: skip
    told = ObservedSaving(
        basis="rate_held", start=NOON, end=NOON, policy="mpc", against=(one, two), cost_usd={},
        whole_usd=1234.0, sleep_usd=1000.0, placement_usd=234.5, regret_share=None,
        refused_mtok=2.5, replicas_count=4.0,
    )  # fmt: skip
    said = told.sentence()
    assert "saved 1,234 USD, 10.0% of its cost, against what you did and" in said
    assert "0 USD (-0.50 to 0.50) against greedy_battery." in said
    assert "refuses 2.5 Mtok" in told.made_of()
    assert told.to_dict()["usd"] == 1234.5
