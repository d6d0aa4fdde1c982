"""A sample of the requests that a company's file says arrive: rates, lengths, worth from it."""

import math
from dataclasses import replace
from typing import Any, Final

import numpy as np

from tokenergy.dispatch.world import World
from tokenergy.errors import InputError
from tokenergy.simulate.boards import Promise
from tokenergy.synthetic.request_lengths import RequestLengths
from tokenergy.synthetic.request_shape import Conversations, RequestShape
from tokenergy.synthetic.requests import Sampled, synthetic_requests
from tokenergy.units import S_PER_H, TOKENS_PER_MTOK

LEAST_COUNT: Final = 40.0
"""Requests of each workload in a mean interval, however rare it is beside the others."""
USERS_COUNT: Final = 1_000
"""Users of each workload that a sample tells apart: as many as there are requests to tell."""


def drawn_sample(
    world: World, promises: tuple[Promise, ...], *, requests_count: int, seed: int
) -> Sampled:
    """Return a sample of the requests of a company's horizon.

    One part of all requests is drawn, so that they stand for equally many; of a rare workload
    more. Conversations are drawn whole. Work of the flex and batch tiers, and of media, comes
    without conversations.

    Args:
        world: a company's world.
        promises: of its workloads.
        requests_count: how many requests to draw, about.
        seed: of everything that is drawn.

    Raises:
        InputError: if that is too few to show every workload in every interval.
    """
    least = LEAST_COUNT * world.count * len(world.workloads)
    if requests_count < least:
        raise InputError(
            f"a sample of {requests_count:,} requests is too small for {len(world.workloads)} "
            f"workloads in {world.count} intervals: draw at least {math.ceil(least):,}"
        )
    step_s = world.step_h * S_PER_H
    shapes = [request_shape(world, at, promise) for at, promise in enumerate(promises)]
    expected = np.array([float(shape.requests_per_s.sum()) * step_s for shape in shapes])
    shares = _shares(expected, requests_count, LEAST_COUNT * world.count)
    drawn = [
        replace(shape, sample_share=share)
        for shape, share, count in zip(shapes, shares, expected, strict=True)
        if count > 0.0
    ]
    return synthetic_requests(drawn, start=world.moment(world.first), interval_s=step_s, seed=seed)


def _shares(expected: np.ndarray, requests_count: int, least_count: float) -> list[float]:
    """Return the part of each workload to draw: equal, but where that shows too few of it."""
    share = requests_count / max(float(expected.sum()), 1e-9)
    wanted = np.maximum(expected * share, least_count)
    parts = np.divide(wanted, expected, out=np.ones_like(wanted), where=expected > 0.0)
    return [min(1.0, float(part)) for part in parts]


def request_shape(world: World, at: int, promise: Promise) -> RequestShape:
    """Return how the requests of one workload come, as far as the company's file says."""
    spec, load = world.workloads[at], world.company.workloads[at]
    tier = next(tier for tier in world.company.tiers if tier.name == spec.tier)
    mean_tokens = spec.tokens_per_request_count
    rates = world.inputs.requests_per_s[load.name][world.first : world.last]
    worth: dict[str, Any] = {}
    if tier.value_top_tenth_share is not None:
        worth["value_usd"] = spec.value_usd_per_mtok * mean_tokens / TOKENS_PER_MTOK
        worth["value_top_tenth_share"] = tier.value_top_tenth_share
    if tier.users is not None and tier.users.top_tenth_share is not None:
        worth["top_tenth_share"] = tier.users.top_tenth_share
    if spec.tokens_per_item_count is not None:
        whole = max(1, round(mean_tokens))
        return RequestShape(
            workload=load.name,
            requests_per_s=rates,
            input_lengths=RequestLengths(mean_tokens=1.0, sigma_ratio=0.0, most_tokens=1),
            output_lengths=RequestLengths(
                mean_tokens=float(whole), sigma_ratio=0.0, most_tokens=whole
            ),
            conversations=None,
            users_count=USERS_COUNT,
            **worth,
        )
    shape = RequestShape.of_means(
        load.name,
        requests_per_s=rates,
        input_tokens=max(1.0, promise.rho_ratio * mean_tokens),
        output_tokens=mean_tokens,
    )
    talks = promise.service_tier in ("priority", "default")
    return replace(
        shape, conversations=Conversations() if talks else None, users_count=USERS_COUNT, **worth
    )
