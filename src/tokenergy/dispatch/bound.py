"""What a horizon costs at least, whoever dispatches it, where one program of it is too long.

The horizon is solved in windows that overlap, each with perfect foresight and from the state that
the one before it left. What they do, put end to end, is a dispatch of the whole horizon: its cost
bounds the clairvoyant's from above. The duals of their rows, put end to end, are weights of the
rows of the whole horizon: by weak duality they bound it from below, whatever they are
(`lp/certificate`). A window's duals price what a store, a queue or an awake replica is worth at
its seams; where neighbours agree on these prices nothing is lost, so each seam lies where their
overlap proves most. Both sums are taken over the program of the whole horizon, which is written
down here and never solved.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from math import fsum

import numpy as np

from tokenergy.dispatch.columns import own_deployments
from tokenergy.dispatch.solve import Optimum, WindowModel
from tokenergy.dispatch.terms.term import HasConstant
from tokenergy.dispatch.window import Window, true_window
from tokenergy.dispatch.world import FloatArray, IntArray, State, World
from tokenergy.errors import InputError, SolverFailure
from tokenergy.lp.certificate import Posed, Proof, bounded, least_usd, proof
from tokenergy.lp.check import CHECK_TOLERANCE

COMMIT_H = 336.0
"""What each window does before the next one takes over."""
OVERLAP_H = 168.0
"""How much further each window sees. Ten sites with batteries, 84 days of real prices: gap below
1e-14 from 96 h on; 28 days with windows of 168 h: 0.05 % at 72 h, 0.4 % at 48 h."""

Progress = Callable[[int, int], None]
"""Called after each window with how many are solved, and how many there are."""


class HorizonIsCoupled(InputError):
    """A contract is settled over the whole horizon, so that windows cannot be bounded alone."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Bound:
    """Between what limits the cost of the best possible dispatch lies.

    Attributes:
        lower_usd: no dispatch costs less; proved by duality, not by a solver's word.
        feasible_usd: what a dispatch with perfect foresight costs that keeps every limit.
        gap_share: how far apart they are, of the lower one (of 1 USD where that is less).
        windows_count: windows that were solved.
    """

    lower_usd: float
    feasible_usd: float
    gap_share: float
    windows_count: int


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Piece:
    """One window's optimum: it acts for `commit_count` intervals, and saw further."""

    optimum: Optimum
    posed: Posed
    commit_count: int

    @property
    def begin(self) -> int:
        """Index of its first interval in the world."""
        return self.optimum.window.begin

    @property
    def end(self) -> int:
        """Index after the last interval that it saw."""
        return self.begin + self.optimum.window.count

    @property
    def weights(self) -> FloatArray:
        """The duals of its rows."""
        return self.optimum.solution.row_duals

    def in_time(self, values: FloatArray) -> FloatArray:
        """Return numbers of all rows, or of all columns, in the order of time [n, m]."""
        by_slot = values.reshape(self.optimum.window.count, -1)
        return np.asarray(by_slot[self.optimum.slots])


def clairvoyant_bound(
    world: World,
    state: State | None = None,
    *,
    commit_h: float = COMMIT_H,
    overlap_h: float = OVERLAP_H,
    solved: Sequence[Piece] | None = None,
    on_progress: Progress | None = None,
) -> Bound:
    """Return bounds of the least cost of a horizon, in USD, as an account of a run counts it.

    Args:
        world: the company on its horizon.
        state: what the past left; None: nobody is awake, and batteries stand as the file says.
        commit_h: hours that each window acts for.
        overlap_h: hours that it sees further; more of both narrows the gap and takes longer.
        solved: the windows of `foresight`, where somebody has solved them; None: here.
        on_progress: told after each window.

    Raises:
        HorizonIsCoupled: if a contract's term stands over the whole horizon (peaks, yearly takes).
        InfeasibleProgram: if fixed load, contract or state bounds cannot be met.
        SolverFailure: if the windows' dispatch breaks a limit of the whole horizon.
    """
    start = State.initial(world) if state is None else state
    window = true_window(world, begin=world.first, count=world.count)
    whole = WindowModel(world, window, start)
    _refuse_coupled(whole)
    posed = _boxed(window, whole)
    pieces = solved or list(
        foresight(world, start, commit_h=commit_h, overlap_h=overlap_h, on_progress=on_progress)
    )
    seams = [_seam(whole, *pair) for pair in pairwise(pieces)]
    weights, columns = _end_to_end(whole, window, pieces, seams)
    missed = posed.violation(columns)
    if not missed <= CHECK_TOLERANCE:
        raise SolverFailure(f"windows end to end miss a limit of the horizon by {missed:.3g}")
    constant_usd = fixed_usd(world, start)
    lower_usd = proof(posed, weights).lower_usd + constant_usd
    feasible_usd = float(posed.costs @ columns) + constant_usd
    return Bound(
        lower_usd=lower_usd,
        feasible_usd=feasible_usd,
        gap_share=(feasible_usd - lower_usd) / max(1.0, abs(lower_usd)),
        windows_count=len(pieces),
    )


def foresight(
    world: World,
    state: State,
    *,
    commit_h: float = COMMIT_H,
    overlap_h: float = OVERLAP_H,
    on_progress: Progress | None = None,
) -> Iterator[Piece]:
    """Solve the horizon in windows that overlap, each from the state that the one before left.

    Raises:
        InfeasibleProgram: if fixed load, contract or state bounds cannot be met.
    """
    commit = max(1, round(commit_h / world.step_h))
    overlap = max(1, round(overlap_h / world.step_h))
    begins = range(world.first, max(world.first + 1, world.last - overlap), commit)
    for done, begin in enumerate(begins, start=1):
        last = done == len(begins)
        end = world.last if last else min(world.last, begin + commit + overlap)
        window = true_window(world, begin=begin, count=end - begin)
        model = WindowModel(world, window, state)
        optimum = model.solved(window)
        count = end - begin if last else commit
        yield Piece(
            optimum=optimum,
            posed=_boxed(window, model),
            commit_count=count,
        )
        state = state_after(world, optimum, state, count)
        if on_progress is not None:
            on_progress(done, len(begins))


def state_after(world: World, optimum: Optimum, state: State, count: int) -> State:
    """Return what `count` intervals of an optimum leave; work that is due first is done first."""
    window, own = optimum.window, own_deployments(world)
    waiting = optimum.value("backlog", count - 1)
    backlog = np.zeros_like(state.backlog_mtok)
    for at, load in enumerate(world.workloads):
        due = np.arange(load.defer_count)  # column i is due by the end of the i-th interval ahead
        arrived = count + due - load.defer_count
        carried = np.append(state.backlog_mtok[at], np.zeros(count + load.defer_count))
        there = np.where(
            arrived >= 0,
            window.arrivals_mtok[at, np.maximum(0, arrived)],
            carried[count + due],
        )
        later = there[::-1].cumsum()[::-1] - there
        backlog[at, : due.size] = np.clip(waiting[at] - later, 0.0, there)
    awake = np.zeros_like(state.awake)
    awake[:own] = np.maximum(0.0, optimum.value("awake", count - 1))
    capacity = [battery.capacity_mwh for battery in world.batteries]
    energy = np.clip(optimum.value("energy", count - 1), 0.0, capacity)
    return replace(state, awake=awake, energy_mwh=energy, backlog_mtok=backlog)


def _refuse_coupled(whole: WindowModel) -> None:
    """Refuse a program with rows or columns beside its slots, which no window can price alone."""
    program = whole.program
    beside = [b.name for b in (*program.columns.values(), *program.rows.values()) if b.whole]
    if beside:
        raise HorizonIsCoupled(
            f"{', '.join(sorted(beside))}: settled over the whole horizon, so that it cannot be "
            "bounded window by window; solve it whole (solve_horizon)"
        )


def _seam(whole: WindowModel, left: Piece, right: Piece) -> int:
    """Return the interval from which on the right window's duals prove more than the left's.

    A column of state stands in rows of two intervals; at the seam one is the left's, the other
    the right's, and what the column proves has to be worked out anew.
    """
    seams = np.arange(right.begin + 1, left.end)
    if not seams.size:
        return right.begin
    told = proof(left.posed, left.weights)
    until_left = _by_interval(left, told).cumsum()[seams - left.begin - 1]
    proved = _by_interval(right, proof(right.posed, right.weights))
    from_right = proved[::-1].cumsum()[::-1][seams - right.begin]
    changed = _changed_usd(whole, left, right, told, seams)
    return int(seams[np.argmax(until_left + from_right + changed)])


def _changed_usd(
    whole: WindowModel, left: Piece, right: Piece, told: Proof, seams: IntArray
) -> FloatArray:
    """Return by how much what columns of state prove changes, for each place of the seam [m]."""
    before = seams - 1 - left.begin
    reduced = left.in_time(told.reduced)[before]
    lower, upper = left.in_time(left.posed.lower)[before], left.in_time(left.posed.upper)[before]
    left_duals = left.in_time(left.weights)[seams - left.begin]
    right_duals = right.in_time(right.weights)[seams - right.begin]
    mixed = reduced.copy()
    for link in whole.program.links:
        if link.lag:
            apart = link.values[0] * (left_duals - right_duals)[:, link.rows]
            np.add.at(mixed.T, link.columns, apart.T)
    changed = least_usd(mixed, lower, upper) - least_usd(reduced, lower, upper)
    return np.asarray(changed.sum(axis=1))


def _by_interval(piece: Piece, told: Proof) -> FloatArray:
    """Return what a window's duals prove in each of its intervals [n], USD."""
    rows, columns = piece.in_time(told.rows_usd), piece.in_time(told.columns_usd)
    return np.asarray(rows.sum(axis=1) + columns.sum(axis=1))


def _end_to_end(
    whole: WindowModel, window: Window, pieces: Sequence[Piece], seams: Sequence[int]
) -> tuple[FloatArray, FloatArray]:
    """Return weights of all rows, and values of all columns, of the horizon's own program."""
    program, count = whole.program, window.count
    weights = np.zeros((count, program.rows_per_slot))
    columns = np.zeros((count, program.columns_per_slot))
    starts, ends = (window.begin, *seams), (*seams, window.begin + count)
    for piece, start, end in zip(pieces, starts, ends, strict=True):
        own = slice(start - piece.begin, end - piece.begin)
        weights[start - window.begin : end - window.begin] = piece.in_time(piece.weights)[own]
        acts = piece.begin - window.begin
        done = piece.in_time(piece.optimum.solution.columns)[: piece.commit_count]
        columns[acts : acts + piece.commit_count] = done
    slots = (window.begin + np.arange(count)) % count
    placed = np.empty_like(weights), np.empty_like(columns)
    placed[0][slots], placed[1][slots] = weights, columns
    return placed[0].ravel(), placed[1].ravel()


def _boxed(window: Window, model: WindowModel) -> Posed:
    """Return a window's program with a bound on every column that an optimum keeps.

    A weight that is wrong by rounding then costs a rounding, not the proof. Most bounds follow from
    the rows. Two do not, but some optimum keeps them: it never buys and sells at once (doing less
    of both costs no more: `check` refuses a company that earns by it; unless a contract counts
    what is bought or sold), and nothing is woken more often than it is awake, even where waking
    takes no time.
    """
    posed, program = bounded(model.model.posed()), model.program
    first = np.arange(window.count)[:, None] * program.columns_per_slot
    numbers = {
        name: first + program.columns[name].offset + np.arange(program.columns[name].size)
        for name in ("wake", "awake", "buy", "sell")
    }
    upper = posed.upper.copy()
    wake, awake = numbers["wake"], numbers["awake"]
    upper[wake] = np.where(np.isinf(upper[wake]), upper[awake], upper[wake])
    traded = {link.row.name for link in program.links if link.column.name in ("buy", "sell")}
    for name, other in (("buy", "sell"), ("sell", "buy")):
        if traded == {"commercial"}:
            alone = upper.copy()
            alone[numbers[other]] = 0.0
            upper[numbers[name]] = bounded(replace(posed, upper=alone)).upper[numbers[name]]
    return replace(posed, upper=upper)


def fixed_usd(world: World, state: State) -> float:
    """Return what no decision moves, and what the batteries hold at first, at the end value."""
    span = slice(world.first, world.last)
    blocks = [b.strike_usd_per_mwh[span] @ b.delivery_mw[span] for b in world.blocks]
    sunk = [take.sunk_usd_per_h[span].sum() for take in world.takes]
    fixed = [each.usd[span].sum() for each in world.sunk]
    begun = [term.constant_usd(world) for term in world.terms if isinstance(term, HasConstant)]
    held_usd = float(state.energy_mwh @ world.end_value_usd_per_mwh())
    return (fsum(blocks) + fsum(sunk)) * world.step_h + fsum(fixed) + fsum(begun) + held_usd
