"""Outages as arrays: what is gone, when it is known, and what a dark site means."""

from dataclasses import replace
from datetime import timedelta

import numpy as np
import pytest
from worlds import START, battery, block, deployment, fleet, plain, route, take, workload, world

from tokenergy.company.outage import Outage
from tokenergy.dispatch.merit import Greedy
from tokenergy.dispatch.outages import (
    alive,
    alive_in,
    apply_outages,
    gpus_count,
    gpus_in,
    limits_at,
    standing_in,
)
from tokenergy.dispatch.window import as_known, true_window
from tokenergy.dispatch.world import Generator
from tokenergy.errors import UnknownName
from tokenergy.simulate.replay import replay

HOURS = np.arange(24)


def broken(what, name, hour, length=2.0, **more):
    return Outage(
        what=what, name=name, start=START + timedelta(hours=hour), length_h=length, **more
    )


def two_sites(**changes):
    """Two sites of 40 MW with 100 GPUs each, 1 MW of fixed load and 0.01 MW of sleep a GPU."""
    made = plain(
        np.full((2, 24), 50.0), np.full((1, 24), 5.0), import_limit=40.0, fixed=1.0, **changes
    )
    return replace(made, fleets=tuple(fleet(s, sleep_mw=0.01) for s in range(2)))


def test_without_outages_the_world_is_the_same():
    made = two_sites()
    assert apply_outages(made, ()) is made
    assert np.all(gpus_count(made, HOURS) == 100.0)
    assert alive(made, HOURS).all()


def test_a_feed_loses_megawatts_and_what_stands_there_still_draws():
    made = apply_outages(two_sites(), [broken("feed", "s0", 5, left_share=0.25, notice_h=3.0)])
    assert made.import_limit_mw[0, 4:8].tolist() == [40.0, 10.0, 10.0, 40.0]
    assert np.all(made.import_limit_mw[1] == 40.0)
    (cut,) = made.cuts
    assert (cut.begin, cut.end, cut.lost_mw.tolist()) == (5, 7, [30.0, 30.0])
    assert not made.losses and alive(made, HOURS).all()


def test_a_feed_that_cannot_carry_the_standing_load_leaves_the_site_dark():
    """Standing: 1 + 100 x 0.01 = 2 MW. 4 % of 40 MW are 1.6 MW; 5 % are 2 MW and just carry it."""
    dark = apply_outages(two_sites(), [broken("feed", "s0", 5, left_share=0.04)])
    assert np.flatnonzero(~alive(dark, HOURS)[0]).tolist() == [5, 6]
    lit = apply_outages(two_sites(), [broken("feed", "s0", 5, left_share=0.05)])
    assert alive(lit, HOURS).all()


def test_a_block_behind_the_meter_helps_to_carry_it_and_a_battery_does_not():
    behind = block(np.full(24, 2.0), site=0, behind=True)
    full = battery(power=50.0, capacity=500.0)
    outage = [broken("feed", "s0", 5)]
    assert alive(apply_outages(replace(two_sites(), blocks=(behind,)), outage), HOURS).all()
    stored = two_sites(batteries=(full,), battery_site=(0,))
    assert not alive(apply_outages(stored, outage), HOURS)[0, 5]


def test_a_plant_that_runs_as_it_pleases_carries_it_and_one_with_a_permit_is_not_counted_on():
    plant = Generator(
        contract_id="gas",
        site=0,
        capacity_mw=np.full(24, 3.0),
        usd_per_mwh=np.full(24, 90.0),
        min_load_share=0.0,
        start_usd=0.0,
        permit_h=np.inf,
        permit_year=np.full(24, 2026),
    )
    for held, lit in ((plant, True), (replace(plant, permit_h=100.0), False)):
        made = replace(two_sites(), generators=(held,))
        broken_down = apply_outages(made, [broken("feed", "s0", 5)])
        assert alive(broken_down, HOURS)[0, 5] == lit
        assert broken_down.generators[0].capacity_mw[5] == (3.0 if lit else 0.0)
        run = replay(broken_down, Greedy(broken_down))
        assert run.import_mwh[0, 5] == 0.0
        assert run.load_mwh[0, 5] == pytest.approx(3.0 if lit else 0.0, abs=1.0)


def test_a_dark_site_has_nothing_and_gives_nothing():
    sun = take(np.full(24, 3.0), site=0, behind=True, curtail=False)
    wind = replace(take(np.full(24, 3.0), site=0), contract_id="wind")
    behind = block(np.full(24, 2.0), site=0, behind=True)
    made = replace(two_sites(export_limit=7.0), takes=(sun, wind), blocks=(behind,))
    dark = apply_outages(made, [broken("site", "s0", 5)])
    assert dark.import_limit_mw[0, 5] == dark.export_limit_mw[0, 5] == 0.0
    assert gpus_count(dark, HOURS)[:, 5].tolist() == [0.0, 100.0]
    assert dark.takes[0].available_mw[5] == dark.takes[0].floor_mw[5] == 0.0
    assert dark.takes[1].available_mw[5] == 3.0  # over the grid it is made and sold elsewhere
    assert dark.block_delivery_mw(behind_the_meter=True)[0, 4:8].tolist() == [2.0, 0.0, 0.0, 2.0]
    standing = standing_in(dark, true_window(dark, begin=0, count=24))
    assert standing[0, 4:8].tolist() == pytest.approx([2.0, 0.0, 0.0, 2.0])
    assert standing[1].tolist() == pytest.approx([2.0] * 24)
    there = limits_at(dark, 6)
    assert there.import_limit_mw.tolist() == [0.0, 40.0]
    assert there.alive.tolist() == [False, True]


def test_gpus_that_are_gone_neither_serve_nor_sleep():
    made = apply_outages(
        two_sites(),
        [broken("fleet", "f1", 5, left_share=0.5), broken("fleet", "f1", 6, left_share=0.4)],
    )
    assert gpus_count(made, HOURS)[1, 4:9].tolist() == pytest.approx([100, 50, 20, 40, 100])
    standing = standing_in(made, true_window(made, begin=0, count=24))
    assert standing[1, 4:9].tolist() == pytest.approx([2.0, 1.5, 1.2, 1.4, 2.0])


@pytest.mark.parametrize(
    ("notice_h", "announced"), [(0.0, 6), (0.5, 5), (1.0, 5), (1.5, 4), (24.0, -18)]
)
def test_an_announcement_in_the_moment_of_a_decision_comes_too_late_for_it(notice_h, announced):
    """It starts at 5:00; with 1 h of notice it is told at 4:00, just after that hour's decision."""
    made = apply_outages(two_sites(), [broken("feed", "s0", 5, left_share=0.5, notice_h=notice_h)])
    assert made.cuts[0].announced == announced


def test_a_part_of_an_interval_counts_for_all_of_it():
    made = apply_outages(two_sites(), [broken("feed", "s0", 5.5, length=1.0, left_share=0.5)])
    assert (made.cuts[0].begin, made.cuts[0].end, made.cuts[0].announced) == (5, 7, 6)


def test_outages_before_and_after_the_series_touch_nothing():
    made = two_sites()
    out = [broken("site", "s0", -5), broken("feed", "s1", 24), broken("fleet", "f0", 30)]
    after = apply_outages(made, out)
    assert not after.cuts and not after.losses
    assert np.array_equal(after.import_limit_mw, made.import_limit_mw)


def test_nobody_knows_before_it_is_announced_and_everybody_after():
    behind = block(np.full(24, 2.0), site=0, behind=True)
    made = replace(two_sites(export_limit=7.0), blocks=(behind,))
    out = [broken("site", "s0", 5, notice_h=2.0), broken("fleet", "f1", 6, left_share=0.5)]
    dark = apply_outages(made, out)
    for now, knows_site, knows_fleet in ((3, False, False), (4, True, False), (7, True, True)):
        window = as_known(dark, true_window(dark, begin=now, count=8), at=now)
        at = np.arange(now, now + 8)
        gone, less = ((at >= 5) & (at < 7)), ((at >= 6) & (at < 8))
        lit = ~(gone & knows_site)
        assert alive_in(dark, window)[0].tolist() == lit.tolist()
        assert window.import_limit_mw[0].tolist() == (40.0 * lit).tolist()
        assert window.export_limit_mw[0].tolist() == (7.0 * lit).tolist()
        assert window.meter_block_mw[0].tolist() == (2.0 * lit).tolist()
        there = np.where(less & knows_fleet, 50.0, 100.0)
        assert gpus_in(dark, window)[1].tolist() == there.tolist()


def test_unequal_intervals_have_what_is_there_throughout_them():
    """An interval of three hours, of which one has half of the GPUs, counts as one with half."""
    made = apply_outages(two_sites(), [broken("fleet", "f0", 4, length=1.0, left_share=0.5)])
    window = replace(
        true_window(made, begin=0, count=4),
        edges=np.array([0, 1, 3, 6, 7]),
        lengths_h=np.array([1.0, 2.0, 3.0, 1.0]),
    )
    assert gpus_in(made, window)[0].tolist() == [100.0, 100.0, 50.0, 100.0]
    assert alive_in(made, window).all()


def test_unknown_names_are_told_at_once_with_the_nearest():
    with pytest.raises(UnknownName) as refused:
        apply_outages(two_sites(), [broken("site", "s3", 1), broken("fleet", "s0", 1)])
    assert "site 's3'" in str(refused.value) and "fleet 's0'" in str(refused.value)


def test_gpus_of_two_fleets_at_a_dark_site_are_all_gone():
    loads = (workload(),)
    fleets = (fleet(0), replace(fleet(0, gpus=7.0), name="g0"), fleet(1))
    targets = (deployment(0), deployment(0, fleet=1), deployment(1, fleet=2))
    made = world(
        np.full((2, 6), 50.0),
        np.full((1, 6), 1.0),
        routes=tuple(route(0, d) for d in range(3)),
        deployments=targets,
        fleets=fleets,
        workloads=loads,
    )
    dark = apply_outages(made, [broken("site", "s0", 2)])
    assert gpus_count(dark, np.arange(6))[:, 2].tolist() == [0.0, 0.0, 100.0]
