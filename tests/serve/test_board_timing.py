"""How long a simulated server takes: as the board says at its operating point, else by the load."""

import pytest
from request_boards import board, candidate, rung, workload

from tokenergy.serve.board_file import encoded_board
from tokenergy.serve.board_timing import UNKNOWN_TPOT_S, UNKNOWN_TTFT_S, DeploymentTiming
from tokenergy.serve.board_watch import BOARD, BoardWatch


def test_times_follow_the_load(tmp_path) -> None:
    """10 replicas of 10 requests: at 100 the board's times, at 200 twice them, alone half a token.

    At 0 requests a token takes 0.5 x 0.01 s; at 50, (0.5 + 0.5 x 0.5) x 0.01 = 0.0075 s.
    """
    watch = BoardWatch(tmp_path, deployments=("m@s",))
    timing = DeploymentTiming(watch, "m@s")
    assert timing.of(0) == (UNKNOWN_TTFT_S, pytest.approx(0.5 * UNKNOWN_TPOT_S))
    (tmp_path / BOARD).write_bytes(encoded_board(board(workload([rung([candidate("m@s", 1.0)])]))))
    watch.poll(0.0)
    assert timing.of(0) == (0.2, pytest.approx(0.005))
    assert timing.of(50) == (0.2, pytest.approx(0.0075))
    assert timing.of(100) == (0.2, pytest.approx(0.01))
    assert timing.of(200) == (pytest.approx(0.4), pytest.approx(0.02))


def test_a_deployment_that_is_not_on_the_board_keeps_what_is_assumed(tmp_path) -> None:
    watch = BoardWatch(tmp_path, deployments=("m@s",))
    (tmp_path / BOARD).write_bytes(encoded_board(board(workload([rung([candidate("m@s", 1.0)])]))))
    watch.poll(0.0)
    assert DeploymentTiming(watch, "other@s").of(1)[0] == UNKNOWN_TTFT_S
