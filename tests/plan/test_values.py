"""Worths of sizes: by hand, against whole plans with a size held elsewhere, and the zero-profit."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from plan.valued import CATALOGUE, HOURS, company_to_plan, inputs_to_plan, planned

from tokenergy.lp.highs import LinearModel
from tokenergy.lp.program import Program
from tokenergy.plan.held import Direction, Held
from tokenergy.plan.priced import plan_worths
from tokenergy.plan.program import plan_program
from tokenergy.plan.values import Sized, Worth, worths
from tokenergy.plan.whole import WholeAnswer, solve_whole
from tokenergy.units import H_PER_YEAR

YEARS = HOURS / H_PER_YEAR


# ---- by hand -----------------------------------------------------------------------------


def by_hand(*, annuity: float, most: float, asked=(1.0, 3.0, 2.0)) -> tuple[Held, Sized]:
    """Return a plant of x MW at no running cost beside power at 10 USD, over three hours.

    min annuity x + sum 10 buy[t], buy[t] + made[t] = asked[t], made[t] <= x, written with
    unbuilt = most - x: made[t] + unbuilt <= most.
    """
    program = Program(len(asked))
    for name in ("buy", "made"):
        program.add_columns(name, 1)
    program.add_rows("asked", 1)
    program.add_rows("made.most", 1)
    program.add_columns("unbuilt", 1, whole=True)
    program.link("asked", "buy", values=1.0)
    program.link("asked", "made", values=1.0)
    program.link("made.most", "made", values=1.0)
    program.link("made.most", "unbuilt", values=1.0)
    hours = len(asked)
    rows = np.array([[each, most] for each in asked]).ravel()
    lower = np.array([[each, -np.inf] for each in asked]).ravel()
    model = LinearModel(
        program.matrix(),
        costs=np.array([10.0, 0.0] * hours + [-annuity]),
        lower=np.zeros(2 * hours + 1),
        upper=np.array([np.inf] * 2 * hours + [most]),
        row_lower=lower,
        row_upper=rows,
        offset_usd=annuity * most,
    )
    solution = model.solve()
    column = 2 * hours
    sized = Sized(
        name="plant",
        kind="contract",
        site="s",
        unit="MW",
        size_quantity=most - float(solution.columns[column]),
        most_quantity=most,
        annuity_usd_per_unit_year=annuity * H_PER_YEAR / hours,
        direction=Direction.of_size(column),
    )
    return Held(model, solution), sized


def worth_by_hand(**changes) -> Worth:
    held, sized = by_hand(**changes)
    return next(worths(held, [sized], hours_h=3.0))


def test_an_interior_size_lies_between_its_ends():
    """Of 1, 3 and 2 MW asked a first MW saves 30, a second 20, a third 10, all times 8760 / 3.

    At an annuity of 15 two are built: the last saved 20, one more would save 10.
    """
    found = worth_by_hand(annuity=15.0, most=10.0)
    assert found.size_quantity == pytest.approx(2.0)
    assert found.high_usd_per_unit_year == pytest.approx(20.0 * H_PER_YEAR / 3.0)
    assert found.low_usd_per_unit_year == pytest.approx(10.0 * H_PER_YEAR / 3.0)
    assert found.rent_usd_per_unit_year == 0.0
    assert found.short_usd_per_unit_year is None


def test_at_a_limit_the_excess_is_the_rent():
    """At most 1.5 MW: one more saves 20 and costs 15, a rent of 5."""
    found = worth_by_hand(annuity=15.0, most=1.5)
    assert found.high_usd_per_unit_year == pytest.approx(20.0 * H_PER_YEAR / 3.0)
    assert found.low_usd_per_unit_year == pytest.approx(20.0 * H_PER_YEAR / 3.0)
    assert found.rent_usd_per_unit_year == pytest.approx(5.0 * H_PER_YEAR / 3.0)


def test_at_zero_low_is_the_annuity_at_which_it_enters():
    """At 31 none is built; a first MW saves 30 and lacks 1."""
    found = worth_by_hand(annuity=31.0, most=10.0)
    assert found.size_quantity == 0.0
    assert found.high_usd_per_unit_year is None
    assert found.low_usd_per_unit_year == pytest.approx(30.0 * H_PER_YEAR / 3.0)
    assert found.short_usd_per_unit_year == pytest.approx(1.0 * H_PER_YEAR / 3.0)


@settings(max_examples=25)
@given(
    asked=st.lists(st.floats(0.1, 5.0), min_size=1, max_size=6),
    annuity=st.floats(1.0, 40.0),
    most=st.floats(0.2, 6.0),
)
def test_ends_are_what_sorting_says(asked, annuity, most):
    """A unit at size x saves 10 for each hour that asks for more than x: counted, not solved."""
    held, sized = by_hand(annuity=annuity, most=most, asked=tuple(asked))
    found = next(worths(held, [sized], hours_h=float(len(asked))))
    size, near = sized.size_quantity, 1e-2 * max(1.0, sized.size_quantity)
    if any(abs(each - size) < near and abs(each - size) > 1e-9 for each in asked):
        return  # a kink within the first step
    years = len(asked) / H_PER_YEAR
    more = sum(each > size + 1e-9 for each in asked)
    assert found.low_usd_per_unit_year == pytest.approx(10.0 * more / years, rel=1e-6, abs=1e-6)
    if size > 0.0:
        last = sum(each > size - 1e-9 for each in asked)
        assert found.high_usd_per_unit_year == pytest.approx(10.0 * last / years, rel=1e-6)


def test_the_program_is_put_back():
    held, sized = by_hand(annuity=15.0, most=10.0)
    before = held.solution.objective_usd
    list(worths(held, [sized], hours_h=3.0))
    assert held.model.solve().objective_usd == pytest.approx(before, abs=1e-9)


# ---- of a plan ---------------------------------------------------------------------------


def cost_at(answer: WholeAnswer, name: str, size: float) -> float:
    """Return the cost of the best plan with one size held: a program laid out anew."""
    plan = answer.plan
    at = [each.name for each in plan.candidates].index(name)
    column = int(plan.columns_of("unbuilt")[at])
    lower, upper = plan.numbers.lower.copy(), plan.numbers.upper.copy()
    lower[column] = upper[column] = plan.candidates[at].most - size
    numbers = replace(plan.numbers, lower=lower, upper=upper)
    return solve_whole(replace(plan, numbers=numbers)).solution.objective_usd


@pytest.fixture(scope="module")
def answer() -> WholeAnswer:
    return planned(requests=9000.0)


@pytest.fixture(scope="module")
def found(answer) -> dict[str, Worth]:
    return {each.name: each for each in plan_worths(answer, standing=False)}


def test_ends_enclose_what_is_paid(answer, found):
    """A free size: low <= annuity <= high. A limit: low above it. Nothing built: low below it."""
    assert set(found) == {each.name for each in answer.plan.candidates}
    for each in answer.plan.candidates:
        worth, size = found[each.name], answer.sizes[each.name]
        annuity, slack = each.usd_per_unit_year, 1e-6 * max(1.0, each.usd_per_unit_year)
        assert worth.low_usd_per_unit_year is not None
        if size < each.most * (1.0 - 1e-9):
            assert worth.low_usd_per_unit_year <= annuity + slack
        if worth.built:
            assert worth.high_usd_per_unit_year >= annuity - slack
            assert worth.high_usd_per_unit_year >= worth.low_usd_per_unit_year - slack
        else:
            assert worth.high_usd_per_unit_year is None


@pytest.mark.parametrize("name", ["gpus-windy", "windy", "far", "gpus-far", "store", "metro"])
def test_both_ends_are_quotients_of_plans_laid_out_anew(answer, found, name):
    """-(W(x + step) - W(x)) / step, W the cost less the size's own annuity, to 1 %."""
    each = next(each for each in answer.plan.candidates if each.name == name)
    worth, size = found[name], answer.sizes[name]
    own = each.usd_per_unit_year * YEARS
    for end, sign in ((worth.low_usd_per_unit_year, 1.0), (worth.high_usd_per_unit_year, -1.0)):
        step = sign * worth.step_quantity
        if end is None or size + step > each.most or worth.note:
            continue
        beyond = cost_at(answer, name, size + step) - cost_at(answer, name, size)
        assert (own - beyond / step) / YEARS == pytest.approx(end, rel=2e-2, abs=1.0)


def gpu_earns(answer: WholeAnswer, fleet: int) -> float:
    """Return the rent of one GPU over the horizon, less what its sleep costs at the node."""
    spec, window = answer.plan.world.fleets[fleet], answer.plan.window
    node = answer.optimum.dual("balance")[:, spec.site] * window.pue[spec.site]
    rent = -answer.optimum.dual("fleet")[:, fleet]
    return float(rent.sum()) - spec.sleep_mw_per_gpu * float(node @ window.lengths_h)


def test_zero_profit_without_limits():
    """With room everywhere each asset that is built earns at the duals what it costs a year.

    The battery: what it sells at the node's price, less what it buys and its wear. The GPUs: the
    rent of their fleet, less the power that they draw asleep. The connection: the rent of its
    megawatts. Each by arithmetic of its own.
    """
    made = planned(requests=2000.0)
    plan, optimum = made.plan, made.optimum
    node = optimum.dual("balance")[:, 0]
    charge, discharge = optimum.value("charge")[:, 0], optimum.value("discharge")[:, 0]
    wear = plan.world.batteries[0].cycle_usd_per_mwh_discharged
    end = float(plan.window.stored_usd_per_mwh[0] * optimum.value("energy")[-1, 0])
    by_name = {each.name: each for each in plan.candidates}

    def cost(name: str) -> float:
        return by_name[name].usd_per_unit_year * made.sizes[name] * YEARS

    assert 0.0 < made.sizes["store"] < by_name["store"].most
    earned = float(node @ (discharge - charge)) - wear * float(discharge.sum()) + end
    assert earned == pytest.approx(cost("store"), rel=1e-6)

    assert 0.0 < made.sizes["gpus-windy"] < by_name["gpus-windy"].most
    assert gpu_earns(made, 0) * made.sizes["gpus-windy"] == pytest.approx(
        cost("gpus-windy"), rel=1e-6
    )
    # a connection earns the rent of import and export alike: both grow with it
    mw_rent = -optimum.dual("meter_import.most")[:, 0]
    out_rent = -optimum.dual("meter_export.most")[:, 0]
    assert 0.0 < made.sizes["windy"] < by_name["windy"].most
    both = float(mw_rent.sum()) + 0.5 * float(out_rent.sum())
    assert both == pytest.approx(by_name["windy"].usd_per_unit_year * YEARS, rel=1e-6)


def test_with_a_limit_the_excess_is_the_rent_of_the_limit(answer, found):
    """GPUs at windy are all built: what their fleet earns beyond the annuity is the rent."""
    each = next(each for each in answer.plan.candidates if each.name == "gpus-windy")
    assert answer.sizes["gpus-windy"] == pytest.approx(each.most)
    earned = gpu_earns(answer, 0) / YEARS
    worth = found["gpus-windy"]
    assert worth.low_usd_per_unit_year - 1e-6 <= earned <= worth.high_usd_per_unit_year + 1e-6
    assert worth.rent_usd_per_unit_year == pytest.approx(
        worth.low_usd_per_unit_year - each.usd_per_unit_year
    )
    assert worth.rent_usd_per_unit_year > 0.0


def test_what_has_no_choice_is_priced_as_if_it_had():
    """GPUs at far with no choice, at the size that the plan would choose, are worth the same."""
    company = company_to_plan()
    planning = company.plan
    fixed = planning.model_copy(
        update={"fleets": tuple(f for f in planning.fleets if f.name != "gpus-far")}
    )
    free = planned(requests=9000.0)
    count = free.sizes["gpus-far"]
    standing = tuple(
        f.model_copy(update={"gpu_count": count}) if f.name == "gpus-far" else f
        for f in company.fleets
    )
    other = company.model_copy(update={"plan": fixed, "fleets": standing})
    inputs = inputs_to_plan(company, requests=9000.0)
    held = solve_whole(plan_program(other, inputs, CATALOGUE))
    one = {each.name: each for each in plan_worths(held)}["gpus-far"]
    two = {each.name: each for each in plan_worths(free, standing=False)}["gpus-far"]
    assert one.annuity_usd_per_unit_year is None
    assert one.low_usd_per_unit_year == pytest.approx(two.low_usd_per_unit_year, rel=2e-2)
    assert one.high_usd_per_unit_year == pytest.approx(two.high_usd_per_unit_year, rel=2e-2)


def test_whole_steps_are_priced_by_the_step():
    """Both ends are quotients between plans a step of 50 GPUs apart."""
    company = company_to_plan()
    planning = company.plan
    stepped = planning.model_copy(
        update={
            "fleets": tuple(
                f.model_copy(update={"step_count": 50}) if f.name == "gpus-windy" else f
                for f in planning.fleets
            )
        }
    )
    made = planned(company.model_copy(update={"plan": stepped}), requests=2000.0)
    size = made.sizes["gpus-windy"]
    assert size / 50.0 == pytest.approx(round(size / 50.0))
    worth = {each.name: each for each in plan_worths(made, standing=False)}["gpus-windy"]
    assert worth.basis == "steps"
    for end, step in ((worth.low_usd_per_unit_year, 50.0), (worth.high_usd_per_unit_year, -50.0)):
        moved = cost_at(made, "gpus-windy", size + step)
        change = moved - made.solution.objective_usd
        each = next(each for each in made.plan.candidates if each.name == "gpus-windy")
        expected = each.usd_per_unit_year - change / step / YEARS
        assert end == pytest.approx(expected, rel=1e-6)
    assert worth.low_usd_per_unit_year <= worth.high_usd_per_unit_year


def test_a_closed_site_is_priced_beside_its_opening():
    """Opening far costs 1e6 USD: nothing is built there, and its first MW is worth what it was."""
    company = company_to_plan()
    planning = company.plan
    opening = planning.model_copy(
        update={
            "sites": tuple(
                s.model_copy(update={"open_usd": 1e6}) if s.name == "far" else s
                for s in planning.sites
            )
        }
    )
    made = planned(company.model_copy(update={"plan": opening}))
    assert made.sizes["far"] == 0.0
    worth = {each.name: each for each in plan_worths(made, standing=False)}["far"]
    free = {each.name: each for each in plan_worths(planned(), standing=False)}["far"]
    assert worth.low_usd_per_unit_year == pytest.approx(free.low_usd_per_unit_year, rel=1e-6)
    assert "beside opening the site" in worth.note
