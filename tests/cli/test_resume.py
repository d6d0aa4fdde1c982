"""A simulation that is stopped goes on: killed anywhere, it leaves the ledger of one that was not.

Killed with a signal that no process can catch, once so many notes are in the ledger: between the
notes, while one is written, or while the runs are.
"""

import json
import random
import signal
import sqlite3
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from commands import SMALL, environment, tokenergy

LIMIT_S = 120.0
DAYS = ("--days", "3", "--policies", "greedy_battery,daily_duals,mpc,clairvoyant")


def started(folder: Path, *words: object) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [sys.executable, "-m", "tokenergy", *map(str, words)],
        cwd=folder,
        env=environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def notes_count(ledger: Path) -> int:
    if not ledger.exists():
        return 0
    try:
        with sqlite3.connect(f"file:{ledger}?mode=ro", uri=True) as held:
            return int(held.execute("SELECT count(*) FROM checkpoint").fetchone()[0])
    except sqlite3.Error:
        return 0  # it is being made


def wait_for_notes(process: "subprocess.Popen[str]", ledger: Path, count: int) -> None:
    """Wait until a run has noted down so much, or has ended."""
    until = time.monotonic() + LIMIT_S
    while process.poll() is None and notes_count(ledger) < count:
        assert time.monotonic() < until, "no run takes that long"
        time.sleep(0.01)


def contents(ledger: Path) -> dict[str, list[tuple[Any, ...]]]:
    """Return every row of every table, as it is stored."""
    with sqlite3.connect(ledger) as held:
        names = [
            row[0] for row in held.execute("SELECT name FROM sqlite_schema WHERE type='table'")
        ]
        order = {"ledger": "rowid"}
        return {
            name: held.execute(
                f"SELECT * FROM {name} ORDER BY {order.get(name, '1, 2')}"
            ).fetchall()
            for name in names
        }


@pytest.mark.slow  # runs that are killed and resumed until one ends
def test_killed_at_random_it_leaves_the_same_ledger(tmp_path: Path) -> None:
    """Four policies note down three days each: 12 notes, then the rows."""
    command = ("simulate", SMALL, *DAYS, "--json", "--ledger")
    whole = tokenergy(*command, "whole.sqlite", cwd=tmp_path, limit_s=LIMIT_S)
    assert whole.status == 0, whole.err
    rng, ledger = random.Random(), tmp_path / "killed.sqlite"
    for more in ((), ("--resume",), ("--resume",)):
        process = started(tmp_path, *command, ledger.name, *more)
        wait_for_notes(process, ledger, rng.randint(notes_count(ledger), 12))
        process.kill()
        process.communicate()
    ended = tokenergy(*command, ledger.name, "--resume", cwd=tmp_path, limit_s=LIMIT_S)
    assert ended.status == 0, ended.err
    assert contents(ledger) == contents(tmp_path / "whole.sqlite")
    assert contents(ledger)["checkpoint"] == []
    assert len(contents(ledger)["state"]) == 4
    own = ("ledger", "gone_on_from")
    first, again = (
        {k: v for k, v in told.json().items() if k not in own} for told in (whole, ended)
    )
    assert first == again


def test_ctrl_c_says_how_to_go_on(tmp_path: Path) -> None:
    ledger = tmp_path / "my runs.sqlite"
    process = started(
        tmp_path, "simulate", SMALL, "--days", 20, "--policies", "mpc", "--ledger", ledger
    )
    wait_for_notes(process, ledger, 1)
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=LIMIT_S)
    assert process.returncode == 130
    assert f"go on with: tokenergy simulate {SMALL} --days 20 --policies mpc" in said
    assert f"--ledger '{ledger}' --resume" in said
    assert notes_count(ledger) >= 1


# ---- inside this process -------------------------------------------------------------------


@pytest.fixture
def stopped(inside, tmp_path: Path) -> Path:
    """Return a ledger in which one note of a run stands, as a kill leaves it."""
    ledger = tmp_path / "a.sqlite"
    inside("simulate", SMALL, "--policies", "greedy", "--ledger", ledger)
    with sqlite3.connect(ledger) as held:
        run, body = held.execute("SELECT run_id, body FROM state").fetchone()
        note = {
            "format": 1, "at": 0, "state": json.loads(body), "memory": {}, "sources": [],
            "steps": {}, "prices": {},
        }  # fmt: skip
        row = (run, "2026-03-02T00:00:00.000000Z", json.dumps(note))
        held.execute("INSERT INTO checkpoint VALUES (?, ?, ?)", row)
        held.execute("DELETE FROM ledger")
        held.execute("DELETE FROM state")
    return ledger


@pytest.mark.parametrize("other", [("--seed", 8), ("--days", 1), ("--from", "2026-03-02T06:00Z")])
def test_another_run_is_not_gone_on_with(inside, stopped: Path, other) -> None:
    done = inside(
        "simulate", SMALL, *other, "--policies", "greedy", "--ledger", stopped, "--resume"
    )
    assert done.status == 2
    for words in (
        "what was stopped there is Small & [Sons] <b>/2026-03-02T00/2d/",
        "this is Small",
    ):
        assert words in done.err
    assert notes_count(stopped) == 1


def test_without_resume_it_begins_anew_and_drops_the_old_notes(inside, stopped: Path) -> None:
    run = ("simulate", SMALL, "--policies", "greedy", "--ledger", stopped, "--json")
    told = inside(*run).json()
    assert told["gone_on_from"] is None
    assert notes_count(stopped) == 0


def test_where_nothing_was_stopped_it_begins_at_the_start(inside, tmp_path: Path) -> None:
    run = ("simulate", SMALL, "--policies", "greedy", "--ledger", "new.sqlite", "--resume")
    assert "Gone on with: nothing, no run of this company was stopped." in inside(*run).out
    told = inside(*run, "--json").json()
    assert told["gone_on_from"] == {}


def test_a_run_that_fails_leaves_nothing(inside, tmp_path: Path) -> None:
    text = SMALL.read_text(encoding="utf-8").replace("import_limit_mw: 2", "import_limit_mw: 0.01")
    (tmp_path / "dark.yaml").write_text(text, encoding="utf-8")
    done = inside("simulate", "dark.yaml", "--policies", "greedy", "--ledger", "a.sqlite")
    assert done.status == 2
    assert not (tmp_path / "a.sqlite").exists()


def test_whole_replicas_stand_beside_the_others(inside, tmp_path: Path) -> None:
    run = ("simulate", SMALL, "--policies", "greedy,mpc", "--whole-replicas")
    told = inside(*run, "--ledger", "a.sqlite", "--json").json()["policies"]
    assert set(told) == {"greedy", "mpc"}
    for name, score in told.items():
        gap = score["whole"]["cost_usd"] / score["cost_usd"] - 1.0
        assert score["whole"]["integrality_gap_share"] == pytest.approx(gap)
        assert (score["whole"]["uplift_usd"] is None) == (name == "greedy")
    text = inside(*run, "--ledger", "a.sqlite").out
    assert "With whole replicas" in text
    assert "uplift: what the marginal price" in text
    with sqlite3.connect(tmp_path / "a.sqlite") as held:
        names = [row[0] for row in held.execute("SELECT DISTINCT policy FROM ledger")]
    assert sorted(names) == ["greedy", "greedy+whole", "mpc", "mpc+whole"]


def test_a_horizon_that_is_too_large_is_bounded_by_duality(
    inside, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tokenergy.api.simulating.too_large", lambda world: True)
    run = (
        "simulate",
        SMALL,
        "--policies",
        "greedy_battery,mpc,clairvoyant",
        "--ledger",
        "a.sqlite",
    )
    told = inside(*run, "--json").json()
    assert told["bound_method"] == "certified_lower_bound"
    scores = told["policies"]
    assert told["bound_usd"] <= scores["clairvoyant"]["cost_usd"]
    regret = scores["mpc"]["cost_usd"] - told["bound_usd"]
    assert scores["mpc"]["regret_usd"] == pytest.approx(regret)
    text = inside(*run).out
    assert "regret: cost above the proved bound" in text
    assert "proved by duality in windows" in text
