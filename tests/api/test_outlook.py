"""The outlook of a board: the prices that requests are decided by, and the hours that follow."""

import json
import shutil
import sys
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tokenergy.api.board_intervals import BoardIntervals
from tokenergy.api.board_maker import BoardMaker
from tokenergy.api.face import Faces
from tokenergy.api.live_company import LiveCompany, recorded_company
from tokenergy.api.live_page import PageFile, page_key
from tokenergy.api.opened import load
from tokenergy.api.outlook import Outlook
from tokenergy.api.pricing import price
from tokenergy.api.worker_plan import worker_plan
from tokenergy.company.board import Board
from tokenergy.company.marginal import PARTS
from tokenergy.company.serving.plan import encoded_plan
from tokenergy.dispatch.lp_policies import Mpc
from tokenergy.errors import SolverFailure
from tokenergy.serve.board_watch import BoardWatch
from tokenergy.serve.live_face import ASKED, FACE, PAGE, FaceFiles

SMALL = Path(__file__).parents[1] / "small.yaml"
AT = datetime(2026, 3, 2, 18, tzinfo=UTC)
HOURS = 30  # to the end of its two days


def made(live: LiveCompany) -> tuple[Board, Outlook]:
    """Return a gateway's first board of a moment, and its outlook."""
    plan = worker_plan(live.opened, now_s=AT.timestamp())
    intervals = BoardIntervals(live, plan)
    at = live.index_at(AT.timestamp())
    board, _ = intervals.board(at, made_at_s=AT.timestamp())
    outlook = intervals.outlook(at, board, findings=live.findings)
    assert outlook is not None
    return board, outlook


@pytest.fixture(scope="module")
def live() -> LiveCompany:
    return recorded_company(SMALL)


@pytest.fixture(scope="module")
def both(live: LiveCompany) -> tuple[Board, Outlook]:
    return made(live)


@pytest.fixture(scope="module")
def told(both: tuple[Board, Outlook]) -> dict[str, Any]:
    """The outlook after its way through JSON."""
    return json.loads(json.dumps(both[1].to_dict(), allow_nan=False))  # type: ignore[no-any-return]


def test_now_is_what_the_verb_price_says(live: LiveCompany, told: dict[str, Any]) -> None:
    """To the last digits of the solver; the share is that of whole replicas."""
    asked = price(live.opened, at=AT, hours=1.0).to_dict()
    assert told["message"] == asked["message"]
    assert len(told["now"]) == len(asked["prices"])
    for row, wanted in zip(told["now"], asked["prices"], strict=True):
        assert row.keys() == wanted.keys()
        assert row["share"] == pytest.approx(wanted["share"], abs=0.02)
        for name in row.keys() - {"share", "within_replica_usd_per_mtok"}:
            value = wanted[name]
            close = isinstance(value, float)
            assert row[name] == (pytest.approx(value, rel=1e-6, abs=1e-9) if close else value), name


def test_now_is_what_requests_are_decided_by(both: tuple[Board, Outlook]) -> None:
    """A board's price is without the worth of lost quality, which counts in an answer's value."""
    board, outlook = both
    rows = {
        (row["workload"], row["site"], row["accelerator"], row["model"]): row for row in outlook.now
    }
    seen = 0
    for asked in board.workloads:
        for rung in asked.rungs:
            for one in rung.candidates:
                row = rows[asked.name, one.site, one.accelerator, one.model]
                parts = dict(zip(PARTS, one.parts_usd_per_mtok, strict=True))
                for name in set(PARTS) - {"quality", "other"}:
                    assert row[f"{name}_usd_per_mtok"] == pytest.approx(parts[name], abs=1e-12)
                assert row["share"] == pytest.approx(one.share)
                seen += 1
    assert seen == len(rows)


def test_ahead_has_a_row_for_each_interval_and_workload(told: dict[str, Any]) -> None:
    assert len(told["ahead"]) == HOURS * 2
    assert (told["hours_h"], told["step_h"]) == (HOURS, 1.0)
    first = [row for row in told["ahead"] if row["start"] == told["start"]]
    now = {(row["workload"], row["site"], row["model"]): row for row in told["now"]}
    for row in first:
        same = now[row["workload"], row["site"], row["model"]]
        assert row == same | {"end": "2026-03-02T19:00Z"}
    for row in told["ahead"]:
        parts = sum(row[f"{part}_usd_per_mtok"] for part in PARTS)
        assert parts == pytest.approx(row["total_usd_per_mtok"], abs=1e-9)
        if row["in_use"]:
            assert row["total_usd_per_mtok"] == pytest.approx(row["high_usd_per_mtok"])


def test_ahead_is_the_cheapest_in_use(told: dict[str, Any]) -> None:
    for row in told["ahead"][:2]:
        mine = [one for one in told["now"] if one["workload"] == row["workload"]]
        used = [one for one in mine if one["in_use"]] or mine
        least = min(one["total_usd_per_mtok"] for one in used)
        assert row["total_usd_per_mtok"] == pytest.approx(least)


def test_power_that_comes_is_power_that_goes(told: dict[str, Any]) -> None:
    """Import + discharge = load + charge + export at each meter: the PPA comes over the grid."""
    assert len(told["balance"]) == HOURS * 3
    for row in told["balance"]:
        comes = row["import_mw"] + row["discharge_mw"]
        goes = row["load_mw"] + row["charge_mw"] + row["export_mw"]
        assert comes == pytest.approx(goes, abs=1e-6)
        assert row["import_mw"] <= row["import_limit_mw"] + 1e-6
        if row["mw_rent_usd_per_mwh"] > 1e-6:
            assert row["import_mw"] == pytest.approx(row["import_limit_mw"])


def test_shares_sum_to_1_and_queues_lose_nothing(told: dict[str, Any]) -> None:
    """Of work that may wait: what waits at the end is what waited before, and came, less done."""
    sums: dict[tuple[str, str], float] = {}
    for row in told["shares"]:
        key = (row["start"], row["workload"])
        sums[key] = sums.get(key, 0.0) + row["share"]
    assert sums
    assert list(sums.values()) == pytest.approx([1.0] * len(sums))
    waits: dict[str, float] = {}
    for row in told["queues"][2:]:  # the first interval is told as it is made whole
        name = row["workload"]
        before = waits.get(name)
        if before is not None and name.startswith("nightly"):
            left = before + row["arrivals_mtok"] - row["served_mtok"] - row["backlog_mtok"]
            assert left >= -1e-6  # what is refused leaves
        waits[name] = row["backlog_mtok"]


def test_places_and_origins_have_a_place_on_the_map(told: dict[str, Any]) -> None:
    assert told["sites"][0] == {
        "site": "texas", "latitude_deg": 32.4, "longitude_deg": -99.7, "zone": "US-TEX-ERCO",
        "import_limit_mw": 3.0,
    }  # fmt: skip
    assert told["origins"][0] == {
        "workload": "chat-america", "tier": "chat", "region": "america", "latitude_deg": 40.7,
        "longitude_deg": -74.0,
    }  # fmt: skip
    assert told["company"] == "Small & [Sons] <b>"  # as it is: who draws it escapes it
    assert "synthetic" in told


def test_sites_that_bind_now_are_those_with_a_rent_now(both: tuple[Board, Outlook]) -> None:
    _, outlook = both
    told = {row["site"] for row in outlook.binding()}
    rows = outlook.balance[:3]
    assert told == {row["site"] for row in rows if row["mw_rent_usd_per_mwh"] > 1e-6}


def test_where_nothing_was_solved_the_present_stands_alone(
    live: LiveCompany, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is not known of it is missing, with the reason in the message."""

    def unsolved(*_: object) -> None:
        raise SolverFailure("no answer")

    monkeypatch.setattr(Mpc, "plan", unsolved)
    board, outlook = made(live)
    told = json.loads(json.dumps(outlook.to_dict(), allow_nan=False))
    assert (board.policy, told["policy"]) == ("reserve", "reserve")
    assert told["full_cost"] is None
    assert "not known" in told["message"]
    assert {row["start"] for row in told["ahead"]} == {"2026-03-02T18:00Z"}
    assert len(told["balance"]) == 3
    assert all(row["mw_rent_usd_per_mwh"] is None for row in told["balance"])
    assert outlook.binding() == ()
    waiting = [row for row in told["queues"] if row["workload"].startswith("nightly")]
    assert [row["backlog_mtok"] for row in waiting] == [None]


# ---- its face ------------------------------------------------------------------------------


def test_nobody_looks_and_nothing_is_drawn(both: tuple[Board, Outlook], tmp_path: Path) -> None:
    clock = [1_000.0]
    faces = Faces(tmp_path, draw=dict, clock=lambda: clock[0])
    assert not faces.is_due("b1")
    FaceFiles(tmp_path).ask()
    clock[0] = (tmp_path / ASKED).stat().st_mtime + 10.0
    assert faces.is_due("b1")
    clock[0] += 300.0
    assert not faces.is_due("b1")


def test_a_face_is_drawn_once_for_each_board(both: tuple[Board, Outlook], tmp_path: Path) -> None:
    board, outlook = both
    FaceFiles(tmp_path).ask()
    faces = Faces(tmp_path, draw=lambda told: {"board_id": told["board_id"], "html": "<\n>"})
    assert faces.is_due(board.board_id)
    assert faces.show(outlook)
    assert not faces.is_due(board.board_id)
    face = FaceFiles(tmp_path).face()
    assert face is not None
    assert json.loads(face.text)["board_id"] == board.board_id
    assert b"\n" not in face.text
    assert [one.site for one in face.binding] == [row["site"] for row in outlook.binding()]


def test_a_face_that_fails_is_a_finding_and_the_old_one_stays(
    both: tuple[Board, Outlook], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A figure that is no number has no word in JSON: it is a fault, and no `NaN` goes out."""
    _, outlook = both
    (tmp_path / FACE).write_text("{}")
    faces = Faces(tmp_path, draw=lambda _: {"html": np.nan})
    assert not faces.show(outlook)
    assert [each.code for each in faces.findings] == ["FACE_NOT_MADE"]
    assert "ValueError" in capsys.readouterr().err
    assert (tmp_path / FACE).read_text() == "{}"
    faces._draw = dict
    assert faces.show(outlook)
    assert faces.findings == ()


def test_a_page_that_was_made_before_is_taken_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody waits for it; one that cannot be made is a finding, and no fault of boards."""
    folder, kept = tmp_path / "gateway", tmp_path / "kept"
    folder.mkdir()
    kept.mkdir()
    (kept / f"{page_key()}.html").write_text("<p>shell</p>")
    page = PageFile(folder, kept=kept)
    page.begin()
    shell = FaceFiles(folder).page()
    assert shell is not None and shell.body == b"<p>shell</p>"
    assert not page.look()
    (kept / f"{page_key()}.html").unlink()
    page.begin()  # it lies there already, made of the same
    assert page._process is None
    (folder / PAGE).unlink()
    monkeypatch.setattr(sys, "executable", shutil.which("false"))
    faces = Faces(folder, page=PageFile(folder, kept=kept))
    faces.begin()
    until_s = time.monotonic() + 20.0
    while not faces.look():
        assert time.monotonic() < until_s
        time.sleep(0.01)
    assert [each.code for each in faces.findings] == ["PAGE_NOT_MADE"]
    faces.close()


def test_a_maker_draws_while_somebody_looks(tmp_path: Path) -> None:
    """After its board, never before; what fails there is told and no board is late for it."""
    plan = worker_plan(load(SMALL), now_s=time.time(), clock_offset_s=AT.timestamp() - time.time())
    (tmp_path / "plan.json").write_bytes(encoded_plan(plan))
    drawn: list[str] = []

    def draw(told: Mapping[str, Any]) -> dict[str, Any]:
        drawn.append(told["board_id"])
        if len(drawn) == 2:
            raise KeyError("nothing of the kind")
        return {"board_id": told["board_id"]}

    maker = BoardMaker(SMALL, tmp_path, recorded=True, faces=Faces(tmp_path, draw=draw))
    maker.step()
    maker.show()
    assert drawn == []
    watch = BoardWatch(tmp_path, deployments=plan.deployments)
    watch.poll(maker.now_s())
    FaceFiles(tmp_path).ask()
    maker.show()
    maker.show()
    assert watch.board is not None
    assert drawn == [watch.board.board_id]
    assert json.loads((tmp_path / FACE).read_text())["board_id"] == watch.board.board_id
    maker._made = None  # as when the file was edited: another board is due
    maker.step()
    maker.show()
    watch.poll(maker.now_s())
    assert drawn == [drawn[0], watch.board.board_id]
    assert watch.maker is not None
    assert "FACE_NOT_MADE" in [each.code for each in watch.maker.findings]
