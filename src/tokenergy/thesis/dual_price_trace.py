"""The company and the requests of T11: three sites, chat of many values, batch work that waits.

Chat is a free tier of mean value twice its energy, in as many classes of value as T8's, each a
tier of its own, since a program knows tiers and no requests; a request has a value of its own
within its class. How much is asked for swings with the
day, as the forecast says; hour by hour more or less comes than that, which nobody knew.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import timedelta
from math import erf
from typing import Final

import numpy as np

from tokenergy.company.company import Company
from tokenergy.company.inputs import Inputs
from tokenergy.company.tier import Arrivals, Tier, Workload
from tokenergy.company.trace import RequestTrace
from tokenergy.dispatch.build import build_world
from tokenergy.dispatch.world import FloatArray, World
from tokenergy.economics.heavy_tail import sigma_of, value_classes
from tokenergy.simulate.request_case import RequestCase, tokens_mtok
from tokenergy.thesis.restraint_trial import CLASSES_COUNT
from tokenergy.thesis.three_company import (
    INPUT_TOKENS,
    OUTPUT_TOKENS,
    PLACES,
    Layout,
    Terms,
    company_of,
)
from tokenergy.thesis.three_sites import Scene
from tokenergy.units import S_PER_H, TOKENS_PER_MTOK

VALUE_TOP_TENTH_SHARE: Final = 0.4
"""Part of all value that the most valuable tenth of chat holds; an assumption."""
VALUE_OVER_COST_RATIO: Final = 2.0
"""Mean value of a request of chat over the energy of its tokens at the mean price: a free tier,
some of whose requests are not worth a dear hour; an assumption."""
LENGTH_SIGMA_RATIO: Final = 0.7
"""Standard deviation of the logarithm of lengths; an assumption."""
SURPRISE_SHARE: Final = 0.03
"""Standard deviation of the logarithm of an hour's arrivals about their forecast."""
REQUESTS_PER_H: Final = 1_000
"""Mean of the sample: each request stands for some thousands."""
HISTORY_H: Final = 168
"""Hours before a span: a world has a week of them at least."""
BATCH: Final = "batch"


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Span:
    """Some days of the company: what is believed, and what comes.

    Attributes:
        world: with the arrivals that come.
        forecast_mtok: the arrivals that are believed [W, T], of the whole world.
        case: the requests that come.
    """

    world: World
    forecast_mtok: FloatArray
    case: RequestCase


def chat_names() -> tuple[str, ...]:
    """Return the classes of chat, the least valuable first."""
    return tuple(f"chat-{at}" for at in range(CLASSES_COUNT))


def span_of(
    scene: Scene,
    layout: Layout,
    terms: Terms,
    *,
    first: int,
    hours_count: int,
    seed: int,
    surprise_share: float = SURPRISE_SHARE,
) -> Span:
    """Return the company on some hours of the series, with requests drawn for them.

    Raises:
        InputError: if the hours, and the week before them, are not all in the series.
    """
    rates = _requests_per_s(scene)
    world = _world(scene, layout, terms, rates, first=first, hours_count=hours_count)
    case = _drawn(world, seed=seed, surprise_share=surprise_share)
    asked = world.arrivals_mtok.copy()
    asked[:, world.first : world.last] = tokens_mtok(world, case)
    return Span(
        world=replace(world, arrivals_mtok=asked), forecast_mtok=world.arrivals_mtok, case=case
    )


def _requests_per_s(scene: Scene) -> dict[str, FloatArray]:
    """Return the rates of the classes of chat, of all regions together, and of batch work."""
    chat = sum(rate for name, rate in scene.requests_per_s.items() if name != BATCH)
    each = np.asarray(chat) / CLASSES_COUNT
    return {name: each for name in chat_names()} | {BATCH: scene.requests_per_s[BATCH]}


def _world(
    scene: Scene,
    layout: Layout,
    terms: Terms,
    rates: Mapping[str, FloatArray],
    *,
    first: int,
    hours_count: int,
) -> World:
    begin, end = first - HISTORY_H, first + hours_count
    start = scene.start + timedelta(hours=begin)
    plain = company_of(
        layout,
        terms,
        zones=scene.zones,
        start=scene.start + timedelta(hours=first),
        hours_count=hours_count,
    )
    prices = {PLACES[at].name: scene.price_usd_per_mwh[at, begin:end] for at in layout.built()}
    inputs = Inputs(
        start=start,
        step_h=1.0,
        history_count=HISTORY_H,
        price_usd_per_mwh=prices,
        outdoor_c={},
        profile_share={},
        requests_per_s={name: row[begin:end] for name, row in rates.items()},
        lengths={},
        synthetic=tuple(prices) if scene.synthetic else (),
        sources={},
    )
    return build_world(_with_classes(plain, _cost_usd_per_mtok(scene)), inputs, scene.catalogue)


def _cost_usd_per_mtok(scene: Scene) -> float:
    """Return what the energy of a Mtok costs at the mean price of the three zones."""
    return float(scene.price_usd_per_mwh.mean()) / scene.mtok_per_mwh()


def _with_classes(company: Company, cost_usd_per_mtok: float) -> Company:
    """Return the company with a tier for each class of value in the place of its chat."""
    chat, batch = company.tiers
    load = company.workloads[0]
    classes = value_classes(VALUE_TOP_TENTH_SHARE, CLASSES_COUNT)
    mean = VALUE_OVER_COST_RATIO * cost_usd_per_mtok
    tiers: list[Tier] = []
    loads: list[Workload] = []
    for name, one in zip(chat_names(), classes, strict=True):
        worth = {"value": None, "value_usd_per_mtok": mean * one.value_ratio}
        tiers.append(chat.model_copy(update={"name": name, **worth}))
        loads.append(load.model_copy(update={"name": name, "tier": name, "arrivals": _any()}))
    last = company.workloads[-1].model_copy(update={"arrivals": _any()})
    days = HISTORY_H / 24.0
    return company.model_copy(
        update={
            "tiers": (*tiers, batch.model_copy(update={"tpot_limit_s": chat.tpot_limit_s})),
            "workloads": (*loads, last),
            "history_days": days,
        }
    )


def _any() -> Arrivals:
    """Return arrivals whose rate the inputs tell."""
    return Arrivals(mean_requests_per_s=1.0)


def _drawn(world: World, *, seed: int, surprise_share: float) -> RequestCase:
    """Return the requests that come, about a rate that is off its forecast.

    Each stands for thousands, whose chance evens out: so of every workload they come evenly
    through the hour, and lengths and values are one from each part of their distributions, in
    random order. Only the surprise of the hour is chance. Prompts are all of the mean length,
    for the meters of an hour know no other; answers are not, and nobody knows theirs.
    """
    random = np.random.default_rng(seed)
    hours, loads_count = world.count, len(world.workloads)
    real = world.arrivals_mtok[:, world.first : world.last] * TOKENS_PER_MTOK / OUTPUT_TOKENS
    weight = float(real.sum()) / (REQUESTS_PER_H * hours)
    surprise = np.exp(random.normal(-0.5 * surprise_share**2, surprise_share, hours))
    counts = np.maximum(1, np.rint(real * surprise / weight)).astype(np.int64)
    parts = [
        _hour_of(load, hour, int(counts[load, hour]), random)
        for load in range(loads_count)
        for hour in range(hours)
    ]
    columns = [np.concatenate(column) for column in zip(*parts, strict=True)]
    order = np.argsort(columns[2], kind="stable")
    workload, interval, arrival_s, length_rank, value_rank = (c[order] for c in columns)
    trace = RequestTrace.of(
        start=world.moment(world.first),
        span_s=hours * S_PER_H,
        source=f"synthetic, seed {seed}",
        workloads=tuple(spec.name for spec in world.workloads),
        arrival_s=arrival_s,
        input_tokens=np.full(workload.size, round(INPUT_TOKENS), dtype=np.int64),
        output_tokens=_lengths(OUTPUT_TOKENS, length_rank),
        workload=workload,
        value_usd=_values_usd(world, workload, value_rank),
    )
    # What an hour asks for is the rate's, not the rounding's: weights make it whole.
    ratio = (real * surprise / counts)[workload, interval]
    made = np.zeros((loads_count, hours))
    np.add.at(
        made, (workload, interval), trace.output_tokens / OUTPUT_TOKENS / counts[workload, interval]
    )
    return RequestCase(
        trace=trace,
        weight_ratio=ratio / made[workload, interval],
        interval=interval,
        laid_s=0.0,
        moved_from=None,
        sampled=True,
        drawn_share=np.full(loads_count, 1.0 / weight),
    )


def _hour_of(
    load: int, hour: int, count: int, random: np.random.Generator
) -> tuple[np.ndarray, ...]:
    """Return workload, hour, arrival, and ranks of length and value of some requests."""
    parts = (np.arange(count) + random.random()) / count
    ranks = [random.permutation(parts) for _ in range(2)]
    return np.full(count, load), np.full(count, hour), (hour + parts) * S_PER_H, *ranks


def _lengths(mean_tokens: float, rank: FloatArray) -> np.ndarray:
    """Return lognormal lengths of that mean at these ranks, at least one token."""
    ratio = np.exp(LENGTH_SIGMA_RATIO * _quantile(rank) - 0.5 * LENGTH_SIGMA_RATIO**2)
    return np.maximum(1, np.rint(mean_tokens * ratio)).astype(np.int64)


def _values_usd(world: World, workload: np.ndarray, rank: FloatArray) -> FloatArray:
    """Return what each request is worth: by its rank within its class; batch as its tier says.

    A class is an interval of ranks; its mean is that of the lognormal between them, so that the
    sample is worth on average what the program believes.
    """
    worth = np.array([spec.value_usd_per_mtok for spec in world.workloads])
    usd = worth[workload] * OUTPUT_TOKENS / TOKENS_PER_MTOK
    chat = workload < CLASSES_COUNT
    sigma = sigma_of(VALUE_TOP_TENTH_SHARE)
    ratio = np.exp(
        sigma * _quantile((workload[chat] + rank[chat]) / CLASSES_COUNT) - 0.5 * sigma**2
    )
    mean = float(worth[:CLASSES_COUNT].mean())
    usd[chat] = mean * ratio * OUTPUT_TOKENS / TOKENS_PER_MTOK
    return np.asarray(usd)


def _quantile(share: FloatArray) -> FloatArray:
    """Return the standard normal's quantiles, from a table of its distribution."""
    points = np.linspace(-6.0, 6.0, 4_801)
    below = np.array([0.5 * (1.0 + erf(point / 2.0**0.5)) for point in points])
    return np.asarray(np.interp(share, below, points))
