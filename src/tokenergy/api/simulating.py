"""What would have happened under each policy, and the scorecard that says so."""

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from threading import Event
from typing import TYPE_CHECKING, Any

from tokenergy.api.opened import OpenCompany, Progress, explained_horizon
from tokenergy.api.output import refuse_no_ledger
from tokenergy.api.table import to_html, to_polars
from tokenergy.company.currency import in_currency
from tokenergy.dispatch.policies import POLICIES, make_policy
from tokenergy.dispatch.world import BoolArray, World
from tokenergy.economics.unit_cost import FullCost, full_cost, gpu_used_share
from tokenergy.errors import InfeasibleProgram, InputError, UnknownName
from tokenergy.simulate.account import account
from tokenergy.simulate.entries import ledger_entries
from tokenergy.simulate.findings import must_serve_findings
from tokenergy.simulate.replay import replay
from tokenergy.simulate.run import Run
from tokenergy.simulate.scorecard import Saving, Scorecard, scorecard
from tokenergy.simulate.split import Split, split_saving

if TYPE_CHECKING:
    import polars as pl

DEFAULT_POLICIES = ("nearest", "static", "greedy", "greedy_battery", "mpc", "clairvoyant")
HEADLINE = "mpc"
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
    """

    heading: dict[str, Any]
    card: Scorecard
    runs: dict[str, Run]
    shown: str
    full: FullCost
    message: str
    split: Split | None
    ledger: Path | None

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
            }
        )

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
        yield from self.meaning()
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
                f"{HEADLINE} is {score.regret_share:.2%} above clairvoyant, which knows the "
                "future: nobody can do better."
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
        unmoved = score.unmoved
        stuck_usd = unmoved.blocks_usd + unmoved.must_take_usd + unmoved.fixed_load_usd
        if stuck_usd > 0.0:
            yield (
                f"No decision moves {stuck_usd:,.0f} {self.currency} of it "
                "(blocks, must-take, fixed load; resale aside)."
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
    on_progress: Progress | None = None,
) -> Simulation:
    """Walk each policy through the horizon and hold it against the best possible.

    Args:
        company: an opened company; its horizon is what is simulated.
        policies: names out of `dispatch.policies.POLICIES`; None: `DEFAULT_POLICIES`.
        split: also rerun worlds without batteries or deferral to split the saving.
        ledger: append the runs to this SQLite file; None: write nothing.
        on_progress: told of the intervals that are done.

    Raises:
        FindingsError: if no dispatch satisfies the company's own limits.
        UnknownName: for a policy that nobody knows; the message lists the known ones.
        InputError: if no policy is named, or the ledger cannot be written.
    """
    names = tuple(dict.fromkeys(DEFAULT_POLICIES if policies is None else policies))
    _refuse_unknown(names)
    held = None if ledger is None else Path(ledger)
    if held is not None:
        refuse_no_ledger(held)
    world = company.world
    try:
        runs = _runs(world, names, on_progress)
        saving = split_saving(world, _quiet_run) if split else None
    except InfeasibleProgram as error:
        raise explained_horizon(company, error) from error
    heading = company.heading()
    heading["warnings"] += [
        finding.to_dict() for run in runs.values() for finding in must_serve_findings(world, run)
    ]
    if held is not None:
        _append(company, runs, held, on_progress)
    shown = HEADLINE if HEADLINE in runs else names[-1]
    full = run_full_cost(world, runs[shown])
    return Simulation(
        heading=heading,
        card=scorecard(world, runs),
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
        ledger=held,
    )


def _refuse_unknown(names: Sequence[str]) -> None:
    """Tell all unknown policies at once, before anything runs."""
    if not names:
        raise InputError("no policy was named; name at least one")
    unknown = [name for name in names if name not in POLICIES]
    if unknown:
        listed = ", ".join(repr(name) for name in unknown)
        raise UnknownName(f"unknown policies: {listed}; known: {', '.join(POLICIES)}")


def _runs(world: World, names: Sequence[str], on_progress: Progress | None) -> dict[str, Run]:
    """Walk the policies through the horizon side by side: the solver lets go of the interpreter.

    Policies share nothing that changes, so that the result does not depend on the threads. What
    stops one of them, or the caller's Ctrl-C, stops all of them at their next interval.
    """
    pool, stop = ThreadPoolExecutor(), Event()
    try:
        waiting = {name: pool.submit(_run, world, name, on_progress, stop) for name in names}
        return {name: run.result() for name, run in waiting.items()}
    finally:
        stop.set()
        pool.shutdown(wait=False, cancel_futures=True)


class _Stopped(Exception):
    """Ends a run whose result nobody waits for any more."""


def _run(world: World, name: str, on_progress: Progress | None, stop: Event) -> Run:
    def told(done: int, of: int) -> None:
        if stop.is_set():
            raise _Stopped
        if on_progress is not None:
            on_progress(name, done, of)

    told(0, world.count)
    try:
        return replay(world, make_policy(name, world), on_progress=told)
    except InfeasibleProgram as error:
        raise InfeasibleProgram(f"policy {name}: {error}") from error


def _quiet_run(world: World, name: str) -> Run:
    return replay(world, make_policy(name, world))


def _append(
    company: OpenCompany, runs: dict[str, Run], ledger: Path, on_progress: Progress | None
) -> None:
    """Write every run to the ledger in one transaction."""
    from tokenergy.store.sqlite import SqliteLedger

    horizon = company.company.horizon
    of = f"{company.company.company}/{horizon.start:%Y-%m-%dT%H}/{horizon.days:g}d/{company.digest}"
    with SqliteLedger(ledger) as held:
        for done, (name, run) in enumerate(runs.items()):
            held.append(ledger_entries(company.world, run, f"{of}/{name}"))
            if on_progress is not None:
                on_progress("ledger", done + 1, len(runs))


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
