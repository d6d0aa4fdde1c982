"""Policies walked through a horizon side by side, noted down in a ledger on their way."""

from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from threading import Event
from types import TracebackType
from typing import TYPE_CHECKING, Self

from tokenergy.api.opened import OpenCompany, Progress
from tokenergy.api.output import refuse_no_ledger
from tokenergy.company.finding import Finding
from tokenergy.dispatch.world import World
from tokenergy.errors import InfeasibleProgram, InputError
from tokenergy.simulate.entries import ledger_entries
from tokenergy.simulate.interval import LimitBroken
from tokenergy.simulate.renewed import MakePolicy, renewed_by
from tokenergy.simulate.replay import replay
from tokenergy.simulate.run import Run
from tokenergy.simulate.whole_replicas import WHOLE

if TYPE_CHECKING:
    from tokenergy.store.journal import LedgerJournal


def runs_id(company: OpenCompany) -> str:
    """Return what the ids of all runs of a company on its horizon begin with.

    It tells company, horizon, and a digest of the file, every series and our release: what is
    the same in all of them runs the same way.
    """
    horizon = company.company.horizon
    return (
        f"{company.company.company}/{horizon.start:%Y-%m-%dT%H}/{horizon.days:g}d/{company.digest}"
    )


class RunBook(AbstractContextManager["RunBook"]):
    """A ledger in which runs are noted down on their way, and written at their end.

    Attributes:
        gone_on_from: how far each run had come that was stopped before, by policy.
    """

    def __init__(
        self, company: OpenCompany, ledger: Path, names: Sequence[str], *, resume: bool
    ) -> None:
        """Open the ledger, find runs that were stopped, and forget them unless `resume`.

        Raises:
            InputError: if the ledger cannot be written, or what was stopped there are only runs
                of another company, horizon, series or release.
        """
        from tokenergy.store.journal import Pen
        from tokenergy.store.sqlite import SqliteLedger

        refuse_no_ledger(ledger)
        self._pen, self._made = Pen(), [p for p in (ledger, *ledger.parents) if not p.exists()]
        self._company, self._ledger, self._of = company, ledger, runs_id(company)
        self._ids = {name: f"{self._of}/{name}" for name in names}
        self._held = SqliteLedger(ledger)  # held open: a log that is in use is not folded up
        try:
            unfinished = self._held.unfinished()
            if resume:
                self._refuse_others(unfinished)
            else:
                self._held.forget([run for run in self._ids.values() if run in unfinished])
        except InputError:
            self._held.close()
            raise
        mine = self._ids.items()
        known = {name: unfinished[run] for name, run in mine if run in unfinished}
        self.gone_on_from: Mapping[str, datetime] = known if resume else {}

    def journal(self, name: str) -> "LedgerJournal":
        """Return where the run of a policy is noted down."""
        from tokenergy.store.journal import LedgerJournal

        return LedgerJournal(self._ledger, self._company.world, self._ids[name], self._pen)

    def write(self, runs: Mapping[str, Run], on_progress: Progress | None) -> None:
        """Write every run, and what its end leaves to the next horizon; drop the notes."""
        for done, (name, run) in enumerate(runs.items()):
            self._held.append(ledger_entries(self._company.world, run, self._ids[name]))
            if on_progress is not None:
                on_progress("ledger", done + 1, len(runs))
        self._held.forget([run for name, run in self._ids.items() if name not in runs])
        end = self._company.world.moment(self._company.world.last)
        last = {self._ids[name]: self._held.checkpoints(self._ids[name])[-1] for name in runs}
        self._held.finish({run: (end, note["state"]) for run, note in last.items()})

    def forget(self) -> None:
        """Drop the notes of runs that cannot go on."""
        self._held.forget(tuple(self._ids.values()))

    def __exit__(
        self,
        kind: type[BaseException] | None,
        fault: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close the ledger; runs that have failed leave no notes, nor a file made for them."""
        self._pen.put_down()
        failed = isinstance(fault, Exception)
        if failed:
            self.forget()
        empty = failed and self._ledger in self._made and not self._held.runs()
        self._held.close()
        if empty:
            self._ledger.unlink(missing_ok=True)
            with suppress(OSError):  # somebody else put something there meanwhile
                for folder in self._made[1:]:
                    folder.rmdir()

    def __enter__(self) -> Self:
        return self

    def _refuse_others(self, unfinished: Mapping[str, datetime]) -> None:
        if not unfinished or any(run.startswith(f"{self._of}/") for run in unfinished):
            return
        others = dict.fromkeys(run.rpartition("/")[0] for run in unfinished)
        raise InputError(
            f"ledger {self._ledger}: what was stopped there is {', '.join(others)}; this is "
            f"{self._of}: another company, horizon, file, series or release cannot be gone on "
            "with. Simulate without --resume, or name the ledger of this one"
        )


@dataclass(frozen=True, kw_only=True, eq=False)
class Walked:
    """What became of policies on one world.

    Attributes:
        runs: by policy, in the order in which they were named.
        broken: policies that no whole replicas could follow, each with the limit.
    """

    runs: dict[str, Run]
    broken: dict[str, str]

    def fractional(self) -> dict[str, Run]:
        """Return the runs with fractional replicas, by policy."""
        return {name: run for name, run in self.runs.items() if not name.endswith(WHOLE)}

    def whole(self) -> dict[str, Run]:
        """Return the runs with whole replicas, by policy."""
        mine = {name: run for name, run in self.runs.items() if name.endswith(WHOLE)}
        return {name.removesuffix(WHOLE): run for name, run in mine.items()}

    def findings(self) -> Iterator[Finding]:
        """Yield why whole replicas could not follow a policy."""
        for name, why in self.broken.items():
            yield Finding(
                code="WHOLE_REPLICAS_IMPOSSIBLE",
                path="fleets",
                reason=f"no whole replicas keep every limit of {name.removesuffix(WHOLE)}: {why}",
                remedy="Read its figures as those of fractional replicas alone",
                severity="warning",
            )


def run_side_by_side(
    world: World,
    names: Sequence[str],
    make: MakePolicy,
    *,
    book: RunBook | None = None,
    on_progress: Progress | None = None,
) -> Walked:
    """Walk policies through the horizon side by side: the solver lets go of the interpreter.

    Policies share nothing that changes, so that the result does not depend on the threads. What
    stops one of them, or the caller's Ctrl-C, stops all of them at their next interval. A name
    that ends in `WHOLE` is done by whole replicas.

    Raises:
        InfeasibleProgram: if a policy finds no dispatch; the message names it.
    """
    pool, stop, broken = ThreadPoolExecutor(), Event(), dict[str, str]()

    def run(name: str) -> Run | None:
        def told(done: int, of: int) -> None:
            if stop.is_set():
                raise _Stopped
            if on_progress is not None:
                on_progress(name, done, of)

        told(0, world.count)
        whole = name.endswith(WHOLE)
        policy = renewed_by(world, name.removesuffix(WHOLE), make)
        journal = None if book is None else book.journal(name)
        try:
            return replay(world, policy, on_progress=told, journal=journal, whole_replicas=whole)
        except InfeasibleProgram as error:
            raise InfeasibleProgram(f"policy {name}: {error}") from error
        except LimitBroken as error:
            if not whole:
                raise
            broken[name] = str(error)
            return None

    try:
        waiting = {name: pool.submit(run, name) for name in names}
        done = {name: each.result() for name, each in waiting.items()}
        return Walked(runs={n: r for n, r in done.items() if r is not None}, broken=broken)
    finally:
        stop.set()
        pool.shutdown(wait=False, cancel_futures=True)


class _Stopped(Exception):
    """Ends a run whose result nobody waits for any more."""
