"""What does it take to write one million rows of a ledger as FOCUS in Parquet?

Goals, in this order:
1. No silent wrong answers: the file passes our own conformance check, holds every token of the
   ledger to 1e-9 (relative), and power is billed as it was settled; else this exits with 1.
2. Less memory than the rows take: the peak of a process that exports, above that of one that has
   only imported the same modules, stays under the bytes of the written table in memory (polars'
   own, compact measure).
3. Rows a second, as a ratio to polars writing the very same table, which it holds in memory.

The ledger is a SQLite file made of formulas: sites x hours of tokens by workload and deployment,
settlement lines, leases, idle energy. The export reads it in order of time, shares bills hour by
hour and writes row groups. Each measurement is a process of its own; the clock is processor time
of all its threads, since polars writes with several. The compression is the same on both sides.
"""

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import polars as pl
from record import show, write

from tokenergy.company.ledger import LedgerEntry
from tokenergy.files.focus import FocusStream
from tokenergy.files.focus_check import check_focus
from tokenergy.files.focus_columns import focus_columns
from tokenergy.files.focus_facts import FocusFacts
from tokenergy.files.focus_write import ROW_GROUP_COUNT, write_focus
from tokenergy.store.sqlite import SqliteLedger

START = datetime(2026, 1, 1, tzinfo=UTC)
HOUR = timedelta(hours=1)
SITES = tuple(f"site-{at}" for at in range(10))
WORKLOADS = tuple(f"workload-{at}" for at in range(6))
MODELS = ("large", "small", "coder")
RUN = "bench"
KIB = 1024
EQUAL_SHARE = 1e-9
ENERGY = {"energy_tier": "modelled", "boundary": "meter"}


def ledger(rows_count: int) -> Iterator[LedgerEntry]:
    """Yield rows as a simulator orders them: one route after the other, each through time."""
    per_hour = len(SITES) * (len(WORKLOADS) * len(MODELS) + len(MODELS) + 2)
    hours = range(max(1, rows_count // per_hour))
    for at_site, site in enumerate(SITES):
        for at_model, model in enumerate(MODELS):
            maker = {"site": site, "model": model, "accelerator": "H100", "part": f"{model}@{site}"}
            for workload in WORKLOADS:
                tier = f"tier-{workload[-1]}"
                for hour in hours:
                    mtok = 1.0 + (hour * 7 + at_site * 3 + at_model) % 24
                    yield row(hour, component="serve", quantity=mtok, unit="Mtok", tier=tier,
                        workload=workload, decision="admit", **maker, **ENERGY,
                        energy_microjoules=round(mtok * 1e12 * (1 + at_model)))  # fmt: skip
            for hour in hours:
                yield row(hour, component="lease", quantity=8.0, unit="GPU-hour",
                    amount_nano_usd=16 * 10**9, **maker)  # fmt: skip
        for hour in hours:
            yield row(hour, component="standing", quantity=0.1, unit="MWh", site=site, **ENERGY,
                energy_microjoules=360 * 10**12)  # fmt: skip
            usd = 20.0 + (hour * 13 + at_site * 5) % 80 - 25.0 * (hour % 24 == 3)
            paid = {"contract_id": f"{site}-spot", "amount_nano_usd": round(usd * 1e9)}
            yield row(hour, kind="settlement", component="purchase", quantity=1.5, unit="MWh",
                site=site, **paid)  # fmt: skip


def row(hour: int, **columns: Any) -> LedgerEntry:
    """Return one row of the run."""
    shared: dict[str, Any] = {"run_id": RUN, "source": "observe", "kind": "interval"}
    start = START + hour * HOUR
    return LedgerEntry(**(shared | {"start": start, "end": start + HOUR} | columns))


def exported(file: Path, out: Path) -> FocusStream:
    """Write the ledger as FOCUS."""
    facts = FocusFacts(
        company="bench",
        currency="USD",
        version="1.2",
        basis="allocation",
        hide=str,
        price_usd_per_mtok=lambda entry: 8.0,
        fleets={(site, "H100"): f"{site}-h100" for site in SITES},
    )
    with SqliteLedger(file, read_only=True) as held:
        stream = FocusStream(held.entries(run_id=RUN, by_time=True), facts)
        write_focus(stream, focus_columns("1.2"), out, "parquet")
    return stream


def child(task: str, folder: Path) -> None:
    """Do one task in this process and print what it took."""
    out, told = folder / "focus.parquet", {}
    began = time.process_time()
    if task == "export":
        stream = exported(folder / "ledger.sqlite", out)
        told = {"settled_usd": stream.usd["settled"], "entries": stream.counts["entries"]}
    elif task == "polars":
        table = pl.read_parquet(out)
        told = {"bytes": table.estimated_size(), "rows": table.height}
        began = time.process_time()
        table.write_parquet(folder / "again.parquet", row_group_size=ROW_GROUP_COUNT)
    took_s = time.process_time() - began
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * KIB
    print(json.dumps({"cpu_s": took_s, "peak_bytes": peak} | told))


def measured(task: str, folder: Path) -> dict[str, Any]:
    """Return what a task takes in a process of its own."""
    command = [sys.executable, __file__, "--child", task, "--folder", str(folder)]
    done = subprocess.run(command, check=True, capture_output=True, text=True, env=os.environ)
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def wrong(folder: Path, export: dict[str, Any], mtok: float) -> list[str]:
    """Return what is wrong with the file."""
    out = folder / "focus.parquet"
    found = check_focus(out, "parquet", version="1.2", settled_usd=export["settled_usd"])
    faults = [f"{failure.rule}: {failure.reason}" for failure in found.failures]
    tokens = pl.scan_parquet(out).filter(pl.col("SkuMeter") == "Output Tokens")
    written = tokens.select(pl.col("PricingQuantity").sum()).collect().item() / 1e6
    if abs(written - mtok) > EQUAL_SHARE * mtok:
        faults.append(f"{written} Mtok are written, the ledger holds {mtok}")
    return faults


def main() -> int:
    """Measure, print, write."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=1_000_000, help="rows of the ledger")
    parser.add_argument("--child", choices=("nothing", "export", "polars"), help="(for itself)")
    parser.add_argument("--folder", type=Path, help="(for itself)")
    asked = parser.parse_args()
    if asked.child:
        child(asked.child, asked.folder)
        return 0
    with tempfile.TemporaryDirectory(prefix="bench-focus-") as name:
        folder = Path(name)
        with SqliteLedger(folder / "ledger.sqlite") as held:
            held.append(ledger(asked.rows))
            mtok = sum(one.served_mtok for one in held.sums(run_id=RUN))
        nothing, export, polars = (measured(t, folder) for t in ("nothing", "export", "polars"))
        faults = wrong(folder, export, mtok)
    if faults:
        print("\n".join(faults), file=sys.stderr)
        return 1
    above = export["peak_bytes"] - nothing["peak_bytes"]
    per_s = {
        "tokenergy": export["entries"] / export["cpu_s"],
        "polars": polars["rows"] / polars["cpu_s"],
    }
    result = {
        "ledger_rows": export["entries"],
        "focus_rows": polars["rows"],
        "table_mb": round(polars["bytes"] / 1e6, 1),
        "peak_mb": round(export["peak_bytes"] / 1e6, 1),
        "peak_above_imports_mb": round(above / 1e6, 1),
        "memory_to_table_ratio": round(above / polars["bytes"], 3),
        "focus_rows_per_cpu_s": round(per_s["tokenergy"]),
        "polars_rows_per_cpu_s": round(per_s["polars"]),
        "rows_per_s_ratio_to_polars": round(per_s["tokenergy"] / per_s["polars"], 4),
        "export_cpu_s": round(export["cpu_s"], 2),
    }
    show(
        f"{export['entries']:,} rows of a ledger to FOCUS 1.2 in Parquet",
        ["figure", "value"],
        [[key, value] for key, value in result.items()],
    )
    write("focus", result, "polars")
    if above >= polars["bytes"]:
        print("the export took more memory than its rows", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
