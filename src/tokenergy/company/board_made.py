"""How a board is made: candidates sorted, minima ahead told once, and a digest of it all."""

import hashlib
import math
from collections.abc import Iterable, Sequence
from dataclasses import replace
from types import MappingProxyType
from typing import Final

from tokenergy.company.board import (
    OPEN_SHARE,
    Admission,
    Board,
    BoardWorkload,
    Candidate,
    Row,
    Rung,
    ServiceTier,
    tie_edge_usd_per_mtok,
)
from tokenergy.units import S_PER_H, TOKENS_PER_MTOK

DIGEST_CHARACTERS: Final = 16


def made_rung(
    *,
    model: str,
    quality_share: float,
    quality_source: str,
    candidates: Iterable[Candidate],
    ahead_usd_per_mtok: Sequence[float],
    ttft_limit_s: float,
    cap_tokens: int | None = None,
    reservation_usd_per_mtok: Sequence[float] = (),
) -> Rung:
    """Return a rung with its candidates sorted and its prices ahead in order.

    Args:
        model: the model that answers.
        quality_share: worth of its answer over that of the first rung.
        quality_source: where that figure is from.
        candidates: in any order; one that is outside the latency class stays: it may come back.
        ahead_usd_per_mtok: price at the cheapest place, the board's own interval first.
        ttft_limit_s: the tier's: which candidates count for the service time.
        cap_tokens: most output tokens; None: no cap of ours.
        reservation_usd_per_mtok: last week's prices at the cheapest place, in any order.
    """
    rank = sorted(candidates, key=lambda one: (one.high_usd_per_mtok, one.deployment))
    usable = [one for one in rank if one.ttft_s + one.rtt_s <= ttft_limit_s] or rank
    ahead = tuple(float(price) for price in ahead_usd_per_mtok)
    kappa = [one.kappa_ratio for one in rank]
    planned = [(at, one) for at, one in enumerate(rank) if one.share > 0.0]
    total = sum(one.share for _, one in planned)
    return Rung(
        model=model,
        cap_tokens=cap_tokens,
        quality_share=quality_share,
        quality_source=quality_source,
        candidates=tuple(rank),
        ahead_usd_per_mtok=ahead,
        ahead_kappa_ratio=max(kappa, default=0.0),
        ahead_j_per_token=rank[0].j_per_token if rank else 0.0,
        service_ttft_s=max((one.ttft_s for one in usable), default=0.0),
        service_tpot_s=max((one.tpot_s for one in usable), default=0.0),
        reservation_usd_per_mtok=tuple(sorted(reservation_usd_per_mtok)),
        least_context_tokens=min((one.context_limit_tokens for one in rank), default=0),
        steady=bool(rank) and min(kappa) == max(kappa) and rank[0].high_usd_per_mtok >= 0.0,
        rows=(),
        planned_seats=(),
        planned_rows=(),
        least_kappa_ratio=min(kappa, default=0.0),
        most_kappa_ratio=max(kappa, default=0.0),
        at_name=MappingProxyType({one.deployment: at for at, one in enumerate(rank)}),
        planned=tuple(at for at, _ in planned),
        planned_names=tuple(one.deployment for _, one in planned),
        planned_share=tuple(one.share / total for _, one in planned),
        ahead_order=tuple(sorted(range(1, len(ahead)), key=lambda k: (ahead[k], k))),
        least_upto=_least_upto(ahead),
    )


def _least_upto(ahead_usd_per_mtok: Sequence[float]) -> tuple[int, ...]:
    """Return the earliest of the intervals 1 to k that ties with the cheapest of them; 0 at k = 0.

    At an optimum many hours cost the same but for rounding: the earliest leaves room for what
    comes otherwise than planned.
    """
    least = [0] if ahead_usd_per_mtok else []
    lowest = math.inf
    for interval in range(1, len(ahead_usd_per_mtok)):
        lowest = min(lowest, ahead_usd_per_mtok[interval])
        at = max(1, least[-1])  # what fell behind the new lowest is behind all later ones
        while ahead_usd_per_mtok[at] > tie_edge_usd_per_mtok(lowest):
            at += 1
        least.append(at)
    return tuple(least)


def made_workload(
    *,
    name: str,
    tier: str,
    service_tier: ServiceTier,
    must_serve: bool,
    value_usd_per_mtok: float | None,
    value_usd_per_request: float | None,
    ttft_limit_s: float,
    rho_ratio: float,
    rungs: Iterable[Rung],
    planned_mtok: float = math.inf,
    release_mtok_per_h: Sequence[float] = (),
    wait_usd_per_h: float = 0.0,
) -> BoardWorkload:
    """Return what a board says about a workload; `made_board` gives it its index."""
    return BoardWorkload(
        index=0,
        name=name,
        tier=tier,
        service_tier=service_tier,
        must_serve=must_serve,
        value_usd_per_mtok=value_usd_per_mtok,
        value_usd_per_request=value_usd_per_request,
        wait_usd_per_h=wait_usd_per_h,
        ttft_limit_s=ttft_limit_s,
        rho_ratio=rho_ratio,
        planned_mtok=planned_mtok,
        release_mtok_per_h=tuple(float(rate) for rate in release_mtok_per_h),
        places_tokens=(),
        rungs=tuple(rungs),
        splits=False,
    )


def made_board(
    *,
    made_at_s: float,
    start_s: float,
    interval_s: float,
    valid_until_s: float,
    refresh_s: float,
    policy: str,
    places: Iterable[str],
    workloads: Iterable[BoardWorkload],
    admission: Admission = "right",
) -> Board:
    """Return a board with its digest; candidates find their place by the deployment's name.

    A deployment that is not among the places keeps the place -1, which `board_findings` tells.
    """
    names = tuple(sorted(set(places)))
    at = {name: index for index, name in enumerate(names)}
    loads = tuple(
        replace(
            load,
            index=index,
            splits=sum(bool(rung.planned) and rung.cap_tokens is None for rung in load.rungs) > 1,
            places_tokens=_places_tokens(load, interval_s),
            rungs=tuple(
                _placed(rung, at, index=step, ttft_limit_s=load.ttft_limit_s)
                for step, rung in enumerate(load.rungs)
            ),
        )
        for index, load in enumerate(sorted(workloads, key=lambda load: load.name))
    )
    board = Board(
        board_id="",
        made_at_s=made_at_s,
        start_s=start_s,
        interval_s=interval_s,
        valid_until_s=valid_until_s,
        refresh_s=refresh_s,
        policy=policy,
        admission=admission,
        places=names,
        workloads=loads,
        by_name=MappingProxyType({load.name: load for load in loads}),
    )
    return replace(board, board_id=board_digest(board))


def _places_tokens(load: BoardWorkload, interval_s: float) -> tuple[float, ...]:
    """Return the planned release in tokens of each interval; beyond the plan there is none."""
    if not load.release_mtok_per_h:
        return ()
    longest = max((len(rung.ahead_usd_per_mtok) for rung in load.rungs), default=0)
    places = [rate * (interval_s / S_PER_H) * TOKENS_PER_MTOK for rate in load.release_mtok_per_h]
    return (*places, *(0.0 for _ in range(longest - len(places))))


def board_digest(board: Board) -> str:
    """Return the digest of all that a board says: equal where its content is, and only there."""
    said = replace(board, board_id="", by_name=MappingProxyType({}))
    # A set has no order of its own that lasts from run to run.
    text = repr(
        replace(
            said,
            workloads=tuple(
                replace(load, rungs=tuple(_in_order(rung) for rung in load.rungs))
                for load in said.workloads
            ),
        )
    )
    return hashlib.sha256(text.encode()).hexdigest()[:DIGEST_CHARACTERS]


def _in_order(rung: Rung) -> Rung:
    features = [" ".join(sorted(one.features)) for one in rung.candidates]
    plain = tuple(
        replace(one, features=frozenset({text}))
        for one, text in zip(rung.candidates, features, strict=True)
    )
    return replace(rung, candidates=plain, at_name=MappingProxyType({}))


def _placed(rung: Rung, at: dict[str, int], *, index: int, ttft_limit_s: float) -> Rung:
    placed = tuple(replace(one, place=at.get(one.deployment, -1)) for one in rung.candidates)
    rows: tuple[Row, ...] = tuple(
        (
            one.high_usd_per_mtok / TOKENS_PER_MTOK,
            one.kappa_ratio,
            one.place,
            one.slots_count,
            one.latency_s > ttft_limit_s,
            one.j_per_token,
        )
        for one in placed
    )
    planned = tuple(
        # One that is too slow is never open.
        (placed[at].place, 0.0 if rows[at][4] else OPEN_SHARE * placed[at].slots_count)
        for at in rung.planned
    )
    seats = tuple((index, position) for position in rung.planned)
    return replace(rung, candidates=placed, rows=rows, planned_rows=planned, planned_seats=seats)
