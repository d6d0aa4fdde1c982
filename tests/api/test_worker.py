"""What joins a worker's parts: ids of requests, and what readiness says of prices."""

from itertools import pairwise
from pathlib import Path

import msgspec
from request_boards import board, candidate, rung, workload

from tokenergy.api.opened import load
from tokenergy.api.worker import MAKER_SILENT_S, board_probe, request_ids
from tokenergy.api.worker_plan import worker_plan
from tokenergy.serve.board_file import encoded_board
from tokenergy.serve.board_watch import BOARD, FINDINGS, BoardWatch, MakerFinding, MakerTold

SMALL = Path(__file__).parents[1] / "small.yaml"


def test_ids_of_requests_are_in_the_order_of_time_and_never_alike() -> None:
    plan = worker_plan(load(SMALL), now_s=0.0)
    one, two = request_ids(plan), request_ids(plan)
    first = [one() for _ in range(1_000)]
    assert all(early < late for early, late in pairwise(first))
    assert not set(first) & {two() for _ in range(1_000)}


def test_readiness_tells_prices_that_lack_and_a_maker_that_fails(tmp_path) -> None:
    plan = worker_plan(load(SMALL), now_s=0.0)
    names = plan.deployments
    watch = BoardWatch(tmp_path, deployments=names)
    now = [10.0]
    probe = board_probe(watch, plan, lambda: now[0])
    assert probe().standing == "failed"
    offers = [candidate(name, 1.0, share=1.0 / len(names)) for name in names]
    (tmp_path / BOARD).write_bytes(encoded_board(board(workload([rung(offers)]))))
    watch.poll(10.0)
    assert probe().standing == "degraded"  # nobody heard of the maker

    def say(*findings: MakerFinding) -> None:
        told = MakerTold(at_s=now[0], findings=findings)
        (tmp_path / FINDINGS).write_bytes(msgspec.json.encode(told))
        watch.poll(now[0])

    say()
    assert probe().standing == "ok"
    say(MakerFinding(code="PRICE_ASSUMED", path="p", reason="r", remedy="x", severity="warning"))
    assert probe().standing == "ok"
    say(
        MakerFinding(
            code="PRICE_NOT_CURRENT", path="texas", reason="none", remedy="x", severity="w"
        )
    )
    told = probe()
    assert told.standing == "degraded"
    assert "texas" in told.text
    say()
    now[0] += MAKER_SILENT_S + 1.0
    assert probe().standing == "degraded"
