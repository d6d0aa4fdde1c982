"""`tokenergy plan`: tables for people, JSON for scripts, a file that runs, and Ctrl-C."""

import os
import signal
from pathlib import Path

import pytest
from commands import Ended
from planning import planning_file

from tokenergy.api import plan_search
from tokenergy.cli import main, plan_progress
from tokenergy.cli.plan_progress import bounds_text
from tokenergy.cli.planning import stopping


@pytest.fixture
def planning(tmp_path: Path) -> Path:
    return planning_file(tmp_path)


def test_the_tables_say_what_to_build_between_which_bounds_and_at_what_cost(
    inside, planning: Path
) -> None:
    done: Ended = inside("plan", planning, "--hours", "24")
    assert done.status == 0, done.err
    told = " ".join(done.out.split())
    for words in (
        "What to build and sign over 24 h", "texas-h100", "gap", "at least", "full (allocation)",
        "marginal: one Mtok more", "do not add up",
        "by line", "of full cost", "What one unit is worth in a year", "low", "high",
        "texas-wind", "The sites in order", "What would have to change", "Token supply curve",
        "effective sites", "proved by duality", "kWh are",
    ):  # fmt: skip
        assert words in told, words
    assert not (planning.parent / ".tokenergy").exists()


def test_json_write_and_simulate_tie(inside, planning: Path) -> None:
    done: Ended = inside("plan", planning, "--hours", "24", "--write", "built.yaml", "--json")
    assert done.status == 0, done.err
    told = done.json()
    for key in ("capacities", "cost_usd", "lower_bound_usd", "gap_share", "usd_per_mtok_full",
                "usd_per_mtok_marginal", "values"):  # fmt: skip
        assert told[key] is not None
    assert told["lower_bound_usd"] <= told["cost_usd"]
    for value in told["values"]:
        assert {"low_usd_per_unit_year", "high_usd_per_unit_year"} <= value.keys()
    ran: Ended = inside("simulate", "built.yaml", "--policies", "mpc,clairvoyant", "--json")
    assert ran.status == 0, ran.err
    best = ran.json()["policies"]["clairvoyant"]["cost_usd"]
    assert best + told["annuity_usd"] == pytest.approx(told["cost_usd"], rel=1e-6)
    assert inside("check", "built.yaml").status == 0


def test_the_page_says_where_it_is(inside, planning: Path) -> None:
    done: Ended = inside("plan", planning, "--hours", "24", "--out", "plan.html")
    assert done.status == 0, done.err
    assert "page: plan.html" in done.out
    assert (planning.parent / "plan.html").is_file()


def test_ctrl_c_tells_and_saves_the_plan_so_far(
    inside, planning: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    solve = plan_search.solve_whole

    def interrupted(*args, **kwargs):
        found = solve(*args, **kwargs)
        os.kill(os.getpid(), signal.SIGINT)
        return found

    monkeypatch.setattr(plan_search, "solve_whole", interrupted)
    monkeypatch.setattr(main, "leave_now", lambda status: None)
    before = signal.getsignal(signal.SIGINT)
    done: Ended = inside("plan", planning, "--hours", "24")
    assert done.status == 130
    assert "stopping" in done.err
    told = " ".join(done.out.split())
    assert "The search was stopped" in told
    assert "gap" in told
    assert "company file: .tokenergy/planning.planned.yaml" in told
    assert (planning.parent / ".tokenergy" / "planning.planned.yaml").is_file()
    assert signal.getsignal(signal.SIGINT) is before
    as_json: Ended = inside("plan", planning, "--hours", "24", "--json")
    assert as_json.status == 130
    assert as_json.json()["stopped"]


def test_ctrl_c_twice_ends_at_once() -> None:
    with pytest.raises(KeyboardInterrupt), stopping() as stop:
        assert not stop()
        os.kill(os.getpid(), signal.SIGINT)
        assert stop()
        os.kill(os.getpid(), signal.SIGINT)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--hours", "100"), "horizon"),
        (("--gap", "2"), "gap is 2"),
        (("--dask", "tcp://127.0.0.1:9"), "--scenarios"),
        (("--write", "planning.yaml"), "exists already"),
        (("--out", "none/plan.html"), "no folder"),
    ],
)
def test_what_cannot_be_asked_ends_with_status_2(
    inside, planning: Path, words: tuple[str, ...], said: str
) -> None:
    done: Ended = inside("plan", planning, *words)
    assert done.status == 2
    assert said in done.err


def test_a_file_without_the_section_says_what_to_write(inside, planning: Path) -> None:
    bare = planning.read_text(encoding="utf-8").partition("\nplan:")[0]
    planning.write_text(bare, encoding="utf-8")
    done: Ended = inside("plan", planning)
    assert done.status == 2
    assert "section `plan`" in done.err


def test_help_has_examples(inside) -> None:
    done: Ended = inside("plan", "--help")
    assert "tokenergy plan examples/hyperscaler.yaml --hours 672" in done.out


def test_both_bounds_are_told() -> None:
    assert bounds_text(90.0, 100.0) == "between 90 and 100, gap 10.00%"
    assert bounds_text(90.0, float("inf")) == "at least 90; no plan found yet"


def test_a_log_gets_no_lines(capsys: pytest.CaptureFixture[str]) -> None:
    with plan_progress.plan_progress() as told:
        told.step("worth of sizes", 1, 8)
        told.bounds(1.0, 2.0)
    with plan_progress.plan_progress(quiet=True) as told:
        told.step("worth of sizes", 1, 8)
        told.bounds(1.0, 2.0)
    assert capsys.readouterr().err == ""


@pytest.mark.slow  # a whole report: policies, economics and a plan
def test_a_report_may_hold_the_plan(inside, planning: Path) -> None:
    done: Ended = inside("report", planning, "--plan", "--policies", "mpc", "--out", "all.html")
    assert done.status == 0, done.err
    page = (planning.parent / "all.html").read_text(encoding="utf-8")
    for anchor in ("plan-build", "plan-cost", "plan-worth", "scorecard"):
        assert f'<section id="{anchor}"' in page
