"""T11: routing by shares and admitting by duals, against a full re-solve."""

import json
from dataclasses import replace
from datetime import UTC, datetime
from itertools import pairwise

import numpy as np
import pytest

from tokenergy.dispatch.world import World
from tokenergy.files.catalogue import load_catalogue
from tokenergy.files.presets import load_ranges
from tokenergy.simulate.price_sheets import PriceSheet
from tokenergy.thesis import dual_price
from tokenergy.thesis.dual_price_trace import Span, span_of
from tokenergy.thesis.dual_price_trial import Spent, _Values, by_duals, by_resolve
from tokenergy.thesis.geography_weeks import layout_of
from tokenergy.thesis.inputs import HourlyPrices, ThesisInputs
from tokenergy.thesis.restraint_trial import CLASSES_COUNT
from tokenergy.thesis.three_company import PLACES, Terms
from tokenergy.thesis.three_sites import scene_of
from tokenergy.units import TOKENS_PER_MTOK

HOURS = 168 + 48
TERMS = Terms.base(load_ranges())


def inputs_of(hours: int = HOURS, *, swing: float = 15.0) -> ThesisInputs:
    """Three zones about 30, 45 and 40 USD/MWh, each with a day of its own."""
    time = np.arange(hours)
    rows = {
        place.zones[0]: base + swing * np.sin((time + 5 * at) * 2.0 * np.pi / 24.0)
        for at, (place, base) in enumerate(zip(PLACES, (30.0, 45.0, 40.0), strict=True))
    }
    prices = HourlyPrices(
        start=datetime(2023, 1, 1, tzinfo=UTC), usd_per_mwh=rows, source="test", synthetic=True
    )
    return ThesisInputs(catalogue=load_catalogue(), presets=(), ranges=load_ranges(), prices=prices)


def span(*, hours: int, surprise: float, swing: float = 15.0) -> Span:
    scene = scene_of(inputs_of(swing=swing))
    layout = layout_of(scene, utilisation_share=0.6)
    return span_of(
        scene, layout, TERMS, first=168, hours_count=hours, seed=1, surprise_share=surprise
    )


@pytest.fixture(scope="module")
def half_a_day() -> Span:
    return span(hours=12, surprise=0.03)


@pytest.fixture(scope="module")
def sides(half_a_day: Span) -> tuple[Spent, Spent, dict[str, float]]:
    """The re-solve, the duals, and how often the latter gave which reason."""
    duals, reasons = by_duals(half_a_day, refresh_h=1)
    return by_resolve(half_a_day), duals, reasons


def test_without_surprise_what_comes_is_what_is_believed() -> None:
    held = span(hours=6, surprise=0.0)
    came = held.world.arrivals_mtok[:, held.world.first : held.world.last]
    believed = held.forecast_mtok[:, held.world.first : held.world.last]
    assert came == pytest.approx(believed, rel=1e-9)


def test_a_surprise_moves_all_of_an_hour_and_nothing_before_it(half_a_day: Span) -> None:
    world, first = half_a_day.world, half_a_day.world.first
    ratio = world.arrivals_mtok[:, first:] / half_a_day.forecast_mtok[:, first:]
    assert np.ptp(ratio, axis=0) == pytest.approx(0.0, abs=1e-9)
    assert ratio.std() > 0.01
    assert np.array_equal(world.arrivals_mtok[:, :first], half_a_day.forecast_mtok[:, :first])


def test_values_of_a_class_lie_in_its_part_of_the_distribution(half_a_day: Span) -> None:
    """Classes do not overlap, and the sample is worth what the program believes, to 2 %."""
    trace, world = half_a_day.case.trace, half_a_day.world
    by_class = [trace.value_usd[trace.workload == at] for at in range(CLASSES_COUNT)]
    for low, high in pairwise(by_class):
        assert low.max() <= high.min()
    for at in range(CLASSES_COUNT - 1):  # the last is a tail, whose mean a sample of 500 misses
        believed = world.workloads[at].value_usd_per_mtok * 300.0 / TOKENS_PER_MTOK
        assert by_class[at].mean() == pytest.approx(believed, rel=0.02)


def test_the_least_valuable_requests_are_lost_first(half_a_day: Span) -> None:
    """Refusing exactly the ten least valuable of an hour loses what they are worth."""
    case = half_a_day.case
    mine = (case.trace.workload == 0) & (case.interval == 3)
    values = case.trace.value_usd[mine] * case.weight_ratio[mine]
    mtok = case.trace.output_tokens[mine] * case.weight_ratio[mine] / TOKENS_PER_MTOK
    order = np.argsort(case.trace.value_usd[mine])[:10]
    refused = np.zeros(CLASSES_COUNT + 1)
    refused[0] = mtok[order].sum()
    lost = _Values(half_a_day).least_usd(3, refused)
    assert lost == pytest.approx(values[order].sum())
    refused[0] = mtok.sum()
    assert _Values(half_a_day).least_usd(3, refused) == pytest.approx(values.sum())


def test_all_that_came_was_served_or_refused_on_both_sides(
    half_a_day: Span, sides: tuple[Spent, Spent, dict[str, float]]
) -> None:
    world = half_a_day.world
    asked = world.arrivals_mtok[:, world.first : world.last].sum()
    for spent in sides[:2]:
        done = spent.served_mtok.sum() + spent.refused_mtok.sum()
        assert done == pytest.approx(asked, rel=1e-6)
        assert spent.power_usd.min() > 0.0 and spent.lost_usd.min() >= 0.0


def test_knowing_more_costs_less_but_for_the_classes(
    sides: tuple[Spent, Spent, dict[str, float]],
) -> None:
    """The re-solve knows the hour and sees all of it; it does not know requests, only classes."""
    resolve, duals, reasons = sides
    gap = duals.total_usd().sum() / resolve.total_usd().sum() - 1.0
    assert -0.005 < gap < 0.03
    assert sum(reasons.values()) == pytest.approx(1.0)
    assert any(reason.startswith("defer") for reason in reasons)
    assert any(reason.startswith("refuse: marginal_cost") for reason in reasons)


def test_a_wrong_price_costs_more_than_the_threshold(
    half_a_day: Span,
    sides: tuple[Spent, Spent, dict[str, float]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The measure can fail: shares handed to the wrong places cost far more."""

    def turned(self: PriceSheet, world: World) -> np.ndarray:
        shares = true(self, world)
        loads = np.array([route.workload for route in world.routes])
        for load in np.unique(loads):
            shares[loads == load] = shares[loads == load][::-1]
        return shares

    true = PriceSheet.shares
    monkeypatch.setattr(PriceSheet, "shares", turned)
    wrong, _ = by_duals(half_a_day, refresh_h=1)
    gap = wrong.total_usd().sum() / sides[0].total_usd().sum() - 1.0
    assert gap > 0.02


def test_the_experiment_holds_its_number_against_the_threshold(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(dual_price, "SPAN_H", 4)
    monkeypatch.setattr(dual_price, "SPANS_MOST_COUNT", 1)
    inputs = inputs_of(168 + 4)
    compare = dual_price.compare

    def short(*args: object, **more: object) -> dual_price.Compared:
        return compare(*args, **more, hours_count=4, other_surprises_share=(0.0,))  # type: ignore[arg-type]

    monkeypatch.setattr(dual_price, "compare", short)
    result = dual_price.run(inputs)
    assert result.id == "T11" and result.label == "sensitivity"
    assert result.number is not None
    assert result.verdict == ("PASS" if result.number <= 0.01 else "FAIL")
    assert result.figures["gap_share"]["1h"] == result.number
    json.dumps(result.to_dict())


def test_too_few_hours_are_said_to_be_too_few() -> None:
    result = dual_price.run(replace(inputs_of(168)))
    assert (result.verdict, result.number) == ("NOT_APPLICABLE", None)
    assert "too few" in result.says
