"""The run of a ledger that an export tells of: chosen, or simulated where there is no ledger."""

import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from tokenergy.api.opened import OpenCompany, Progress
from tokenergy.api.own_ledger import own_runs
from tokenergy.api.simulating import HEADLINE, simulate
from tokenergy.company.ledger import LedgerEntry
from tokenergy.errors import InputError

Entries = Callable[[], Iterator[LedgerEntry]]


@contextmanager
def entries_of(
    company: OpenCompany, ledger: str | Path | None, run: str | None, on_progress: Progress | None
) -> Iterator[tuple[str, bool, Entries]]:
    """Open the ledger, simulated first where there is none, and choose a run."""
    from tokenergy.store.sqlite import SqliteLedger

    with tempfile.TemporaryDirectory(prefix="tokenergy-") as folder:
        file = Path(ledger) if ledger is not None else Path(folder) / "ledger.sqlite"
        if file.is_dir():
            raise InputError(f"ledger {file}: it is a folder; name a file in it")
        missing = not file.exists()
        if missing and run is not None:
            raise InputError(f"there is no ledger {file}, so it holds no run {run!r}")
        if missing:
            simulate(company, policies=(HEADLINE,), ledger=file, on_progress=on_progress)
        with SqliteLedger(file, read_only=True) as held:
            chosen = chosen_run(held.runs(), run, company, file)
            yield chosen, missing, lambda: held.entries(run_id=chosen, by_time=True)


def chosen_run(runs: tuple[str, ...], run: str | None, company: OpenCompany, file: Path) -> str:
    """Return the run named, else what was observed, else the latest of mpc, else the only one."""
    if run is not None and run not in runs:
        raise InputError(f"the ledger holds no run {run!r}; it holds: {', '.join(runs)}")
    if not runs:
        raise InputError(f"the ledger {file} holds no run")
    name = company.company.company
    ours = own_runs(runs, name)
    if not ours or run not in (None, *ours):
        told = run or ", ".join(runs)
        raise InputError(
            f"the ledger {file} tells of another company than {name!r} ({told}): its tokens have "
            "other prices; name that company's file"
        )
    if run is not None:
        return run
    runs = ours
    observed = f"{name}/observe"
    if observed in runs:
        return observed
    of_mpc = [r for r in runs if f"/{company.digest}/" in r and r.endswith(f"/{HEADLINE}")]
    if of_mpc or len(runs) == 1:
        return of_mpc[-1] if of_mpc else runs[0]
    raise InputError(
        f"the ledger {file} holds several runs: name one with --run: {', '.join(runs)}"
    )
