"""Every verb on a small company: what it prints, and the JSON that scripts read."""

import json
import re
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from commands import SMALL, listing, strict, tokenergy

from tokenergy.cli.columns import console

PARTS = [
    "energy", "mw_rent", "demand_peak_rent", "cfe_rent", "gpu_rent", "wake", "network", "quality",
    "other",
]  # fmt: skip
ROW_KEYS = [
    "workload", "site", "accelerator", "model", "start", "in_use", "share",
    *(f"{part}_usd_per_mtok" for part in PARTS),
    "total_usd_per_mtok", "low_usd_per_mtok", "high_usd_per_mtok",
]  # fmt: skip
"""The keys of the issue, in its order."""
POLICY_KEYS = {"cost_usd", "bill_usd", "regret_share", "captured_share", "served_mtok"}
POLICIES = ["nearest", "greedy", "greedy_battery", "mpc", "clairvoyant"]


# ---- init, schema, check -----------------------------------------------------------------


def test_init_writes_a_file_that_checks_clean(inside, tmp_path: Path) -> None:
    assert inside("init", "--out", "mine.yaml").status == 0
    done = inside("check", "mine.yaml")
    assert (done.status, done.out) == (0, "mine.yaml: nothing to report\n")
    assert inside("init").out == (tmp_path / "mine.yaml").read_text(encoding="utf-8")
    assert inside("init", "--json").json()["company_file"] == inside("init").out


def test_schema_may_be_written_again(inside, tmp_path: Path) -> None:
    printed = inside("schema").out
    assert strict(printed) == inside("schema", "--json").json()
    for _ in range(2):
        done = inside("schema", "--out", "company.schema.json", "--json")
        assert done.json() == {"wrote": "company.schema.json"}
    assert (tmp_path / "company.schema.json").read_text(encoding="utf-8") == printed


def test_check_of_a_clean_file_in_json(inside) -> None:
    told = inside("check", SMALL, "--json").json()
    assert told == {"file": str(SMALL), "errors_count": 0, "findings": []}


# ---- price -------------------------------------------------------------------------------


def test_prices_have_the_keys_of_the_issue_and_parts_that_sum(inside) -> None:
    done = inside("price", SMALL, "--hours", 6, "--json")
    board = done.json()
    assert done.status == 0
    assert done.err == ""
    rows = board["prices"]
    assert len({row["start"] for row in rows}) == 6
    used = [row for row in rows if row["in_use"]]
    assert used
    for row in rows:
        assert [key for key in row if key in ROW_KEYS] == ROW_KEYS
        assert row["demand_peak_rent_usd_per_mtok"] == row["cfe_rent_usd_per_mtok"] == 0
        total = sum(row[f"{part}_usd_per_mtok"] for part in PARTS)
        assert total == pytest.approx(row["total_usd_per_mtok"], abs=1e-6)
        assert row["total_usd_per_mtok"] >= row["high_usd_per_mtok"] - 1e-6
    for row in used:
        assert row["total_usd_per_mtok"] == pytest.approx(row["high_usd_per_mtok"], abs=1e-6)
        if row["low_usd_per_mtok"] is not None:
            assert row["low_usd_per_mtok"] <= row["high_usd_per_mtok"] + 1e-6


def test_prices_say_whose_they_are(inside) -> None:
    board = inside("price", SMALL, "--hours", 1, "--json").json()
    assert board["company"] == "Small & [Sons] <b>"
    assert "sites[0].market.price" in board["synthetic"]
    assert board["currency"] == "USD"
    assert board["start"] == "2026-03-02T00:00Z"
    text = inside("price", SMALL, "--hours", 1).out
    assert "Small & [Sons] <b>; 5 of its series are SYNTHETIC" in text
    assert "USD/Mtok" in text


def test_another_hour_and_zone_is_the_same_moment(inside) -> None:
    one = inside("price", SMALL, "--at", "2026-03-02T18:00Z", "--hours", 1, "--json").json()
    two = inside("price", SMALL, "--at", "2026-03-02T13:00-05:00", "--hours", 1, "--json").json()
    assert one == two
    assert one["start"] == "2026-03-02T18:00Z"


# ---- dispatch ----------------------------------------------------------------------------


def test_a_dispatch_balances_each_site_and_its_work(inside) -> None:
    """At the meter: import + discharge = load + charge + export; the wind is on the grid."""
    plan = inside("dispatch", SMALL, "--hours", 6, "--json").json()
    assert {row["site"] for row in plan["sites"]} == {"texas", "virginia", "frankfurt"}
    assert len(plan["sites"]) == 6 * 3
    for row in plan["sites"]:
        assert -1e-9 <= row["import_mw"] <= row["import_limit_mw"] + 1e-6
        drawn = row["import_mw"] + row["discharge_mw"]
        assert drawn == pytest.approx(row["load_mw"] + row["charge_mw"] + row["export_mw"])
    chat = [row for row in plan["workloads"] if row["workload"] == "chat-america"]
    for row in chat:
        assert row["served_mtok"] + row["refused_mtok"] == pytest.approx(row["asked_mtok"])
    text = inside("dispatch", SMALL, "--hours", 6).out
    for word in ("MW at the meter", "What runs where", "Mtok", "SYNTHETIC", "USD/MWh"):
        assert word in text


# ---- simulate, ledger --------------------------------------------------------------------


def test_the_scorecard_has_the_keys_of_the_issue(inside, tmp_path: Path) -> None:
    done = inside("simulate", SMALL, "--policies", ",".join(POLICIES), "--json")
    card = done.json()
    assert list(card["policies"]) == POLICIES
    for score in card["policies"].values():
        assert score.keys() >= POLICY_KEYS
    cost = {name: score["cost_usd"] for name, score in card["policies"].items()}
    assert cost["clairvoyant"] <= cost["mpc"] <= cost["greedy_battery"] <= cost["greedy"]
    assert card["policies"]["clairvoyant"]["regret_share"] == 0
    assert card["policies"]["clairvoyant"]["captured_share"] == pytest.approx(1)
    assert card["ledger"] == ".tokenergy/small.sqlite"
    assert set(listing(tmp_path)) == {".tokenergy", ".tokenergy/small.sqlite"}


def test_what_was_not_run_is_null_and_a_dash(inside) -> None:
    score = inside("simulate", SMALL, "--policies", "greedy", "--json").json()["policies"]["greedy"]
    assert score["regret_share"] is score["captured_share"] is None
    lines = inside("simulate", SMALL, "--policies", "greedy").out.splitlines()
    assert not any("regret" in line for line in lines)  # a column of nothing is left out


def test_the_bill_is_what_the_ledger_adds_up_to(inside) -> None:
    card = inside("simulate", SMALL, "--ledger", "a.sqlite", "--json").json()
    sums = inside("ledger", "a.sqlite", "--by", "policy", "--json").json()["sums"]
    assert {row["policy"] for row in sums} == set(card["policies"])
    for row in sums:
        cost = card["policies"][row["policy"]]["cost_usd"]
        assert row["amount_usd"] == pytest.approx(cost, abs=1e-4)  # each row to a nano-dollar


def test_simulating_twice_changes_no_ledger_and_another_seed_adds_to_it(inside) -> None:
    """A run of other series is another run: its rows never mix with those of the first."""
    run = ("simulate", SMALL, "--policies", "greedy,static", "--ledger", "a.sqlite")
    first = inside(*run, "--json").json()
    once = inside("ledger", "a.sqlite", "--json").json()
    inside(*run)
    assert inside("ledger", "a.sqlite", "--json").json() == once
    second = inside(*run, "--seed", 4, "--json").json()
    assert first["policies"] != second["policies"]
    ledger = inside("ledger", "a.sqlite", "--by", "policy", "--json").json()
    assert len(ledger["runs"]) == 4
    total = {row["policy"]: row["amount_usd"] for row in ledger["sums"]}
    for name in ("greedy", "static"):
        both = first["policies"][name]["cost_usd"] + second["policies"][name]["cost_usd"]
        assert total[name] == pytest.approx(both, abs=1e-4)
    assert "sums over 2 simulations" in inside("ledger", "a.sqlite").out
    one = inside("ledger", "a.sqlite", "--by", "policy", "--run", ledger["runs"][0], "--json")
    assert [row["policy"] for row in one.json()["sums"]] == ["greedy"]


def test_the_ledger_is_plain_sqlite(inside, tmp_path: Path) -> None:
    inside("simulate", SMALL, "--policies", "greedy", "--ledger", "a.sqlite")
    with sqlite3.connect(tmp_path / "a.sqlite") as held:
        sources = held.execute("SELECT DISTINCT source, policy FROM ledger").fetchall()
    held.close()
    assert sources == [("simulate", "greedy")]


def test_days_from_and_seed_change_what_is_simulated(inside) -> None:
    def horizon(*words: object) -> Any:
        run = ("simulate", SMALL, "--policies", "greedy", "--ledger", "a.sqlite", "--json")
        return inside(*run, *words).json()["horizon"]

    assert horizon("--days", 1)["end"] == "2026-03-03T00:00Z"
    assert horizon("--from", "2026-07-01T00:00Z")["start"] == "2026-07-01T00:00Z"
    assert horizon("--from", "2026-07-01T02:00+02:00")["end"] == "2026-07-03T00:00Z"


# ---- report, demo ------------------------------------------------------------------------


@pytest.mark.slow  # two whole reports by the command; the API's is fast
def test_a_report_is_one_file_and_may_replace_an_older_one(inside, tmp_path: Path) -> None:
    """With `--charts` every chart of it is a picture, too; a folder of other things is refused."""
    run = ("report", SMALL, "--policies", "greedy,clairvoyant", "--out", "a.html")
    assert inside(*run, "--json").json() == {"report": "a.html"}
    first = undated(tmp_path / "a.html")
    assert set(listing(tmp_path)) == {"a.html"}
    done = inside(*run, "--charts", "pictures", "--format", "svg")
    assert (done.status, done.out) == (0, "report: a.html\ncharts: pictures\n")
    assert undated(tmp_path / "a.html") == first
    assert "Small &amp; [Sons] &lt;b&gt;" in first
    assert "<b>: " not in first
    pictures = {path.name for path in (tmp_path / "pictures").iterdir()}
    drawn = set(re.findall(r'<figure data-chart="([^"]*)"', first))
    assert pictures == {f"{name}.svg" for name in drawn} | {"charts.json"}
    for words, said in (
        (("--charts", "pictures", "--format", "pdf"), "svg or png, not as 'pdf'"),
        (("--charts", "."), "which no report wrote"),
        (("--format", "png"), "--format is of the pictures of --charts"),
    ):
        refused = inside(*run, *words)
        assert refused.status == 2
        assert said in refused.err


def undated(file: Path) -> str:
    """Return a report without the minute that it was made in."""
    text = file.read_text(encoding="utf-8")
    assert re.search(r"made by Tokenergy \d\S* on \d+ \w+ \d{4} \d\d:\d\d UTC", text)
    return re.sub(r"(<dt>Made on</dt><dd>|made by Tokenergy \S+ on )[^<]*", r"\1", text)


def test_demo_says_what_matters_in_under_40_lines(inside, tmp_path: Path) -> None:
    done = inside("demo", SMALL)
    assert done.status == 0
    assert len(done.out.splitlines()) < 40
    for word in ("SYNTHETIC", "USD/Mtok", "clairvoyant", "mpc saves", "out/small.html"):
        assert word in done.out
    assert set(listing(tmp_path)) == {
        "out", "out/small.html", ".tokenergy", ".tokenergy/small.sqlite",
    }  # fmt: skip
    again = inside("demo", SMALL)
    assert (again.status, again.out) == (0, done.out)


@pytest.mark.slow  # a whole demo by the command
def test_demo_in_json_holds_everything(inside) -> None:
    told = inside("demo", SMALL, "--out", "a.html", "--ledger", "a.sqlite", "--json").json()
    assert list(told) == ["findings", "price", "simulate", "economics", "report"]
    assert told["report"] == "a.html"
    assert told["price"]["prices"]


# ---- how it looks ------------------------------------------------------------------------

LOOKS = [
    "check {broken}",
    "price {small} --hours 6",
    "dispatch {small} --hours 6",
    "simulate {small} --ledger a.sqlite --split",
    "demo {small} --out a.html --ledger a.sqlite",
]


def named_at_length(folder: Path) -> Path:
    """Write the small company with names that nobody has shortened."""
    text = SMALL.read_text(encoding="utf-8")
    text = text.replace("chat-america", "conversations-of-north-america")
    text = text.replace("frankfurt", "frankfurt-am-main")
    path = folder / "long.yaml"
    path.write_text(text, encoding="utf-8")
    return path


def _be_wide(columns: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the terminal be as wide as a process reads off COLUMNS when it starts."""
    monkeypatch.setenv("COLUMNS", str(columns))
    monkeypatch.setattr(console, "width", columns)


@pytest.mark.parametrize("look", LOOKS)
def test_eighty_columns_are_enough(
    inside, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, look: str
) -> None:
    """No line is longer, but for one that is a place or something to type; no word is broken."""
    file = "small.yaml"
    (tmp_path / file).write_bytes(SMALL.read_bytes())
    broken = SMALL.parents[1] / "examples" / "broken"
    (tmp_path / "many_faults.yaml").write_bytes((broken / "many_faults.yaml").read_bytes())
    words = look.format(small=file, broken="many_faults.yaml").split()
    _be_wide(80, monkeypatch)
    done = inside(*words)
    for line in done.out.splitlines():
        assert "…" not in line
        typed = line.startswith(("error ", "warning ", "next ", "        tokenergy ", "ledger"))
        assert len(line) <= 80 or typed, line


@pytest.mark.parametrize("columns", [40, 60])
def test_nothing_is_ever_cut(inside, tmp_path: Path, columns: int) -> None:
    """A table that does not fit is wider than the terminal, with every name and figure in it."""
    file = named_at_length(tmp_path)
    for verb in ("price", "dispatch"):
        wide = inside(verb, file.name, "--hours", 6).out
        with pytest.MonkeyPatch.context() as patch:
            _be_wide(columns, patch)
            out = inside(verb, file.name, "--hours", 6).out
        assert "conversations-of-north-america" in out
        assert "…" not in out
        if verb == "dispatch":  # no column of it depends on the width
            assert sorted(set(wide.replace("─", "").split())) == sorted(
                set(out.replace("─", "").split())
            )
    assert "frankfurt-am-main" in out


def test_columns_of_nothing_are_left_out(inside) -> None:
    head = next(
        line
        for line in inside("price", SMALL, "--hours", 1).out.splitlines()
        if line.startswith("workload, site")
    )
    assert "energy" in head
    assert "CFE rent" not in head
    assert "demand peak rent" not in head


def test_another_currency_is_said(inside, tmp_path: Path) -> None:
    text = SMALL.read_text(encoding="utf-8").replace("seed: 3", "seed: 3\ncurrency: EUR")
    (tmp_path / "euro.yaml").write_text(text, encoding="utf-8")
    assert "money is in EUR" in inside("price", "euro.yaml", "--hours", 1).out


def floats(value: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """Yield the path of every number with a fraction."""
    if isinstance(value, dict):
        for key, held in value.items():
            yield from floats(held, (*path, key))
    elif isinstance(value, list):
        for held in value:
            yield from floats(held, path)
    elif isinstance(value, float):
        yield path


@pytest.mark.parametrize("verb", ["price", "dispatch", "simulate"])
def test_every_number_says_its_unit(inside, verb: str) -> None:
    """A number's key, or that of the mapping it is in, ends in a unit of units.py."""
    from tokenergy.units import SUFFIXES

    short = ("--policies", "greedy,mpc,clairvoyant") if verb == "simulate" else ("--hours", 2)
    told = inside(verb, SMALL, *short, "--json").json()
    named = {path[-2:] for path in floats(told)}
    for path in named:
        assert any(
            word in SUFFIXES or any(word.endswith(f"_{unit}") for unit in SUFFIXES) for word in path
        ) or path[0] in {"parts"}, path


def test_json_goes_out_whole_and_alone(tmp_path: Path) -> None:
    (tmp_path / "small.yaml").write_text(SMALL.read_text(encoding="utf-8"), encoding="utf-8")
    done = tokenergy("price", "small.yaml", "--json", "--hours", 2, cwd=tmp_path)
    assert done.err == ""
    assert done.json() == json.loads(done.out)
