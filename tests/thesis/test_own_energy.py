"""T6: years by hand, the plan against them, the cutting planes, and that the verdict can be yes."""

from datetime import UTC, datetime

import numpy as np
import pytest

from tokenergy.files.catalogue import load_catalogue
from tokenergy.files.presets import load_ranges
from tokenergy.files.synthetic_zones import load_zones
from tokenergy.plan.regret import tail_mean
from tokenergy.thesis import own_draws, own_energy, price_years
from tokenergy.thesis.inputs import HourlyPrices, ThesisInputs
from tokenergy.thesis.own_choice import GAP_SHARE, Planes, choose
from tokenergy.thesis.own_company import YearPlan
from tokenergy.thesis.own_energy import answer, chosen, flat_contract_and_price, run
from tokenergy.thesis.own_fared import Fared, calmest, holds, taken
from tokenergy.thesis.price_years import CONTRACTS, Lattice, Offers, PriceYears
from tokenergy.thesis.thresholds import OWN_LOWER_LEAST_SHARE

CATALOGUE = load_catalogue()
RANGES = load_ranges()
OFFERS = Offers(
    level_usd_per_mwh=50.0,
    wind_usd_per_mwh=40.0,
    solar_usd_per_mwh=40.0,
    premium_share=0.05,
    spread_usd_per_mwh=1.0,
)


def inputs(**changes) -> ThesisInputs:
    prices = HourlyPrices(
        start=datetime(2026, 1, 1, tzinfo=UTC),
        usd_per_mwh={"Z": np.full(24, 50.0)},
        source="none",
        synthetic=True,
    )
    return ThesisInputs(catalogue=CATALOGUE, presets=(), ranges=RANGES, prices=prices, **changes)


@pytest.fixture(scope="module")
def years() -> PriceYears:
    return PriceYears.of(load_zones()["texas"], seed=5, planned=3, held=2)


def night_and_day(*, count: int = 4) -> PriceYears:
    """Return years in which wind blows at night and the sun shines by day, and power is dear.

    Two days of 24 h; load 100 MW; the market is at its mean but for noise of the year.
    """
    hours = 48
    day = (np.arange(hours) % 24 >= 12).astype(float)
    dice = np.random.default_rng(3)
    price = 1.0 + 0.3 * dice.standard_normal((count, 1)) * np.ones((1, hours))
    profile = np.array([1.0 - day, day, np.ones(hours)])
    return PriceYears(
        price_ratio=price / price[: count // 2].mean(),
        profile_share=np.repeat(profile[None], count, axis=0),
        load_mw=np.full(hours, 100.0),
        planned_count=count // 2,
    )


def test_a_year_by_hand() -> None:
    """Two hours at 40 and 60 USD/MWh; the load is 100 MW, the year 4,380 times as long.

    30 MW of wind (all in hour 0), 20 of sun (all in hour 1), 80 flat: 110 MW in hour 0, of which
    10 are sold at 39; 100 in hour 1, nothing bought.
    2 h: 30 x 40 + 20 x 40 + 160 x 52.5 - 10 x 39 = 10,010 USD; x 4,380 = 43.8438 M USD.
    """
    one = PriceYears(
        price_ratio=np.array([[0.8, 1.2]]),
        profile_share=np.array([[[1.0, 0.0], [0.0, 1.0], [1.0, 1.0]]]),
        load_mw=np.array([100.0, 100.0]),
        planned_count=1,
    )
    costs = one.costs_by_hand(np.array([30.0, 20.0, 80.0]), OFFERS)
    assert costs.tolist() == pytest.approx([10_010.0 * 4380.0])
    assert one.costs_by_hand(np.zeros(3), OFFERS).tolist() == pytest.approx([10_000.0 * 4380.0])
    assert one.most_mw.tolist() == [200.0, 200.0, 100.0]


def test_the_years_are_seeds_of_one_zone(years: PriceYears) -> None:
    assert years.count == 5
    assert years.price_ratio.shape == (5, 28 * 24)
    assert years.price_ratio[:3].mean() == pytest.approx(1.0)
    assert len({row.tobytes() for row in years.price_ratio}) == 5
    again = PriceYears.of(load_zones()["texas"], seed=5, planned=3, held=2)
    assert again.price_ratio.tobytes() == years.price_ratio.tobytes()
    delivered = years.most_mw @ years.profile_share[:3].mean(axis=(0, 2))
    assert delivered == pytest.approx(3 * years.load_mw.mean())


@pytest.mark.parametrize("seed", range(3))
def test_the_plan_costs_what_the_hand_says(years: PriceYears, seed: int) -> None:
    """The product's plan of a year, sizes held, against a sum over its hours; slopes too."""
    dice = np.random.default_rng(seed)
    mw = dice.dirichlet(np.ones(4))[:3] * years.most_mw
    plan = YearPlan.of(years, seed, OFFERS, CATALOGUE)
    cost_usd, slopes = plan.at(mw)
    by_hand = years.costs_by_hand(mw, OFFERS)[seed]
    assert cost_usd == pytest.approx(by_hand, rel=1e-7)
    for at in range(3):
        step = np.zeros(3)
        step[at] = 1e-3
        up, down = (years.costs_by_hand(mw + sign * step, OFFERS)[seed] for sign in (1, -1))
        assert slopes[at] == pytest.approx((up - down) / 2e-3, rel=1e-3, abs=1.0)


def test_the_lattice_holds_every_mix_once_and_costs_it_like_the_hand(years: PriceYears) -> None:
    """Tenths that sum to at most one: 13 over 3 = 286."""
    lattice = Lattice.of(years)
    assert len(lattice.mw) == 286 == len({tuple(row) for row in lattice.shares})
    assert lattice.shares.sum(axis=1).max() == pytest.approx(1.0)
    costs = lattice.costs_usd(OFFERS)
    for at in (0, 17, 285):
        by_hand = years.costs_by_hand(lattice.mw[at], OFFERS)
        assert costs[:, at].tolist() == pytest.approx(by_hand.tolist(), rel=1e-12)
    assert [int(here.sum()) for here in lattice.places().values()] == [1, 11, 11, 11, 286]


def test_the_choice_is_at_least_as_good_as_any_mix_in_tenths(years: PriceYears) -> None:
    """Bounds meet, and enclose the best; a mix costs no more than what it may take alone."""
    dear = Offers(
        level_usd_per_mwh=50.0,
        wind_usd_per_mwh=25.0,
        solar_usd_per_mwh=45.0,
        premium_share=-0.2,
        spread_usd_per_mwh=30.0,
    )
    lattice = Lattice.of(years)
    plans = [YearPlan.of(years, at, dear, CATALOGUE) for at in range(years.planned_count)]
    choices = chosen(years, lattice, dear, plans)
    means = lattice.costs_usd(dear)[: years.planned_count].mean(axis=0)
    for name, here in lattice.places().items():
        choice = choices[name]
        assert 0.0 <= choice.gap_share + 1e-12 <= GAP_SHARE + 1e-12
        assert choice.mean_usd <= means[here].min() * (1.0 + 1e-6)
        assert choice.lower_usd <= means[here].min() * (1.0 + 1e-6)
    assert all(
        choices["mix"].mean_usd <= other.mean_usd * (1.0 + GAP_SHARE) for other in choices.values()
    )


def test_the_planes_find_the_best_from_a_bad_start() -> None:
    """Wind by night and sun by day, both at 20 below a market of 50: half of each, by symmetry.

    Half of what is used from each is 100 MW by night and 100 by day: all of it, at 20 USD/MWh, and
    more may not be signed: 100 MW x 8,760 h x 20 = 17.52 M USD.
    """
    years = night_and_day()
    offers = Offers(
        level_usd_per_mwh=50.0,
        wind_usd_per_mwh=20.0,
        solar_usd_per_mwh=20.0,
        premium_share=0.0,
        spread_usd_per_mwh=40.0,
    )
    plans = [YearPlan.of(years, at, offers, CATALOGUE) for at in range(2)]
    told: list[int] = []
    choice = choose(
        Planes(plans=plans, most_mw=years.most_mw),
        np.ones(3),
        np.zeros(3),
        lambda: told.append(1),
    )
    assert choice.mw.tolist() == pytest.approx([100.0, 100.0, 0.0], abs=1e-3)
    assert choice.mean_usd == pytest.approx(17.52e6, rel=1e-5)
    assert len(told) == 2 * choice.rounds_count


def test_where_contracts_complement_each_other_the_mix_wins(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The same years, resale at nearly nothing: the verdict is yes, on years nobody chose on."""
    monkeypatch.setattr(own_energy, "RESALE_SPREAD_USD_PER_MWH", 45.0)
    monkeypatch.setattr(own_draws, "DRAWS_COUNT", 20)
    heard: list[tuple[int, int]] = []
    result = answer(inputs(), night_and_day(), lambda done, of: heard.append((done, of)))
    assert result.verdict == "PASS"
    assert result.number is not None
    assert result.number < 1.0
    shares = next(each for each in result.figures["choices"] if each["name"] == "mix")["shares"]
    assert shares["wind"] == pytest.approx(0.5, abs=1e-3)
    assert shares["solar"] == pytest.approx(0.5, abs=1e-3)
    assert result.figures["best_single"] in ("wind", "solar")
    assert heard[-1] == (12, 12)
    assert heard == sorted(heard)
    assert "The mix adds nothing" not in result.says


def test_a_flat_contract_leaves_the_price_of_a_token_alone_while_power_is_bought() -> None:
    years = night_and_day()
    plan = YearPlan.of(years, 0, OFFERS, CATALOGUE)
    found = flat_contract_and_price(plan, years)
    assert (found.buying_h, found.selling_h) == (48.0, 0.0)
    assert found.buying_change_share == pytest.approx(0.0, abs=1e-9)
    # 1.4 kW at 900 tokens a second: 0.432 kWh a Mtok x about 50 USD/MWh
    assert found.mean_usd_per_mtok == pytest.approx(
        1.4e-3 / 3.24 * 50.0 * years.price_ratio[0].mean(), rel=1e-6
    )


def fared(held: float, tail: float) -> Fared:
    return Fared(
        name="x",
        shares={},
        planned_usd=1.0,
        planned_cvar95_usd=1.0,
        held_usd=held,
        held_cvar95_usd=tail,
    )


@pytest.mark.parametrize(
    ("mix", "wins"),
    [
        ((99.0, 300.0), True),  # cheaper, if less calm
        ((100.0, 150.0), True),  # as dear, and calmer
        ((100.0, 200.0), False),  # the same
        ((100.0 * (1 - OWN_LOWER_LEAST_SHARE / 2), 200.0), False),  # cheaper by rounding
        ((101.0, 100.0), False),  # dearer, however calm
    ],
)
def test_when_a_mix_beats_a_single(mix: tuple[float, float], wins: bool) -> None:
    assert holds(fared(*mix), fared(100.0, 200.0)) == wins


def test_calm_has_a_price(years: PriceYears) -> None:
    """For more money the tail of the planned years never rises; for too little it is the best."""
    lattice = Lattice.of(years)
    mix, best = taken(lattice, OFFERS, years.planned_count)
    assert mix.planned_usd <= best.planned_usd
    tails = [
        calmest(lattice, OFFERS, years.planned_count, most_usd=most).planned_cvar95_usd
        for most in (0.0, 1.01 * best.planned_usd, 1.2 * best.planned_usd, 1e12)
    ]
    assert tails == sorted(tails, reverse=True)
    costs = lattice.costs_usd(OFFERS)[: years.planned_count]
    alike = np.full(years.planned_count, 1.0 / years.planned_count)
    assert tails[-1] == pytest.approx(min(tail_mean(column, alike) for column in costs.T))


def test_it_says_what_is_missing() -> None:
    result = run(inputs())
    assert (result.id, result.verdict, result.number) == ("T6", "NOT_APPLICABLE", None)
    assert "zone texas" in result.says


def test_a_run_says_that_it_is_no_evidence_and_a_rerun_is_the_same(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(own_energy, "OWN_PLANNED_YEARS_COUNT", 2)
    monkeypatch.setattr(own_energy, "OWN_HELD_YEARS_COUNT", 2)
    monkeypatch.setattr(price_years, "DAYS_COUNT", 4)
    monkeypatch.setattr(own_draws, "DRAWS_COUNT", 10)
    given = inputs(climates=load_zones())
    result = run(given)
    assert result.label == "sensitivity"
    assert result.verdict in ("PASS", "FAIL")
    assert (result.draws_count, result.holds_share is None) == (10, False)
    assert result.findings[0]["code"] == "SYNTHETIC_PRICES"
    assert [each["name"] for each in result.figures["choices"]] == ["market", *CONTRACTS, "mix"]
    assert len(result.figures["calm"]) == 2
    assert result.to_dict() == run(given).to_dict()
