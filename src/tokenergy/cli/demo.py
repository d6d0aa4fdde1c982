"""The first five minutes: check, price, simulate, report, and whether the company pays."""

from collections import Counter
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from tokenergy.api import check, economics, load, price, report, simulate
from tokenergy.api.opened import OpenCompany
from tokenergy.api.output import REPORT, refuse_no_ledger, refuse_unwritable
from tokenergy.api.pricing import Board
from tokenergy.api.simulating import Simulation
from tokenergy.cli import show, show_economics
from tokenergy.cli.columns import console, counted, decimals_for, figure, money_in, put, say
from tokenergy.cli.progress import progress
from tokenergy.company.finding import errors_of
from tokenergy.company.horizon import Horizon
from tokenergy.company.marginal import MarginalCost
from tokenergy.errors import FindingsError


def run(file: Path, out: Path, ledger: Path, *, quiet: bool = False) -> dict[str, Any]:
    """Run the main job on a company file and say, in under 40 lines, what matters.

    Args:
        file: the company file.
        out: the report to write.
        ledger: where the runs are kept.
        quiet: print nothing.

    Returns:
        Everything that was found, as one JSON-ready object.
    """
    refuse_unwritable(out, replaces=REPORT)
    refuse_no_ledger(ledger)
    checked = check(file)
    if checked.errors:
        raise FindingsError(errors_of(checked.findings))
    opened = load(file)
    if not quiet:
        _who(opened, len(checked.findings))
    with progress(quiet=quiet) as told:  # one bar for each step: nothing is printed under a bar
        board = price(opened, on_progress=told)
    if not quiet:
        _prices(board)
    with progress(quiet=quiet) as told:
        result = simulate(opened, ledger=ledger, on_progress=told)
    if not quiet:
        _scores(result, opened.company.horizon)
    with progress(quiet=quiet) as told:
        pays = economics(opened, simulation=result, usage_ledger=ledger, on_progress=told)
    with progress(quiet=quiet) as told:
        written = report(
            opened,
            out=out,
            board=board,
            simulation=result,
            pays=pays,
            usage_ledger=ledger,
            made_at=datetime.now(UTC),
            on_progress=told,
        )
    if not quiet:
        _where(written, ledger)
        console.print()
        show_economics.answer(pays, more=f"tokenergy economics {file.as_posix()}")
    return {
        "findings": [finding.to_dict() for finding in checked.findings],
        "price": board.to_dict(),
        "simulate": result.to_dict(),
        "economics": pays.to_dict(),
        "report": str(written),
    }


def _where(written: Path, ledger: Path) -> None:
    """Say where everything is, and what to type next."""
    console.print()
    for word, text in (
        ("report", f"{written}  (one file: open it in a browser)"),
        ("ledger", f"{ledger}  (tokenergy ledger {ledger})"),
        ("next", "tokenergy init --out mine.yaml; tokenergy check mine.yaml"),
    ):
        console.print(f"{word:<7} {text}", soft_wrap=True, markup=False)


def _who(opened: OpenCompany, warnings: int) -> None:
    """Say whose numbers these are."""
    company = opened.company
    money_in(company.currency)
    gpus = Counter[str]()
    for fleet in company.fleets:
        gpus[fleet.accelerator] += fleet.gpu_count
    fleet_text = ", ".join(f"{count:,} {name}" for name, count in gpus.items())
    power = sum(site.import_limit_mw for site in company.sites)
    say(f"{company.company}: {company.about}", style="bold")
    say(
        f"{counted(len(company.sites), 'site')}, {power:g} MW, {fleet_text}; "
        f"{counted(len(company.models), 'model')}, {counted(len(company.workloads), 'workload')}."
    )
    found = "no finding" if not warnings else f"{counted(warnings, 'warning')} (tokenergy check)"
    note = "" if company.currency == "USD" else f" Money is in {company.currency}."
    if opened.synthetic:
        note += f" {len(opened.synthetic)} of its series are SYNTHETIC, from a seeded generator."
    say(f"check: {found}.{note}")


def _prices(board: Board) -> None:
    """Print what the next Mtok costs now, why, and the range of the next two days."""
    workloads = list(dict.fromkeys(row.workload for row in board.prices))
    decimals = decimals_for(row.high_usd_per_mtok for row in board.prices)
    console.print()
    put(
        f"What one Mtok more costs at {board.start:%H:%M}Z, USD/Mtok, at the site that serves most",
        [_price_cells(board, workload, decimals) for workload in workloads],
        left=("workload", "site"),
        right=("energy", "MW rent", "GPU rent", "rest", "= price", f"{board.hours_h:g} h range"),
    )


def _price_cells(board: Board, workload: str, decimals: int) -> list[str]:
    rows = [row for row in board.prices if row.workload == workload]
    now = [row for row in rows if row.start == board.start]
    used = [row for row in now if row.in_use]
    best = max(used, key=lambda row: row.share, default=now[0])
    high = [row.high_usd_per_mtok for row in rows]
    where = [best.site, *_parts(best, decimals)] if used else [show.NOT_NOW, "-", "-", "-", "-"]
    span = f"{figure(min(high), decimals)}..{figure(max(high), decimals)}"
    return [workload, *where, figure(best.high_usd_per_mtok, decimals), span]


def _parts(row: MarginalCost, decimals: int) -> list[str]:
    """Return three parts and what the others leave."""
    large = [row.parts()[name] for name in show.LARGE_PARTS]
    return [figure(part, decimals) for part in (*large, sum(row.parts().values()) - sum(large))]


def _scores(result: Simulation, horizon: Horizon) -> None:
    """Print the scorecard, and what it means."""
    console.print()
    show.score_table(
        f"What dispatch would have done in {horizon.days:g} days from {horizon.start:%Y-%m-%d}",
        result,
    )
    say(next(result.savings(), ""))
