"""What the functions of the API return: frozen, consistent, the same again, and as tables."""

import json
import re
from collections.abc import Callable
from dataclasses import FrozenInstanceError, fields, is_dataclass, replace
from datetime import UTC, date, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
import yaml
from commands import ROOT, SMALL, listing, strict

import tokenergy as te
from tokenergy.api.table import NOTEBOOK_ROWS, to_html
from tokenergy.dispatch.policies import POLICIES
from tokenergy.units import SUFFIXES

START = datetime(2026, 3, 2, tzinfo=UTC)


# ---- frozen ------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["small", "board", "plan", "simulation"])
def test_results_are_frozen(name: str, request: pytest.FixtureRequest) -> None:
    result = request.getfixturevalue(name)
    assert is_dataclass(result)
    for field in fields(result):
        with pytest.raises(FrozenInstanceError):
            setattr(result, field.name, None)


def test_rows_and_findings_are_frozen(board: te.Board) -> None:
    with pytest.raises(FrozenInstanceError):
        board.prices[0].share = 2.0  # type: ignore[misc]
    checked = te.check(ROOT / "examples" / "broken" / "unit_slip.yaml")
    with pytest.raises(FrozenInstanceError):
        checked.findings[0].reason = ""  # type: ignore[misc]
    assert isinstance(checked.findings, tuple)


def test_what_a_result_gives_away_is_not_what_it_keeps(board: te.Board) -> None:
    board.to_dict()["prices"].clear()
    assert board.to_dict()["prices"]


# ---- as JSON, as polars, in a notebook ---------------------------------------------------


@pytest.mark.parametrize("name", ["board", "plan", "simulation"])
def test_results_are_strict_json(name: str, request: pytest.FixtureRequest) -> None:
    told = request.getfixturevalue(name).to_dict()
    text = json.dumps(told, allow_nan=False)
    assert json.dumps(strict(text)) == text


@pytest.mark.parametrize(
    ("name", "rows_count"),
    [("board", None), ("plan", 48 * 3), ("simulation", 6)],
)
def test_frames_have_their_rows_and_units(
    name: str, rows_count: int | None, request: pytest.FixtureRequest
) -> None:
    """48 h of 3 sites; 6 policies; a board has a row for each hour, workload and deployment."""
    result = request.getfixturevalue(name)
    frame = result.to_polars()
    assert frame.height == (len(result.prices) if rows_count is None else rows_count)
    for column, kind in frame.schema.items():
        if kind.is_float():
            assert column in SUFFIXES or any(column.endswith(f"_{s}") for s in SUFFIXES), column


def test_a_board_has_a_row_for_each_hour_and_deployment_in_reach(
    small: te.OpenCompany, board: te.Board
) -> None:
    frame = board.to_polars()
    assert frame.height == 6 * len(small.world.routes)
    assert frame["start"].n_unique() == 6
    assert frame.filter(pl.col("in_use"))["share"].min() >= 0.0


@pytest.mark.parametrize("name", ["board", "plan", "simulation"])
def test_notebook_tables_escape_what_the_file_says(
    name: str, request: pytest.FixtureRequest
) -> None:
    html = request.getfixturevalue(name)._repr_html_()
    assert html.startswith("<table>")
    assert "Small &amp; [Sons] &lt;b&gt;" in html
    assert "<b>" not in html
    assert html.count("<tr>") <= NOTEBOOK_ROWS + 1


def test_a_table_of_nothing_and_a_long_one() -> None:
    assert to_html([], "<i>") == "<p>&lt;i&gt;: nothing</p>"
    html = to_html([{"a<": "<x>", "b_mw": 1.23456, "c": None}] * 30, "many")
    assert "<th>a&lt;</th>" in html
    assert "<td>&lt;x&gt;</td><td>1.235</td><td></td>" in html
    assert "(6 more rows)" in html


# ---- consistent --------------------------------------------------------------------------


def test_the_price_is_the_dual_of_the_dispatch(small: te.OpenCompany) -> None:
    """Both solve the same window from the same state: what one Mtok more costs is its dual.

    The dual of the demand row is one end of the price's interval, or lies between both.
    """
    hour = START + timedelta(hours=18)
    board = te.price(small, at=hour, hours=30)
    plan = te.dispatch(small, at=hour, hours=30)
    assert board.start == plan.start == hour
    duals = {(row["start"], row["workload"]): row["dual_usd_per_mtok"] for row in plan.workloads}
    seen = 0
    for row in board.prices:
        if row.in_use and row.start == hour:
            dual = duals[row.start.strftime("%Y-%m-%dT%H:%MZ"), row.workload]
            low = row.high_usd_per_mtok if row.low_usd_per_mtok is None else row.low_usd_per_mtok
            assert low * 0.99 - 1e-9 <= dual <= row.high_usd_per_mtok * 1.01 + 1e-9
            seen += 1
    assert seen


def test_shares_of_a_price_are_what_the_dispatch_places(small: te.OpenCompany) -> None:
    board, plan = te.price(small, hours=48), te.dispatch(small, hours=48)
    now = [row for row in board.prices if row.start == START and row.share > 1e-6]
    placed = {
        (name, row["site"], row["model"]): mtok
        for row in plan.deployments
        if row["start"] == "2026-03-02T00:00Z"
        for name, mtok in row["serve_mtok"].items()
    }
    assert {(row.workload, row.site, row.model) for row in now} == set(placed)
    for row in now:
        total = sum(mtok for (name, *_), mtok in placed.items() if name == row.workload)
        assert row.share == pytest.approx(placed[row.workload, row.site, row.model] / total)


def test_what_is_asked_is_served_or_refused_at_the_end(
    small: te.OpenCompany, simulation: te.Simulation
) -> None:
    asked = float(small.world.arrivals_mtok[:, small.world.first : small.world.last].sum())
    for score in simulation.card.policies.values():
        assert score.served_mtok + score.refused_mtok == pytest.approx(asked, rel=1e-9)


def test_better_knowledge_costs_no_more(simulation: te.Simulation) -> None:
    cost = {name: score.cost_usd for name, score in simulation.card.policies.items()}
    assert cost["clairvoyant"] <= cost["mpc"] <= cost["greedy_battery"] <= cost["greedy"]
    assert all(cost["clairvoyant"] <= other for other in cost.values())


# ---- the same again ----------------------------------------------------------------------


def test_a_run_is_the_same_again_and_alone(
    small: te.OpenCompany, simulation: te.Simulation
) -> None:
    """Whatever runs beside it, in whatever order, and in a company opened anew."""
    whole = json.dumps(simulation.to_dict())
    assert json.dumps(te.simulate(te.load(SMALL)).to_dict()) == whole
    together = simulation.to_dict()["policies"]
    for name in ("greedy_battery", "mpc", "clairvoyant"):
        alone = te.simulate(small, policies=[name]).to_dict()["policies"][name]
        assert alone["cost_usd"] == together[name]["cost_usd"]
        assert alone["parts"] == together[name]["parts"]
    names = list(POLICIES)[::-1]
    other = te.simulate(small, policies=names)
    assert list(other.runs) == names
    for name, run in simulation.runs.items():
        assert np.array_equal(run.serve_mtok, other.runs[name].serve_mtok)


def test_a_price_is_the_same_again(small: te.OpenCompany, board: te.Board) -> None:
    assert te.price(te.load(SMALL), hours=6).to_dict() == board.to_dict()
    longer = te.price(small, hours=12)
    assert longer.prices[: len(board.prices)] == board.prices


def test_another_seed_is_another_world(small: te.OpenCompany) -> None:
    other = te.load(SMALL, seed=4)
    assert not np.array_equal(other.world.spot_usd_per_mwh, small.world.spot_usd_per_mwh)
    assert other.digest != small.digest == te.load(SMALL).digest


def test_the_digest_sees_every_figure(tmp_path: Path, small: te.OpenCompany) -> None:
    text = SMALL.read_text(encoding="utf-8")
    path = tmp_path / "small.yaml"
    path.write_text(text, encoding="utf-8")
    assert te.load(path).digest == small.digest
    path.write_text(text.replace("adder_usd_per_mwh: 6", "adder_usd_per_mwh: 7"), encoding="utf-8")
    assert te.load(path).digest != small.digest


def test_the_horizon_may_be_another(small: te.OpenCompany) -> None:
    opened = te.load(SMALL, start=START + timedelta(days=1), days=1)
    assert opened.world.count == 24
    assert np.allclose(  # a synthetic hour is what it is, whoever asks and from when
        opened.world.spot_usd_per_mwh[:, opened.world.first : opened.world.last],
        small.world.spot_usd_per_mwh[:, small.world.first + 24 : small.world.last],
    )


# ---- refusals ----------------------------------------------------------------------------


def test_a_broken_file_gives_all_its_findings_at_once() -> None:
    path = ROOT / "examples" / "broken" / "many_faults.yaml"
    with pytest.raises(te.FindingsError) as raised:
        te.load(path)
    assert raised.value.findings == te.check(path).errors
    assert len(raised.value.findings) > 10
    assert isinstance(raised.value, te.TokenergyError)


@pytest.mark.parametrize("verb", [te.price, te.dispatch])
def test_windows_that_make_no_sense(small: te.OpenCompany, verb) -> None:
    for wrong in (0.0, -1.0, 169.0, float("nan")):
        with pytest.raises(te.TokenergyError, match="168 h"):
            verb(small, hours=wrong)
    with pytest.raises(te.TokenergyError, match="no zone"):
        verb(small, at=START.replace(tzinfo=None))
    for wrong in (START - timedelta(minutes=1), START + timedelta(days=2)):
        with pytest.raises(te.TokenergyError, match="outside the horizon"):
            verb(small, at=wrong)


def test_a_moment_of_another_zone_and_within_an_interval(small: te.OpenCompany) -> None:
    tokyo = datetime(2026, 3, 3, 3, 30, tzinfo=timezone(timedelta(hours=9)))  # 18:30Z
    board = te.price(small, at=tokyo, hours=1)
    assert board.start == datetime(2026, 3, 2, 18, tzinfo=UTC)


def test_a_window_ends_with_the_horizon(small: te.OpenCompany) -> None:
    last = START + timedelta(hours=47)
    assert te.price(small, at=last, hours=48).hours_h == 1.0
    assert te.dispatch(small, at=last, hours=48).hours_h == 1.0


@pytest.mark.parametrize("names", [[], ["mcp"], ["greedy", ""]])
def test_policies_that_nobody_knows(small: te.OpenCompany, names: list[str]) -> None:
    with pytest.raises(te.TokenergyError, match=r"polic"):
        te.simulate(small, policies=names)


def test_a_fault_in_one_policy_stops_the_others(
    small: te.OpenCompany, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And is told as it is, not as the end of the others."""

    def told(what: str, done: int, of: int) -> None:
        if what == "greedy" and done == 3:
            raise OSError("the disk of the progress bar is full")

    with pytest.raises(OSError, match="is full"):
        te.simulate(small, policies=["greedy", "mpc"], on_progress=told)


# ---- progress, report --------------------------------------------------------------------


def test_progress_is_told_to_the_end(small: te.OpenCompany) -> None:
    told: list[tuple[str, int, int]] = []
    te.simulate(small, policies=["greedy"], on_progress=lambda *step: told.append(step))
    assert told[0] == ("greedy", 0, 48)
    assert told[-1] == ("greedy", 48, 48)
    told.clear()
    te.price(small, hours=6, on_progress=lambda *step: told.append(step))
    assert ("pricing", 6, 6) in told
    assert all(0 <= done <= of for _, done, of in told)


def test_a_report_is_one_file(
    small: te.OpenCompany, board: te.Board, simulation: te.Simulation, tmp_path: Path
) -> None:
    out = te.report(small, out=tmp_path / "a.html", board=board, simulation=simulation)
    assert out == tmp_path / "a.html"
    assert set(listing(tmp_path)) == {"a.html"}
    text = out.read_text(encoding="utf-8")
    assert text.lower().startswith("<!doctype html")
    assert "synthetic" in text.lower()
    again = te.report(small, out=str(out), board=board, simulation=simulation)
    assert again.read_text(encoding="utf-8") == text
    with pytest.raises(te.TokenergyError, match="no folder"):
        te.report(small, out=tmp_path / "b" / "a.html", board=board, simulation=simulation)


# ---- limits that cannot be met, in the user's words --------------------------------------


def changed(tmp_path: Path, **changes: Any) -> te.OpenCompany:
    """Open the small company with some of its parts changed, `sites__0__pue=2` and the like."""
    told = yaml.safe_load(SMALL.read_text())
    for path, value in changes.items():
        *way, last = path.split("__")
        part = told
        for name in way:
            part = part[int(name) if name.isdigit() else name]
        part[last] = value
    file = tmp_path / "changed.yaml"
    file.write_text(yaml.safe_dump(told))
    return te.load(file)


def test_a_connection_energised_when_the_horizon_starts_has_a_price(tmp_path: Path) -> None:
    """Midnight in Texas is 06:00 UTC: no hour before it in which anything could be awake."""
    opened = changed(
        tmp_path, horizon__start="2026-03-02T06:00:00Z", sites__0__energised_on=date(2026, 3, 2)
    )
    assert te.price(opened, hours=2).prices
    assert te.dispatch(opened, hours=2).sites


@pytest.mark.parametrize("verb", [te.price, te.dispatch, te.simulate])
def test_a_connection_that_comes_too_late_is_explained(
    tmp_path: Path, verb: Callable[[te.OpenCompany], object]
) -> None:
    opened = changed(tmp_path, sites__0__energised_on=date(2026, 3, 3))
    with pytest.raises(te.FindingsError) as caught:
        verb(opened)
    (finding,) = caught.value.findings
    assert finding.code == "FIXED_LOAD_UNSERVED"
    assert "texas" in finding.reason


def test_a_limit_that_breaks_late_in_the_horizon_is_explained(tmp_path: Path) -> None:
    """A block behind the meter that begins on the fifth day, with nowhere to go."""
    block = {
        "kind": "block",
        "id": "late",
        "site": "virginia",
        "contract_mw": 50,
        "strike_usd_per_mwh": 40,
        "delivery": "behind_the_meter",
        "start": date(2026, 3, 6),
    }
    told = yaml.safe_load(SMALL.read_text())
    opened = changed(tmp_path, contracts=[*told["contracts"], block], horizon__days=6)
    with pytest.raises(te.FindingsError) as caught:
        te.simulate(opened, policies=["clairvoyant"])
    (finding,) = caught.value.findings
    assert finding.code == "DELIVERY_EXCEEDS_SINK"
    when = re.search(r"at (\S+Z)", finding.reason)
    assert when is not None and when[1] >= "2026-03-06T05:00Z"  # midnight in Virginia


def test_a_policy_that_runs_into_a_limit_is_named(tmp_path: Path) -> None:
    """Wind that must be taken behind the meter, where the nearest users ask for too little."""
    wind = {"contracts__3__delivery": "behind_the_meter", "contracts__3__project_mw": 2}
    opened = changed(tmp_path, contracts__3__share=1, **wind)
    with pytest.raises(te.FindingsError) as caught:
        te.simulate(opened, policies=["nearest", "clairvoyant"])
    (finding,) = caught.value.findings
    assert finding.code == "POLICY_INFEASIBLE"
    assert "policy nearest: site 'texas' cannot use power it must take" in finding.reason
    assert te.simulate(opened, policies=["mpc", "clairvoyant"]).card.policies


def test_the_rent_of_a_megawatt_is_told_where_one_binds(small: te.OpenCompany) -> None:
    """The sentence of the board and of the run name hours and rent, or that none binds."""
    tight = replace(small)
    world = replace(small.world, import_limit_mw=0.5 * small.world.import_limit_mw)
    tight.__dict__["world"] = world
    board, run = te.price(tight, hours=6), te.simulate(tight, policies=("mpc",))
    for message in (board.message, run.message):
        assert re.search(r"bind in \d+ site-hours: there MW rent decides, [\d,]+ USD/MWh", message)
    rents = run.runs["mpc"].mw_rent_usd_per_mwh
    assert rents is not None
    assert rents.shape == run.runs["mpc"].import_mwh.shape
    assert rents.min() >= 0.0
    greedy = te.simulate(tight, policies=("greedy",))
    assert greedy.runs["greedy"].mw_rent_usd_per_mwh is None
    assert greedy.message.endswith("there MW rent decides.")
