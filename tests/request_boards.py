"""Boards, candidates and requests by hand, for whoever tests decisions."""

from collections.abc import Sequence
from typing import Any

from tokenergy.company.board import PART_NAMES, Board, BoardWorkload, Candidate, Rung
from tokenergy.company.board_made import made_board, made_rung, made_workload
from tokenergy.company.request import Request

HOUR_S = 3600.0


def candidate(deployment: str, high_usd_per_mtok: float, **more: Any) -> Candidate:
    """Return `model@site` at a price, all of it energy: 10 replicas of 10 requests, no rest."""
    model, _, site = deployment.partition("@")
    stated: dict[str, Any] = {
        "place": -1,
        "deployment": deployment,
        "site": site,
        "accelerator": "H100",
        "model": model,
        "share": 0.0,
        "high_usd_per_mtok": high_usd_per_mtok,
        "low_usd_per_mtok": high_usd_per_mtok,
        "parts_usd_per_mtok": (high_usd_per_mtok, *(0.0 for _ in PART_NAMES[1:])),
        "kappa_ratio": 0.0,
        "base_j_per_token": 0.0,
        "marginal_j_per_token": 1.0,
        "awake_count": 10.0,
        "batch_slo_count": 10.0,
        "rate_mtok_per_h": 1.0,
        "ttft_s": 0.2,
        "tpot_s": 0.01,
        "rtt_s": 0.05,
        "context_limit_tokens": 100_000,
        "features": frozenset(),
    }
    return Candidate(**stated | more)


def rung(
    candidates: Sequence[Candidate],
    *,
    quality_share: float = 1.0,
    ahead_usd_per_mtok: Sequence[float] = (),
    cap_tokens: int | None = None,
    ttft_limit_s: float = 2.0,
    reservation_usd_per_mtok: Sequence[float] = (),
) -> Rung:
    """Return a rung of these candidates; without prices ahead, now's price stands alone."""
    lowest = min((one.high_usd_per_mtok for one in candidates), default=0.0)
    return made_rung(
        model=candidates[0].model if candidates else "none",
        quality_share=quality_share,
        quality_source="by hand",
        candidates=candidates,
        ahead_usd_per_mtok=ahead_usd_per_mtok or (lowest,),
        ttft_limit_s=ttft_limit_s,
        cap_tokens=cap_tokens,
        reservation_usd_per_mtok=reservation_usd_per_mtok,
    )


def workload(rungs: Sequence[Rung], **more: Any) -> BoardWorkload:
    """Return a workload worth 5 USD for each Mtok of output, whose prices hold no input."""
    stated: dict[str, Any] = {
        "name": "chat",
        "tier": "free",
        "service_tier": "default",
        "must_serve": False,
        "value_usd_per_mtok": 5.0,
        "value_usd_per_request": None,
        "ttft_limit_s": 2.0,
        "rho_ratio": 0.0,
        "rungs": rungs,
    }
    return made_workload(**stated | more)


def board(*workloads: BoardWorkload, **more: Any) -> Board:
    """Return a board of the first hour of the epoch, with every deployment it names."""
    stated: dict[str, Any] = {
        "made_at_s": 0.0,
        "start_s": 0.0,
        "interval_s": HOUR_S,
        "valid_until_s": HOUR_S,
        "refresh_s": HOUR_S,
        "policy": "mpc",
        "places": [
            one.deployment for load in workloads for step in load.rungs for one in step.candidates
        ],
        "workloads": workloads,
    }
    return made_board(**stated | more)


def request(**more: Any) -> Request:
    """Return a request of 1,000 output tokens that does not wait."""
    stated: dict[str, Any] = {
        "request_id": "r",
        "tenant": "ann",
        "tier": "free",
        "workload": "chat",
        "origin": "eu",
        "arrival_s": 0.0,
        "input_tokens": 100,
        "output_tokens": 1_000,
    }
    return Request(**stated | more)
