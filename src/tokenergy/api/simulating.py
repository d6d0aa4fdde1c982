"""What would have happened under each policy, and the scorecard that says so."""

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Any

from tokenergy.api.opened import OpenCompany, Progress, explained_horizon
from tokenergy.api.running import RunBook, Walked, run_side_by_side
from tokenergy.api.table import to_html, to_polars
from tokenergy.company.currency import in_currency
from tokenergy.company.finding import Finding
from tokenergy.dispatch.bound import Bound
from tokenergy.dispatch.explain import simultaneous_findings
from tokenergy.dispatch.policies import POLICIES, make_policy
from tokenergy.dispatch.policy import Policy
from tokenergy.dispatch.world import BoolArray, World
from tokenergy.economics.unit_cost import FullCost, full_cost, gpu_used_share
from tokenergy.errors import InfeasibleProgram, InputError, UnknownName
from tokenergy.simulate.account import account
from tokenergy.simulate.best_possible import Foresight, too_large
from tokenergy.simulate.findings import must_serve_findings
from tokenergy.simulate.renewed import renewed_by
from tokenergy.simulate.replay import replay
from tokenergy.simulate.run import Run
from tokenergy.simulate.scorecard import BOUND, Saving, Scorecard, scorecard
from tokenergy.simulate.split import Split, split_saving
from tokenergy.simulate.whole_replicas import WHOLE

if TYPE_CHECKING:
    import polars as pl

DEFAULT_POLICIES = ("nearest", "static", "greedy", "greedy_battery", "mpc", "clairvoyant")
HEADLINE = "mpc"
ALL = "all"
"""In place of names: every policy that ships."""
SAID_SHARE = 0.0005
"""A share below this would be told as 0.0 %: it is not told."""
AT_LIMIT_SHARE = 1e-6
"""A connection that is this close to its limit is at it."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Simulation:
    """Runs of several policies on one world.

    Attributes:
        heading: company, horizon, synthetic series, warnings.
        card: the scorecard.
        runs: what each policy did, as arrays.
        shown: the policy that full cost and message are about: mpc, else the last that ran.
        full: full cost of its tokens on both bases.
        message: what power is worth here, in a sentence.
        split: where the saving comes from, if it was asked for.
        ledger: the SQLite file that the runs were written to, if any.
        gone_on_from: how far each run had come that was resumed, by policy; null if none was to.
    """

    heading: dict[str, Any]
    card: Scorecard
    runs: dict[str, Run]
    shown: str
    full: FullCost
    message: str
    split: Split | None
    ledger: Path | None
    gone_on_from: dict[str, datetime] | None = None

    @property
    def currency(self) -> str:
        """The company's own money."""
        return str(self.heading["currency"])

    def __str__(self) -> str:
        """Say in sentences what the simulation found."""
        return "\n".join((str(self.heading["company"]), *self.lines()))

    def to_dict(self) -> dict[str, Any]:
        """Return the simulation as one JSON-ready object; keys carry units."""
        return (
            self.heading
            | self.card.to_dict()
            | {
                "message": self.message,
                "full_cost": {"policy": self.shown} | self.full.to_dict(),
                "split": None if self.split is None else self.split.to_dict(),
                "ledger": None if self.ledger is None else str(self.ledger),
                "gone_on_from": self._moments(),
            }
        )

    def _moments(self) -> dict[str, str] | None:
        if self.gone_on_from is None:
            return None
        return {name: f"{at:%Y-%m-%dT%H:%MZ}" for name, at in self.gone_on_from.items()}

    def to_polars(self) -> "pl.DataFrame":
        """Return one row per policy as a polars frame."""
        return to_polars(self._rows())

    def _repr_html_(self) -> str:
        return to_html(self._rows(), f"{self.heading['company']}: scorecard")

    def _rows(self) -> list[dict[str, Any]]:
        names = ("cost_usd", "bill_usd", "regret_share", "captured_share", "served_mtok")
        policies = self.card.to_dict()["policies"]
        return [
            {"policy": name} | {key: score[key] for key in names}
            for name, score in policies.items()
        ]

    def lines(self) -> Iterator[str]:
        """Yield what the scorecard means, in sentences; no saving without its baseline."""
        if (moments := self._moments()) is not None:
            from_ = ", ".join(f"{name} from {at}" for name, at in moments.items())
            yield f"Gone on with: {from_ or 'nothing, no run of this company was stopped'}."
        yield from (in_currency(line, self.currency) for line in self.card.outage_lines())
        yield from self.meaning()
        yield from self.limits()
        yield f"{self.shown}: {self.message}"
        if self.split is not None:
            yield in_currency(self.split.sentence(), self.currency)

    def meaning(self) -> Iterator[str]:
        """Yield what the figures of the best real policy mean."""
        yield from self.savings()
        score = self.card.policies.get(HEADLINE)
        if score is None:
            return
        if score.regret_share is not None:
            yield (
                f"{HEADLINE} is {score.regret_share:.2%} above {self._best_words()}: nobody can "
                "do better."
            )
        if score.zero_price_share is not None and score.zero_price_share >= SAID_SHARE:
            yield (
                f"{score.zero_price_share:.1%} of its tokens were made at a power price of 0 "
                "or below."
            )

    def savings(self) -> Iterator[str]:
        """Yield what the best real policy saves, against whom, and of how much."""
        score = self.card.policies.get(HEADLINE)
        if score is None:
            return
        for baseline, saving in (
            ("greedy_battery", score.saving_greedy_battery),
            ("static", score.saving_static),
        ):
            if saving is not None:
                yield in_currency(_saving_line(baseline, saving, self.full), self.currency)
        stuck_usd = score.unmoved.total_usd
        if stuck_usd > 0.0:
            yield (
                f"No decision moves {stuck_usd:,.0f} {self.currency} of it "
                "(blocks, must-take, fixed load and charges; resale aside)."
            )

    def limits(self) -> Iterator[str]:
        """Yield what a reader of the ratios has to know: what regret is over, and where not to."""
        best, fixed = self.card.best, self.card.denominator
        if best is not None and fixed is not None and fixed.share is not None:
            yield (
                f"Regret is over {best.cost_usd:,.0f} {self.currency}; {fixed.total_usd:,.0f} "
                f"({fixed.share:.1%}) of that no decision moves: blocks "
                f"{fixed.blocks_usd:,.0f}, must-take {fixed.must_take_usd:,.0f}, fixed load "
                f"{fixed.fixed_load_usd:,.0f}, fixed charges {fixed.sunk_usd:,.0f}."
            )
        if sites := self.card.fixed_price_sites:
            yield (
                f"Power costs the same in every interval at {', '.join(sites)}: moving work in "
                "time saves nothing there."
            )

    def _best_words(self) -> str:
        """Say what regret is counted from."""
        best = self.card.best
        if best is None or best.method == "whole_horizon_program":
            return "clairvoyant, which knows the future"
        return (
            f"what no dispatch can go below, proved by duality in windows (a program of "
            f"{best.rows_count:,} rows is not solved whole; windows with foresight come within "
            f"{best.gap_share:.2%} of it)"
        )


def _saving_line(baseline: str, saving: Saving, full: FullCost) -> str:
    """Say what is saved against whom, and how little of the full cost that may be."""
    word = "loses" if saving.usd < 0.0 else "saves"
    line = f"{HEADLINE} {word} {abs(saving.usd):,.0f} USD against {baseline}"
    if saving.share is None or full.allocation_usd <= 0.0:
        return f"{line}."
    of_full_share = abs(saving.usd) / full.allocation_usd
    return f"{line}: {abs(saving.share):.1%} of its cost, {of_full_share:.2%} of full cost."


def simulate(
    company: OpenCompany,
    *,
    policies: Sequence[str] | None = None,
    split: bool = False,
    ledger: str | Path | None = None,
    resume: bool = False,
    whole_replicas: bool = False,
    on_progress: Progress | None = None,
) -> Simulation:
    """Walk each policy through the horizon and hold it against the best possible.

    Args:
        company: an opened company; its horizon is what is simulated.
        policies: names out of `dispatch.policies.POLICIES`, or `all` alone; None:
            `DEFAULT_POLICIES`.
        split: also rerun worlds without batteries or deferral to split the saving.
        ledger: append the runs to this SQLite file, and note down in it every day of them; None:
            write nothing.
        resume: go on from what is noted there of this company on this horizon.
        whole_replicas: also run each policy with whole replicas, and say what that costs.
        on_progress: told of the intervals that are done.

    Raises:
        FindingsError: if no dispatch satisfies the company's own limits.
        UnknownName: for a policy that nobody knows; the message lists the known ones.
        InputError: if no policy is named, the ledger cannot be written, or what was stopped there
            is something else.
    """
    names = _named(policies)
    held = None if ledger is None else Path(ledger)
    if resume and held is None:
        raise InputError("there is nothing to resume from without a ledger: name one")
    world, best = company.world, _Best(company.world)
    every = (*names, *(name + WHOLE for name in names if whole_replicas))
    with _book(company, held, every, resume=resume) as book:
        try:
            walked = run_side_by_side(world, every, best.make, book=book, on_progress=on_progress)
            runs, bound = walked.fractional(), best.bound(names)
            saving = split_saving(world, best.run, runs) if split else None
        except InfeasibleProgram as error:
            raise explained_horizon(company, error) from error
        if book is not None:
            book.write(walked.runs, on_progress)
        gone_on_from = dict(book.gone_on_from) if book is not None and resume else None
    return _told(company, walked, bound, saving, ledger=held, gone_on_from=gone_on_from)


def _told(
    company: OpenCompany,
    walked: Walked,
    bound: Bound | None,
    saving: Split | None,
    *,
    ledger: Path | None,
    gone_on_from: dict[str, datetime] | None,
) -> Simulation:
    """Return the simulation that tells of runs."""
    world, runs = company.world, walked.fractional()
    heading = company.heading()
    heading["warnings"] += [finding.to_dict() for finding in _findings(world, walked)]
    shown = HEADLINE if HEADLINE in runs else tuple(runs)[-1]
    full = run_full_cost(world, runs[shown])
    return Simulation(
        heading=heading,
        card=scorecard(world, runs, bound=bound, whole=walked.whole()),
        runs=runs,
        shown=shown,
        full=full,
        message=in_currency(
            full.sentence(
                mw_binds_h=at_limit_h(world, runs[shown]),
                mw_rent_usd_per_mwh=mw_rent_usd_per_mwh(world, runs[shown]),
            ),
            company.company.currency,
        ),
        split=saving,
        ledger=ledger,
        gone_on_from=gone_on_from,
    )


def _named(policies: Sequence[str] | None) -> tuple[str, ...]:
    """Return the policies that are asked for, each once; refuse those that nobody knows."""
    if policies is not None and tuple(policies) == (ALL,):
        return tuple(POLICIES)
    names = tuple(dict.fromkeys(DEFAULT_POLICIES if policies is None else policies))
    _refuse_unknown(names)
    return names


def _book(
    company: OpenCompany, ledger: Path | None, names: Sequence[str], *, resume: bool
) -> AbstractContextManager[RunBook | None]:
    """Return the ledger that runs are noted down in; None where nothing is to be written."""
    if ledger is None:
        return nullcontext()
    return RunBook(company, ledger, names, resume=resume)


def _findings(world: World, walked: Walked) -> Iterator[Finding]:
    for run in walked.fractional().values():
        yield from must_serve_findings(world, run)
        yield from simultaneous_findings(
            world, run.charge_mwh, run.discharge_mwh, begin=world.first
        )
    yield from walked.findings()


class _Best:
    """Makes policies, the clairvoyant in windows where its program would be too large.

    That of the world itself is solved once for all who want it: it only looks up what it found.
    """

    def __init__(self, world: World) -> None:
        self._world = world
        self._once = Lock()
        self._clairvoyant: Policy | None = None

    def make(self, where: World, name: str) -> Policy:
        """Return a policy of a world."""
        if name != BOUND:
            return make_policy(name, where)
        if where is not self._world:
            return Foresight(where) if too_large(where) else make_policy(name, where)
        with self._once:
            if self._clairvoyant is None:
                large = too_large(where)
                self._clairvoyant = Foresight(where) if large else make_policy(name, where)
            return self._clairvoyant

    def run(self, where: World, name: str) -> Run:
        """Walk a policy through another world, or this one."""
        return replay(where, renewed_by(where, name, self.make))

    def bound(self, names: Sequence[str]) -> Bound | None:
        """Return what is proved of the best possible; None where it was solved, or not asked."""
        if BOUND not in names or not too_large(self._world):
            return None
        windows = self.make(self._world, BOUND)
        assert isinstance(windows, Foresight)
        return windows.bound()


def _refuse_unknown(names: Sequence[str]) -> None:
    """Tell all unknown policies at once, before anything runs."""
    if not names:
        raise InputError("no policy was named; name at least one")
    unknown = [name for name in names if name not in POLICIES]
    if unknown:
        listed = ", ".join(repr(name) for name in unknown)
        raise UnknownName(f"unknown policies: {listed}; known: {', '.join(POLICIES)}")


def at_limit_h(world: World, run: Run) -> float:
    """Return the site-hours in which a run draws all that a connection may deliver."""
    return float(_at_limit(world, run).sum()) * world.step_h


def mw_rent_usd_per_mwh(world: World, run: Run) -> float | None:
    """Return what one MWh more was worth beside its price where a connection was at its limit.

    The mean over those site-hours; None where there are none, or the policy prices nothing.
    """
    bound = _at_limit(world, run)
    if run.mw_rent_usd_per_mwh is None or not bound.any():
        return None
    return float(run.mw_rent_usd_per_mwh[bound].mean())


def _at_limit(world: World, run: Run) -> BoolArray:
    limit_mwh = world.import_limit_mw[:, world.first : world.last] * world.step_h
    return run.import_mwh >= limit_mwh * (1.0 - AT_LIMIT_SHARE)


def used_gpu_share(world: World, run: Run) -> float:
    """Return awake GPU-hours over all that a run pays for, weighted by rent."""
    awake_gpu_h = [0.0] * len(world.fleets)
    for deployment, awake in zip(world.deployments, run.awake, strict=True):
        if not deployment.external:
            gpu_h = float(awake.sum()) * deployment.gpus_count * world.step_h
            awake_gpu_h[deployment.fleet] += gpu_h
    return gpu_used_share(world.company, awake_gpu_h, hours_h=world.count * world.step_h)


def run_full_cost(world: World, run: Run) -> FullCost:
    """Return the full cost of the tokens of a run, capital included."""
    spent = account(world, run)
    return full_cost(
        world.company,
        hours_h=world.count * world.step_h,
        served_mtok=float(run.serve_mtok.sum()),
        power_usd=spent.bill_usd,
        awake_lease_usd=spent.lease_usd,
        api_usd=spent.api_usd,
        other_usd=spent.cycling_usd + spent.network_usd,
        gpu_used_share=used_gpu_share(world, run),
    )
