"""The board maker: a board for each interval, ahead of its edge, and words where there is none."""

import itertools
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec
import pytest
import yaml
from feed_server import FeedServer, Told, day_ahead, energy_charts
from feed_server_more import door

from tokenergy.api.board_intervals import BoardIntervals
from tokenergy.api.board_maker import BoardMaker
from tokenergy.api.opened import load
from tokenergy.api.worker_plan import worker_plan
from tokenergy.company.serving.plan import encoded_plan
from tokenergy.errors import InfeasibleProgram
from tokenergy.routing.decide import decide
from tokenergy.routing.state import State
from tokenergy.serve.board_watch import NEXT_BOARD, BoardWatch

SMALL = Path(__file__).parents[1] / "small.yaml"
NOON = datetime(2026, 11, 26, 12, 10, tzinfo=UTC)
HOUR_S = 3600.0


class Clock:
    def __init__(self, moment: datetime) -> None:
        self.s = moment.timestamp()

    def __call__(self) -> float:
        return self.s


class Bench:
    """A maker with its clock, and a worker's eye on what it makes."""

    def __init__(self, company: Path, folder: Path, clock: Clock, **more) -> None:
        self.clock, self.folder = clock, folder
        folder.mkdir(exist_ok=True)
        every_s = more.pop("every_s", 300.0)
        offset_s = more.pop("offset_s", 0.0)
        plan = worker_plan(load(company), now_s=clock.s, clock_offset_s=offset_s)
        self.plan = msgspec.structs.replace(plan, board_every_s=every_s)
        (folder / "plan.json").write_bytes(encoded_plan(self.plan))
        self.maker = BoardMaker(company, folder, clock=clock, **more)
        self.watch = BoardWatch(folder, deployments=self.plan.deployments)

    def step(self) -> float:
        wait_s = self.maker.step()
        self.watch.poll(self.maker.now_s())
        return wait_s

    def live_until(self, end_s: float) -> None:
        """Step as the process does, and look as a worker does."""
        while self.clock.s < end_s:
            self.clock.s = min(end_s, self.clock.s + max(0.05, self.step()))
        self.watch.poll(self.maker.now_s())

    @property
    def codes(self) -> list[str]:
        assert self.watch.maker is not None
        return [finding.code for finding in self.watch.maker.findings]


def two_budgets(tmp_path: Path) -> Path:
    tree = yaml.safe_load(SMALL.read_text())
    tree["budgets"] = [
        {"name": "chat-day", "tier": "chat", "usd": 50, "window": "day", "time_zone": "UTC"},
        {"name": "all-hour", "mwh": 2, "window": "hour", "time_zone": "UTC"},
    ]
    path = tmp_path / "budgets.yaml"
    path.write_text(yaml.safe_dump(tree))
    return path


def test_the_first_board_is_the_gateways(tmp_path) -> None:
    clock = Clock(NOON)
    bench = Bench(SMALL, tmp_path / "data", clock)
    bench.step()
    board = bench.watch.board
    assert board is not None
    noon_s = NOON.replace(minute=0).timestamp()
    assert (board.start_s, board.valid_until_s) == (noon_s, noon_s + HOUR_S)
    assert (board.made_at_s, board.refresh_s) == (clock.s, 300.0)
    assert board.policy == "mpc"
    assert bench.watch.price_missing(bench.plan.deployments) == ()
    assert bench.watch.findings == ()
    for load_ in board.workloads:
        assert all(len(rung.reservation_usd_per_mtok) == 7 * 24 for rung in load_.rungs)
        assert all(one.slots_count > 0.0 for rung in load_.rungs for one in rung.candidates)


def test_boards_follow_each_other_without_a_gap(tmp_path) -> None:
    """Over two edges a worker that looks at every step never finds its board stale."""
    clock = Clock(NOON)
    bench = Bench(SMALL, tmp_path / "data", clock)
    bench.step()
    seen, starts = [], set()
    end_s = clock.s + 2.1 * HOUR_S
    while clock.s < end_s:
        wait_s = bench.step()
        board = bench.watch.board
        assert board is not None
        assert not board.is_stale(clock.s)
        assert board.start_s <= clock.s < board.valid_until_s
        seen.append(board.made_at_s)
        starts.add(board.start_s)
        clock.s += max(0.05, wait_s)
        bench.watch.poll(clock.s)
    assert len(starts) == 3
    assert seen == sorted(seen)
    assert max(late - early for early, late in itertools.pairwise(seen)) <= 310.0


def test_the_next_board_waits_for_its_hour(tmp_path) -> None:
    clock = Clock(NOON)
    bench = Bench(SMALL, tmp_path / "data", clock)
    edge_s = NOON.replace(minute=0).timestamp() + HOUR_S
    bench.step()
    clock.s = edge_s - 20.0
    bench.step()
    assert (bench.folder / NEXT_BOARD).exists()
    before = bench.watch.board
    assert before is not None
    clock.s = edge_s
    assert bench.watch.poll(clock.s)  # before the maker has done anything
    after = bench.watch.board
    assert after is not None
    assert after.start_s == edge_s
    bench.step()
    assert not (bench.folder / NEXT_BOARD).exists()
    assert bench.watch.board is after


def test_a_recorded_horizon_is_played_with_an_offset_and_ends(tmp_path) -> None:
    """The small company's second day from 22:30 on: two boards, and then none."""
    clock = Clock(NOON)
    at = datetime(2026, 3, 3, 22, 30, tzinfo=UTC)
    bench = Bench(SMALL, tmp_path / "data", clock, offset_s=at.timestamp() - clock.s, recorded=True)
    bench.step()
    board = bench.watch.board
    assert board is not None
    assert board.start_s == at.replace(minute=0).timestamp()
    bench.live_until(clock.s + 1.4 * HOUR_S)
    last = bench.watch.board
    assert last is not None
    assert last.start_s == at.replace(hour=23, minute=0).timestamp()
    bench.live_until(clock.s + 0.5 * HOUR_S)
    assert bench.codes == ["BOARD_NOT_MADE"]
    assert bench.watch.board is not None
    assert bench.watch.board.is_stale(bench.maker.now_s())


def test_what_waits_and_is_stored_survives_a_restart(tmp_path) -> None:
    """A maker that starts again in the same hour makes the same prices, and so does the next."""
    clock = Clock(NOON)
    folder = tmp_path / "data"
    bench = Bench(SMALL, folder, clock)
    bench.live_until(clock.s + 1.0 * HOUR_S)
    held = bench.watch.board
    again = Bench(SMALL, folder, clock)
    again.step()
    fresh = again.watch.board
    assert held is not None
    assert fresh is not None
    assert fresh.start_s == held.start_s
    for one, two in zip(held.workloads, fresh.workloads, strict=True):
        for left, right in zip(one.rungs, two.rungs, strict=True):
            assert [c.high_usd_per_mtok for c in left.candidates] == pytest.approx(
                [c.high_usd_per_mtok for c in right.candidates], rel=1e-6
            )


def test_a_broken_edit_leaves_what_was_read_and_says_why(tmp_path) -> None:
    """Boards go on by what stood there before; the findings name the line."""
    clock = Clock(NOON)
    path = tmp_path / "small.yaml"
    path.write_text(SMALL.read_text())
    bench = Bench(path, tmp_path / "data", clock)
    bench.step()
    held = bench.watch.board
    path.write_text(SMALL.read_text().replace("import_limit_mw: 3", "import_limit_mw: minus"))
    bench.live_until(clock.s + 320.0)
    assert "WRONG_TYPE" in bench.codes
    fresh = bench.watch.board
    assert fresh is not held
    assert fresh is not None
    assert fresh.policy == "mpc"
    path.write_text(SMALL.read_text())
    bench.live_until(clock.s + 10.0)
    assert "WRONG_TYPE" not in bench.codes


def test_a_program_that_cannot_be_solved_leaves_the_last_board_to_grow_stale(
    tmp_path, monkeypatch
) -> None:
    clock = Clock(NOON)
    bench = Bench(SMALL, tmp_path / "data", clock)
    bench.step()
    held = bench.watch.board
    assert held is not None

    def unsolved(*_: object, **__: object) -> None:
        raise InfeasibleProgram("nothing keeps the limit of 3 MW")

    with monkeypatch.context() as patch:
        patch.setattr(BoardIntervals, "board", unsolved)
        bench.live_until(clock.s + 610.0)
    assert bench.codes == ["BOARD_NOT_MADE"]
    assert bench.watch.board is held
    assert held.is_stale(clock.s)
    bench.live_until(clock.s + 65.0)
    assert bench.watch.board is not held
    assert not bench.watch.board.is_stale(clock.s)  # type: ignore[union-attr]


def test_an_edited_limit_makes_a_board_at_once(tmp_path) -> None:
    clock = Clock(NOON)
    path = tmp_path / "small.yaml"
    path.write_text(SMALL.read_text())
    bench = Bench(path, tmp_path / "data", clock)
    bench.step()
    held = bench.watch.board
    path.write_text(SMALL.read_text().replace("import_limit_mw: 3", "import_limit_mw: 0.9"))
    bench.live_until(clock.s + 6.0)
    assert bench.watch.board is not held


def test_other_deployments_need_a_restart(tmp_path) -> None:
    clock = Clock(NOON)
    path = tmp_path / "small.yaml"
    path.write_text(SMALL.read_text())
    bench = Bench(path, tmp_path / "data", clock)
    bench.step()
    path.write_text(SMALL.read_text().replace("frankfurt-h100", "frankfurt-gpus"))
    bench.live_until(clock.s + 6.0)
    assert "SERVE_RESTART_NEEDED" in bench.codes


def test_budgets_come_with_the_board_and_windows_keep_their_plan(tmp_path) -> None:
    clock = Clock(NOON)
    bench = Bench(two_budgets(tmp_path), tmp_path / "data", clock)
    bench.step()
    hour, day = bench.watch.pacings
    assert (hour.budget, day.budget) == ("all-hour", "chat-day")
    midnight_s = NOON.replace(hour=0, minute=0).timestamp()
    assert (day.start_s, day.end_s) == (midnight_s, midnight_s + 24 * HOUR_S)
    assert hour.budget_quantity == pytest.approx(2 * 3.6e9)
    bench.live_until(clock.s + HOUR_S)
    next_hour, same_day = bench.watch.pacings
    assert next_hour.start_s == hour.end_s
    assert same_day == day


@pytest.mark.slow
def test_feeds_stop_and_come_back(tmp_path) -> None:
    """Gateway sheet, test 13: `reserve` within two periods, in every decision, and back by itself.

    Slow: it opens the company once a period, as a gateway with feeds does.
    """
    clock = Clock(NOON)
    start = datetime(2026, 11, 16, tzinfo=UTC)
    hours = round((NOON.replace(minute=0) - start) / timedelta(hours=1)) + 1  # this hour is known
    tree = yaml.safe_load(SMALL.read_text())
    with FeedServer() as server:
        tree["observe"] = {
            "price_feeds": [
                {"site": "texas", "feed": "energy-charts", "zone": "DE-LU", "base_url": server.url,
                 "usd_per_unit": 1.0, "rate_note": "made up"}
            ]
        }  # fmt: skip
        path = tmp_path / "small.yaml"
        path.write_text(yaml.safe_dump(tree))
        server.say("/price", energy_charts(day_ahead(start, [40.0] * hours)))
        with door(NOON) as http:
            bench = Bench(path, tmp_path / "data", clock, http=http)
            bench.step()
            assert _policies(bench) == {"mpc"}
            server.say("/price", Told(b"gone", status=404))
            bench.live_until(NOON.replace(minute=59).timestamp())
            assert _policies(bench) == {"mpc"}  # what it said of this hour stands
            edge_s = NOON.replace(minute=0).timestamp() + HOUR_S
            bench.live_until(edge_s + 600.0)
            assert "PRICE_NOT_CURRENT" in bench.codes
            assert _policies(bench) == {"reserve"}
            server.say("/price", energy_charts(day_ahead(start, [40.0] * (hours + 24))))
            bench.live_until(clock.s + 65.0)
            assert "PRICE_NOT_CURRENT" not in bench.codes
            assert _policies(bench) == {"mpc"}


def _policies(bench: Bench) -> set[str]:
    """Return the policy of a decision on a request of each workload."""
    from tokenergy.company.request import Request

    board = bench.watch.board
    assert board is not None
    state = State.opened(board, now_s=bench.maker.now_s())
    return {
        decide(
            Request(
                request_id="r", tenant="t", tier=load_.tier, workload=load_.name, origin="europe",
                arrival_s=state.now_s, input_tokens=100, output_tokens=100,
            ),
            board,
            state,
        ).policy
        for load_ in board.workloads
    }  # fmt: skip
