"""A board goes through a file and comes back the same, or not at all."""

import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from request_boards import board, candidate, rung, workload

from tokenergy.company.board_findings import board_findings
from tokenergy.errors import UnexpectedError
from tokenergy.routing.pacing import Pacing, PacingRule
from tokenergy.serve.board_file import decoded_board, encoded_board

PRICE = st.floats(-50.0, 1e4, allow_nan=False)
SHARE = st.floats(0.0, 1.0)
PACING = Pacing(
    budget="lab-day",
    unit="usd",
    start_s=0.0,
    end_s=86_400.0,
    budget_quantity=12.5,
    requests_count=1_000.0,
    mean_use_quantity=0.02,
    dual_usd_per_unit=0.3,
    worth_usd_per_unit=2.0,
    arrived_share=(0.0, 0.25, 1.0),
    rule=PacingRule(step_ratio=3.0),
)


def two_sites(**more):
    near = candidate("small@oslo", 0.1, share=0.75, features=frozenset({"vision", "tools"}))
    far = candidate("small@texas", 0.3, share=0.25, batch_slo_count=math.inf)
    best = rung(
        [near, far], ahead_usd_per_mtok=(0.1, 0.05, 0.2), reservation_usd_per_mtok=(3.0, 1.0)
    )
    worse = rung([candidate("tiny@oslo", 0.01)], quality_share=0.5, cap_tokens=100)
    load = workload([best, worse], release_mtok_per_h=(1.0, 0.0, 2.5), service_tier="flex")
    return board(load, **more)


def test_a_board_and_its_budgets_come_back_as_they_were() -> None:
    made = two_sites()
    told = decoded_board(encoded_board(made, [PACING]))
    assert told.findings == ()
    assert told.board == made
    assert told.pacings == (PACING,)


@given(prices=st.lists(st.tuples(PRICE, SHARE, PRICE), min_size=1, max_size=5), made_at_s=PRICE)
def test_every_number_survives_to_the_last_bit(prices, made_at_s) -> None:
    offers = [
        candidate(f"m@s{at}", high, share=share, low_usd_per_mtok=low)
        for at, (high, share, low) in enumerate(prices)
    ]
    made = board(workload([rung(offers)]), made_at_s=made_at_s)
    told = decoded_board(encoded_board(made))
    assert told.board == made
    assert told.board is not None
    assert told.board.board_id == made.board_id


def test_what_is_worked_out_does_not_travel() -> None:
    """The running minimum, orders and rows are made again: the file has none of them."""
    words = json.loads(encoded_board(two_sites()))
    best = words["workloads"][0][-1][0]
    assert len(best) == 7
    assert best[5] == [0.1, 0.05, 0.2]
    assert best[6] == [1.0, 3.0]


@pytest.mark.parametrize(
    "cut", [lambda text: text[:-40], lambda _: b"", lambda _: b"[]", lambda _: b"\xff\x00"]
)
def test_a_broken_file_is_a_finding(cut) -> None:
    told = decoded_board(cut(encoded_board(two_sites())))
    assert told.board is None
    assert [finding.code for finding in told.findings] == ["BOARD_UNREADABLE"]


def test_a_price_that_was_changed_on_its_way_is_told() -> None:
    text = encoded_board(two_sites()).replace(b"0.05", b"0.04")
    told = decoded_board(text)
    assert told.board is None
    assert [finding.code for finding in told.findings] == ["BOARD_DIGEST"]


def test_another_form_is_told() -> None:
    told = decoded_board(encoded_board(two_sites()).replace(b'"version":1', b'"version":2'))
    assert [finding.code for finding in told.findings] == ["BOARD_VERSION"]


def test_a_number_that_is_none_is_never_written() -> None:
    """JSON would say null, and null must not be read as a price of 0 or of infinity."""
    with pytest.raises(UnexpectedError, match="high_usd_per_mtok is nan"):
        encoded_board(board(workload([rung([candidate("m@s", math.nan)])])))


def test_a_budget_that_cannot_be_paced_leaves_the_board_alone() -> None:
    text = encoded_board(two_sites(), [PACING]).replace(b"12.5", b"-1.0")
    told = decoded_board(text)
    assert told.board is not None
    assert told.pacings == ()
    assert [finding.code for finding in told.findings] == ["BOARD_PACING"]


def test_a_board_that_came_back_passes_its_checks() -> None:
    told = decoded_board(encoded_board(two_sites()))
    assert told.board is not None
    assert board_findings(told.board, deployments=told.board.places) == ()
