"""What is wrong with a board, all at once; and whether it takes the place of the one held."""

import math
from collections.abc import Collection, Iterator
from typing import Final

from tokenergy.company.board import Board, BoardWorkload, Candidate, Rung
from tokenergy.company.board_made import board_digest
from tokenergy.company.finding import Finding, errors_of

SHARE_TOLERANCE: Final = 1e-6
"""How far the shares of a workload may be from 1."""
PARTS_TOLERANCE: Final = 1e-6
"""How far the parts may be from their price, as a share of it (or USD/Mtok below 1)."""
MAKE = "Make the board anew from a dispatch that solved, and see that nothing of it is lost."
COMPANY = "Correct the company file; the old board stays until a whole one comes."


def arrived(
    held: Board | None,
    fresh: Board,
    *,
    deployments: Collection[str],
    findings: tuple[Finding, ...] | None = None,
) -> tuple[Board | None, tuple[Finding, ...]]:
    """Return the board that is in force after `fresh` came, and what is wrong with that.

    A board with an error, or one that was made before the one held, changes nothing.

    Args:
        held: the board in force; None: there was none since the start.
        fresh: the one that came.
        deployments: names of all deployments that there are.
        findings: of `board_findings`, where they were found before; None: they are found now.
    """
    if findings is None:
        findings = board_findings(fresh, deployments=deployments)
    if held is not None and fresh.made_at_s < held.made_at_s:
        findings += (
            _finding(
                "BOARD_OLDER",
                "board.made_at_s",
                f"board {fresh.board_id} was made before {held.board_id}, which is in force",
                value=f"{fresh.made_at_s:.3f}",
                limit=f"{held.made_at_s:.3f}",
                unit="s",
                severity="warning",
            ),
        )
        return held, findings
    return (held if errors_of(findings) else fresh), findings


def board_findings(board: Board, *, deployments: Collection[str]) -> tuple[Finding, ...]:
    """Return everything wrong with a board."""
    return tuple(_of_board(board, frozenset(deployments)))


def _of_board(board: Board, known: frozenset[str]) -> Iterator[Finding]:
    if board.board_id != board_digest(board):
        yield _finding(
            "BOARD_DIGEST",
            "board.board_id",
            "the digest is not that of the content: the board was changed on its way",
            value=board.board_id,
        )
    times = (board.made_at_s, board.start_s, board.valid_until_s, board.refresh_s)
    if not all(math.isfinite(moment) for moment in times) or board.interval_s <= 0.0:
        yield _finding("BOARD_TIME", "board", "a time of it is not finite, or its interval empty")
    elif board.valid_until_s > board.start_s + board.interval_s:
        yield _finding(
            "BOARD_TIME",
            "board.valid_until_s",
            "it would be in force after its interval, by prices of that interval",
            value=f"{board.valid_until_s:.3f}",
            limit=f"{board.start_s + board.interval_s:.3f}",
            unit="s",
        )
    if not board.workloads:
        yield _finding("BOARD_EMPTY", "board.workloads", "it prices no workload")
    for load in board.workloads:
        yield from _of_workload(load, f"board.workloads[{load.name}]", known)


def _of_workload(load: BoardWorkload, path: str, known: frozenset[str]) -> Iterator[Finding]:
    yield from _of_value(load, path)
    shares: dict[str, float] = {}
    for rung in load.rungs:
        shares |= {one.deployment: one.share for one in rung.candidates}
    total = sum(shares.values())
    # Nothing asked for, nothing sent anywhere: then there are no shares at all.
    if any(shares.values()) and not abs(total - 1.0) <= SHARE_TOLERANCE:
        yield _finding(
            "BOARD_SHARES",
            f"{path}.share",
            "the shares of its deployments do not sum to 1",
            value=f"{total:.9g}",
            limit="1",
        )
    if not any(rung.candidates for rung in load.rungs):
        yield _finding("BOARD_NO_CANDIDATE", path, "no deployment may answer it")
    quality = 1.0
    for at, rung in enumerate(load.rungs):
        here = f"{path}.rungs[{at}]"
        if not 0.0 <= rung.quality_share <= 1.0 or rung.quality_share > quality:
            yield _finding(
                "BOARD_QUALITY",
                f"{here}.quality_share",
                "quality is outside 0 to 1, or rises down the ladder",
                value=f"{rung.quality_share:g}",
                limit=f"0 to {quality:g}",
                remedy=COMPANY,
            )
        quality = min(quality, rung.quality_share)
        yield from _of_rung(rung, here, known)
    release = load.release_mtok_per_h
    if not all(math.isfinite(rate) and rate >= 0.0 for rate in release):
        yield _finding("BOARD_RELEASE", f"{path}.release_mtok_per_h", "a rate is not finite or < 0")


def _of_value(load: BoardWorkload, path: str) -> Iterator[Finding]:
    stated = [load.value_usd_per_mtok, load.value_usd_per_request]
    values = [value for value in stated if value is not None]
    if len(values) != 1 or not math.isfinite(values[0]) or values[0] < 0.0:
        said = ", ".join(f"{value:g}" for value in values) or "none"
        yield _finding(
            "BOARD_VALUE",
            f"{path}.value",
            f"tier {load.tier!r} needs exactly one finite value, per Mtok or per request",
            value=said,
            limit="one, at least 0",
            unit="USD",
            remedy="State what serving the tier is worth; nothing is guessed about money.",
        )
    numbers = (load.rho_ratio, load.wait_usd_per_h, load.ttft_limit_s)
    if not all(math.isfinite(number) and number >= 0.0 for number in numbers):
        yield _finding("BOARD_NUMBER", path, "rho, cost of waiting or TTFT limit is not a number")


def _of_rung(rung: Rung, path: str, known: frozenset[str]) -> Iterator[Finding]:
    ahead = rung.ahead_usd_per_mtok
    if rung.candidates and not (ahead and all(math.isfinite(price) for price in ahead)):
        yield _finding(
            "BOARD_PRICE",
            f"{path}.ahead_usd_per_mtok",
            "a price of an interval ahead is missing: a missing price is never 0",
            unit="USD/Mtok",
        )
    for one in rung.candidates:
        yield from _of_candidate(one, f"{path}.{one.deployment}", known)


def _of_candidate(one: Candidate, path: str, known: frozenset[str]) -> Iterator[Finding]:
    if one.deployment not in known or one.place < 0:
        yield _finding("BOARD_UNKNOWN", path, f"nobody knows deployment {one.deployment!r}")
    prices = (one.high_usd_per_mtok, one.low_usd_per_mtok)
    rest = (one.kappa_ratio, one.base_j_per_token, one.marginal_j_per_token, one.share)
    times = (one.ttft_s, one.tpot_s, one.rtt_s, one.awake_count)
    if not all(math.isfinite(part) for part in (*prices, *rest, *times, *one.parts_usd_per_mtok)):
        yield _finding("BOARD_PRICE", path, "a price, part, count or time is not finite")
        return
    if not 0.0 <= one.share <= 1.0 + SHARE_TOLERANCE:
        yield _finding("BOARD_SHARES", path, "a share is outside 0 to 1", value=f"{one.share:g}")
    apart = abs(sum(one.parts_usd_per_mtok) - one.high_usd_per_mtok)
    if apart > PARTS_TOLERANCE * max(1.0, abs(one.high_usd_per_mtok)):
        yield _finding(
            "BOARD_PARTS",
            path,
            "the parts do not sum to the price",
            value=f"{sum(one.parts_usd_per_mtok):.9g}",
            limit=f"{one.high_usd_per_mtok:.9g}",
            unit="USD/Mtok",
        )


def _finding(
    code: str,
    path: str,
    reason: str,
    *,
    value: str = "",
    limit: str = "",
    unit: str = "",
    remedy: str = MAKE,
    severity: str = "error",
) -> Finding:
    return Finding(
        code=code,
        path=path,
        reason=reason,
        remedy=remedy,
        value=value,
        limit=limit,
        unit=unit,
        severity="warning" if severity == "warning" else "error",
    )
