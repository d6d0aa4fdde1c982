"""The dispatch program of the largest company, grown by how much of each size is not built."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from tokenergy.dispatch.structure import Numbers
from tokenergy.lp.program import Block, FloatArray
from tokenergy.plan.candidates import Candidate
from tokenergy.plan.capital import standing_usd_per_year
from tokenergy.plan.effects import Effects, PlanNotLinear, Track, tracks_of
from tokenergy.plan.laid_out import PlanProgram, openings_of

IMPLIED: Final = ("charge", "discharge")
"""Columns whose bound the row `exclusive` says again, so that it needs no row of its own."""
Moved = tuple[Block, list[Track]]
"""A block, and how sizes move one side of its bounds."""


@dataclass(slots=True, kw_only=True, eq=False)
class _Rows:
    """Rows that are being added: their names, places, and bounds [slots, m] (whole: [m])."""

    lower: dict[str, FloatArray]
    upper: dict[str, FloatArray]


def grown(
    plan: PlanProgram, effects: Sequence[Effects], charges_usd: Sequence[float]
) -> PlanProgram:
    """Add the sizes to the dispatch program of the largest company."""
    program, base, candidates = plan.program, plan.numbers, plan.candidates
    old_rows = program.rows_per_slot
    old_count = program.slots_count * old_rows
    bound_tracks = {
        bound: list(tracks_of(program, effects, bound))
        for bound in ("lower", "upper", "row_lower", "row_upper")
    }
    program.add_columns("unbuilt", len(candidates), whole=True)
    rows = _Rows(lower={}, upper={})
    _sized_columns(plan, bound_tracks["lower"], bound_tracks["upper"], rows)
    _sized_rows(plan, bound_tracks["row_lower"], bound_tracks["row_upper"])
    per_unit = np.array([each.usd_per_unit_year for each in candidates]) * plan.years
    per_unit = per_unit + np.array(charges_usd)
    costs, lowers = [-per_unit], [np.zeros(len(candidates))]
    uppers = [np.array([each.most - each.least for each in candidates])]
    wholes = _choices(plan, rows, costs, lowers, uppers)
    most = np.array([each.most for each in candidates])
    numbers = _laid_again(
        plan, Numbers(
            costs=np.concatenate((base.costs, *costs)),
            lower=np.concatenate((_released(base.lower, effects, candidates), *lowers)),
            upper=np.concatenate((base.upper, *uppers)),
            row_lower=base.row_lower, row_upper=base.row_upper,
        ), rows, old_rows, old_count
    )  # fmt: skip
    own = plan.structure.integers()
    blocks = [] if own is None else [own]
    grown = replace(
        plan,
        numbers=numbers,
        # the fixed charges are those of the largest company: what is unbuilt is taken off again
        offset_usd=plan.offset_usd
        + float(most @ np.array([e.usd_per_unit_year for e in candidates])) * plan.years
        + standing_usd_per_year(plan.company, candidates) * plan.years,
    )
    blocks += [grown.columns_of(name) for name in wholes]
    whole = np.sort(np.concatenate(blocks)) if blocks else plan.integers
    return replace(grown, integers=whole)


def _released(
    lower: FloatArray, effects: Sequence[Effects], candidates: Sequence[Candidate]
) -> FloatArray:
    """Return the columns' own lower bounds, where a size moves them those of its least.

    A row `.least` holds the bound of the size that is built.
    """
    freed = lower.copy()
    for each, effect in zip(candidates, effects, strict=True):
        moved = effect["lower"]
        freed[moved.at] -= np.maximum(moved.per_unit, 0.0) * (each.most - each.least)
        rounding = np.abs(freed[moved.at]) <= 1e-12 * np.abs(lower[moved.at])
        freed[moved.at[rounding]] = 0.0
    return freed


def _sized_columns(
    plan: PlanProgram,
    lowers: Sequence[Moved],
    uppers: Sequence[Moved],
    rows: _Rows,
) -> None:
    """Add a row for each bound of a column that some size moves."""
    for side, found in (("most", uppers), ("least", lowers)):
        for block, tracks in found:
            if side == "least" or block.name not in IMPLIED:
                _size_rows(plan, block.name, side, tracks, rows)


def _size_rows(
    plan: PlanProgram, block_name: str, side: str, tracks: Sequence[Track], rows: _Rows
) -> None:
    """column + per unit x unbuilt <= (or >=) the column's bound in the largest company."""
    program, block = plan.program, plan.program.columns[block_name]
    places = sorted({track.at for track in tracks})
    row_of = {place: row for row, place in enumerate(places)}
    name = f"{block_name}.{side}"
    program.add_rows(name, len(places), whole=block.whole)
    program.link(name, block_name, values=1.0, column_at=places)
    program.link(
        name,
        "unbuilt",
        row_at=[row_of[track.at] for track in tracks],
        column_at=[track.candidate for track in tracks],
        values=np.array([track.per_unit for track in tracks]).T,
    )
    bound = plan.numbers.upper if side == "most" else plan.numbers.lower
    held = _values_of(plan, bound, block_name)[:, places]
    open_end = np.full_like(held, np.inf)
    rows.lower[name] = -open_end if side == "most" else held
    rows.upper[name] = held if side == "most" else open_end


def _values_of(plan: PlanProgram, values: FloatArray, block_name: str) -> FloatArray:
    """Return a block's part of the numbers of all columns [slots, m]; of a whole block [1, m]."""
    program, block = plan.program, plan.program.columns[block_name]
    beside = program.slots_count * program.columns_per_slot
    if block.whole:
        return values[beside:][None, block.span]
    return values[:beside].reshape(program.slots_count, -1)[:, block.span]


def _sized_rows(
    plan: PlanProgram,
    lowers: Sequence[Moved],
    uppers: Sequence[Moved],
) -> None:
    """row + per unit x unbuilt <= (>=, =) the row's bound in the largest company.

    Raises:
        PlanNotLinear: if the two sides of one row move apart.
    """
    merged: dict[str, dict[tuple[int, int], FloatArray]] = {}
    for found in (lowers, uppers):
        for block, tracks in found:
            mine = merged.setdefault(block.name, {})
            for track in tracks:
                other = mine.setdefault((track.at, track.candidate), track.per_unit)
                if not np.allclose(other, track.per_unit, rtol=1e-9, atol=0.0):
                    raise PlanNotLinear(f"plan: sizes move two sides of `{block.name}` apart")
    for name, moved in merged.items():
        pairs = list(moved)
        plan.program.link(
            name,
            "unbuilt",
            row_at=[row for row, _ in pairs],
            column_at=[candidate for _, candidate in pairs],
            values=np.array([moved[pair] for pair in pairs]).T,
        )


def _choices(
    plan: PlanProgram,
    rows: _Rows,
    costs: list[FloatArray],
    lowers: list[FloatArray],
    uppers: list[FloatArray],
) -> list[str]:
    """Add whole steps, openings and the budget; return the blocks that hold whole numbers."""
    program, candidates, wholes = plan.program, plan.candidates, list[str]()
    stepped = [at for at, each in enumerate(candidates) if each.step is not None]
    if stepped:
        step = np.array([candidates[at].step or 1.0 for at in stepped])
        range_ = np.array([candidates[at].most - candidates[at].least for at in stepped])
        program.add_columns("steps", len(stepped), whole=True)
        program.add_rows("steps", len(stepped), whole=True)
        program.link("steps", "unbuilt", values=1.0, column_at=stepped)
        program.link("steps", "steps", values=step)
        rows.lower["steps"] = rows.upper["steps"] = range_[None, :]
        costs.append(np.zeros(len(stepped)))
        lowers.append(np.zeros(len(stepped)))
        uppers.append(np.floor(range_ / step + 1e-9))
        wholes.append("steps")
    opening = openings_of(candidates)
    if opening:
        pairs = [(which, k) for which, ks in enumerate(opening) for k in ks]
        firsts = [candidates[ks[0]] for ks in opening]
        most = np.array([candidates[k].most for _, k in pairs])
        program.add_columns("opened", len(opening), whole=True)
        program.add_rows("opened", len(pairs), whole=True)
        program.link("opened", "unbuilt", values=1.0, column_at=[k for _, k in pairs])
        program.link("opened", "opened", values=most, column_at=[which for which, _ in pairs])
        rows.lower["opened"] = most[None, :]
        rows.upper["opened"] = np.full((1, len(pairs)), np.inf)
        costs.append(np.array([each.open_usd_per_year for each in firsts]) * plan.years)
        lowers.append(np.zeros(len(opening)))
        uppers.append(np.ones(len(opening)))
        wholes.append("opened")
    _budget(plan, rows, opening)
    return wholes


def _budget(plan: PlanProgram, rows: _Rows, opening: Sequence[Sequence[int]]) -> None:
    """sum capital x (most - unbuilt) + opening x opened <= budget, in millions of USD."""
    assert plan.company.plan is not None  # candidates come from it
    budget_usd, million = plan.company.plan.budget_usd, 1e6
    if budget_usd is None:
        return
    program, candidates = plan.program, plan.candidates
    capital = np.array([each.capital_usd_per_unit for each in candidates]) / million
    most = np.array([each.most for each in candidates])
    program.add_rows("budget", 1, whole=True)
    every = range(len(candidates))
    program.link(
        "budget", "unbuilt", row_at=[0] * len(candidates), column_at=every, values=-capital
    )
    if opening:
        opened = np.array([candidates[ks[0]].open_capital_usd for ks in opening]) / million
        program.link(
            "budget", "opened", row_at=[0] * len(opening), column_at=range(len(opening)),
            values=opened,
        )  # fmt: skip
    rows.lower["budget"] = np.full((1, 1), -np.inf)
    rows.upper["budget"] = np.full((1, 1), budget_usd / million - float(capital @ most))


def _laid_again(
    plan: PlanProgram, numbers: Numbers, rows: _Rows, old_per_slot: int, old_count: int
) -> Numbers:
    """Return numbers whose rows lie as the grown program has them."""
    program, slots = plan.program, plan.program.slots_count
    laid = []
    for old, added in ((numbers.row_lower, rows.lower), (numbers.row_upper, rows.upper)):
        values = np.zeros(program.rows_count)
        inside = values[: slots * program.rows_per_slot].reshape(slots, -1)
        inside[:, :old_per_slot] = old[:old_count].reshape(slots, -1)
        beside = values[slots * program.rows_per_slot :]
        beside[: old.size - old_count] = old[old_count:]
        for name, bounds in added.items():
            block = program.rows[name]
            (beside if block.whole else inside)[..., block.span] = (
                bounds[0] if block.whole else bounds
            )
        laid.append(values)
    return replace(numbers, row_lower=laid[0], row_upper=laid[1])
