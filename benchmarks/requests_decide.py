"""How long one decision takes, beside what the request's JSON takes to be read.

`decide` on a board of 10 sites, 3 rungs and 48 h of deferral, against decoding the body that the
request came in (1 KB and 50 KB) in the same run: absolute times follow the machine, ratios less.
The JSON is read by the standard library, and, where it is installed, by msgspec into a typed
struct of the governed fields, as a gateway would. Best of many short rounds, taken in turn.
"""

import json
import random
import time
from collections.abc import Callable
from typing import Any

from tokenergy.company.board import PART_NAMES, Board, Candidate
from tokenergy.company.board_made import made_board, made_rung, made_workload
from tokenergy.company.request import Request
from tokenergy.routing.cost import usage_of
from tokenergy.routing.decide import decide
from tokenergy.routing.state import State

SITES_COUNT, RUNGS_COUNT, HOURS_COUNT = 10, 3, 48
ROUNDS_COUNT, CALLS_COUNT = 200, 40
BODY_BYTES = {"1kb": 1_000, "50kb": 50_000}
SEED = 1


def candidate(name: str, model: str, high_usd_per_mtok: float, share: float) -> Candidate:
    return Candidate(
        place=-1,
        deployment=name,
        site=name.split("@")[1],
        accelerator="H100",
        model=model,
        share=share,
        high_usd_per_mtok=high_usd_per_mtok,
        low_usd_per_mtok=0.98 * high_usd_per_mtok,
        parts_usd_per_mtok=(high_usd_per_mtok, *(0.0 for _ in PART_NAMES[1:])),
        kappa_ratio=0.2,
        base_j_per_token=1.0,
        marginal_j_per_token=2.0,
        awake_count=10.0,
        batch_slo_count=32.0,
        rate_mtok_per_h=5.0,
        ttft_s=0.2,
        tpot_s=0.02,
        rtt_s=0.05,
        context_limit_tokens=131_072,
        features=frozenset({"tools"}),
    )


def made(*, cheap_later: bool) -> Board:
    """Return a board whose first rung is shared by all sites, as at an optimum."""
    draw = random.Random(SEED)
    rungs, places = [], []
    for at in range(RUNGS_COUNT):
        price = 2.0 / (at + 1)
        names = [f"model{at}@site{site}" for site in range(SITES_COUNT)]
        places += names
        rungs.append(
            made_rung(
                model=f"model{at}",
                quality_share=1.0 - 0.3 * at,
                quality_source="benchmark",
                candidates=[
                    candidate(
                        name,
                        f"model{at}",
                        price if at == 0 else price * draw.uniform(1.0, 2.0),
                        1.0 / SITES_COUNT if at == 0 else 0.0,
                    )
                    for name in names
                ],
                ahead_usd_per_mtok=[
                    price * draw.uniform(0.5 if cheap_later else 1.0, 1.5)
                    for _ in range(HOURS_COUNT)
                ],
                ttft_limit_s=2.0,
            )
        )
    load = made_workload(
        name="chat",
        tier="free",
        service_tier="flex",
        must_serve=False,
        value_usd_per_mtok=20.0,
        value_usd_per_request=None,
        ttft_limit_s=2.0,
        rho_ratio=1.0,
        rungs=rungs,
        planned_mtok=5.0,
        release_mtok_per_h=[10.0] * HOURS_COUNT,
    )
    return made_board(
        made_at_s=0.0,
        start_s=0.0,
        interval_s=3600.0,
        valid_until_s=3600.0,
        refresh_s=3600.0,
        policy="mpc",
        places=places,
        workloads=[load],
    )


def asked(**more: Any) -> Request:
    stated: dict[str, Any] = {"deadline_s": 48 * 3600.0, "session": "s"} | more
    return Request(
        request_id="r",
        tenant="t",
        tier="free",
        workload="chat",
        origin="eu",
        arrival_s=10.0,
        input_tokens=800,
        output_tokens=300,
        **stated,
    )


def body(size_bytes: int) -> bytes:
    """Return a chat request of about that size."""
    text = "the price of a token is a price of power "
    request = {
        "model": "chat-auto",
        "messages": [{"role": "user", "content": text * (size_bytes // len(text))}],
        "max_tokens": 300,
        "stream": True,
        "service_tier": "flex",
        "temperature": 0.7,
    }
    return json.dumps(request).encode()


def governed_decoder() -> Callable[[bytes], Any] | None:
    """Return msgspec's typed decoder of the fields that a gateway governs; None: not installed."""
    try:
        import msgspec
    except ModuleNotFoundError:
        return None
    fields = [
        ("model", str),
        ("messages", msgspec.Raw),
        ("max_tokens", int | None, None),
        ("stream", bool, False),
        ("service_tier", str | None, None),
    ]
    return msgspec.json.Decoder(msgspec.defstruct("Governed", fields)).decode


def cases() -> dict[str, Callable[[], Any]]:
    """Return what is timed, by name."""
    later, now = made(cheap_later=True), made(cheap_later=False)
    waits, serves = State.opened(later, now_s=10.0), State.opened(now, now_s=10.0)
    request, known = asked(), asked(session=None)
    first = decide(request, now, serves)
    assert first.action == "serve" and decide(request, later, waits).action == "defer"
    after = serves.admitted(first)
    usage = usage_of(first, now.workloads[0], input_tokens=800, cached_tokens=0, output_tokens=310)
    found: dict[str, Callable[[], Any]] = {
        "decide_serve": lambda: decide(known, now, serves),
        "decide_affine": lambda: decide(request, now, after),
        "decide_defer": lambda: decide(request, later, waits),
        "state": lambda: serves.at(11.0).admitted(first).settled(usage),
    }
    typed = governed_decoder()
    for name, size_bytes in BODY_BYTES.items():
        text = body(size_bytes)
        found[f"json_{name}"] = lambda text=text: json.loads(text)  # type: ignore[misc]
        if typed is not None:
            found[f"msgspec_{name}"] = lambda text=text: typed(text)  # type: ignore[misc]
    return found


def figures() -> dict[str, Any]:
    """Return times in microseconds and their ratios; None where there is nothing to compare with.

    `decide_us` is the mean of the three kinds of decision: served, served by affinity, deferred.
    """
    timed = cases()
    best = {name: float("inf") for name in timed}
    for _ in range(ROUNDS_COUNT):
        for name, call in timed.items():
            begin = time.perf_counter()
            for _ in range(CALLS_COUNT):
                call()
            best[name] = min(best[name], (time.perf_counter() - begin) / CALLS_COUNT * 1e6)
    kinds = [best[name] for name in timed if name.startswith("decide_")]
    decide_us = sum(kinds) / len(kinds)
    ratios = {
        f"decide_over_{name}": decide_us / best[name] if name in best else None
        for name in [f"{how}_{size}" for how in ("json", "msgspec") for size in BODY_BYTES]
    }
    return {
        "decide_us": decide_us,
        **{f"{name}_us": each for name, each in best.items()},
        **ratios,
        "sites_count": SITES_COUNT,
        "rungs_count": RUNGS_COUNT,
        "hours_count": HOURS_COUNT,
    }


def tell(figures: dict[str, Any]) -> list[str]:
    """Return the figures in words."""
    lines = [
        f"decide, {figures['sites_count']} sites x {figures['rungs_count']} rungs x "
        f"{figures['hours_count']} h: {figures['decide_us']:.1f} us (serve "
        f"{figures['decide_serve_us']:.1f}, affinity {figures['decide_affine_us']:.1f}, defer "
        f"{figures['decide_defer_us']:.1f}); state after it and its answer "
        f"{figures['state_us']:.1f} us"
    ]
    for how, called in (("json", "the standard library's json"), ("msgspec", "msgspec, typed")):
        for size in BODY_BYTES:
            ratio = figures[f"decide_over_{how}_{size}"]
            if ratio is None:
                lines.append(f"  {called} is not installed: no ratio")
                break
            lines.append(
                f"  {ratio:.2f} times decoding {size.upper()} by {called} "
                f"({figures[f'{how}_{size}_us']:.1f} us)"
            )
    return lines


if __name__ == "__main__":
    print("\n".join(tell(figures())))
