"""Results as tables for people."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from rich.text import Text

from tokenergy.api.dispatching import DispatchPlan
from tokenergy.api.pricing import Board
from tokenergy.api.simulating import Simulation
from tokenergy.cli.columns import (
    console,
    counted,
    decimals_for,
    figure,
    money_in,
    percent,
    put,
    say,
)
from tokenergy.cli.show_media import media_table
from tokenergy.company.currency import CORE, in_currency
from tokenergy.company.finding import Finding
from tokenergy.company.marginal import PARTS, MarginalCost

WORDS = {"mw_rent": "MW rent", "gpu_rent": "GPU rent", "cfe_rent": "CFE rent"}
LARGE_PARTS = ("energy", "mw_rent", "gpu_rent")
"""Parts with a column of their own on a narrow terminal; the others are one there."""
WIDE_COLUMNS = 100
NOT_NOW = "not now"


def findings(found: Sequence[Finding], file: Path) -> None:
    """Print every finding, then how many there are."""
    for finding in found:
        place = f"{file}:{finding.line}" if finding.line else str(file)
        style = "bold red" if finding.severity == "error" else "yellow"
        head = (f"{finding.severity} {finding.code}", style)
        console.print(Text.assemble(head, f"  {place}  {finding.path}"), soft_wrap=True)
        say(f"{finding.reason}{_held(finding)}", indent=2)
        say(finding.remedy, style="dim", indent=2)
    errors = sum(finding.severity == "error" for finding in found)
    if not found:
        say(f"{file}: nothing to report")
    else:
        say(f"{counted(errors, 'error')}, {counted(len(found) - errors, 'warning')}")


def _held(finding: Finding) -> str:
    unit = f" {finding.unit}" if finding.unit else ""
    said = [f"value {finding.value}{unit}"] if finding.value else []
    said += [f"limit {finding.limit}{unit}"] if finding.limit else []
    return f" ({', '.join(said)})" if said else ""


def banner(heading: Mapping[str, Any]) -> None:
    """Say whose numbers these are, and which of them are synthetic."""
    note = heading["company"]
    if synthetic := heading["synthetic"]:
        note += f"; {len(synthetic)} of its series are SYNTHETIC"
    if (currency := heading["currency"]) != CORE:
        note += f"; money is in {currency}"
    money_in(currency)
    say(note, style="bold")
    for warning in heading["warnings"]:
        text = f"warning {warning['code']} {warning['path']}: {warning['reason']}"
        say(text, style="yellow", as_is=True)


def board(result: Board) -> None:
    """Print the prices of the first interval in parts, and the range of the window."""
    banner(result.heading)
    first = [row for row in result.prices if row.start == result.start]
    price_table(f"What one Mtok more costs at {_moment(result.start)}, USD/Mtok, in parts", first)
    console.print()
    _range_table(result)
    _items_line(first)
    if result.media:
        console.print()
        media_table(result.media)
    console.print()
    say(result.message, style="bold")
    _energy_line(result)
    full = result.full
    if full.allocation_usd_per_mtok is not None:
        say(
            f"Full cost, which is not the price above: {full.allocation_usd_per_mtok:.2f} USD/Mtok "
            f"if all that is paid for is spread over the tokens of {full.hours_h:g} h, "
            f"{full.usage_usd_per_mtok:.2f} if only what they used; unused capacity "
            f"{full.unused_capacity_usd:,.0f} USD."
        )
    if full.missing:
        say(f"Not stated in the file, so not in it: {', '.join(full.missing)}.")
    if result.left_out:
        say(f"Not charged by the MWh, so not in it: {', '.join(result.left_out)}.")


def _energy_line(result: Board) -> None:
    """Say how the joules are known, and how wide their band is where work runs."""
    used = [row for row in result.prices if row.in_use and row.energy_mwh_per_mtok > 0.0]
    if not used:
        return
    least = min(row.energy_low_share for row in used)
    most = max(row.energy_high_share for row in used)
    notes = len({note["note"] for note in result.energy_notes})
    more = f"; {notes} notes on what is extrapolated are in --json" if notes else ""
    say(
        f"Joules are {used[0].energy_tier}: measurements lie between {least:g} and {most:g} times "
        f"these in 9 of 10 cases{more}."
    )


def _moment(start: datetime) -> str:
    return start.strftime("%Y-%m-%d %H:%MZ")


def price_table(title: str, rows: Sequence[MarginalCost]) -> None:
    """Print prices of one interval in parts, by workload and by where it runs."""
    named = parts_shown()
    prices = [row.high_usd_per_mtok for row in rows]
    decimals = decimals_for(prices)
    single = all(_low_text(row, decimals) in ("-", _high_text(row, decimals)) for row in rows)
    cells: list[list[str]] = []
    for workload in dict.fromkeys(row.workload for row in rows):
        mine = [row for row in rows if row.workload == workload]
        used = [row for row in mine if row.in_use]
        if not used:
            none = ["-"] * (len(named) + 1)
            cells.append([workload, "", NOT_NOW, *none, _high_text(mine[0], decimals), "-"])
            continue
        cells.append([workload])
        for row in used:
            low = "-" if single else _low_text(row, decimals)
            parts = [figure(part, decimals) for part in _parts(row, named)]
            where = [f"  {row.site}", row.accelerator, row.model]
            cells.append([*where, *parts, low, _high_text(row, decimals), f"{row.share:.0%}"])
    ends = ("price", "share") if single else ("high", "share")
    put(
        title,
        cells,
        left=("workload, site", "GPU", "model"),
        right=(*(word_of(name) for name in named), "low", *ends),
    )
    if any(NOT_NOW in row for row in cells):
        say("not now: nothing of it runs; one Mtok more would wait for its price, or be refused")
    if not single:
        say("high: what one Mtok more costs, the sum of the parts; low: what the last one cost")


def parts_shown() -> tuple[str, ...]:
    """Return the parts that have a column; `rest` stands for the others where it is narrow."""
    return PARTS if console.width >= WIDE_COLUMNS else (*LARGE_PARTS, "rest")


def word_of(part: str) -> str:
    """Return the name of a part as a column is headed."""
    return WORDS.get(part, part.replace("_", " "))


def _parts(row: MarginalCost, named: Sequence[str]) -> list[float]:
    """Return the parts of a price by column; `rest` is what the others leave."""
    parts = row.parts()
    parts["rest"] = sum(value for name, value in parts.items() if name not in named)
    return [parts[name] for name in named]


def _high_text(row: MarginalCost, decimals: int) -> str:
    return figure(row.high_usd_per_mtok, decimals)


def _low_text(row: MarginalCost, decimals: int) -> str:
    return figure(row.low_usd_per_mtok, decimals)


def best_rows(rows: Iterable[MarginalCost], workload: str) -> list[MarginalCost]:
    """Return, for each interval, the row of the workload that is in use, else any: one price."""
    best: dict[datetime, MarginalCost] = {}
    for row in rows:
        if row.workload == workload and (row.in_use or row.start not in best):
            best[row.start] = row
    return list(best.values())


def _range_table(result: Board) -> None:
    """Print, by workload, the cheapest and the dearest hour of the window."""
    decimals = decimals_for(row.high_usd_per_mtok for row in result.prices)
    cells = []
    for workload in dict.fromkeys(row.workload for row in result.prices):
        ordered = sorted(
            best_rows(result.prices, workload), key=lambda row: (row.high_usd_per_mtok, row.start)
        )
        low, high = ordered[0], ordered[-1]
        mean = sum(row.high_usd_per_mtok for row in ordered) / len(ordered)
        cells.append(
            [
                workload,
                _high_text(low, decimals),
                f"{low.start:%a %H:%M}Z",
                figure(mean, decimals),
                _high_text(high, decimals),
                f"{high.start:%a %H:%M}Z",
            ]
        )
    put(
        f"Its range over {result.hours_h:g} h, USD/Mtok",
        cells,
        left=("workload",),
        right=("cheapest", "at", "mean", "dearest", "at"),
    )


def _items_line(rows: Iterable[MarginalCost]) -> None:
    seen = {row.workload: row for row in rows if row.usd_per_item is not None}
    for workload, row in seen.items():
        video = ""
        if row.usd_per_video_s is not None:
            video = f", {row.usd_per_video_s:.4f} USD per second of video"
        say(f"{workload}: {row.usd_per_item:.4f} USD per item{video}")


POWER = {
    "load": "load_mw",
    "import": "import_mw",
    "limit": "import_limit_mw",
    "PPA": "take_mw",
    "charge": "charge_mw",
    "discharge": "discharge_mw",
    "export": "export_mw",
}
"""Columns of the dispatch table, and the fields they show."""


def plan(result: DispatchPlan) -> None:
    """Print what each site does now, and where work waits or is refused in the window."""
    banner(result.heading)
    now = result.start.strftime("%Y-%m-%dT%H:%MZ")
    put(
        f"Power at {_moment(result.start)}, MW at the meter",
        [
            [
                row["site"],
                figure(row["buy_usd_per_mwh"], 1),
                *(figure(row[name], 2) for name in POWER.values()),
                figure(row["stored_mwh"], 1),
            ]
            for row in result.sites
            if row["start"] == now
        ],
        left=("site",),
        right=("USD/MWh", *POWER, "stored MWh"),
    )
    console.print()
    _place_table(result, now)
    console.print()
    _wait_table(result)
    say(
        f"The program's optimum over {result.hours_h:g} h, values of waiting work and of stored "
        f"energy included: {result.objective_usd:,.0f} USD"
    )
    if result.survival is not None:
        say(in_currency(result.survival.sentence(), str(result.heading["currency"])))


def _place_table(result: DispatchPlan, now: str) -> None:
    cells = []
    for row in result.deployments:
        if row["start"] == now:
            work = (f"{name} {mtok:,.0f}" for name, mtok in row["serve_mtok"].items())
            cells.append(
                [
                    row["site"],
                    row["accelerator"] or "-",
                    row["model"],
                    "\n".join(work) or "awake, idle",
                    figure(row["awake_count"], 1),
                    figure(row["gpus_count"], 0),
                ]
            )
    put(
        f"What runs where at {_moment(result.start)}",
        cells,
        left=("site", "GPU", "model", "Mtok by workload"),
        right=("replicas", "GPUs"),
    )


def _wait_table(result: DispatchPlan) -> None:
    """Print, by workload, what the window serves, lets wait and refuses."""
    cells = []
    for name in dict.fromkeys(row["workload"] for row in result.workloads):
        rows = [row for row in result.workloads if row["workload"] == name]
        figures = [sum(row[key] for row in rows) for key in ("asked_mtok", "served_mtok")]
        figures += [max(row["waiting_mtok"] for row in rows)]
        figures += [sum(row["refused_mtok"] for row in rows)]
        cells.append([name, *(figure(value, 0) for value in figures)])
    put(
        f"What becomes of the work of {result.hours_h:g} h, Mtok",
        cells,
        left=("workload",),
        right=("asked", "served", "longest queue", "refused"),
    )


def scorecard(result: Simulation) -> None:
    """Print the scorecard: cost beside regret, never a saving without its baseline."""
    card = result.card.to_dict()
    banner(result.heading)
    score_table(f"{card['horizon']['start']} to {card['horizon']['end']}", result)
    whole_table(result)
    for line in result.lines():
        say(line)
    if result.ledger is not None:
        say(f"ledger: {result.ledger}")


def score_table(title: str, result: Simulation) -> None:
    """Print policies side by side."""
    scores = result.card.policies
    put(
        title,
        [
            [
                name,
                figure(score.cost_usd, 0),
                figure(score.bill_usd, 0),
                percent(score.regret_share),
                percent(score.captured_share, 0),
                figure(score.served_mtok, 0),
                figure(score.refused_mtok, 0),
            ]
            for name, score in scores.items()
        ],
        left=("policy",),
        right=("cost USD", "bill USD", "regret", "captured", "served Mtok", "refused Mtok"),
    )
    if any(score.regret_share is not None for score in scores.values()):
        best = result.card.best
        of = "clairvoyant's"
        if best is not None and best.method == "certified_lower_bound":
            of = f"the proved bound, {figure(best.cost_usd, 0)} USD"
        say(f"regret: cost above {of}; captured: of the gap from greedy_battery to it")


def whole_table(result: Simulation) -> None:
    """Print what whole replicas cost beside fractional ones, where they were run."""
    scores = {name: score.whole for name, score in result.card.policies.items() if score.whole}
    if not scores:
        return
    put(
        "With whole replicas",
        [
            [
                name,
                figure(whole.cost_usd, 0),
                percent(whole.integrality_gap_share),
                figure(whole.uplift_usd, 0),
                figure(whole.refused_mtok, 0),
            ]
            for name, whole in scores.items()
        ],
        left=("policy",),
        right=("cost USD", "integrality gap", "uplift USD", "refused Mtok"),
    )
    say(
        "integrality gap: cost above that with fractional replicas, of it; uplift: what the "
        "marginal price of a token leaves unpaid of running them"
    )
