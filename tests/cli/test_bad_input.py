"""The command broken on purpose: status 2, one clear message, no traceback, nothing left behind."""

import os
import random
import sqlite3
from pathlib import Path
from shutil import rmtree

import pytest
from commands import ROOT, SMALL, TRACE, Ended, listing, tokenergy

WARNED_OF = {"hedge_warnings", "old_preset"}
"""Files of examples/broken that run, with much to think about."""
ALL = sorted((ROOT / "examples" / "broken").glob("*.yaml"))
BROKEN = [path for path in ALL if path.stem not in WARNED_OF]
READING = ("check", "price", "dispatch", "simulate", "report", "demo")


def refused(done: Ended, *said: str) -> None:
    """Hold what a refusal looks like, and that it says these words."""
    assert done.status == 2
    assert TRACE not in done.err
    assert done.out == ""
    lines = done.err.splitlines()
    assert len(lines) == 1, lines
    assert lines[0].startswith("error: ") or ": error " in lines[0]
    for word in said:
        assert word in lines[0]


# ---- the company file --------------------------------------------------------------------


@pytest.mark.parametrize("path", BROKEN, ids=lambda path: path.stem)
def test_check_prints_every_finding_of_a_broken_file(inside, path: Path) -> None:
    told = inside("check", path, "--json")
    assert told.status == 2
    found = told.json()
    errors = [f for f in found["findings"] if f["severity"] == "error"]
    assert found["errors_count"] == len(errors) > 0
    done = inside("check", path)
    assert done.status == 2
    assert done.err == ""
    for finding in found["findings"]:
        for word in (finding["code"], finding["path"], finding["reason"], finding["remedy"]):
            assert word in done.out
    warnings = len(found["findings"]) - len(errors)
    plural = ("" if len(errors) == 1 else "s", "" if warnings == 1 else "s")
    last = f"{len(errors)} error{plural[0]}, {warnings} warning{plural[1]}"
    assert done.out.splitlines()[-1] == last


@pytest.mark.parametrize("path", [p for p in ALL if p not in BROKEN], ids=lambda path: path.stem)
def test_check_prints_every_warning_and_ends_well(inside, path: Path) -> None:
    told = inside("check", path, "--json")
    assert told.status == 0
    found = told.json()["findings"]
    assert {finding["severity"] for finding in found} == {"warning"}
    done = inside("check", path)
    assert all(finding["code"] in done.out for finding in found)
    assert done.out.splitlines()[-1] == f"0 errors, {len(found)} warnings"


@pytest.mark.parametrize("path", BROKEN, ids=lambda path: path.stem)
def test_no_verb_runs_on_a_broken_file(inside, tmp_path: Path, path: Path) -> None:
    """Each prints the same errors as `check`, one a line, and leaves nothing.

    What opens and cannot be met leaves the report of a run that failed, which is told, too.
    """
    errors = inside("check", path, "--json").json()["errors_count"]
    for verb in READING[1:]:
        done = inside(verb, path)
        assert done.status == 2
        assert done.out == ""
        assert TRACE not in done.err
        said = done.err.splitlines()
        if verb == "report" and path.stem == "infeasible":
            assert said.pop(0) == "what failed stands in the report, too: out/infeasible.html"
            assert "this run failed" in (tmp_path / "out" / "infeasible.html").read_text()
            rmtree(tmp_path / "out")
        assert len(said) == errors
    told = inside("price", path, "--json")
    assert told.status == 2
    assert told.json()["errors_count"] == errors
    assert listing(tmp_path) == {}


def garbage(name: str, folder: Path) -> Path:
    path = folder / f"{name}.yaml"
    random.seed(0)
    match name:
        case "missing":
            pass
        case "folder":
            path.mkdir()
        case "empty":
            path.touch()
        case "binary":
            path.write_bytes(random.randbytes(2_000))
        case "text of 10 MB":
            path.write_bytes((b"%s: [{!x &a *b\n" % random.randbytes(4).hex().encode()) * 625_000)
        case "bytes of 10 MB":
            path.write_bytes(random.randbytes(10_000_000))
        case "a list":
            path.write_text("- 1\n- 2\n")
        case "prose":
            path.write_text("Dear sir: I: have the honour")
        case "a bomb":
            lines = ["a0: &a0 [x, x]"]
            lines += [f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 9)}]" for i in range(1, 9)]
            path.write_text("\n".join(lines))
        case "a loop":
            path.write_text("company: &a {site: *a}")
        case "deep":
            path.write_text("[" * 5_000)
    return path


GARBAGE = [
    "missing", "folder", "empty", "binary", "text of 10 MB", "bytes of 10 MB", "a list", "prose",
    "a bomb", "a loop", "deep",
]  # fmt: skip


@pytest.mark.parametrize("name", GARBAGE)
def test_garbage_in_the_place_of_a_company(inside, tmp_path: Path, name: str) -> None:
    path = garbage(name, tmp_path)
    before = listing(tmp_path)
    told = inside("check", path, "--json")
    assert told.status == 2
    assert told.json()["errors_count"] >= 1
    for verb in READING:
        done = inside(verb, path)
        assert done.status == 2
        assert TRACE not in done.err + done.out
        assert 0 < len((done.err + done.out).splitlines()) < 60
        assert max(map(len, (done.err + done.out).splitlines())) < 600
    assert listing(tmp_path) == before


def test_a_pipe_or_a_device_is_no_company(inside, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    assert inside("check", tmp_path / "pipe").status == 2  # and does not wait for a writer
    assert inside("check", "/dev/null").status == 2
    assert inside("check", "/dev/zero").status == 2


def test_a_file_that_may_not_be_read(tmp_path: Path) -> None:
    path = tmp_path / "closed.yaml"
    path.write_bytes(SMALL.read_bytes())
    path.chmod(0)
    if os.access(path, os.R_OK):
        pytest.skip("the superuser may read everything")
    assert tokenergy("price", path, cwd=tmp_path).status == 2


# ---- arguments ---------------------------------------------------------------------------


@pytest.mark.parametrize("verb", ["price", "dispatch"])
@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--at", "2026-03-02T18:00"), ("no zone", "2026-03-02T18:00:00Z")),
        (("--at", "2026-03-02"), ("no zone", "2026-03-02T00:00:00Z")),
        (("--at", "2026-03-01T23:30Z"), ("outside the horizon", "2026-03-02T00:00Z")),
        (("--at", "2026-03-04T00:00Z"), ("outside the horizon", "2026-03-04T00:00Z")),
        (("--at", "2027-01-01T00:00Z"), ("outside the horizon",)),
        (("--at", "0001-01-01T00:00+14:00"), ("outside the calendar",)),
        (("--at", "tomorrow"), ("'tomorrow' is not a time", "2026-03-02T18:00Z")),
        (("--at", ""), ("is not a time",)),
        (("--at", "2026-02-30T00:00Z"), ("is not a time",)),
        (("--hours", "0"), ("hours is 0", "168 h")),
        (("--hours", "-1"), ("hours is -1",)),
        (("--hours", "999"), ("hours is 999", "168 h")),
        (("--hours", "nan"), ("hours is nan",)),
        (("--hours", "inf"), ("hours is inf",)),
    ],
)
def test_windows_that_make_no_sense(inside, verb: str, words: tuple[str, ...], said) -> None:
    refused(inside(verb, SMALL, *words), *said)
    told = inside(verb, SMALL, *words, "--json")
    assert (told.status, told.err) == (2, "")
    for word in said:
        assert word in told.json()["error"]


@pytest.mark.parametrize("verb", ["simulate", "report"])
@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--days", "0"), ("days", "> 0")),
        (("--days", "-3"), ("days", "> 0")),
        (("--days", "nan"), ("days",)),
        (("--days", "1e9"), ("days", "3660")),
        (("--days", "1.03"), ("horizon.days",)),
        (("--from", "2026-03-02T18:00"), ("no zone",)),
        (("--from", "soon"), ("'soon' is not a time",)),
        (("--from", "2026-03-02T00:30Z"), ("horizon.start",)),
        (("--from", "1700-01-01T00:00Z"), ("horizon.start",)),
        (("--policies", "mcp"), ("'mcp'", "mpc")),
        (("--policies", "greedy,gready,foo"), ("'gready', 'foo'", "greedy_battery")),
        (("--policies", ","), ("no policy",)),
        (("--policies", ""), ("no policy",)),
    ],
)
def test_runs_that_make_no_sense(inside, tmp_path: Path, verb, words, said) -> None:
    refused(inside(verb, SMALL, *words), *said)
    assert listing(tmp_path) == {}


def test_a_seed_below_zero(inside, tmp_path: Path) -> None:
    refused(inside("simulate", SMALL, "--seed", "-1"), "seed", ">= 0")
    assert listing(tmp_path) == {}


def test_days_longer_than_the_data(inside, tmp_path: Path) -> None:
    """A file of prices that ends after the file's own horizon, and before the one asked for."""
    hours = [f"2026-0{2 + (at >= 168)}-{at_day(at)}" for at in range(240)]
    text = "utc,usd_per_mwh\n" + "".join(f"{hour},{40 + at % 7}\n" for at, hour in enumerate(hours))
    (tmp_path / "prices.csv").write_text(text, encoding="utf-8")
    file = "{file: prices.csv, column: usd_per_mwh}"
    company = SMALL.read_text(encoding="utf-8").replace(
        "price: {synthetic: texas}", f"price: {file}"
    )
    (tmp_path / "mine.yaml").write_text(company, encoding="utf-8")
    before = listing(tmp_path)
    assert inside("check", "mine.yaml").status == 0
    done = inside("simulate", "mine.yaml", "--days", 9)
    assert done.status == 2
    assert "sites[0].market.price" in done.err
    assert "prices.csv" in done.err
    assert TRACE not in done.err
    assert listing(tmp_path) == before


def at_day(at: int) -> str:
    """Return day and hour of hour `at` after 2026-02-22T00:00Z, which is no leap February."""
    day = 22 + at // 24 if at < 168 else 1 + (at - 168) // 24
    return f"{day:02d}T{at % 24:02d}:00:00Z"


# ---- places to write to ------------------------------------------------------------------


def places(folder: Path) -> dict[str, str]:
    (folder / "a_file").write_text("mine")
    (folder / "a_folder").mkdir()
    return {
        "missing/deeper/new.html": "there is no folder missing/deeper",
        "a_folder": "it is a folder",
        "a_file": "exists already",
        "a_file/new.html": "there is no folder a_file",
        "/proc/new.html": "cannot write /proc/new.html",
        ".": "it is a folder",
    }


@pytest.mark.parametrize("words", ["init", "schema", f"report {SMALL}", f"demo {SMALL}"])
def test_places_that_cannot_be_written(inside, tmp_path: Path, words: str) -> None:
    """Told before anything is computed, and nothing of the user's is touched."""
    wrong = places(tmp_path)
    before = listing(tmp_path)
    for out, said in wrong.items():
        refused(inside(*words.split(), "--out", out), said)
    assert listing(tmp_path) == before


def test_a_report_never_replaces_a_company(inside, tmp_path: Path) -> None:
    (tmp_path / "mine.yaml").write_bytes(SMALL.read_bytes())
    refused(inside("report", "mine.yaml", "--out", "mine.yaml"), "exists already")
    refused(inside("simulate", "mine.yaml", "--ledger", "mine.yaml"), "mine.yaml")
    refused(inside("init", "--out", "mine.yaml"), "exists already")
    assert listing(tmp_path) == {"mine.yaml": SMALL.read_bytes()}


def corrupt(path: Path) -> None:
    """Make a file that begins as SQLite does and goes on as nothing."""
    with sqlite3.connect(path) as held:
        held.execute("CREATE TABLE t (a)")
    held.close()
    content = bytearray(path.read_bytes())
    content[100:] = b"\xff" * (len(content) - 100)
    path.write_bytes(bytes(content))


def ledgers(folder: Path) -> dict[str, str]:
    (folder / "a_folder").mkdir()
    (folder / "text.sqlite").write_text("Dear sir, I have the honour to be no database at all")
    corrupt(folder / "corrupt.sqlite")
    with sqlite3.connect(folder / "other.sqlite") as held:
        held.execute("CREATE TABLE theirs (a)")
    held.close()
    return {
        "a_folder": "a_folder",
        "text.sqlite": "not a database",
        "corrupt.sqlite": "corrupt.sqlite",
        "other.sqlite": "no ledger",
    }


def test_ledgers_that_are_none(inside, tmp_path: Path) -> None:
    wrong = ledgers(tmp_path)
    before = listing(tmp_path)
    for path, said in wrong.items():
        refused(inside("simulate", SMALL, "--policies", "greedy", "--ledger", path), said)
        refused(inside("demo", SMALL, "--out", "a.html", "--ledger", path), said)
        refused(inside("ledger", path), path)
    for path in ("text.sqlite/new.sqlite", "/proc/new.sqlite", "/proc/new/new.sqlite"):
        refused(inside("simulate", SMALL, "--policies", "greedy", "--ledger", path), path)
    refused(inside("ledger", "none.sqlite"), "no ledger none.sqlite")
    assert listing(tmp_path) == before


def test_sums_that_make_no_sense(inside, tmp_path: Path) -> None:
    inside("simulate", SMALL, "--policies", "greedy", "--ledger", "a.sqlite")
    before = listing(tmp_path)
    refused(inside("ledger", "a.sqlite", "--by", "colour"), "colour", "policy")
    refused(inside("ledger", "a.sqlite", "--by", "policy;drop table ledger"), "drop table")
    refused(inside("ledger", "a.sqlite", "--run", "nobody"), "'nobody'", "greedy")
    after = listing(tmp_path)
    assert {name: after[name] for name in before} == before
    assert set(after) - set(before) <= {"a.sqlite-shm", "a.sqlite-wal"}  # a reader's, of SQLite


# ---- companies that cannot be served -----------------------------------------------------


def changed(folder: Path, old: str, new: str) -> Path:
    text = SMALL.read_text(encoding="utf-8")
    assert old in text
    path = folder / "changed.yaml"
    path.write_text(text.replace(old, new), encoding="utf-8")
    return path


def test_must_serve_work_beyond_every_gpu_is_told_in_words(inside, tmp_path: Path) -> None:
    """Ten times the chats: they are refused, and every result says so beside its figures."""
    path = changed(tmp_path, "mean_requests_per_s: 3500", "mean_requests_per_s: 35000")
    for words in (("price", path, "--hours", 2), ("dispatch", path, "--hours", 2)):
        told = inside(*words, "--json").json()
        assert any("chat-america" in warning["reason"] for warning in told["warnings"])
        out = inside(*words).out
        assert "warning MUST_SERVE_REFUSED" in out
        assert "chat-america" in out


def test_latency_that_no_site_can_keep(inside, tmp_path: Path) -> None:
    path = changed(
        tmp_path, "ttft_limit_s: 2, tpot_limit_s: 0.05", "ttft_limit_s: 2, tpot_limit_s: 0.001"
    )
    done = inside("check", path)
    assert done.status == 2
    assert "UNREACHABLE_WORKLOAD" in done.out
    assert "chat-america" in done.out
