"""Write the table that holds Tokenergy against named tools, out of what the benchmarks measured.

    python docs/make_peers.py

Every figure is read from `benchmarks/results`; a figure that a benchmark could not make is said to
be missing. `make docs` runs this, and a test checks that the README holds what this would write.
"""

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

ROOT = Path(__file__).resolve().parent.parent
README = ROOT / "README.md"
RESULTS = ROOT / "benchmarks" / "results"
TABLE = re.compile(r"(<!-- peers -->\n).*?(<!-- end -->)", re.DOTALL)
NOT_MEASURED = "not measured yet"


class Held(NamedTuple):
    """One row: what is asked, of whom else, what came out, who does it better, and the command."""

    task: str
    peer: str
    measured: Callable[[], str]
    better: str
    command: str


def result(name: str) -> Any:
    """Return what a benchmark wrote."""
    return json.loads((RESULTS / f"{name}.json").read_text(encoding="utf-8"))


def times(ratio: float) -> str:
    """Write a ratio of more than one with two digits that count."""
    return f"{float(f'{ratio:.2g}'):,.0f}" if ratio >= 10 else f"{ratio:.2g}"


def window() -> str:
    found = result("dispatch")["window"]
    return (
        f"the same optimum (to {found['max_relative_objective_difference']:.0e}); "
        f"{found['ms_median']:.0f} ms, {times(found['ratio_to_pypsa'])} times faster"
    )


def horizon() -> str:
    sizes = result("plan")["sizes"]
    both = max(
        (one for one in sizes if one["pypsa_seconds"]), key=lambda one: (one["sites"], one["hours"])
    )
    year = max(sizes, key=lambda one: one["sites"] * one["hours"])
    return (
        f"{both['sites']} sites x {both['hours']:,} h: {both['seconds']:.0f} s for "
        f"{both['pypsa_seconds']:.0f} s (with HiPO), to a proved gap of "
        f"{both['gap_share'] * 100:.2f} % (theirs: optimal); {year['sites']} sites x "
        f"{year['hours']:,} h: {year['seconds']:.0f} s, {year['gap_share'] * 100:.2f} %, where "
        "PyPSA was stopped after 120 s"
    )


def requests() -> str:
    found = result("requests")["vidur"]
    if found.get("ratio") is None:
        return NOT_MEASURED
    return (
        f"every token at the same moment (to {found['max_abs_diff_s']:.0e} s), "
        f"{times(found['ratio'])} times as many requests a second"
    )


def recorded() -> str:
    cards = result("requests")["vllm"]
    worst = max(
        abs(cards[card][f"{name}_error_percent"])
        for card in ("rtx4090", "rtxpro6000")
        for name in ("ttft", "tpot", "e2e")
    )
    return f"means of first token, per token and whole answer within {worst:.1f} % on two cards"


def joules() -> str:
    found = result("energy")
    theirs = found["ecologits"]["refitted_form_mape_percent"]
    ours, first = (
        found["blind"]["mape_percent"],
        found["blind"]["declared_first"]["mape_percent"],
    )
    return (
        f"{ours:.0f} % off ({first:.0f} % with the form declared first), theirs, refitted to the "
        f"same rows, {theirs:.0f} %"
    )


def litellm() -> str:
    found = result("serve")
    return f"{times(found['ratio_to_litellm'])} times the requests a second of one core"


def router() -> str:
    found = result("serve")
    return (
        f"{found['ratio_to_vllm_router']:.2f} of its requests a second; "
        f"{found['cpu_us_per_request']:.0f} us of a core for each"
    )


def scrape() -> str:
    found = result("observe")
    return f"{times(found['ratio_prometheus_client_to_ours'])} times faster"


def focus() -> str:
    found = result("focus")
    return f"{found['rows_per_s_ratio_to_polars']:.2f} of its rows a second, checked row by row"


ROWS = (
    Held("Re-solve 48 h of ten sites, an hour later", "PyPSA 1.4, rolling", window, "Tokenergy",
         "bench-dispatch"),
    Held("Plan sites, GPUs, batteries and contracts", "PyPSA 1.4, linopy", horizon, "Tokenergy",
         "bench-plan"),
    Held("Simulate requests on a batching engine", "Vidur", requests, "Tokenergy",
         "bench-requests"),
    Held("The same against recorded runs of vLLM", "vLLM itself", recorded, "vLLM is the truth",
         "bench-requests"),
    Held("Joules of models that no fit has seen", "EcoLogits", joules, "Tokenergy", "bench-energy"),
    Held("A gateway in front of servers", "LiteLLM", litellm, "Tokenergy", "bench-serve"),
    Held("A gateway in front of servers", "vllm-router", router, "**vllm-router**", "bench-serve"),
    Held("Read an engine's metrics page", "prometheus-client", scrape, "Tokenergy",
         "bench-observe"),
    Held("Write a million cost rows", "polars, without a check", focus, "**polars**",
         "bench-focus"),
)  # fmt: skip


def table() -> str:
    """Return the table as Markdown."""
    head = "| task | beside | measured | better | command |\n|---|---|---|---|---|\n"
    return head + "".join(
        f"| {row.task} | {row.peer} | {row.measured()} | {row.better} | `make {row.command}` |\n"
        for row in ROWS
    )


def with_peers(page: str) -> str:
    """Return a page with its table made anew."""
    return TABLE.sub(lambda found: found[1] + table() + found[2], page)


if __name__ == "__main__":
    README.write_text(with_peers(README.read_text(encoding="utf-8")), encoding="utf-8")
