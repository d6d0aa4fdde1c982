"""What a benchmark leaves behind: a table for people, and a JSON file that says where it ran."""

import json
import os
import platform
import statistics
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

ROOT = Path(__file__).resolve().parents[1]
RESULTS = ROOT / "benchmarks" / "results"


def environment(*packages: str) -> dict[str, Any]:
    """Return what a reader needs to judge a timing: versions, processor, load, command, date."""
    script = Path(sys.argv[0]).resolve().relative_to(ROOT).as_posix()
    return {
        "command": " ".join(["python", script, *sys.argv[1:]]),
        "date": datetime.now(UTC).date().isoformat(),
        "processor": processor(),
        "system": platform.system(),
        "clock": "processor time of one thread",
        "load_average": round(os.getloadavg()[0], 1) if hasattr(os, "getloadavg") else None,
        "versions": {"python": platform.python_version()}
        | {name: version(name) for name in ("tokenergy", "highspy", "numpy", *packages)},
    }


def processor() -> str:
    """Return the processor's name and the number of its threads."""
    file = Path("/proc/cpuinfo")
    lines = file.read_text(encoding="utf-8").splitlines() if file.exists() else []
    names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return f"{names[0]} x {len(names)}" if names else platform.processor() or platform.machine()


def show(title: str, head: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    """Print a table: the first column is text, the others are figures."""
    table = Table(title=title, title_justify="left", title_style="bold")
    for at, name in enumerate(head):
        table.add_column(name, justify="right" if at else "left")
    for row in rows:
        table.add_row(*(_text(cell) for cell in row))
    Console(width=None if sys.stdout.isatty() else 118).print(table)


def write(name: str, results: dict[str, Any], *packages: str) -> None:
    """Write `results/NAME.json`: the environment, then the results."""
    RESULTS.mkdir(exist_ok=True)
    file = RESULTS / f"{name}.json"
    text = json.dumps(environment(*packages) | results, indent=2)
    file.write_text(text + "\n", encoding="utf-8")
    print(f"wrote {file.relative_to(ROOT)}")


def spread(times_s: Sequence[float]) -> dict[str, float]:
    """Return median and 99th percentile of timings, in ms.

    The benchmarks read `time.process_time`: everything here runs in one thread, so on a machine
    of one's own it is the time on the wall, and on a busy one it is what that would have been.
    """
    ranked = sorted(times_s)
    p99 = ranked[min(len(ranked) - 1, round(0.99 * (len(ranked) - 1)))]
    return {
        "median_ms": round(1e3 * statistics.median(ranked), 3),
        "p99_ms": round(1e3 * p99, 3),
    }


def _text(cell: object) -> str:
    return f"{cell:,.4g}" if isinstance(cell, float) and abs(cell) < 1e4 else str(cell)
