"""A board is checked whole on arrival; a bad one is a finding, and the old one stays."""

import dataclasses
import math

import pytest
from request_boards import HOUR_S, board, candidate, rung, workload

from tokenergy.company.board import Board, Candidate
from tokenergy.company.board_findings import arrived, board_findings
from tokenergy.company.board_made import board_digest

KNOWN = ("m@a", "m@b", "n@a")


def good(**more: object) -> Board:
    return board(
        workload([rung([place("m@a"), place("m@b")], ahead_usd_per_mtok=(1.0, 2.0))]), **more
    )


def place(name: str, **more: object) -> Candidate:
    return dataclasses.replace(candidate(name, 1.0, share=0.5), **more)


def codes(made: Board) -> set[str]:
    return {finding.code for finding in board_findings(made, deployments=KNOWN)}


def one(*candidates: Candidate, **more: object) -> Board:
    return board(workload([rung(candidates or (place("m@a", share=1.0),))], **more))


def test_a_good_board_has_no_findings() -> None:
    assert board_findings(good(), deployments=KNOWN) == ()


@pytest.mark.parametrize(
    ("made", "code"),
    [
        (one(place("m@a"), place("m@b", share=0.4)), "BOARD_SHARES"),
        (one(place("m@a", share=math.nan)), "BOARD_PRICE"),
        (one(place("m@a", share=1.0, high_usd_per_mtok=math.inf)), "BOARD_PRICE"),
        (
            one(place("m@a", share=1.0, low_usd_per_mtok=2.0, parts_usd_per_mtok=(2.0,))),
            "BOARD_PARTS",
        ),
        (one(place("m@x", share=1.0)), "BOARD_UNKNOWN"),
        (one(value_usd_per_mtok=None), "BOARD_VALUE"),
        (one(value_usd_per_request=1.0), "BOARD_VALUE"),
        (one(value_usd_per_mtok=-1.0), "BOARD_VALUE"),
        (one(value_usd_per_mtok=math.nan), "BOARD_VALUE"),
        (one(rho_ratio=math.nan), "BOARD_NUMBER"),
        (one(release_mtok_per_h=(math.nan,)), "BOARD_RELEASE"),
        (
            board(workload([rung([place("m@a", share=1.0)], ahead_usd_per_mtok=(1.0, math.nan))])),
            "BOARD_PRICE",
        ),
        (board(workload([])), "BOARD_NO_CANDIDATE"),
        (board(), "BOARD_EMPTY"),
        (good(valid_until_s=math.nan), "BOARD_TIME"),
        (good(valid_until_s=2 * HOUR_S), "BOARD_TIME"),
        (dataclasses.replace(good(), policy="another"), "BOARD_DIGEST"),
        (
            board(
                workload(
                    [
                        rung([place("m@a", share=1.0)], quality_share=0.5),
                        rung([place("n@a", share=0.0)]),
                    ]
                )
            ),
            "BOARD_QUALITY",
        ),
        (board(workload([rung([place("m@a", share=1.0)], quality_share=1.1)])), "BOARD_QUALITY"),
    ],
)
def test_what_is_wrong_is_told(made: Board, code: str) -> None:
    assert code in codes(made)


def test_all_findings_come_at_once() -> None:
    made = one(place("m@x", share=0.3), value_usd_per_mtok=None)
    assert codes(made) == {"BOARD_UNKNOWN", "BOARD_SHARES", "BOARD_VALUE"}


def test_a_bad_board_leaves_the_old_one_in_force() -> None:
    held = good()
    kept, findings = arrived(held, one(value_usd_per_mtok=None), deployments=KNOWN)
    assert kept is held and findings
    kept, findings = arrived(None, one(value_usd_per_mtok=None), deployments=KNOWN)
    assert kept is None and findings


def test_an_older_board_is_dropped() -> None:
    held, older, newer = good(made_at_s=100.0), good(made_at_s=99.0), good(made_at_s=101.0)
    kept, findings = arrived(held, older, deployments=KNOWN)
    assert kept is held and [finding.code for finding in findings] == ["BOARD_OLDER"]
    assert arrived(held, newer, deployments=KNOWN) == (newer, ())


def test_the_digest_is_that_of_the_content() -> None:
    assert good().board_id == good().board_id == board_digest(good())
    assert good().board_id != good(made_at_s=1.0).board_id
    features = [frozenset({"tools", "vision", "audio"}), frozenset({"audio", "vision", "tools"})]
    made = [one(place("m@a", share=1.0, features=each)) for each in features]
    assert made[0].board_id == made[1].board_id


def test_what_a_rung_works_out() -> None:
    """Prices 3 now, then 5, 2, 4, 1.99: earliest ties of 1 to k at 1, 2, 2, 2; in order 4, 2, 3, 1.

    1.99 is the lowest, and 2 within 1 % of it: the second hour stays the one to wait for.
    """
    step = rung(
        [candidate("m@b", 2.0, share=0.2), candidate("m@a", 2.0, share=0.6), candidate("m@c", 1.0)],
        ahead_usd_per_mtok=(3.0, 5.0, 2.0, 4.0, 1.99),
    )
    assert [each.deployment for each in step.candidates] == ["m@c", "m@a", "m@b"]
    assert step.least_upto == (0, 1, 2, 2, 2)
    assert step.ahead_order == (4, 2, 3, 1)
    assert step.planned_names == ("m@a", "m@b")
    assert step.planned_share == pytest.approx((0.75, 0.25))
