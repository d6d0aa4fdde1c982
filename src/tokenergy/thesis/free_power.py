"""T14, zero-cost electricity: may a GPU stand still until power costs nothing?

Economics sheet, section 9. Below which price of a GPU does it pay to run only in the hours in
which power costs nothing or less, and to stand still in all others?

A GPU costs `g` in every hour, whether it runs or not: a lease, or capital with its building. It
draws `k` MW at the meter while it runs (PUE x watts at the utilisation) and `s k` while it
stands still. Power is free in a share `f` of the hours, at `a` USD/MWh on average (0 or less:
what negative prices pay is kept in full), and costs `b` in the others. Per Mtok, at `m` Mtok
for an hour that runs:

    run through      (g + k (f a + (1 - f) b)) / m
    free power only  (g + k f a + s k (1 - f) b) / (f m)

They are equal at `g* = k ((f - s) b - f a)`, whatever `m` is; free power only is the cheaper one
below. Told is `s = 0`, a GPU switched off at no cost: the kindest case for the claim. Beside it
stands the case in which it draws its idle power all the time.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np

from tokenergy.thesis.draws import drawn, unverified
from tokenergy.thesis.inputs import FloatArray, HourlyPrices, ThesisInputs
from tokenergy.thesis.result import Result, Told, hash_of, verdict_of
from tokenergy.thesis.thresholds import DRAWS_COUNT, LEASE_TODAY_USD_PER_GPU_HOUR
from tokenergy.units import KW_PER_MW, S_PER_H, TOKENS_PER_MTOK

DRAWN = ("kw_per_gpu", "idle_share", "pue", "utilisation_share", "lease_usd_per_gpu_hour")
"""Ranges of the draws; none of them spans more than a factor of 3, so that all are uniform."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RunningGpu:
    """A GPU that runs at a steady load, with its share of host and cooling."""

    kw_per_gpu: float
    idle_share: float
    pue: float
    tokens_per_s_per_gpu: float
    utilisation_share: float

    @property
    def running_mw_per_gpu(self) -> float:
        """Draw at the meter while it runs; linear in the load."""
        load_share = self.idle_share + (1.0 - self.idle_share) * self.utilisation_share
        return self.kw_per_gpu * self.pue * load_share / KW_PER_MW

    @property
    def standby_share(self) -> float:
        """Draw while idle over draw while it runs."""
        return self.idle_share / (
            self.idle_share + (1.0 - self.idle_share) * self.utilisation_share
        )

    @property
    def running_mtok_per_h(self) -> float:
        """Tokens of one hour in which it runs."""
        return self.tokens_per_s_per_gpu * self.utilisation_share * S_PER_H / TOKENS_PER_MTOK


@dataclass(frozen=True, slots=True, kw_only=True)
class FreeHours:
    """The free hours of a zone's prices, and what power costs in and outside them.

    Attributes:
        zone: whose prices.
        hours_count: hours of the series.
        free_count: hours with a price of 0 or less.
        free_usd_per_mwh: mean price of those (0 or less); 0 where there are none.
        other_usd_per_mwh: mean price of the others; 0 where there are none.
    """

    zone: str
    hours_count: int
    free_count: int
    free_usd_per_mwh: float
    other_usd_per_mwh: float

    @classmethod
    def of(cls, zone: str, usd_per_mwh: FloatArray) -> "FreeHours":
        """Count the free hours of a price series [T]."""
        free = usd_per_mwh <= 0.0
        return cls(
            zone=zone,
            hours_count=usd_per_mwh.size,
            free_count=int(free.sum()),
            free_usd_per_mwh=float(usd_per_mwh[free].mean()) if free.any() else 0.0,
            other_usd_per_mwh=float(usd_per_mwh[~free].mean()) if not free.all() else 0.0,
        )

    @property
    def free_share(self) -> float:
        """Part of the hours that are free."""
        return self.free_count / self.hours_count

    @property
    def mean_usd_per_mwh(self) -> float:
        """Mean price of all hours: what running through pays."""
        f = self.free_share
        return f * self.free_usd_per_mwh + (1.0 - f) * self.other_usd_per_mwh

    @property
    def decides(self) -> bool:
        """Whether there is a choice: some hours are free, and some are not."""
        return 0 < self.free_count < self.hours_count

    def break_even_usd_per_gpu_hour(
        self, *, running_mw_per_gpu: float, standby_share: float = 0.0
    ) -> float | None:
        """Return the GPU price below which free power only is cheaper; None without a choice.

        Below 0 it never is: what the GPU draws while it waits eats more than free power saves.
        """
        if not self.decides:
            return None
        f = self.free_share
        saved = (f - standby_share) * self.other_usd_per_mwh - f * self.free_usd_per_mwh
        return running_mw_per_gpu * saved

    def free_only_usd_per_mtok(
        self, gpu: RunningGpu, *, lease_usd_per_gpu_hour: float, standby_share: float = 0.0
    ) -> float | None:
        """Return what a Mtok costs that is made in free hours only; None if there are none."""
        if not self.free_count:
            return None
        f = self.free_share
        power_usd_per_mwh = (
            f * self.free_usd_per_mwh + standby_share * (1.0 - f) * self.other_usd_per_mwh
        )
        spent = lease_usd_per_gpu_hour + gpu.running_mw_per_gpu * power_usd_per_mwh
        return spent / (f * gpu.running_mtok_per_h)

    def through_usd_per_mtok(self, gpu: RunningGpu, *, lease_usd_per_gpu_hour: float) -> float:
        """Return what a Mtok costs that is made in all hours alike."""
        spent = lease_usd_per_gpu_hour + gpu.running_mw_per_gpu * self.mean_usd_per_mwh
        return spent / gpu.running_mtok_per_h


@dataclass(frozen=True, slots=True, kw_only=True)
class BestHours:
    """The hours worth running in where a GPU costs something: all but the dearest.

    Attributes:
        pause_above_usd_per_mwh: an hour that is dearer than this raises the cost of a token.
        paused_count: hours that are.
        saved_share: of the cost of a token, against running through.
    """

    pause_above_usd_per_mwh: float
    paused_count: int
    saved_share: float

    @classmethod
    def of(
        cls, usd_per_mwh: FloatArray, *, lease_usd_per_gpu_hour: float, running_mw_per_gpu: float
    ) -> "BestHours":
        """Choose the hours with the least cost per hour that runs; paused, it draws nothing.

        The n cheapest of T hours cost `(T g + k (p1 + .. + pn)) / n` each: that falls while
        `k p(n+1)` is below it. So the best hours are those with `k p` below the least of it.
        """
        cheapest = np.sort(usd_per_mwh)
        counts = np.arange(1, cheapest.size + 1)
        paid_usd = cheapest.size * lease_usd_per_gpu_hour
        spent_usd_per_h = (paid_usd + running_mw_per_gpu * np.cumsum(cheapest)) / counts
        best = int(np.argmin(spent_usd_per_h))
        return cls(
            pause_above_usd_per_mwh=float(spent_usd_per_h[best]) / running_mw_per_gpu,
            paused_count=cheapest.size - 1 - best,
            saved_share=1.0 - float(spent_usd_per_h[best] / spent_usd_per_h[-1]),
        )


def run(inputs: ThesisInputs, told: Told | None = None) -> Result:
    """T14: hold the break-even price of a GPU, zone by zone, against today's lease."""
    del told  # a moment
    gpu = _base_gpu(inputs)
    zones = [FreeHours.of(zone, values) for zone, values in inputs.prices.usd_per_mwh.items()]
    rows = [_row(free, gpu, inputs.prices) for free in zones]
    best = _best(zones, gpu)
    number = None if best is None else _break_even(best, gpu)
    passes = number is not None and number > LEASE_TODAY_USD_PER_GPU_HOUR
    names = (*DRAWN, "tokens_per_s_per_gpu")
    return Result(
        id="T14",
        claim="follow free power only: electricity at no cost decides",
        label="sensitivity" if inputs.prices.synthetic else "evidence",
        number=number,
        unit="USD/GPU-hour",
        threshold=f"> {LEASE_TODAY_USD_PER_GPU_HOUR:.2f} USD/GPU-hour, a lease today, in some zone",
        verdict=verdict_of(passes),
        says=_says(best, gpu, inputs.prices),
        holds_share=_holds_share(zones, inputs),
        draws_count=DRAWS_COUNT,
        inputs_hash=hash_of(
            {
                "ranges": {name: str(inputs.ranges[name]) for name in names},
                "prices": {free.zone: str(free) for free in zones},
                "seed": inputs.seed,
            }
        ),
        figures={
            "lease_usd_per_gpu_hour": LEASE_TODAY_USD_PER_GPU_HOUR,
            "running_kw_per_gpu": gpu.running_mw_per_gpu * KW_PER_MW,
            "running_mtok_per_h": gpu.running_mtok_per_h,
            "standby": "switched off, at no cost; break_even_idle: drawing its idle power",
            "prices_source": inputs.prices.source,
            "zones": rows,
        },
        findings=unverified(inputs.ranges, names),
    )


def _base_gpu(inputs: ThesisInputs) -> RunningGpu:
    names = ("kw_per_gpu", "idle_share", "pue", "tokens_per_s_per_gpu", "utilisation_share")
    return RunningGpu(**{name: inputs.ranges[name].base_quantity for name in names})


def _break_even(free: FreeHours, gpu: RunningGpu) -> float | None:
    return free.break_even_usd_per_gpu_hour(running_mw_per_gpu=gpu.running_mw_per_gpu)


def _best(zones: list[FreeHours], gpu: RunningGpu) -> FreeHours | None:
    """Return the zone in which free power carries the dearest GPU; None if nowhere any."""
    found = [(price, free) for free in zones if (price := _break_even(free, gpu)) is not None]
    return max(found, key=lambda pair: pair[0])[1] if found else None


def _row(free: FreeHours, gpu: RunningGpu, prices: HourlyPrices) -> dict[str, Any]:
    lease = LEASE_TODAY_USD_PER_GPU_HOUR
    hours = BestHours.of(
        prices.usd_per_mwh[free.zone],
        lease_usd_per_gpu_hour=lease,
        running_mw_per_gpu=gpu.running_mw_per_gpu,
    )
    return {
        "zone": free.zone,
        "hours_count": free.hours_count,
        "free_count": free.free_count,
        "free_usd_per_mwh": free.free_usd_per_mwh if free.free_count else None,
        "mean_usd_per_mwh": free.mean_usd_per_mwh,
        "break_even_usd_per_gpu_hour": _break_even(free, gpu),
        "break_even_idle_usd_per_gpu_hour": free.break_even_usd_per_gpu_hour(
            running_mw_per_gpu=gpu.running_mw_per_gpu, standby_share=gpu.standby_share
        ),
        "free_only_usd_per_mtok": free.free_only_usd_per_mtok(gpu, lease_usd_per_gpu_hour=lease),
        "through_usd_per_mtok": free.through_usd_per_mtok(gpu, lease_usd_per_gpu_hour=lease),
        "pause_above_usd_per_mwh": hours.pause_above_usd_per_mwh,
        "paused_count": hours.paused_count,
        "paused_saved_share": hours.saved_share,
    }


def _says(best: FreeHours | None, gpu: RunningGpu, prices: HourlyPrices) -> str:
    """Say the answer with its figures, also where it is no."""
    lease = LEASE_TODAY_USD_PER_GPU_HOUR
    if best is None:
        return (
            f"None of {len(prices.usd_per_mwh)} zones has both free and other hours: there is "
            "nothing to follow."
        )
    number = _break_even(best, gpu)
    only = best.free_only_usd_per_mtok(gpu, lease_usd_per_gpu_hour=lease)
    through = best.through_usd_per_mtok(gpu, lease_usd_per_gpu_hour=lease)
    word = "beats" if number is not None and number > lease else "does not beat"
    hours = BestHours.of(
        prices.usd_per_mwh[best.zone],
        lease_usd_per_gpu_hour=lease,
        running_mw_per_gpu=gpu.running_mw_per_gpu,
    )
    return (
        f"Waiting for free power {word} running through: best in {best.zone}, free in "
        f"{best.free_count:,} of {best.hours_count:,} h, it pays for GPUs below {number:.3f} "
        f"USD/GPU-hour, and a lease is {lease:.2f}. There a Mtok costs {only:,.2f} USD from free "
        f"power only, {through:,.2f} run through: an hour of a GPU takes power for "
        f"{gpu.running_mw_per_gpu * best.mean_usd_per_mwh:.2f} USD on the mean. What pays is to "
        f"pause above {hours.pause_above_usd_per_mwh:,.0f} USD/MWh: {hours.paused_count:,} h there."
    )


def _holds_share(zones: list[FreeHours], inputs: ThesisInputs) -> float:
    """Return in how many of the draws a lease is below the break-even of some zone.

    Watts, load and lease are drawn; prices are those of the inputs. The break-even is in
    proportion to what a GPU draws, so that one zone is the best in every draw.
    """
    random = np.random.default_rng([inputs.seed, 14])
    held = drawn(random, inputs.ranges, DRAWN, count=DRAWS_COUNT)
    idle = held["idle_share"]
    load = idle + (1.0 - idle) * held["utilisation_share"]
    running_mw = held["kw_per_gpu"] * held["pue"] * load / KW_PER_MW
    per_mw = (free.break_even_usd_per_gpu_hour(running_mw_per_gpu=1.0) for free in zones)
    most = max((value for value in per_mw if value is not None), default=0.0)
    return float(np.mean(running_mw * most > held["lease_usd_per_gpu_hour"]))
