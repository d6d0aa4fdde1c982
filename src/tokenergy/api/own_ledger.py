"""Whose a ledger is: the requests of another company are no answer about this one."""

from collections.abc import Sequence
from pathlib import Path

from tokenergy.errors import InputError


def own_runs(runs: Sequence[str], company: str) -> tuple[str, ...]:
    """Return the runs of a company; one whose id begins with none was made by hand, and may be."""
    return tuple(run for run in runs if run.startswith(f"{company}/") or "/" not in run)


def refuse_foreign_requests(ledger: str | Path | None, company: str) -> None:
    """Refuse, before any work, a ledger whose requests are all of other companies.

    Args:
        ledger: the file; None: there is none to refuse.
        company: the name in the company file.

    Raises:
        InputError: saying whose it is; also if it cannot be read.
    """
    if ledger is None:
        return
    from tokenergy.store.sqlite import SqliteLedger

    with SqliteLedger(Path(ledger), read_only=True) as held:
        groups = [each.group for each in held.sums(("run_id", "kind"))]
    asked = [group["run_id"] for group in groups if group["kind"] == "request"]
    if asked and not own_runs(asked, company):
        raise InputError(
            f"the ledger {ledger} holds requests of another company than {company!r} "
            f"({', '.join(asked[:3])}): name this company's own with --ledger"
        )
