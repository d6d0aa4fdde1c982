"""T9: what is curtailed when, what it loses, and a verdict that no draw can bend."""

import json
from dataclasses import replace
from datetime import UTC, datetime

import numpy as np
import pytest

from tokenergy.files.catalogue import load_catalogue
from tokenergy.files.presets import load_ranges
from tokenergy.thesis import flexibility, flexibility_draws
from tokenergy.thesis.flexibility import needed_share, worst_of
from tokenergy.thesis.flexibility_weeks import Curtailment, Weeks, mixed, sized
from tokenergy.thesis.inputs import HourlyPrices, ThesisInputs
from tokenergy.thesis.three_company import PLACES, SITES_COUNT, Terms
from tokenergy.thesis.three_sites import scene_of, warm

ZONES = tuple(place.zones[0] for place in PLACES)
TERMS = Terms.base(load_ranges())
HOURS = 16 * 24
STARTS = (0, 168)


def inputs_of(rows, *, seed=1) -> ThesisInputs:
    named = dict(zip(ZONES, (np.asarray(row, float) for row in rows), strict=True))
    held = HourlyPrices(
        start=datetime(2023, 1, 2, tzinfo=UTC), usd_per_mwh=named, source="test", synthetic=True
    )
    return ThesisInputs(
        catalogue=load_catalogue(), presets=(), ranges=load_ranges(), prices=held, seed=seed
    )


@pytest.fixture(scope="module")
def uneven():
    """Prices that differ from hour to hour and peak in the evening, the same in all zones."""
    dice = np.random.default_rng(3)
    evening = 30.0 * np.sin(np.arange(HOURS) * 2.0 * np.pi / 24.0)
    return inputs_of(45.0 + evening + dice.normal(0.0, 5.0, size=(3, HOURS)))


def weeks_of(inputs, *, part=0.3, depth=0.3, room=0.1):
    return Weeks.of(
        scene_of(inputs),
        TERMS,
        STARTS,
        deferrable_share=part,
        depth_share=depth,
        room_share=room,
    )


@pytest.fixture(scope="module")
def third(uneven):
    return weeks_of(uneven)


def test_the_tokens_are_the_same_for_every_part_that_may_wait(uneven, third):
    known = third.windows[0]
    for part in (0.0, 0.1, 0.6):
        other = mixed(replace(known, arrivals_mtok=_as_filed(uneven)), part)
        assert other.arrivals_mtok.sum() == pytest.approx(known.arrivals_mtok.sum())
        assert other.arrivals_mtok[3].sum() == pytest.approx(part * known.arrivals_mtok.sum())
        assert np.ptp(other.arrivals_mtok[3]) == pytest.approx(0.0)


def _as_filed(inputs):
    """Return the chat of the first week, of which the company file has seven tenths of all."""
    asked = scene_of(inputs).requests_per_s
    return np.array([row[:168] * 3600.0 * 300.0 / 1e6 for row in asked.values()])


def test_fleets_have_room_over_the_busiest_hour_without_waiting(uneven):
    scene = scene_of(uneven)
    busy = scene.gpus_by_hour()[:SITES_COUNT, : 2 * 168].max(axis=1) / 0.7
    for place, count in enumerate(sized(scene, STARTS, room_share=0.1).gpus_count):
        assert 0.0 <= count - 1.1 * busy[place] < 1.0


def test_the_dearest_hours_are_cut_until_the_energy_is_reached(third):
    drawn = third.drawn_mw()
    limits = third.limits_mw(0.01, drawn)
    ample = np.concatenate([each.import_limit_mw for each in third.windows], axis=1)
    price = np.concatenate([each.buy_usd_per_mwh for each in third.windows], axis=1)
    for site in range(SITES_COUNT):
        cut = limits[site] < ample[site]
        asked = np.maximum(0.0, drawn[site] - limits[site])
        least = asked[cut][np.argmin(price[site, cut])]
        assert asked.sum() >= 0.01 * drawn[site].sum() > asked.sum() - least - 1e-9
        assert np.all(asked <= 0.3 * drawn[site] + 1e-9)
        standing = third.world.standing_mw()[site] * third.windows[0].pue[site, 0]
        assert limits[site].min() > standing
        spared = ~cut & (price[site] > price[site, cut].min())
        assert np.all(drawn[site, spared] <= standing + 0.002)  # there was nothing to cut


def test_curtailed_work_waits_and_what_cannot_is_counted(third):
    """The figures again, from solves of our own."""
    found = third.curtailed(0.01)
    limits = third.limits_mw(0.01, third.drawn_mw())
    assert found.asked_share >= 0.01
    value = np.array([load.value_usd_per_mtok for load in third.world.workloads])
    lost = np.zeros(4)
    for at, window in enumerate(third.windows):
        part = limits[:, 168 * at : 168 * (at + 1)]
        state = warm(third.world)
        held = third.model.solve(replace(window, import_limit_mw=part), state)
        assert (held.value("meter_import").T - part).max() <= 1e-6
        lost += held.value("refused").sum(axis=0) - third.free[at].value("refused").sum(axis=0)
    asked = sum(window.arrivals_mtok.sum(axis=1) for window in third.windows)
    assert found.lost_share == pytest.approx(value @ lost / (value @ asked), abs=1e-9)
    chat = lost[:3].sum() / asked[:3].sum()
    assert found.priority_share == pytest.approx(1.0 - chat, abs=1e-9)


def test_a_load_that_may_wait_loses_less(uneven, third):
    strict = weeks_of(uneven, part=0.0)
    most = weeks_of(uneven, part=0.6)
    lost = [each.curtailed(0.01).lost_share for each in (strict, third, most)]
    assert lost[0] > lost[1] >= lost[2] - 1e-9


def test_what_would_be_drawn_without_waiting_is_another_baseline(third):
    """Both draw the same work; without waiting more of it falls into the dearest hours."""
    price = np.concatenate([each.buy_usd_per_mwh for each in third.windows], axis=1)
    unmoved, drawn = third.unmoved_mw(), third.drawn_mw()
    dear = price >= np.quantile(price, 0.9, axis=1, keepdims=True)
    assert unmoved[dear].sum() > drawn[dear].sum()
    assert unmoved.sum() == pytest.approx(drawn.sum(), rel=0.05)


def curtailment(part, lost, priority, curtailed=0.01):
    return Curtailment(
        curtailed_share=curtailed,
        deferrable_share=part,
        asked_share=curtailed,
        hours_h=1.0,
        lost_share=lost,
        priority_share=priority,
        cost_share=0.0,
        other_lost_share=0.0,
    )


def test_a_part_is_enough_if_both_hold_at_every_curtailment():
    found = [
        curtailment(0.0, 0.002, 1.0),
        curtailment(0.1, 0.0005, 0.999),
        curtailment(0.3, 0.0, 1.0, curtailed=0.005),
        curtailment(0.3, 0.0011, 1.0),
        curtailment(0.6, 0.0009, 1.0),
    ]
    assert worst_of(found, 0.3) == (0.0011, 1.0)
    assert needed_share(found) == 0.6
    assert needed_share(found[:4]) is None


def test_the_draws_are_the_same_twice_and_shallow_cuts_hold_more_often(uneven, monkeypatch):
    scene = scene_of(uneven)
    once, again = (
        flexibility_draws.drawn(scene, TERMS, ranges=load_ranges(), seed=4, count=10)
        for _ in range(2)
    )
    assert once == again
    own = dict(flexibility_draws.OWN_RANGES)
    held = []
    for depth in (0.02, 0.6):
        monkeypatch.setattr(flexibility_draws, "OWN_RANGES", own | {"depth_share": (depth, depth)})
        held.append(flexibility_draws.drawn(scene, TERMS, ranges=load_ranges(), seed=4, count=25))
    assert held[0].holds_share > held[1].holds_share


def test_the_experiment_says_its_figures_twice_alike(uneven, monkeypatch):
    monkeypatch.setattr(flexibility, "DRAWS_COUNT", 10)
    told = []
    once = flexibility.run(uneven, lambda done, of: told.append((done, of)))
    assert json.dumps(once.to_dict()) == json.dumps(flexibility.run(uneven).to_dict())
    assert told == [(at, 7) for at in range(1, 8)]
    assert (once.id, once.label, once.draws_count) == ("T9", "sensitivity", 10)
    rows = once.figures["curtailments"]
    assert [row["deferrable_share"] for row in rows] == [
        p for p in (0, 0.1, 0.3, 0.6) for _ in "abc"
    ]
    allowed = [row for row in rows if row["deferrable_share"] <= 0.3]
    worst = {p: max(r["lost_share"] for r in allowed if r["deferrable_share"] == p)
             for p in (0.0, 0.1, 0.3)}  # fmt: skip
    assert once.number == min(worst.values())
    holds = any(
        worst[p] < 0.001
        and all(r["priority_share"] >= 1.0 for r in allowed if r["deferrable_share"] == p)
        for p in worst
    )
    assert once.verdict == ("PASS" if holds else "FAIL")


def test_days_are_too_short():
    result = flexibility.run(inputs_of(np.full((3, 100), 30.0)))
    assert (result.verdict, result.number) == ("NOT_APPLICABLE", None)
    assert "100 h of prices are too few" in result.says
