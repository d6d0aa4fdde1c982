"""Every policy through outages: limits kept, nothing known too early, nobody below the bound."""

from datetime import timedelta

import numpy as np
import pytest
from worlds import START, company_of, inputs_of, random_case

from tokenergy.company.outage import Outage
from tokenergy.dispatch.build import build_world
from tokenergy.dispatch.outages import alive, apply_outages
from tokenergy.dispatch.policies import POLICIES, make_policy
from tokenergy.files.catalogue import load_catalogue
from tokenergy.simulate.account import account
from tokenergy.simulate.replay import replay
from tokenergy.simulate.scorecard import scorecard

HOURS = 24


def outages_of(seed):
    """Draw a dark site, a tripped feed and a fleet that lost GPUs, announced or not."""
    rng = np.random.default_rng(seed)

    def at(what, name, **more):
        begin = START + timedelta(hours=int(rng.integers(1, 20)))
        notice_h = float(rng.choice([0.0, 0.0, 2.0]))
        return Outage(what=what, name=name, start=begin, length_h=3.0, notice_h=notice_h, **more)

    return (
        at("site", f"s{rng.integers(3)}"),
        at("feed", f"s{rng.integers(3)}", left_share=float(rng.choice([0.0, 0.3, 0.6]))),
        at("fleet", f"f{rng.integers(3)}", left_share=float(rng.choice([0.0, 0.5]))),
    )


@pytest.mark.parametrize("seed", range(6))
def test_every_policy_keeps_every_limit_and_none_beats_the_bound(seed):
    """`replay` raises `LimitBroken` at the first thing that is not there any more."""
    made = apply_outages(random_case(seed, hours=HOURS)[0], outages_of(seed))
    runs = {name: replay(made, make_policy(name, made)) for name in POLICIES}
    bound_usd = scorecard(made, runs).policies["clairvoyant"].cost_usd
    dark = ~alive(made, np.arange(HOURS))
    for name, run in runs.items():
        cost_usd = scorecard(made, {name: run}).policies[name].cost_usd
        assert cost_usd >= bound_usd - 1e-6 * max(1.0, abs(bound_usd)), name
        for moved in (run.import_mwh, run.export_mwh, run.load_mwh):
            assert np.all(moved[dark] <= 1e-9), name
        for battery, site in enumerate(made.battery_site):
            used = run.charge_mwh[battery] + run.discharge_mwh[battery]
            assert np.all(used[dark[site]] <= 1e-9), name


def test_what_was_decided_without_knowing_is_mended_in_its_first_interval_alone():
    made = random_case(6, hours=HOURS)[0]
    gone = Outage(
        what="feed", name="s1", start=START + timedelta(hours=9), length_h=4.0, left_share=0.5
    )
    known = gone.model_copy(update={"notice_h": 3.0})
    surprised, told = (apply_outages(made, [each]) for each in (gone, known))
    sources = replay(surprised, make_policy("mpc", surprised)).sources
    assert [at for at, source in enumerate(sources) if source == "event_path"] == [9]
    assert "event_path" not in replay(told, make_policy("mpc", told)).sources


def test_an_outage_changes_nothing_that_was_decided_before_it_was_known():
    made = random_case(3, hours=HOURS)[0]
    gone = Outage(what="site", name="s0", start=START + timedelta(hours=12), length_h=3.0)
    broken = apply_outages(made, [gone])
    for name in ("mpc", "greedy_battery", "static"):
        once, then = (replay(each, make_policy(name, each)) for each in (made, broken))
        assert np.array_equal(once.serve_mtok[:, :12], then.serve_mtok[:, :12]), name
        assert not np.array_equal(once.serve_mtok[:, 12:], then.serve_mtok[:, 12:]), name


def test_outages_of_a_file_are_in_its_world_and_in_its_bill():
    """A must-take project behind the meter of a dark site makes nothing, and bills nothing."""
    ppa = {
        "id": "sun",
        "kind": "ppa_as_produced",
        "site": "texas",
        "delivery": "behind_the_meter",
        "project_mw": 0.01,
        "share": 1.0,
        "strike_usd_per_mwh": 20.0,
        "may_curtail": False,
        "profile": 0.5,
    }
    contracts = [{"id": "spot-texas", "kind": "spot", "site": "texas"}, ppa]
    out = {"what": "site", "name": "texas", "start": "2026-03-02T05:00Z", "length_h": 3.0}
    company = company_of(contracts=contracts, outages=[out])
    made = build_world(company, inputs_of(company), load_catalogue())
    assert np.flatnonzero(~alive(made, np.arange(made.last))[0]).tolist() == [5, 6, 7]
    run = replay(made, make_policy("greedy", made))
    assert run.load_mwh[0, 5:8].tolist() == [0.0, 0.0, 0.0]
    assert run.refused_mtok[0, 5:8].min() > 0.0
    spent = account(made, run)  # the two bills tie, or it raises
    assert spent.power_usd["sun"] == pytest.approx((48 - 3) * 0.01 * 0.5 * 20.0)
