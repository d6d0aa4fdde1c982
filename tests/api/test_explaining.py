"""Explaining: what was decided comes out of the ledger and the board again."""

import json
from pathlib import Path

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from request_boards import board, candidate, request, rung, workload
from served_records import closed, opened, plan, refused

import tokenergy as te
from tokenergy.api.explaining import explain
from tokenergy.cli.show_explain import explained as shown
from tokenergy.company.board import Board
from tokenergy.company.decision import Decision
from tokenergy.company.request import Request
from tokenergy.company.serving.plan import encoded_plan
from tokenergy.company.serving.record import Opened, Refused
from tokenergy.routing.decide import decide
from tokenergy.routing.pacing import Pacer, Pacing
from tokenergy.routing.state import State
from tokenergy.serve.board_file import encoded_board
from tokenergy.serve.closing import asked_record, decided_record, snapshot_of
from tokenergy.store.projector import Projector
from tokenergy.store.segments import SegmentJournal

BUDGET = Pacing(
    budget="b", unit="usd", start_s=0.0, end_s=86_400.0, budget_quantity=10.0,
    requests_count=100.0, mean_use_quantity=0.002, dual_usd_per_unit=0.5, worth_usd_per_unit=1.0,
)  # fmt: skip


def journalled(asked: Request, decision: Decision, state: State, made: Board) -> Opened | Refused:
    """Return what the gateway writes down about a decision."""
    facts = {
        "board_id": made.board_id, "workload": asked.workload, "tenant": asked.tenant,
        "tier": asked.tier, "asked": asked_record(asked),
        "decided": decided_record(decision, made.by_name[asked.workload].rho_ratio),
        "state": snapshot_of(state, decision),
    }  # fmt: skip
    if decision.action == "refuse":
        return refused(asked.request_id, at_s=state.now_s, **facts)
    return opened(asked.request_id, at_s=state.now_s, site="a", **facts)


def kept(base: Path, made: Board, records: list[Opened | Refused], *, with_board: bool = True):
    """Return a ledger with requests, as a gateway leaves it."""
    folder, ledger = base / "serve", base / "ledger.sqlite"
    folder.mkdir()
    (folder / "plan.json").write_bytes(encoded_plan(plan()))
    if with_board:
        (folder / "board.json").write_bytes(encoded_board(made))
    with SegmentJournal(folder / "journal" / "1", worker=1, limit_bytes=10**8) as journal:
        for record in records:
            journal.write(record)
            if isinstance(record, Opened):
                journal.write(closed(record.request_id, at_s=record.at_s + 1.0))
    projector = Projector(folder, ledger)
    while projector.step():
        pass
    projector.close()
    return ledger


@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    prices=st.lists(st.floats(0.1, 8.0), min_size=1, max_size=4),
    ahead=st.lists(st.floats(0.1, 8.0), min_size=1, max_size=5),
    deadline_s=st.one_of(st.none(), st.floats(0.0, 20_000.0)),
    busy=st.lists(st.integers(0, 100), min_size=4, max_size=4),
    lambda_ratio=st.floats(0.0, 3.0),
    session=st.booleans(),
)
def test_a_decision_comes_out_of_the_ledger_again(
    tmp_path_factory: pytest.TempPathFactory,
    prices: list[float],
    ahead: list[float],
    deadline_s: float | None,
    busy: list[int],
    lambda_ratio: float,
    session: bool,
) -> None:
    places = [candidate(f"m@{at}", price, kappa_ratio=0.2) for at, price in enumerate(prices)]
    load = workload([rung(places, ahead_usd_per_mtok=ahead)], rho_ratio=0.5)
    made = board(load, valid_until_s=1e9, refresh_s=1e9)
    state = State.opened(made, now_s=100.0, pacers=[Pacer(BUDGET, lambda_ratio, 5.0, 10.0)])
    state = state.with_scraped({f"m@{at}": count for at, count in enumerate(busy)})
    mine = request(
        request_id="r1", deadline_s=deadline_s, budgets=("b",),
        session="s" if session else None,
    )  # fmt: skip
    before = decide(mine, made, state)
    if session:
        state = state.admitted(before)
    decision = decide(mine, made, state)
    ledger = kept(
        tmp_path_factory.mktemp("explain"), made, [journalled(mine, decision, state, made)]
    )
    found = explain("r1", [ledger])
    assert found.differences == () and found.agrees
    assert found.decided is not None and found.decided.action == decision.action
    assert found.chosen is not None
    if decision.action != "refuse":
        assert found.chosen.score_usd == decision.score_usd
        assert found.chosen.deployment == decision.deployment
    json.dumps(found.to_dict(), allow_nan=False)


def _case() -> tuple[Board, Request, State]:
    made = board(
        workload([rung([candidate("m@a", 1.0), candidate("m@b", 2.0)])]),
        valid_until_s=1e9, refresh_s=1e9,
    )  # fmt: skip
    return made, request(request_id="r1"), State.opened(made, now_s=100.0)


def test_a_decision_that_was_not_the_one_is_told(tmp_path: Path, capsys) -> None:
    made, mine, state = _case()
    record = journalled(mine, decide(mine, made, state), state, made)
    wrong = msgspec.structs.replace(
        record, decided=msgspec.structs.replace(record.decided, deployment="m@b", score_usd=0.5)
    )
    found = te.explain("r1", [kept(tmp_path, made, [wrong])])
    assert not found.agrees and len(found.differences) == 2
    assert "deployment is 'm@a' now and was 'm@b'" in found.differences
    shown(found)
    told = capsys.readouterr().out
    assert "differs: deployment" in told and "chosen" in told


def test_it_is_shown_for_people(tmp_path: Path, capsys) -> None:
    made, mine, state = _case()
    ledger = kept(tmp_path, made, [journalled(mine, decide(mine, made, state), state, made)])
    shown(explain("r1", [ledger]))
    told = capsys.readouterr().out
    assert "m@b" in told and "refuse" in told and "the same" in told


def test_what_cannot_be_decided_again_says_why(tmp_path: Path) -> None:
    made, mine, state = _case()
    early = refused(
        "x1", at_s=100.0, asked=None, decided=None, state=None, code="rate_limit_exceeded"
    )
    records = [journalled(mine, decide(mine, made, state), state, made), early]
    ledger = kept(tmp_path, made, records, with_board=False)
    found = explain("r1", [ledger])
    assert not found.agrees and "is not in the ledger" in found.differences[0]
    found = explain("x1", [ledger])
    assert found.told == "refused with 429 rate_limit_exceeded" and found.decided is None
    with pytest.raises(te.TokenergyError, match="'nothing' is in no ledger"):
        explain("nothing", [ledger])
