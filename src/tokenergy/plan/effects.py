"""What one unit of a size changes in the numbers of a program, found by building it twice.

Every bound and right-hand side of the dispatch program is a straight line in each size: a
connection of half the megawatts has half the limit, half a contract half the delivery. So the
program of the largest company, less that of a company in which one size is halved, says what half
of that size adds, whatever contract, tariff or term it passes through. That the line is straight
is held against the program itself, with all sizes moved at once.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from tokenergy.dispatch.structure import Numbers, Structure
from tokenergy.errors import InputError
from tokenergy.lp.program import Block, FloatArray, IntArray, Program

SAME: Final = 1e-9
"""Difference of two numbers, over the larger of them and 1, that is rounding."""
BOUNDS: Final = ("lower", "upper", "row_lower", "row_upper")
HALF: Final = 0.5
"""The size of the second company, over the most."""


class PlanNotLinear(InputError):
    """A size moves a number of the program otherwise than in a straight line."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Effect:
    """What one unit more of a size adds to bounds, by the number of the column or row.

    Attributes:
        at: numbers of the columns (or rows) whose bound it moves, ascending [m].
        per_unit: what one unit adds to each [m].
    """

    at: IntArray
    per_unit: FloatArray


Effects = Mapping[str, Effect]
"""By name of the bound: `lower`, `upper` of columns, `row_lower`, `row_upper` of rows."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Laid:
    """A company's program without any solver: its blocks, its numbers, and its fixed charges."""

    structure: Structure
    numbers: Numbers
    fixed_usd: float


def effects_of(largest: Laid, halved: Laid, *, most_quantity: float, name: str) -> Effects:
    """Return what one unit of a size adds, from the program in which it is half of its most.

    Raises:
        PlanNotLinear: if the size moves a coefficient or a cost, or opens or closes a bound.
    """
    _refuse_other_program(largest, halved, name)
    found = {}
    for bound in BOUNDS:
        high, low = getattr(largest.numbers, bound), getattr(halved.numbers, bound)
        moved = (high != low).nonzero()[0]
        change = high[moved] - low[moved]
        if not np.all(np.isfinite(change)):
            raise PlanNotLinear(f"plan: the size of {name} opens or closes a limit; see `{bound}`")
        scale = np.maximum(1.0, np.maximum(np.abs(high[moved]), np.abs(low[moved])))
        told = np.abs(change) > SAME * scale
        per_unit = change[told] / ((1.0 - HALF) * most_quantity)
        found[bound] = Effect(at=moved[told], per_unit=per_unit)
    return found


def _refuse_other_program(largest: Laid, other: Laid, name: str) -> None:
    """Refuse a size that changes what a bound is not: blocks, coefficients or costs."""
    one, two = largest.structure.program, other.structure.program
    if one.columns != two.columns or one.rows != two.rows:
        raise PlanNotLinear(f"plan: the size of {name} changes which rows the program has")
    for mine, theirs in zip(one.links, two.links, strict=True):
        if not np.array_equal(mine.values, theirs.values):
            raise PlanNotLinear(
                f"plan: the size of {name} changes coefficients of {mine.row.name!r} by "
                f"{mine.column.name!r}, so that it cannot be a column of the program"
            )
    if not np.array_equal(largest.numbers.costs, other.numbers.costs):
        raise PlanNotLinear(f"plan: the size of {name} changes what dispatch costs by the unit")


def check_straight(
    largest: Laid,
    moved: Laid,
    effects: Sequence[Effects],
    less_quantity: Sequence[float],
    fixed_usd_per_unit: Sequence[float],
) -> None:
    """Hold the straight lines against a program in which all sizes are smaller at once.

    Args:
        largest: every size at its most.
        moved: every size less by `less_quantity`.
        effects: what a unit of each size adds.
        less_quantity: units by which each size is smaller.
        fixed_usd_per_unit: what a unit of each adds to the fixed charges.

    Raises:
        PlanNotLinear: naming a block whose bounds are not where the lines say.
    """
    _refuse_other_program(largest, moved, "some size")
    for bound in BOUNDS:
        told = getattr(largest.numbers, bound).copy()
        for effect, units in zip(effects, less_quantity, strict=True):
            told[effect[bound].at] -= units * effect[bound].per_unit
        true = getattr(moved.numbers, bound)
        finite = np.isfinite(true)
        apart = np.abs(told[finite] - true[finite])
        scale = np.maximum(1.0, np.abs(getattr(largest.numbers, bound)[finite]))
        if apart.size and float((apart / scale).max()) > 1e-7:
            at = int(finite.nonzero()[0][np.argmax(apart / scale)])
            block = _block_at(largest.structure.program, at, rows=bound.startswith("row"))
            raise PlanNotLinear(
                f"plan: sizes move `{block}` otherwise than in straight lines ({told[at]:g} where "
                f"it is {true[at]:g}); {_hint(block)}"
            )
    told_usd = largest.fixed_usd - float(np.dot(less_quantity, fixed_usd_per_unit))
    if abs(told_usd - moved.fixed_usd) > 1e-7 * max(1.0, abs(largest.fixed_usd)):
        raise PlanNotLinear("plan: fixed charges do not follow the sizes in straight lines")


def _hint(block: str) -> str:
    """Return what usually bends a line."""
    if block.startswith("survival"):
        return (
            "a tier survives any one site, and a fleet's most_count sleeps more than the smallest "
            "connection of its site carries: lower most_count, or raise the first step of the queue"
        )
    return (
        "power that must be taken may be stuck behind a meter whose size is open: let it be "
        "curtailed (may_curtail)"
    )


def _block_at(program: Program, number: int, *, rows: bool) -> str:
    """Return the name of the block that a column or row belongs to."""
    blocks = program.rows if rows else program.columns
    per_slot = program.rows_per_slot if rows else program.columns_per_slot
    beside = program.slots_count * per_slot
    whole, place = number >= beside, number - beside if number >= beside else number % per_slot
    for block in blocks.values():
        if block.whole == whole and block.offset <= place < block.offset + block.size:
            return block.name
    raise AssertionError(f"no block holds number {number}")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Track:
    """How one size moves one bound of one place of a block, slot by slot.

    Attributes:
        candidate: index of the size.
        at: place within the block.
        per_unit: what a unit adds in each slot [slots]; of a whole block [1].
    """

    candidate: int
    at: int
    per_unit: FloatArray


def tracks_of(
    program: Program, effects: Sequence[Effects], bound: str
) -> Iterator[tuple[Block, list[Track]]]:
    """Yield each block whose `bound` some size moves, with the tracks of its places."""
    rows = bound.startswith("row")
    per_slot = program.rows_per_slot if rows else program.columns_per_slot
    beside = program.slots_count * per_slot
    found: dict[tuple[bool, int, int], FloatArray] = {}
    for candidate, effect in enumerate(effects):
        numbers, per_unit = effect[bound].at, effect[bound].per_unit
        inside = numbers < beside
        slots, places = numbers[inside] // per_slot, numbers[inside] % per_slot
        for place in np.unique(places).tolist():
            series = np.zeros(program.slots_count)
            mine = places == place
            series[slots[mine]] = per_unit[inside][mine]
            found[False, place, candidate] = series
        for number, each in zip(numbers[~inside].tolist(), per_unit[~inside], strict=True):
            found[True, number - beside, candidate] = np.array([each])
    for block in (program.rows if rows else program.columns).values():
        mine_of_block = [
            Track(candidate=candidate, at=place - block.offset, per_unit=series)
            for (whole, place, candidate), series in found.items()
            if whole == block.whole and block.offset <= place < block.offset + block.size
        ]
        if mine_of_block:
            yield block, mine_of_block
