"""Serve = simulate: what a gateway decided is decided again by the function the simulator calls.

The journal of a gateway under mixed traffic is read back. Request, board and state of each decision
are made again from its record alone (`api.explaining`), and `routing.decide` is asked as the
simulator asks it. Whose turn it was within a tie is no part of a record: the wheels are turned
again by the decisions and usages that the records tell, in their order.
"""

import threading
import time
from collections.abc import Mapping
from typing import Any

import pytest
from faulty_upstream import faulty_upstream
from gateway_world import MODEL, RunningWorld, board_of, plan_of, running
from msgspec.structs import replace
from request_boards import board, candidate, rung, workload

from tokenergy.api.explaining import request_again, state_again
from tokenergy.company.board import Board
from tokenergy.company.decision import Decision
from tokenergy.company.serving.plan import AccountPlan, LimitsPlan
from tokenergy.company.serving.record import Closed, Opened, Record, Refused
from tokenergy.routing.cost import Usage
from tokenergy.routing.decide import decide
from tokenergy.routing.pacing import Pacing
from tokenergy.routing.state import State
from tokenergy.serve.board_file import decoded_board, encoded_board
from tokenergy.serve.board_watch import BOARD
from tokenergy.serve.closing import decided_record

BUDGET = "lab"


class Replay:
    """Decides the records of one worker again, one after the other."""

    def __init__(self, boards: Mapping[str, Board]) -> None:
        self.boards = boards
        self.state: State | None = None
        self.open: dict[str, Decision] = {}
        self.decided_count = 0
        self.tied_count = 0

    def take(self, record: Record) -> None:
        """Decide a record again, and move the wheels as the gateway did."""
        if isinstance(record, Closed):
            self._settle(record.request_id, record.output_tokens)
        elif isinstance(record, Opened):
            self._settle(record.request_id, 0)  # held before, or its place failed
            again = self._again(record)
            assert self.state is not None
            self.state = self.state.admitted(again)
            self.open[record.request_id] = again
        elif isinstance(record, Refused) and record.decided is not None:
            self._again(record)

    def _again(self, record: Opened | Refused) -> Decision:
        assert record.decided is not None
        assert record.state is not None
        held = self.boards[record.board_id]
        request = request_again(record)
        state = state_again(record.state, held, request)
        if self.state is None:
            self.state = state
        self.state = self.state.refreshed(held)
        state = state._replace(counts=state.counts._replace(wheels=self.state.counts.wheels))
        again = decide(request, held, state)
        load = held.by_name.get(request.workload)
        rho_ratio = 0.0 if load is None else load.rho_ratio
        assert decided_record(again, rho_ratio) == record.decided
        self.decided_count += 1
        self.tied_count += len(again.tied) > 1
        return again

    def _settle(self, request_id: str, output_tokens: int) -> None:
        decision = self.open.pop(request_id, None)
        if decision is not None and self.state is not None:
            self.state = self.state.settled(Usage(decision, 0, 0, output_tokens, 0.0, 0.0))


def several_rungs(world: RunningWorld, prices: tuple[float, ...]) -> Board:
    """Return a board whose first rung ties two places 2 to 1, and whose second one is capped."""
    moment = time.time()
    start_s = moment - moment % 3600.0
    names = [one.deployment for one in world.plan.upstreams]

    def places() -> list[Any]:
        return [
            candidate(name, price, share=share, site=name.partition("@")[2])
            for name, price, share in zip(names, prices, (0.6, 0.3, 0.1), strict=True)
        ]

    ahead = (prices[0], 0.5, prices[0])
    loads = [
        workload(
            [
                rung(places(), ahead_usd_per_mtok=ahead),
                rung(places(), cap_tokens=50, quality_share=0.6, ahead_usd_per_mtok=ahead),
            ],
            name=load.name, tier=load.tier, service_tier=load.service_tier,
        )
        for load in world.plan.workloads
    ]  # fmt: skip
    return board(
        *loads, made_at_s=moment, start_s=start_s, valid_until_s=start_s + 3600.0
    )  # fmt: skip


def pacing(start_s: float, end_s: float) -> Pacing:
    """A budget that binds: its lambda begins at 0.3."""
    return Pacing(
        budget=BUDGET, unit="usd", start_s=start_s, end_s=end_s, budget_quantity=1.0,
        requests_count=1_000.0, mean_use_quantity=1e-3, dual_usd_per_unit=0.3,
        worth_usd_per_unit=2.0,
    )  # fmt: skip


def put(world: RunningWorld, made: Board) -> Board:
    """Put a board with the budget's plan in force, and return it as the worker has it."""
    text = encoded_board(made, (pacing(made.start_s, made.valid_until_s),))
    fresh = world.folder / "board.new"
    fresh.write_bytes(text)
    fresh.replace(world.folder / BOARD)
    told = decoded_board(text).board
    assert told is not None

    def is_in_force() -> bool:
        held = world.gateway.board
        return held is not None and held.board_id == told.board_id

    world.wait(is_in_force, "the board")
    return told


def mixed(world: RunningWorld, count: int) -> None:
    """Ask for all kinds of things, four at a time."""

    def some(first: int) -> None:
        for at in range(first, count, 4):
            more: dict[str, Any] = {}
            if at % 2:
                more["model"] = "chat-auto"
            if at % 3 == 0:
                more["max_tokens"] = 5 + at
            if at % 5 == 0:
                more["stream"] = True
            if at % 7 == 0:
                more |= {"service_tier": "flex", "x_tokenergy_deadline_s": "3500"}
            if at % 11 == 0:
                more["x_tokenergy_value_usd"] = "0.0000001"
            if at % 4 == 1:
                more["x_tokenergy_session"] = f"s{at % 8}"
            world.chat("word " * (at % 40), **more)

    threads = [threading.Thread(target=some, args=(first,)) for first in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def test_a_recorded_stream_is_decided_again_field_for_field() -> None:
    """Three sites, two rungs, a budget, sessions, failing servers, refusals, a change of prices."""
    accounts = (
        AccountPlan(
            name=f"budget:{BUDGET}", unit="nano_usd", limit=10**12, tier="free", window="day",
            time_zone="UTC",
        ),
    )  # fmt: skip
    with faulty_upstream() as near, faulty_upstream() as far, faulty_upstream() as third:
        urls = [one.url for one in (near, far, third)]
        for server in (near, far, third):
            server.always(completion_tokens=200)
        plan = plan_of(urls, accounts=accounts, limits=LimitsPlan(hold_s=1.0))
        with running(near, far, third, plan=plan) as world:
            boards = [put(world, several_rungs(world, (1.0, 1.0, 1.004)))]
            near.once(status=500)
            far.once(fault="reset")
            mixed(world, 60)
            boards.append(put(world, several_rungs(world, (4.0, 3.0, 3.0))))
            mixed(world, 60)
            records = world.records()
    replay = Replay({one.board_id: one for one in boards})
    for record in records:
        replay.take(record)
    kinds = {one.decided.action for one in records if isinstance(one, Opened)}
    assert replay.decided_count >= 120
    assert replay.tied_count >= 60
    assert {"serve", "cap"} <= kinds
    assert any(isinstance(one, Refused) and one.decided for one in records)
    assert any(one.decided.lambda_ratio > 0.0 for one in records if isinstance(one, Opened))
    assert any(one.state.last_deployment for one in records if isinstance(one, Opened))
    assert not replay.open


def test_held_work_is_decided_again_too() -> None:
    """Deferred to the next interval, and decided a second time at its begin."""
    with faulty_upstream() as near, running(near) as world:
        made = board_of(world.plan, prices_usd_per_mtok=(4.0,), ahead_usd_per_mtok=(4.0, 1.0, 4.0))
        world.put_board(made)
        world.gateway._offset_s = made.start_s + made.interval_s - 0.5 - time.time()
        assert world.chat("a", service_tier="flex").status_code == 200
        records = world.records()
        told = decoded_board(encoded_board(made)).board
        assert told is not None
    replay = Replay({told.board_id: told})
    for record in records:
        replay.take(record)
    assert [type(one) for one in records] == [Opened, Opened, Closed]
    assert replay.decided_count == 2


@pytest.mark.parametrize("field", ["score_usd", "deployment", "runner_up"])
def test_the_replay_would_tell_a_difference(field: str) -> None:
    with faulty_upstream() as near, running(near) as world:
        assert world.chat("a").status_code == 200
        opened = world.records()[0]
        held = world.gateway.board
        assert held is not None
        assert isinstance(opened, Opened)
    other = 1.0 if field == "score_usd" else MODEL
    wrong = replace(opened, decided=replace(opened.decided, **{field: other}))
    with pytest.raises(AssertionError):
        Replay({held.board_id: held}).take(wrong)
