"""What a worker tells of its moment, and where tokens came from against the dispatch's shares."""

from collections.abc import Mapping
from types import SimpleNamespace
from typing import Any, cast

import pytest
from request_boards import board, candidate, request, rung, workload
from serve_plans import plan_of, upstream_of
from served_records import closed

from tokenergy.company.board import PART_NAMES, Board
from tokenergy.company.finding import Finding
from tokenergy.routing.decide import decide
from tokenergy.routing.pacing import Pacer, Pacing
from tokenergy.routing.state import State
from tokenergy.serve.board_watch import MakerFinding, MakerTold
from tokenergy.serve.counting import Served
from tokenergy.serve.gateway_metrics import GAUGES, Tally
from tokenergy.serve.gauges import gauge

HOUR_S = 3600.0


class World:
    """What `gauge` reads of a gateway, stated by hand."""

    def __init__(self, made: Board | None, *, now_s: float, **more: Any) -> None:
        self.tally, self.served, self.board, self._now_s = Tally(), Served(), made, now_s
        self.state = None if made is None else State.opened(made, now_s=now_s, **more)
        self.plan = plan_of(upstream_of("u1", "large@paris"), upstream_of("u2", "large@oslo"))
        self.journal = SimpleNamespace(bytes_count=1024)
        self.holding = SimpleNamespace(by_tier=lambda: {"slow": 3})
        self.circuits: dict[str, str] = {"u1": "open"}
        self.pool = SimpleNamespace(circuits=lambda: self.circuits)
        self.watch = SimpleNamespace(findings=(), maker=None)

    def now_s(self) -> float:
        return self._now_s

    def told(self) -> Mapping[tuple[str, tuple[str, ...]], float]:
        gauge(cast(Any, self))
        return self.tally.gauges


def a_board(*prices: tuple[str, float, float], **more: Any) -> Board:
    """A board whose workload `chat` may go to these deployments, each at a price with a share."""
    places = [
        candidate(name, usd, share=share, site=name.partition("@")[2].partition("-")[0])
        for name, usd, share in prices
    ]
    return board(workload([rung(places)]), **more)


def test_without_a_board_servers_journal_and_held_requests_are_told() -> None:
    told = World(None, now_s=0.0).told()
    assert told["tokenergy_gateway_journal_limit_bytes", ()] > 0
    assert told["tokenergy_gateway_held_requests_count", ("slow",)] == 3
    assert told["tokenergy_gateway_server_up", ("u1", "here", "m")] == 0.0
    assert not [name for name, _ in told if "board" in name or "marginal" in name]


def test_a_server_that_could_not_be_made_is_not_up() -> None:
    world = World(None, now_s=0.0)
    world.circuits = {"u1": "half_open"}
    told = world.told()
    assert told["tokenergy_gateway_server_up", ("u1", "here", "m")] == 1.0
    assert told["tokenergy_gateway_server_up", ("u2", "here", "m")] == 0.0


def test_of_two_fleets_at_a_site_the_cheaper_ones_price_is_told_and_all_requests() -> None:
    """Paris has two fleets, 3 and 1 USD/Mtok: a token there costs 1; 2 and 5 requests are 7."""
    made = a_board(("large@paris-a", 3.0, 0.2), ("large@paris-b", 1.0, 0.8))
    world = World(made, now_s=made.start_s)
    assert world.state is not None
    counts = world.state.counts._replace(in_flight=(2, 5))
    world.state = world.state._replace(counts=counts)
    told = world.told()
    name = "tokenergy_marginal_cost_usd_per_mtok"
    prices = {labels[3]: usd for (of, labels), usd in told.items() if of == name}
    assert prices == {"energy": 1.0, **dict.fromkeys(PART_NAMES[1:], 0.0)}
    assert told["tokenergy_gateway_in_flight_count", ("paris", "large")] == 7


def test_a_place_that_is_on_the_board_no_more_is_told_no_more() -> None:
    made = a_board(("large@paris", 3.0, 0.5), ("large@oslo", 1.0, 0.5))
    world = World(made, now_s=made.start_s)
    assert ("tokenergy_gateway_in_flight_count", ("paris", "large")) in world.told()
    world.board = a_board(("large@oslo", 1.0, 1.0))
    world.state = State.opened(world.board, now_s=made.start_s)
    assert {labels[0] for name, labels in world.told() if "in_flight" in name} == {"oslo"}


@pytest.mark.parametrize(
    ("late_s", "stale", "policy"), [(0.0, 0.0, "mpc"), (HOUR_S, 1.0, "reserve")]
)
def test_a_stale_board_says_so_beside_its_policy(late_s: float, stale: float, policy: str) -> None:
    made = a_board(("large@paris", 3.0, 1.0), policy="mpc")
    told = World(made, now_s=made.start_s + late_s).told()
    assert told["tokenergy_gateway_board_stale", ()] == stale
    assert told["tokenergy_gateway_safe_mode", ()] == 0.0
    assert [labels for name, labels in told if name.endswith("board_policy")] == [(policy,)]


@pytest.mark.parametrize(("unit", "name"), [("usd", "usd"), ("j", "joules")])
def test_a_budget_tells_what_it_held_what_is_left_and_how_late_it_is(unit: Any, name: str) -> None:
    """A window of 4 h, of which 1 h is over: a quarter; 100 at its start, 30 left."""
    made = a_board(("large@paris", 3.0, 1.0))
    pacing = Pacing(
        budget="lab", unit=unit, start_s=made.start_s,
        end_s=made.start_s + 4 * HOUR_S, budget_quantity=100.0, requests_count=10.0,
        mean_use_quantity=1.0, dual_usd_per_unit=0.0, worth_usd_per_unit=1.0,
    )  # fmt: skip
    pacer = Pacer(pacing, 0.5, 30.0, 4.0)
    told = World(made, now_s=made.start_s + HOUR_S, pacers=(pacer,)).told()
    assert told[f"tokenergy_gateway_budget_limit_{name}", ("lab",)] == 100.0
    assert told[f"tokenergy_gateway_budget_left_{name}", ("lab",)] == 30.0
    assert told["tokenergy_gateway_budget_elapsed_share", ("lab",)] == 0.25
    assert told["tokenergy_gateway_budget_lambda", ("lab",)] == 0.5


def test_findings_are_told_by_code_and_gone_when_they_are_mended() -> None:
    world = World(None, now_s=0.0)
    mine = Finding(code="BOARD_ODD", path="b", reason="r", remedy="m", severity="warning")
    his = MakerFinding(code="PRICE_STALE", path="p", reason="r", remedy="m", severity="warning")
    world.watch = SimpleNamespace(findings=(mine,), maker=MakerTold(at_s=0.0, findings=(his, his)))
    told = world.told()
    name = "tokenergy_gateway_findings_count"
    assert told[name, ("PRICE_STALE", "warning")] == 2.0
    assert told[name, ("BOARD_ODD", "warning")] == 1.0
    world.watch = SimpleNamespace(findings=(), maker=None)
    assert not [of for of, _ in world.told() if of == name]


def test_every_gauge_of_a_moment_is_declared() -> None:
    made = a_board(("large@paris", 3.0, 1.0))
    told = World(made, now_s=made.start_s).told()
    for name, labels in told:
        assert len(labels) == len(GAUGES[name][1])


# ---- shares ------------------------------------------------------------------------------


def shares(served: Served, tally: Tally) -> dict[tuple[str, str], float]:
    served.told(tally)
    return {
        (labels[0], labels[2]): tokens
        for (name, labels), tokens in tally.counts.items()
        if name == "tokenergy_share_tokens"
    }


def test_tokens_are_counted_where_they_came_from_and_where_they_were_meant_to() -> None:
    """100 tokens at oslo of a board that means 3 of 4 for paris: 75 there and 25 at oslo."""
    made = a_board(("large@paris", 1.0, 0.75), ("large@oslo", 1.0, 0.25))
    decision = decide(request(), made, State.opened(made, now_s=made.start_s))
    served, tally = Served(), Tally()
    for tokens in (60, 40):
        record = closed(site="oslo", model="large", output_tokens=tokens)
        served.place(made, tally, decision, record)
    expected = {
        ("oslo", "served"): 100.0, ("paris", "planned"): 75.0, ("oslo", "planned"): 25.0,
    }  # fmt: skip
    assert shares(served, tally) == pytest.approx(expected)
    assert shares(served, tally) == pytest.approx(expected), "told twice, counted once"


def test_where_the_dispatch_meant_nobody_there_is_no_share_to_miss() -> None:
    made = a_board(("large@paris", 1.0, 0.0))
    decision = decide(request(), made, State.opened(made, now_s=made.start_s))
    served, tally = Served(), Tally()
    served.place(made, tally, decision, closed(site="paris", model="large"))
    served.place(None, tally, decision, closed(site="paris", model="large"))
    assert not shares(served, tally)
