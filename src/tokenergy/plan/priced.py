"""What a plan's worths are asked of: its candidates, and the limits of what stands already."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from tokenergy.company.contract import (
    Block,
    Colocation,
    OnSite,
    PpaAsProduced,
    PpaBaseload,
    PpaVirtual,
)
from tokenergy.dispatch.bound import fixed_usd
from tokenergy.dispatch.build import build_world
from tokenergy.dispatch.structure import Structure
from tokenergy.dispatch.survival import with_survival
from tokenergy.dispatch.terms.survival import Survival
from tokenergy.dispatch.window import true_window
from tokenergy.dispatch.world import State, World
from tokenergy.errors import SolverFailure
from tokenergy.lp.highs import LinearModel
from tokenergy.lp.program import FloatArray, IntArray
from tokenergy.lp.solution import Solution
from tokenergy.plan.candidates import Candidate, opened_nouns, signed_mw
from tokenergy.plan.grown import IMPLIED
from tokenergy.plan.held import Direction, Held
from tokenergy.plan.program import PlanProgram
from tokenergy.plan.sized_company import company_at
from tokenergy.plan.values import Sized, Unit, Worth, worths
from tokenergy.plan.whole import WholeAnswer

SAME_SHARE: Final = 1e-6
"""How far the optimum may lie off when it is found again."""
SIZED_CONTRACTS: Final = (Block, Colocation, OnSite, PpaAsProduced, PpaBaseload, PpaVirtual)
"""Contracts that have megawatts."""


def held_of(answer: WholeAnswer) -> Held:
    """Return the plan's program, hot, in a simplex of its own: whole numbers stay what they are.

    Of optima that cost the same it holds the plan's own sizes.

    Raises:
        SolverFailure: if the optimum found from there is another one.
    """
    plan, numbers = answer.plan, answer.plan.numbers
    chosen = plan.integers if plan.integers.size else None
    commits = plan.structure.integers() is not None
    lower, upper = numbers.lower.copy(), numbers.upper.copy()
    if chosen is not None:
        lower[chosen] = upper[chosen] = np.round(answer.solution.columns[chosen])
    model = LinearModel(
        plan.program.matrix(),
        costs=numbers.costs,
        lower=lower,
        upper=upper,
        row_lower=numbers.row_lower,
        row_upper=numbers.row_upper,
        offset_usd=plan.offset_usd,
        integers=chosen if commits else None,
    )
    if commits:
        model.settle_integers(answer.solution)
    model.restore(answer.model.basis())
    solution = model.solve()
    apart_usd = abs(solution.objective_usd - answer.solution.objective_usd)
    if apart_usd > SAME_SHARE * max(1.0, abs(solution.objective_usd)):
        raise SolverFailure(f"the plan's program has another optimum now, {apart_usd:,.2f} USD off")
    columns = solution.columns.copy()
    most = np.array([each.most for each in plan.candidates])
    columns[plan.columns_of("unbuilt")] = most - [answer.sizes[e.name] for e in plan.candidates]
    return Held(model, replace(solution, columns=columns), integers=chosen)


def plan_worths(
    answer: WholeAnswer,
    *,
    standing: bool = True,
    on_progress: Callable[[int, int], None] | None = None,
) -> tuple[Worth, ...]:
    """Return the worth of every candidate and, with `standing`, of what has no choice.

    Raises:
        SolverFailure: if no answer of the solver passes our check.
    """
    held = held_of(answer)
    sized = list(candidates_sized(answer.plan, held.solution))
    if standing:
        sized += standing_sized(answer.plan)
    return tuple(worths(held, sized, hours_h=answer.plan.hours_h, on_progress=on_progress))


def candidates_sized(plan: PlanProgram, solution: Solution) -> Iterator[Sized]:
    """Yield every size that the plan chose, with the direction of its column."""
    sizes = plan.sizes(solution.columns)
    columns = plan.columns_of("unbuilt")
    steps = [each.name for each in plan.candidates if each.step is not None]
    closed = _closed(plan, sizes)
    for each, column in zip(plan.candidates, columns.tolist(), strict=True):
        direction = _stretched(plan, _opening(plan, each, Direction.of_size(column)))
        note = ""
        if each.step is not None:
            at = plan.columns_of("steps")[[steps.index(each.name)]]
            per_unit = np.array([1.0 / each.step])
            direction = replace(direction, wholes=at, whole_steps=per_unit)
        if (opening := closed.get(each.site)) is not None:
            opened, usd = opening
            direction = replace(direction, opens=np.array([opened]))
            note = f"beside opening the site, {usd:,.0f} USD a year"
        yield Sized(
            name=each.name,
            kind=each.kind,
            site=each.site,
            unit=each.unit,
            size_quantity=sizes[each.name],
            most_quantity=each.most,
            annuity_usd_per_unit_year=each.usd_per_unit_year,
            direction=direction,
            steps_of_quantity=each.step,
            note=note,
        )


def _closed(plan: PlanProgram, sizes: Mapping[str, float]) -> dict[str, tuple[int, float]]:
    """Return, for each site that costs something to open and is not, its column and USD a year."""
    opening = [each for each in plan.candidates if each.opens]
    open_nouns = opened_nouns(plan.candidates, sizes)
    return {
        each.site: (int(plan.columns_of("opened")[at]), each.open_usd_per_year)
        for at, each in enumerate(opening)
        if each.noun not in open_nouns
    }


def _opening(plan: PlanProgram, each: Candidate, direction: Direction) -> Direction:
    """Let the row that opens a site stretch with its size: unbuilt + most opened >= most."""
    rows = opened_rows(plan).get(each.name)
    if rows is None:
        return direction
    row = np.array([rows])
    return replace(direction, rows=row, row_lower=np.array([-1.0]), row_upper=np.array([0.0]))


def _stretched(plan: PlanProgram, direction: Direction) -> Direction:
    """Let the bounds of the largest company grow with a size, so that it may pass its limit.

    In the program they stand beside the rows that say the same of the size that is built.
    """
    program, upper = plan.program, plan.numbers.upper
    size = int(direction.columns[0])
    most = plan.candidates[size - int(plan.columns_of("unbuilt")[0])].most
    columns, per_unit = [direction.columns], [direction.upper]
    for link in program.links:
        rows, at = program.places(link)
        mine = at == size
        if link.column.name != "unbuilt" or not mine.any():
            continue
        name = link.row.name.removesuffix(".most")
        if name != link.row.name:
            columns.append(_columns_in(plan, name, link.row.name, rows[mine]))
            per_unit.append(np.asarray(link.values)[mine])
        elif name == "exclusive":  # whose rows stand for these bounds too
            for implied in IMPLIED:
                columns.append(_columns_in(plan, implied, name, rows[mine]))
                per_unit.append(upper[columns[-1]] / most)
    moved = np.concatenate(per_unit)
    return replace(
        direction,
        columns=np.concatenate(columns),
        lower=np.concatenate((direction.lower, np.zeros(moved.size - 1))),
        upper=moved,
    )


def _columns_in(plan: PlanProgram, block: str, row_block: str, rows: IntArray) -> IntArray:
    """Return the columns of a block that stand in rows of a block, one in each."""
    link = next(
        each
        for each in plan.program.links
        if each.row.name == row_block and each.column.name == block
    )
    numbers, columns = (each.ravel() for each in plan.program.places(link))
    order = np.argsort(numbers, kind="stable")
    return columns[order][np.searchsorted(numbers[order], rows)]


def opened_rows(plan: PlanProgram) -> dict[str, int]:
    """Return the number of the row that opens each candidate's site, where opening costs."""
    if "opened" not in plan.program.rows:
        return {}
    block = plan.program.rows["opened"]
    link = next(
        each
        for each in plan.program.links
        if each.row.name == "opened" and each.column.name == "unbuilt"
    )
    first = plan.program.row_number(block, 0, 0) - block.offset
    offset = plan.program.columns["unbuilt"].offset
    return {
        plan.candidates[column - offset].name: first + row
        for row, column in zip(link.rows.tolist(), link.columns.tolist(), strict=True)
    }


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Standing:
    """Something that has a size and no choice, and the world in which it is a unit larger."""

    name: str
    kind: str
    site: int
    unit: Unit
    size_quantity: float
    more: World


def standing_sized(plan: PlanProgram) -> Iterator[Sized]:
    """Yield what has a size and no choice: connections, GPUs, stored energy, signed megawatts."""
    chosen = {(each.kind, each.noun) for each in plan.candidates}
    before, start = _bounds(plan, plan.world), State.initial(plan.world)
    for found in _standing(plan):
        if (found.kind, found.name) in chosen:
            continue
        usd = fixed_usd(found.more, start) - fixed_usd(plan.world, start)
        after = _bounds(plan, found.more)
        yield Sized(
            name=found.name,
            kind=found.kind,
            site=plan.world.site_names[found.site],
            unit=found.unit,
            size_quantity=found.size_quantity,
            most_quantity=found.size_quantity,
            annuity_usd_per_unit_year=None,
            direction=Direction.between(before, after, units_quantity=1.0, fixed_usd=usd),
        )


def _standing(plan: PlanProgram) -> Iterator[_Standing]:
    world, company = plan.world, plan.company
    for at, site in enumerate(company.sites):
        size = site.import_limit_mw
        limits = world.import_limit_mw.copy()
        limits[at] *= 1.0 + 1.0 / size
        yield _Standing(
            name=site.name, kind="site", site=at, unit="MW", size_quantity=size,
            more=replace(world, import_limit_mw=limits),
        )  # fmt: skip
    for at, fleet in enumerate(world.fleets):
        fleets = list(world.fleets)
        each = company.fleets[at]
        fleets[at] = replace(fleet, gpus_count=fleet.gpus_count + each.available_share)
        yield _Standing(
            name=fleet.name, kind="fleet", site=fleet.site, unit="GPU",
            size_quantity=float(each.gpu_count), more=replace(world, fleets=tuple(fleets)),
        )  # fmt: skip
    for at, battery in enumerate(world.batteries):
        stores = list(world.batteries)
        more = {"capacity_mwh": battery.capacity_mwh + 1.0}
        stores[at] = battery.model_copy(update=more)
        yield _Standing(
            name=battery.name, kind="battery", site=world.battery_site[at], unit="MWh",
            size_quantity=battery.capacity_mwh, more=replace(world, batteries=tuple(stores)),
        )  # fmt: skip
    for contract in company.contracts:
        if isinstance(contract, SIZED_CONTRACTS):
            size = signed_mw(contract)
            yield _Standing(
                name=contract.id, kind="contract", unit="MW", size_quantity=size,
                site=world.site_names.index(contract.site),
                more=_signed(plan, {contract.id: size + 1.0}),
            )  # fmt: skip


def _signed(plan: PlanProgram, more: dict[str, float]) -> World:
    """Return the largest company's world with a contract of another size."""
    most = {each.name: each.most for each in plan.candidates}
    world = build_world(company_at(plan.company, most | more), plan.inputs, plan.catalogue)
    survives = any(isinstance(term, Survival) for term in plan.world.terms)
    return with_survival(world) if survives else world


def _bounds(
    plan: PlanProgram, world: World
) -> tuple[FloatArray, FloatArray, FloatArray, FloatArray]:
    """Return a world's bounds of columns and rows, laid as the plan's program has them."""
    window = true_window(world, begin=world.first, count=world.count)
    structure = Structure(world, window, ring=False)
    # What the batteries hold at first stays what it is: only their room grows.
    numbers = structure.numbers(window, State.initial(plan.world))
    old, program = structure.program, plan.program
    lower, upper = np.zeros(program.columns_count), np.zeros(program.columns_count)
    lower[: numbers.lower.size], upper[: numbers.upper.size] = numbers.lower, numbers.upper
    rows = []
    for values in (numbers.row_lower, numbers.row_upper):
        laid, cut = np.zeros(program.rows_count), old.slots_count * old.rows_per_slot
        beside = program.slots_count * program.rows_per_slot
        inside = laid[:beside].reshape(program.slots_count, -1)
        inside[:, : old.rows_per_slot] = values[:cut].reshape(old.slots_count, -1)
        laid[beside : beside + values.size - cut] = values[cut:]
        rows.append(laid)
    for link in program.links:
        side = link.row.name.removeprefix(f"{link.column.name}.")
        if side in ("most", "least") and side != link.row.name:
            at, columns = program.places(link)  # a bound that sizes move stands in a row
            rows[side == "most"][at] = (lower, upper)[side == "most"][columns]
    return lower, upper, rows[0], rows[1]
