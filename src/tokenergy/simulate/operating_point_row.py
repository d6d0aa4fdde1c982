"""One row of the table: the point that a search found, its power line, and what bounds it."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from statistics import fmean
from typing import Any, Final

from tokenergy.company.operating_row import OperatingRow, OperatingTerms, RowBound, RowTier
from tokenergy.simulate.bench import Bench
from tokenergy.simulate.law_tables import BEYOND_TABLE_SHARE
from tokenergy.simulate.rate_search import (
    QUIET_RATE_PER_S,
    Bracket,
    Limits,
    Load,
    rate_search,
    searched,
)

STEP_SHARE: Final = 0.05
"""Half the width of the central difference, of the rate."""

NEAR_RATIO: Final = 1.03
"""First step away from a guess that a pilot made."""

PILOT_WIDTH_SHARE: Final = 0.03

FULL_BATCH_SHARE: Final = 0.05
"""Part of the busy time with a full batch from which requests wait because of it."""

FULL_CACHE_SHARE: Final = 0.98
"""Of the cache that requests may fill: from there on the next prompt waits for room."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Sample:
    """How a row was made: what does not depend on what the search finds.

    Attributes:
        bench: the replica with its requests.
        pilot: the same replica with one seed and a few of its requests.
        brackets: what earlier searches on this replica found.
        board_tdp_w: of all its boards.
        host_w: of its host while awake.
        output_tokens: mean of the workload.
        lengths, law, tier, notes: see `OperatingRow`.
    """

    bench: Bench
    pilot: Bench
    board_tdp_w: float
    host_w: float
    lengths: str
    law: str
    tier: RowTier
    notes: tuple[str, ...] = ()
    brackets: list[tuple[Bracket, ...]] = field(default_factory=list)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Line:
    """Power of a replica around a rate, boards and host, by the mean of the seeds.

    `slope_j` is what one request more costs.
    """

    power_w: float
    base_w: float
    slope_j: float
    half_load_error_share: float


def found_brackets(
    sample: Sample, limits: Limits, *, start_per_s: float | None = None
) -> tuple[Bracket, ...]:
    """Return the bracket of every seed around the largest rate that keeps the limits.

    Another workload's bracket on the same replica stands if these limits break between its ends,
    too. Else the search begins where a short pilot of the first seed ends, or at `start_per_s`.
    """
    for known in sample.brackets:
        if all(_stands(bracket, limits) for bracket in known):
            return known
    ratio = NEAR_RATIO
    if start_per_s is None:
        (pilot,) = searched([rate_search(limits, width_share=PILOT_WIDTH_SHARE)],
            sample.pilot.simulate)  # fmt: skip
        start_per_s, ratio = (pilot.rate_per_s, NEAR_RATIO) if pilot.within else (1.0, 2.0)
    searches = [
        rate_search(limits, start_per_s=start_per_s, first_ratio=ratio) for _ in sample.bench.drawn
    ]
    found = searched(searches, sample.bench.simulate)
    sample.brackets.append(found)
    return found


def worst_of(brackets: Sequence[Bracket]) -> Bracket:
    """Return the bracket of the worst seed, which is the answer."""
    return min(brackets, key=lambda bracket: bracket.rate_per_s)


def found_row(sample: Sample, terms: OperatingTerms, limits: Limits) -> OperatingRow:
    """Return the row of a replica for terms: the largest rate of the worst seed, and its power.

    Where the limits are missed by requests that come one at a time, or at every rate that was
    tried, the row says so with a rate of 0.
    """
    bench = sample.bench
    (quiet,) = bench.simulate([(0, QUIET_RATE_PER_S)])
    broken = limits.broken(quiet)
    if broken:
        return _unreachable(sample, terms, quiet, broken)
    brackets = found_brackets(sample, limits)
    worst = worst_of(brackets)
    if worst.within is None:
        return _unreachable(sample, terms, quiet, bound_of(worst))
    rate_per_s = worst.rate_per_s
    line = _line(bench, rate_per_s, host_w=sample.host_w)
    loads = bench.at(rate_per_s)
    board_w = line.power_w - sample.host_w
    notes = _notes(sample, loads, board_w=board_w)
    return OperatingRow(
        terms=terms,
        rate_per_s=rate_per_s,
        rate_spread_share=max(one.rate_per_s for one in brackets) / rate_per_s - 1.0,
        busy_share=fmean([load.busy_share for load in loads]),
        mean_batch_count=fmean([load.mean_batch_count for load in loads]),
        power_w=line.power_w,
        base_w=line.base_w,
        marginal_j_per_token=line.slope_j / terms.output_tokens,
        power_tdp_share=board_w / sample.board_tdp_w,
        half_load_error_share=line.half_load_error_share,
        prefill_beyond_share=fmean([load.prefill_w for load in loads]) / board_w,
        ttft_s=max(max(load.ttft_s) for load in loads),
        tpot_s=max(max(load.tpot_s) for load in loads),
        unloaded_ttft_s=max(quiet.ttft_s),
        unloaded_tpot_s=max(quiet.tpot_s),
        bound=bound_of(worst),
        notes=(*sample.notes, *notes),
        **_how(sample),
    )


def _stands(bracket: Bracket, limits: Limits) -> bool:
    """Tell whether a bracket holds the answer for other limits, too, broken in the same way."""
    return (
        bracket.within is not None
        and not limits.broken(bracket.within)
        and limits.broken(bracket.beyond) == bracket.broken
    )


def bound_of(bracket: Bracket) -> RowBound:
    """Return what the load just beyond the point breaks, or is short of.

    A time per token is broken by the batch itself. A time to the first token is, too, unless
    requests wait because cache or batch are full: then that is the bound.
    """
    if bracket.broken == "tpot":
        return "tpot"
    if bracket.beyond.cache_high_share >= FULL_CACHE_SHARE:
        return "kv"
    if bracket.beyond.full_batch_share >= FULL_BATCH_SHARE:
        return "batch"
    return "ttft"


def _line(bench: Bench, rate_per_s: float, *, host_w: float) -> _Line:
    """Return the tangent of power at a rate, by central difference, and its error at half load.

    Where a little more load is more than the replica can do, the difference is taken below the
    point. Power never falls with load, and never rises faster than in proportion to it.
    """
    above = bench.at(rate_per_s * (1.0 + STEP_SHARE))
    at, half = bench.at(rate_per_s), bench.at(rate_per_s / 2.0)
    upper, upper_per_s = above, rate_per_s * (1.0 + STEP_SHARE)
    if not all(load.stable for load in above):
        upper, upper_per_s = at, rate_per_s
    lower_per_s = upper_per_s - 2.0 * STEP_SHARE * rate_per_s
    lower = bench.at(lower_per_s)
    board_w = _power(at)
    slope_j = (_power(upper) - _power(lower)) / (upper_per_s - lower_per_s)
    slope_j = min(max(slope_j, 0.0), board_w / rate_per_s)
    power_w = board_w + host_w
    base_w = power_w - slope_j * rate_per_s
    half_w = base_w + slope_j * rate_per_s / 2.0
    return _Line(
        power_w=power_w,
        base_w=base_w,
        slope_j=slope_j,
        half_load_error_share=half_w / (_power(half) + host_w) - 1.0,
    )


def _unreachable(
    sample: Sample, terms: OperatingTerms, quiet: Load, bound: RowBound
) -> OperatingRow:
    """Return the row of a replica that misses the limits at next to no load."""
    nothing = math.nan
    ttft_s, tpot_s = max(quiet.ttft_s), max(quiet.tpot_s)
    note = (
        f"one request at a time: {terms.percentile_share:.0%} have their first token within "
        f"{ttft_s:.3g} s and {terms.network_s:.3g} s of network (limit {terms.ttft_limit_s:g} s), "
        f"and {tpot_s:.3g} s a token (limit {terms.tpot_limit_s:g} s)"
    )
    return OperatingRow(
        terms=terms,
        rate_per_s=0.0,
        rate_spread_share=nothing,
        busy_share=nothing,
        mean_batch_count=nothing,
        power_w=nothing,
        base_w=nothing,
        marginal_j_per_token=nothing,
        power_tdp_share=nothing,
        half_load_error_share=nothing,
        prefill_beyond_share=nothing,
        ttft_s=nothing,
        tpot_s=nothing,
        unloaded_ttft_s=ttft_s,
        unloaded_tpot_s=tpot_s,
        bound=bound,
        notes=(*sample.notes, note),
        **_how(sample),
    )


def _how(sample: Sample) -> dict[str, Any]:
    spec, drawn = sample.bench.spec, sample.bench.drawn
    return {
        "kv_blocks_count": spec.kv_blocks_count,
        "block_tokens": spec.block_tokens,
        "chunk_tokens_count": spec.max_batch_tokens,
        "requests_count": drawn[0].count,
        "seeds_count": len(drawn),
        "lengths": sample.lengths,
        "law": sample.law,
        "tier": sample.tier,
    }


def _notes(sample: Sample, loads: list[Load], *, board_w: float) -> tuple[str, ...]:
    """Say where the figures contradict the hardware, or leave the law's table."""
    notes = []
    idle_w, most_w = sample.bench.spec.energy.idle_w, sample.board_tdp_w
    if board_w > most_w:
        notes.append(
            f"boards of {board_w:,.0f} W exceed their TDP of {most_w:,.0f} W: joules and "
            "times are from two models, and they contradict each other here"
        )
    if board_w < idle_w:
        notes.append(
            f"boards of {board_w:,.0f} W draw less than idle, {idle_w:,.0f} W: joules and times "
            "are from two models, and they contradict each other here"
        )
    beyond_share = max(load.beyond_table_share for load in loads)
    if beyond_share > BEYOND_TABLE_SHARE:
        notes.append(f"{beyond_share:.1%} of the iterations lie outside the table of the law")
    return tuple(notes)


def _power(loads: list[Load]) -> float:
    return fmean([load.board_w for load in loads])
