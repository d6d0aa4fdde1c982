"""Records of a journal by hand, for whoever tests what is made of them."""

from typing import Any

import msgspec

from tokenergy.company.serving.plan import AccountPlan, PricePlan, TenantPlan, WorkerPlan
from tokenergy.company.serving.record import (
    AskedFor,
    Closed,
    Decided,
    Holding,
    Marked,
    Metered,
    Opened,
    Refused,
    Snapshot,
)

AT_S = 1_767_960_000.0
"""2026-01-09T12:00:00Z."""
DAY_S = 1_767_916_800.0
"""Begin of that day in UTC."""

ASKED = AskedFor(
    origin="eu", arrival_s=AT_S, input_tokens=100, output_tokens=50, output_late_tokens=None,
    output_most_tokens=200, cap_tokens=None, deadline_s=None, session="", needs=(), model=None,
    may_downgrade=True, may_cap=True, may_defer=True, without=(), value_usd=None, budgets=(),
)  # fmt: skip
DECIDED = Decided(
    action="serve", reason="tie_by_share", rung=0, model="m", deployment="m@a", cap_tokens=None,
    release_s=None, queue_s=0.0, output_tokens=50, work_tokens=50.0, cached_tokens=0,
    value_usd=0.001, quality_share=1.0, cost_usd=1e-4, low_cost_usd=1e-4, affinity_usd=0.0,
    wait_usd=0.0, lambda_ratio=0.0, joule_usd=0.0, use_j=50.0, score_usd=9e-4, worst_usd=4e-4,
    worst_j=200.0, runner_up="refuse", runner_up_score_usd=0.0, next_admitted_s=None, policy="mpc",
    rates=(2.0, 0.1, 2.0, 1.5),
)  # fmt: skip
STATE = Snapshot(now_s=AT_S, busy=(0, 0))
PRICE = PricePlan(
    model="m", tier="free", input_nano_usd_per_mtok=150_000_000,
    cached_input_nano_usd_per_mtok=75_000_000, output_nano_usd_per_mtok=600_000_000,
    nano_usd_per_request=1_000,
)  # fmt: skip
SPEND = AccountPlan(
    name="spend:ann", unit="nano_usd", limit=10**12, tenant="ann", window="day", time_zone="UTC"
)
BUDGET = AccountPlan(
    name="budget:power", unit="microjoules", limit=10**12, window="day", time_zone="UTC"
)
COST = AccountPlan(name="budget:cost", unit="nano_usd", limit=10**12, window="day", time_zone="UTC")


def plan(**more: Any) -> WorkerPlan:
    """Return a plan of one place, one tenant and one price."""
    stated: dict[str, Any] = {
        "company": "small", "digest": "d", "run_id": "serve", "deployments": ("m@a", "m@b"),
        "upstreams": (), "workloads": (), "aliases": (),
        "tenants": (TenantPlan(name="ann", tiers=("free",), origin="eu"),),
        "prices": (PRICE,), "price_version": "p1", "accounts": (SPEND, BUDGET, COST),
    }  # fmt: skip
    return WorkerPlan(**stated | more)


def opened(request_id: str = "r1", at_s: float = AT_S, **more: Any) -> Opened:
    """Return the OPEN of a streamed chat of tenant ann."""
    stated: dict[str, Any] = {
        "tenant": "ann", "key_id": "k1", "tier": "free", "workload": "chat", "endpoint": "chat",
        "stream": True, "model_asked": "m", "site": "a", "accelerator": "H100", "upstream": "u",
        "board_id": "b1", "price_version": "p1", "energy_tier": "modelled", "prompt_bytes": 400,
        "user_hash": "", "batch": "", "holdings": (), "asked": ASKED, "decided": DECIDED,
        "state": STATE,
    }  # fmt: skip
    return Opened(request_id=request_id, at_s=at_s, **stated | more)


def marked(
    request_id: str = "r1", output: int = 10, *, input_tokens: int = 100, at_s: float = AT_S + 2
) -> Marked:
    """Return a MARK two seconds later."""
    return Marked(request_id=request_id, at_s=at_s, input_tokens=input_tokens, output_tokens=output)


def closed(request_id: str = "r1", at_s: float = AT_S + 3.0, **more: Any) -> Closed:
    """Return the CLOSE of 100 tokens read, 20 of them cached, and 50 written.

    Charged: 80 x 150 + 20 x 75 + 50 x 600 nano-dollars and 1,000 for the request = 44,500.
    """
    stated: dict[str, Any] = {
        "outcome": "completed", "status": 200, "model": "m", "site": "a", "accelerator": "H100",
        "upstream": "u", "input_tokens": 100, "cached_tokens": 20, "output_tokens": 50,
        "reasoning_tokens": 0, "usage_source": "reported", "cost_nano_usd": 100_000,
        "low_cost_nano_usd": 90_000, "charge_nano_usd": 44_500, "microjoules": 75_000_000,
        "energy_tier": "modelled", "settled": (), "over_reserved": False, "first_byte_s": 0.2,
        "ended_s": 3.0, "finish": "stop", "retries_count": 0,
    }  # fmt: skip
    return Closed(request_id=request_id, at_s=at_s, **stated | more)


def refused(request_id: str = "x1", at_s: float = AT_S, **more: Any) -> Refused:
    """Return the REFUSED of a request that was worth 2 millidollars."""
    stated: dict[str, Any] = {
        "tenant": "ann", "key_id": "k1", "tier": "free", "workload": "chat", "endpoint": "chat",
        "model_asked": "m", "board_id": "b1", "price_version": "p1", "status": 429,
        "code": "marginal_cost_exceeds_value", "reason": "marginal_cost_exceeds_value",
        "value_usd": 0.002, "output_tokens": 50, "policy": "mpc", "asked": ASKED,
        "decided": msgspec.structs.replace(DECIDED, action="refuse"), "state": STATE,
    }  # fmt: skip
    return Refused(request_id=request_id, at_s=at_s, **stated | more)


def metered(request_id: str = "r1", window: int = 1, **more: Any) -> Metered:
    """Return the measured share of a window: 80 J."""
    stated: dict[str, Any] = {
        "start_s": AT_S, "end_s": AT_S + 10.0, "tenant": "ann", "tier": "free",
        "workload": "chat", "site": "a", "model": "m", "accelerator": "H100",
        "microjoules": 80_000_000, "energy_tier": "measured", "boundary": "it",
    }  # fmt: skip
    return Metered(request_id=request_id, window=window, **stated | more)


def held(*pairs: tuple[str, int], window_s: float = DAY_S) -> tuple[Holding, ...]:
    """Return holdings of these accounts."""
    return tuple(Holding(account, window_s, quantity) for account, quantity in pairs)
