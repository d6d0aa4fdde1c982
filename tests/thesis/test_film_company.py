"""The film company: counts that follow from demand, and a program that does what it is told."""

from dataclasses import replace
from datetime import UTC, datetime

import numpy as np
import pytest

from tokenergy.economics.heavy_tail import ValueClass, value_classes
from tokenergy.errors import InputError
from tokenergy.files.catalogue import load_catalogue
from tokenergy.files.presets import load_presets, load_ranges
from tokenergy.thesis.film_company import Film, film_of, served, served_whole, valued
from tokenergy.thesis.inputs import HourlyPrices, ThesisInputs
from tokenergy.thesis.restraint_curve import curve_of

HOURS = 48


def inputs_of(zones: dict[str, np.ndarray] | None = None) -> ThesisInputs:
    hour = np.arange(HOURS)
    swing = 40.0 + 15.0 * np.sin(hour / 24.0 * 2.0 * np.pi)
    made = {"texas": swing, "virginia": swing[::-1] - 3.0} if zones is None else zones
    return ThesisInputs(
        catalogue=load_catalogue(),
        presets=load_presets(),
        ranges=load_ranges(),
        prices=HourlyPrices(
            start=datetime(2025, 3, 4, tzinfo=UTC),
            usd_per_mwh=made,
            source="by hand",
            synthetic=True,
        ),
        seed=1,
    )


@pytest.fixture(scope="module")
def film() -> Film:
    return film_of(inputs_of())


def test_own_gpus_carry_the_mean_and_leased_ones_the_peaks(film: Film) -> None:
    """A clip keeps a GPU busy for 474 s: one clip a second keeps as many GPUs."""
    world = film.world
    clip_s = film.clip_mtok / world.routes[0].rate_mtok_per_h * 3600.0
    assert clip_s == pytest.approx(474.0, abs=1.0)
    busy = world.arrivals_mtok[0] / film.clip_mtok / 3600.0 * clip_s
    assert busy.mean() <= film.owned_count < busy.mean() + 2.0
    assert busy.max() < film.owned_count + film.leased_count < 1.06 * busy.max() + 2.0
    assert film_of(inputs_of(), owned_ratio=0.5).owned_count == pytest.approx(
        0.5 * film.owned_count, abs=2.0
    )


def test_capital_of_one_gpu_by_hand(film: Film) -> None:
    """33,000 x (0.25709 + 0.04) + 12,000 x 1.4 x 0.12406 = 9,804 + 2,084 = 11,888 USD a year."""
    assert film.capital_usd_per_h / film.owned_count == pytest.approx(11_888 / 8760, rel=1e-3)


def test_everything_is_served_and_costs_leases_above_own_gpus(film: Film) -> None:
    """Leased GPU-hours are what arrivals need above own GPUs, at 2 USD; waking adds a little."""
    whole = served_whole(film)
    assert whole.served_mtok.sum() == pytest.approx(film.world.arrivals_mtok.sum())
    rate = film.world.routes[0].rate_mtok_per_h
    above = np.maximum(0.0, film.world.arrivals_mtok[0] / rate - film.owned_count)
    assert whole.lease_usd == pytest.approx(2.0 * above.sum(), rel=0.02)
    assert whole.lease_usd >= 2.0 * above.sum() - 1e-6
    assert whole.cost_usd > whole.lease_usd


def test_the_program_refuses_what_is_worth_less_than_its_price(film: Film) -> None:
    classes = value_classes(0.5, 8)
    world = valued(film, classes, usd_per_clip=0.22)
    done = served(world)
    value = np.array([load.value_usd_per_mtok for load in world.workloads])[:, None]
    refused, kept = done.refused_mtok > 1e-6, done.served_mtok > 1e-6
    price = done.asked_usd_per_mtok[None, :]
    assert refused.any() and kept.any()
    assert np.all((value <= price + 1e-6) | ~refused)
    assert np.all((value >= price - 1e-6) | ~kept)


def test_one_class_is_the_company_itself(film: Film) -> None:
    once = (ValueClass(requests_share=1.0, value_ratio=1.0),)
    world = valued(film, once, usd_per_clip=5.0)
    np.testing.assert_array_equal(world.arrivals_mtok, film.world.arrivals_mtok)
    assert world.workloads[0].value_usd_per_mtok == pytest.approx(5.0 / film.clip_mtok)
    assert [route.workload for route in world.routes] == [0] * len(film.world.routes)


@pytest.mark.parametrize("usd_per_clip", [0.05, 0.22, 1.0])
def test_hours_without_wakes_are_merit_orders(film: Film, usd_per_clip: float) -> None:
    """The closed form equals the program once waking costs nothing."""
    still = tuple(replace(d, wake_h=0.0, wake_mwh=0.0) for d in film.world.deployments)
    at_once = replace(film, world=replace(film.world, deployments=still))
    classes = value_classes(0.5, 8)
    world = valued(at_once, classes, usd_per_clip=usd_per_clip)
    done = served(world)
    curve = curve_of(at_once)
    made = curve.worth_making_mtok(classes, usd_per_clip=usd_per_clip)
    np.testing.assert_allclose(made, done.served_mtok, atol=1e-6)
    assert curve.cost_usd(made.sum(axis=0)) == pytest.approx(done.cost_usd, rel=1e-9)
    whole = served_whole(at_once)
    assert curve.cost_usd(curve.arrivals_mtok) == pytest.approx(whole.cost_usd, rel=1e-9)


def test_zones_at_home_win_and_gaps_are_left_out() -> None:
    flat, gap = np.full(HOURS, 30.0), np.full(HOURS, np.nan)
    assert film_of(inputs_of({"x": flat, "virginia": flat, "texas": flat})).zones == (
        "texas",
        "virginia",
    )
    zones = {"texas": gap, "virginia": flat, "y": flat, "z": flat}
    assert film_of(inputs_of(zones)).zones == ("virginia", "y")
    with pytest.raises(InputError, match=r"1 price zones without a missing hour, 2 are needed: y"):
        film_of(inputs_of({"texas": gap, "y": flat}))


def test_less_than_a_day_is_refused() -> None:
    short = np.full(23, 30.0)
    with pytest.raises(InputError, match="23 h of prices"):
        film_of(inputs_of({"texas": short, "virginia": short}))
