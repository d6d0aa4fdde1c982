"""Three sites on three price zones, or the same megawatts and GPUs at one of them.

The company is invented, and small enough that 48 h re-solve in milliseconds: one model, chat that
may not wait from a region beside each site, and batch work that may wait a day. Every assumption
is a constant here or a sourced range; prices are those of the inputs.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

import numpy as np

from tokenergy.company.catalogue import Catalogue
from tokenergy.company.finding import Finding
from tokenergy.company.inputs import Inputs
from tokenergy.dispatch.build import build_world
from tokenergy.dispatch.solve import Optimum
from tokenergy.dispatch.world import BoolArray, FloatArray, State, World
from tokenergy.energy.operating_point import language_operating_point
from tokenergy.errors import InputError
from tokenergy.synthetic.demand import demand_shape
from tokenergy.thesis.inputs import HourlyPrices, ThesisInputs
from tokenergy.thesis.result import Label, Result, hash_of
from tokenergy.thesis.three_company import (
    ACCELERATOR,
    BATCH_TPOT_LIMIT_S,
    FIXED_MW,
    GPUS_PER_REPLICA,
    HISTORY_H,
    INPUT_TOKENS,
    MODEL,
    OUTPUT_TOKENS,
    PLACES,
    PUE,
    REQUESTS_PER_S,
    SITES_COUNT,
    TPOT_LIMIT_S,
    Layout,
    Terms,
    company_of,
    workload_names,
)
from tokenergy.units import S_PER_H, TOKENS_PER_MTOK, W_PER_MW

BATCH_SHARE: Final = 0.3
"""Part of the tokens that may wait a day; an assumption."""
HEADROOM_SHARE: Final = 0.05
"""Megawatts of a site beyond what all its GPUs and its fixed load can draw: they never bind."""
AT_LIMIT_SHARE: Final = 1e-6
"""An import within this share of the limit is at the limit."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Scene:
    """The series that every variant shares, and what one GPU does.

    Attributes:
        zones: the price zone of each place.
        at_home: whether each zone is the one that its place lies in.
        price_usd_per_mwh: [3, T].
        requests_per_s: by workload [T].
        chat_mtok_per_h, batch_mtok_per_h: what one GPU makes of each at full load.
        chat_ttft_s: time to the first token of one request of chat, without the network.
        gpu_mw, sleep_mw: a GPU at full load with its share of the host, and asleep, at the racks.
    """

    catalogue: Catalogue
    start: datetime
    zones: tuple[str, ...]
    at_home: bool
    synthetic: bool
    price_usd_per_mwh: FloatArray
    requests_per_s: Mapping[str, FloatArray]
    chat_mtok_per_h: float
    batch_mtok_per_h: float
    chat_ttft_s: float
    gpu_mw: float
    sleep_mw: float

    @property
    def hours_count(self) -> int:
        """Hours of the series."""
        return int(self.price_usd_per_mwh.shape[1])

    def mean_usd_per_mwh(self) -> FloatArray:
        """Return the mean price of each zone [3].

        Raises:
            InputError: if one is not above 0: it cannot be scaled to another level.
        """
        mean = self.price_usd_per_mwh.mean(axis=1)
        if not np.all(mean > 0.0):
            told = ", ".join(f"{z} {m:g}" for z, m in zip(self.zones, mean, strict=True))
            raise InputError(f"mean prices must exceed 0 USD/MWh to be scaled: {told}")
        return np.asarray(mean)

    def gpus_by_hour(self) -> FloatArray:
        """Return the GPUs that each region's chat keeps busy, and batch as it arrives [4, T]."""
        asked = np.array([self.requests_per_s[name] for name in workload_names()])
        mtok_per_h = asked * S_PER_H * OUTPUT_TOKENS / TOKENS_PER_MTOK
        rate = [self.chat_mtok_per_h] * SITES_COUNT + [self.batch_mtok_per_h]
        return np.asarray(mtok_per_h / np.array(rate)[:, None])

    def ample_mw(self, gpus_count: int) -> float:
        """Return a little more than a site of that many GPUs can draw at its meter."""
        return (1.0 + HEADROOM_SHARE) * PUE * (FIXED_MW + gpus_count * self.gpu_mw)

    def mtok_per_mwh(self) -> float:
        """Return the chat that a MWh at the meter makes on a busy GPU, over its sleep, Mtok."""
        return self.chat_mtok_per_h / (PUE * (self.gpu_mw - self.sleep_mw))

    def digest(self) -> str:
        """Return a name that differs where a series does."""
        held = hashlib.sha256(self.price_usd_per_mwh.tobytes())
        for row in self.requests_per_s.values():
            held.update(row.tobytes())
        return held.hexdigest()

    def three(self, gpus_count: int) -> Layout:
        """Return a third of the GPUs at each place, with the megawatts to run them all."""
        each = gpus_count // SITES_COUNT
        return Layout(
            gpus_count=(each,) * SITES_COUNT,
            import_limit_mw=(self.ample_mw(each),) * SITES_COUNT,
        )

    def gathered(self, layout: Layout, place: int) -> Layout:
        """Return all GPUs and all megawatts of a layout at one place."""
        here = [at == place for at in range(SITES_COUNT)]
        return Layout(
            gpus_count=tuple(sum(layout.gpus_count) * one for one in here),
            import_limit_mw=tuple(sum(layout.import_limit_mw) * one for one in here),
        )

    def world(
        self,
        layout: Layout,
        terms: Terms,
        *,
        first: int,
        hours_count: int,
        history_h: int = HISTORY_H,
    ) -> World:
        """Return a company of that layout on `hours_count` hours from `first` on.

        Raises:
            InputError: if the hours, and the history before them, are not all in the series.
        """
        if first < history_h or first + hours_count > self.hours_count:
            raise InputError(
                f"hours {first} to {first + hours_count} need {history_h} h of prices before "
                f"them and end within the {self.hours_count} h that there are"
            )
        begin, end = first - history_h, first + hours_count
        start = self.start + timedelta(hours=begin)
        company = company_of(
            layout,
            terms,
            zones=self.zones,
            start=start + timedelta(hours=history_h),
            hours_count=hours_count,
        )
        prices = {PLACES[at].name: self.price_usd_per_mwh[at, begin:end] for at in layout.built()}
        inputs = Inputs(
            start=start,
            step_h=1.0,
            history_count=history_h,
            price_usd_per_mwh=prices,
            outdoor_c={},
            profile_share={},
            requests_per_s={name: row[begin:end] for name, row in self.requests_per_s.items()},
            lengths={},
            synthetic=tuple(prices) if self.synthetic else (),
            sources={},
        )
        return build_world(company, inputs, self.catalogue)


def scene_of(inputs: ThesisInputs) -> Scene:
    """Return the scene of the experiments on three sites.

    Raises:
        InputError: if there are not three zones with a price in every hour.
    """
    prices = inputs.prices
    zones, at_home = zones_of(prices)
    points = [
        language_operating_point(
            inputs.catalogue,
            model=MODEL,
            accelerator=ACCELERATOR,
            gpus_count=GPUS_PER_REPLICA,
            tpot_limit_s=limit_s,
            input_tokens_count=INPUT_TOKENS,
            output_tokens_count=OUTPUT_TOKENS,
        )
        for limit_s in (TPOT_LIMIT_S, BATCH_TPOT_LIMIT_S)
    ]
    draws_mw = [p.base_mw + p.marginal_mwh_per_mtok * p.rate_mtok_per_h for p in points]
    return Scene(
        catalogue=inputs.catalogue,
        start=prices.start,
        zones=zones,
        at_home=at_home,
        synthetic=prices.synthetic,
        price_usd_per_mwh=np.array([prices.usd_per_mwh[zone] for zone in zones]),
        requests_per_s=_requests_per_s(prices, seed=inputs.seed),
        chat_mtok_per_h=points[0].rate_mtok_per_h / GPUS_PER_REPLICA,
        batch_mtok_per_h=points[1].rate_mtok_per_h / GPUS_PER_REPLICA,
        chat_ttft_s=points[0].unloaded_ttft_s,
        gpu_mw=max(draws_mw) / GPUS_PER_REPLICA,
        sleep_mw=inputs.catalogue.accelerator(ACCELERATOR).idle_w / W_PER_MW,
    )


def zones_of(prices: HourlyPrices) -> tuple[tuple[str, ...], bool]:
    """Return three zones, and whether each lies where its site stands.

    Texas, California and New York by their names in the real series or in the synthetic feed;
    else the first three zones without a gap, in the order of the inputs, at the same places.

    Raises:
        InputError: if fewer than three zones have a price in every hour.
    """
    whole = [name for name, row in prices.usd_per_mwh.items() if bool(np.all(np.isfinite(row)))]
    for kind in range(2):
        wanted = tuple(place.zones[kind] for place in PLACES)
        if all(zone in whole for zone in wanted):
            return wanted, True
    if len(whole) < SITES_COUNT:
        raise InputError(
            f"{len(whole)} price zones without a missing hour, {SITES_COUNT} are needed: "
            f"{', '.join(whole) or 'none'}"
        )
    return tuple(whole[:SITES_COUNT]), False


def spread_starts(scene: Scene, *, span_h: int, most_count: int, history_h: int) -> tuple[int, ...]:
    """Return where spans begin: evenly over the series after the history, by rule alone.

    Every n-th whole span is taken, with the least n that leaves at most `most_count` of them;
    none where the series is too short.
    """
    whole = max(0, (scene.hours_count - history_h) // span_h)
    every = max(1, -(-whole // most_count))
    return tuple(history_h + span_h * at for at in range(0, whole, every))


def findings_of(scene: Scene) -> tuple[Finding, ...]:
    """Return what a reader must know about the series."""
    found = []
    if scene.synthetic:
        found.append(
            Finding(
                code="SYNTHETIC_PRICES",
                path="prices",
                reason="the prices come from a seeded generator: what they show is no evidence",
                remedy="Give hourly prices of three zones.",
                severity="warning",
            )
        )
    if not scene.at_home:
        found.append(
            Finding(
                code="ZONES_ELSEWHERE",
                path="prices",
                value=", ".join(scene.zones),
                reason="distances are those of Dallas, San Jose and New York, not of these zones",
                remedy=f"Name the zones {', '.join(place.zones[0] for place in PLACES)}.",
                severity="warning",
            )
        )
    return tuple(found)


def too_short(
    scene: Scene, *, id: str, claim: str, label: Label, unit: str, threshold: str, needs: str
) -> Result:
    """Return the result of an experiment whose series are shorter than it needs."""
    return Result(
        id=id,
        claim=claim,
        label=label,
        number=None,
        unit=unit,
        threshold=threshold,
        verdict="NOT_APPLICABLE",
        says=f"{scene.hours_count} h of prices are too few: {needs}.",
        inputs_hash=hash_of({"scene": scene.digest()}),
        figures={"hours_count": scene.hours_count},
        findings=tuple(finding.to_dict() for finding in findings_of(scene)),
    )


def warm(world: World) -> State:
    """Return a start with every GPU awake, so that no first hour is short of replicas."""
    start = State.initial(world)
    replicas = [world.fleets[d.fleet].gpus_count / d.gpus_count for d in world.deployments]
    return State(
        awake=np.array(replicas), energy_mwh=start.energy_mwh, backlog_mtok=start.backlog_mtok
    )


def _requests_per_s(prices: HourlyPrices, *, seed: int) -> dict[str, FloatArray]:
    """Return arrivals: a day, a week and a little noise for chat; batch is even."""
    names = workload_names()
    asked: dict[str, FloatArray] = {}
    for at, (name, place) in enumerate(zip(names, PLACES, strict=False)):
        shape = demand_shape(
            start=prices.start,
            hours_count=prices.hours_count,
            seed=seed * len(names) + at,
            utc_offset_h=place.utc_offset_h,
        )
        asked[name] = REQUESTS_PER_S * shape
    mean = SITES_COUNT * REQUESTS_PER_S * BATCH_SHARE / (1.0 - BATCH_SHARE)
    asked[names[-1]] = np.full(prices.hours_count, mean)
    return asked


def bound_hours(optimum: Optimum, place: int) -> BoolArray:
    """Return in which hours a site draws all that its limit allows [n]."""
    limit_mwh = (optimum.window.import_limit_mw * optimum.window.lengths_h)[place]
    drawn_mwh = optimum.value("meter_import")[:, place]
    return np.asarray(drawn_mwh >= (1.0 - AT_LIMIT_SHARE) * limit_mwh)


def mw_rent_usd_per_mwh(optimum: Optimum) -> FloatArray:
    """Return what one MWh more at each site's meter would be worth beside its price [n, S]."""
    return np.asarray(np.maximum(0.0, -optimum.reduced("meter_import")))
