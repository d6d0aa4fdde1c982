"""What the gateway's boards add to the simulator's: servers that never sleep, tenants' shares."""

from datetime import UTC, datetime
from pathlib import Path

import msgspec
import pytest
import yaml

from tokenergy.api.board_intervals import BoardIntervals
from tokenergy.api.live_company import LiveCompany, live_company
from tokenergy.api.opened import load
from tokenergy.api.worker_plan import worker_plan
from tokenergy.company.serving.plan import TenantPlan, WorkerPlan

SMALL = Path(__file__).parents[1] / "small.yaml"
NOON = datetime(2026, 11, 26, 12, 10, tzinfo=UTC)


@pytest.fixture(scope="module")
def live(tmp_path_factory) -> LiveCompany:
    return live_company(SMALL, now=NOON, folder=tmp_path_factory.mktemp("data"))


@pytest.fixture(scope="module")
def plan() -> WorkerPlan:
    return worker_plan(load(SMALL), now_s=NOON.timestamp())


def awake(live: LiveCompany, plan: WorkerPlan) -> dict[str, float]:
    intervals = BoardIntervals(live, plan)
    at = live.index_at(NOON.timestamp())
    made, _ = intervals.board(at, made_at_s=NOON.timestamp())
    return {
        one.deployment: one.awake_count
        for load_ in made.workloads
        for rung in load_.rungs
        for one in rung.candidates
    }


def test_a_real_server_is_never_asleep(live, plan) -> None:
    """Frankfurt's 900 GPUs between its two models: 450 // 4 = 112 replicas of the large one."""
    simulated = awake(live, plan)
    assert min(simulated.values()) >= 1.0
    real = msgspec.structs.replace(
        plan,
        upstreams=tuple(
            msgspec.structs.replace(each, kind="openai", url="http://127.0.0.1:1")
            for each in plan.upstreams
        ),
    )
    seen = awake(live, real)
    assert seen["large@frankfurt-h100"] >= 112.0
    assert seen["small@frankfurt-h100"] >= 450.0
    assert all(seen[name] >= count for name, count in simulated.items())


def test_the_same_interval_is_solved_once(live, plan) -> None:
    intervals = BoardIntervals(live, plan)
    at = live.index_at(NOON.timestamp())
    one, _ = intervals.board(at, made_at_s=NOON.timestamp())
    two, _ = intervals.board(at, made_at_s=NOON.timestamp() + 300.0)
    assert one.board_id != two.board_id
    assert one.workloads == two.workloads


def test_a_tenants_budget_expects_its_part_of_the_requests(tmp_path, plan) -> None:
    """Two tenants that may ask for chat: each is taken to send half of its requests."""
    tree = yaml.safe_load(SMALL.read_text())
    tree["budgets"] = [
        {"name": "all", "tier": "chat", "usd": 50, "window": "day", "time_zone": "UTC"},
    ]
    tree["serve"] = {
        "tenants": [
            {"name": "shop", "tiers": ["chat"], "origin": "europe"},
            {"name": "lab", "tiers": ["chat", "nightly"], "origin": "europe"},
        ],
    }
    tree["budgets"].append(tree["budgets"][0] | {"name": "labs", "tenant": "lab"})
    path = tmp_path / "small.yaml"
    path.write_text(yaml.safe_dump(tree))
    two = msgspec.structs.replace(
        plan,
        tenants=tuple(
            TenantPlan(name=name, tiers=("chat",), origin="europe") for name in ("shop", "lab")
        ),
    )
    live = live_company(path, now=NOON, folder=tmp_path)
    intervals = BoardIntervals(live, two)
    _, (all_, labs) = intervals.board(live.index_at(NOON.timestamp()), made_at_s=NOON.timestamp())
    assert (all_.budget, labs.budget) == ("all", "labs")
    assert labs.requests_count == pytest.approx(all_.requests_count / 2.0)
    assert labs.dual_usd_per_unit <= all_.dual_usd_per_unit
