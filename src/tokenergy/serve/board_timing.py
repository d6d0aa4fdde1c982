"""How long a simulated server takes, by what the board says of its deployment.

At its operating point a replica gives each of `batch_slo_count` requests a token every `tpot_s`.
With fewer at once it is faster, down to a share that reading the weights takes in any case; with
more, tokens and first tokens come later in proportion: they wait for their turn.
"""

from typing import Final, NamedTuple

from tokenergy.company.board import Board, Candidate
from tokenergy.serve.board_watch import BoardWatch

ALONE_SHARE: Final = 0.5
"""Time of a token of one request alone over that at the operating point; a guess."""
UNKNOWN_TTFT_S: Final = 0.3
UNKNOWN_TPOT_S: Final = 0.02
"""Of a deployment that no board has told of yet; guesses."""


class DeploymentTiming:
    """The times of one deployment, as the board in force tells them."""

    def __init__(self, watch: BoardWatch, deployment: str) -> None:
        """Know where to look."""
        self._watch, self._deployment = watch, deployment
        self._board: Board | None = None
        self._seen = _Seen(UNKNOWN_TTFT_S, UNKNOWN_TPOT_S, 1.0)

    def of(self, in_flight_count: int) -> tuple[float, float]:
        """Return time to first token and time per token with so many requests at once, seconds."""
        board = self._watch.board
        if board is not None and board is not self._board:
            self._board = board
            self._seen = _seen(board, self._deployment) or self._seen
        seen = self._seen
        load = in_flight_count / max(1.0, seen.slots_count)
        late = max(1.0, load)
        return seen.ttft_s * late, seen.tpot_s * (
            ALONE_SHARE + (1.0 - ALONE_SHARE) * load if load < 1.0 else late
        )


class _Seen(NamedTuple):
    """What a board says of a deployment's speed."""

    ttft_s: float
    tpot_s: float
    slots_count: float


def _seen(board: Board, deployment: str) -> _Seen | None:
    """Return the quickest that it is for any workload; None where the board does not have it."""
    found: list[Candidate] = [
        rung.candidates[at]
        for load in board.workloads
        for rung in load.rungs
        if (at := rung.at_name.get(deployment)) is not None
    ]
    if not found:
        return None
    return _Seen(
        min(one.ttft_s for one in found),
        min(one.tpot_s for one in found),
        max(one.slots_count for one in found),
    )
