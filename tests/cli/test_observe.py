"""`tokenergy observe` in a process of its own, beside two real small LLMs that are at work."""

import sqlite3
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
import pytest
from commands import ROOT, environment, strict, tokenergy
from live_pair import PORTS, being_asked, rounds, running_pair
from observed import company_file
from small_llm import RunningLlm

OBSERVE = ROOT / "examples" / "observe.yaml"
LEDGER = Path(".tokenergy") / "observe.sqlite"
SITES = ("paris", "oslo")
COUNTED = {
    "input": ("llamacpp:prompt_tokens_total", "llamacpp:prompt_tokens_cached_total"),
    "cached_input": ("llamacpp:prompt_tokens_cached_total",),
    "output": ("llamacpp:tokens_predicted_total",),
}
"""Of llama.cpp's counters those that add up to what we say; its prompts leave the cache out."""
WATCHES_WITHIN_S = 60.0
FIRST_ANSWER_S = 0.5
"""Far more than a scrape takes, once its connection stands."""

Pair = tuple[RunningLlm, ...]
Rows = list[tuple[Any, ...]]
pytestmark = pytest.mark.slow  # two models, two windows, and a week of dispatch for each


@dataclass(frozen=True)
class TwoRuns:
    """What `observe --once --json` printed twice in one folder, and what was counted meanwhile.

    The first window had requests only within it, with others before and after; in the second
    they went on all the time. `grown` are differences of the engines' own counters by site.
    """

    first: dict[str, Any]
    second: dict[str, Any]
    grown_in_first: dict[str, dict[str, int]]
    grown_in_second: dict[str, dict[str, int]]
    rows_after_first: Rows
    rows_after_second: Rows


@pytest.fixture(scope="module")
def ran(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TwoRuns]:
    folder = tmp_path_factory.mktemp("desk")
    with running_pair() as pair:
        rounds(pair, 2)
        start = counters(pair)
        child = begun(folder, window_s=10)
        wait_until_it_watches(child)
        rounds(pair, 2)
        first = ended(child)
        between = counters(pair)
        rows_after_first = rows(folder)
        rounds(pair, 1)
        begin = counters(pair)
        with being_asked(pair):
            second = ended(begun(folder, window_s=4))
        end = counters(pair)
        yield TwoRuns(
            first=first,
            second=second,
            grown_in_first=grown(start, between),
            grown_in_second=grown(begin, end),
            rows_after_first=rows_after_first,
            rows_after_second=rows(folder),
        )


def begun(folder: Path, *, window_s: int) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [sys.executable, "-W", "error", "-m", "tokenergy", "observe", str(OBSERVE), "--once",
         "--json", "--window", str(window_s)],
        cwd=folder, env=environment(), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip


def wait_until_it_watches(child: "subprocess.Popen[str]") -> None:
    """Return once both engines were read for the first time; a connection stays open after it."""
    process, until = psutil.Process(child.pid), time.monotonic() + WATCHES_WITHIN_S
    while time.monotonic() < until and child.poll() is None:
        ports = {getattr(each.raddr, "port", 0) for each in process.net_connections("tcp")}
        if ports >= set(PORTS):
            time.sleep(FIRST_ANSWER_S)
            return
        time.sleep(0.02)
    child.kill()
    out, err = child.communicate()
    pytest.fail(f"it did not read the engines:\n{out}\n{err}")


def ended(child: "subprocess.Popen[str]") -> dict[str, Any]:
    out, err = child.communicate(timeout=120)
    assert child.returncode == 0, err
    told = strict(out)
    assert isinstance(told, dict)
    return told


def counters(pair: Pair) -> dict[str, dict[str, int]]:
    """Read what each engine has counted since its start, in a few lines of our own."""
    found = {}
    for site, one in zip(SITES, pair, strict=True):
        with urllib.request.urlopen(one.metrics_url, timeout=10) as answer:
            lines = answer.read().decode().splitlines()
        values = dict(line.split(" ") for line in lines if line and not line.startswith("#"))
        found[site] = {
            kind: sum(int(values[name]) for name in names) for kind, names in COUNTED.items()
        }
    return found


def grown(
    before: dict[str, dict[str, int]], after: dict[str, dict[str, int]]
) -> dict[str, dict[str, int]]:
    return {
        site: {kind: after[site][kind] - before[site][kind] for kind in COUNTED} for site in SITES
    }


def rows(folder: Path) -> Rows:
    with sqlite3.connect(folder / LEDGER) as held:
        found = held.execute("SELECT * FROM ledger ORDER BY rowid").fetchall()
    held.close()
    return found


def models(told: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {site["site"]: site["models"][0] for site in told["sites"]}


def test_tokens_are_the_differences_of_the_engines_own_counters(ran: TwoRuns) -> None:
    seen = {
        site: {kind: model["tokens"][kind] for kind in COUNTED}
        for site, model in models(ran.first).items()
    }
    assert seen == ran.grown_in_first
    assert all(tokens["output"] > 0 for tokens in seen.values())


def test_requests_across_both_ends_of_a_window_are_counted_in_part(ran: TwoRuns) -> None:
    for site, model in models(ran.second).items():
        for kind in COUNTED:
            assert 0 <= model["tokens"][kind] <= ran.grown_in_second[site][kind]
        assert model["tokens"]["output"] > 0


def test_joules_are_modelled_and_say_by_what(ran: TwoRuns) -> None:
    """By hand, Paris: 1.3 x (4 W x CPU seconds + 40 W x span); idle is a part of the first."""
    for site, model in models(ran.first).items():
        parts = model["joules_parts"]
        assert model["joules_tier"] == "modelled"
        assert "CPU seconds x 4 W per core" in parts["reason"]
        assert parts["host_j"] == pytest.approx(40.0 * model["span_s"], rel=0.02)
        boards_j = parts["gpu_j"] + parts["idle_j"]
        pue = {"paris": 1.3, "oslo": 1.1}[site]
        assert model["joules"] == pytest.approx(pue * (boards_j + parts["host_j"]))
        assert 0.0 < boards_j <= 4.0 * 2.0 * model["span_s"]  # no more than two busy cores
        assert parts["low_j"] < model["joules"] < parts["high_j"]


def test_costs_come_in_parts_on_both_bases(ran: TwoRuns) -> None:
    for told in (ran.first, ran.second):
        assert told["basis"] == {
            "usd_per_mtok_full": "allocation",
            "usd_per_mtok_marginal": "marginal",
        }
        for model in models(told).values():
            assert sum(model["parts"].values()) == pytest.approx(model["usd_per_mtok_marginal"])
            full = [usd for usd in model["full_parts"].values() if usd is not None]
            assert sum(full) == pytest.approx(model["usd_per_mtok_full"])
            assert 0.0 < model["usd_per_mtok_marginal"] < model["usd_per_mtok_full"]


def test_the_saving_names_its_basis_baselines_and_band(ran: TwoRuns) -> None:
    saving = ran.first["saving"]
    assert saving["basis"] == "rate_held"
    assert "the present rate, held over the prices of" in saving["says"]
    assert [each["baseline"] for each in saving["against"]] == ["as_observed", "greedy_battery"]
    assert saving["baseline"] == "as_observed"
    assert saving["low_usd"] <= saving["usd"] <= saving["high_usd"]
    assert saving["sleep_usd"] + saving["placement_usd"] == pytest.approx(saving["usd"])


def test_engines_that_answer_leave_no_finding(ran: TwoRuns) -> None:
    assert ran.first["findings"] == []


def test_the_ledger_grows_and_what_was_there_stays(ran: TwoRuns) -> None:
    count = len(ran.rows_after_first)
    assert count > 0
    assert ran.rows_after_second[:count] == ran.rows_after_first
    assert len(ran.rows_after_second) > count


def test_a_script_learns_that_no_engine_answered(tmp_path: Path) -> None:
    """Everything is told, and the exit status is 2: nothing was observed."""
    path = company_file(tmp_path, "http://127.0.0.1:9")
    ended = tokenergy("observe", path, "--once", "--window", "1", "--json", cwd=tmp_path)
    assert ended.status == 2
    told = strict(ended.out)
    assert {finding["code"] for finding in told["findings"]} >= {"METRICS_UNREACHABLE"}
    assert all(model["tokens"]["output"] is None for model in told["sites"][0]["models"])
