"""The film company's hours as merit orders: its program in closed form, for a thousand draws.

Nothing waits and every replica makes a clip alone, so that hours hardly know of each other: only
waking a GPU, 44 s and a hundredth of a kWh, ties them together. Without it an hour is a merit
order of four fleets against the classes of value, and the optimum is where they cross.
"""

import math
from dataclasses import dataclass, replace
from statistics import NormalDist
from typing import Final

import numpy as np

from tokenergy.dispatch.world import FloatArray
from tokenergy.economics.heavy_tail import ValueClass, sigma_of
from tokenergy.errors import InputError
from tokenergy.thesis.film_company import Film
from tokenergy.thesis.thresholds import RESTRAINT_INTERVAL_SHARE

HALF_INTERVAL_RATIO: Final = NormalDist().inv_cdf(0.5 + 0.5 * RESTRAINT_INTERVAL_SHARE)
"""Half of the interval of a normal, in standard deviations: 1.96 at 95 %."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Curve:
    """What a Mtok costs in each hour, fleet by fleet.

    Attributes:
        arrivals_mtok: asked for [T].
        capacity_mtok: most that each fleet makes in an hour [F].
        energy_usd_per_mtok: power of a Mtok on each fleet [F, T].
        lease_usd_per_mtok: lease of a Mtok on each fleet, 0 on own GPUs [F].
        standing_usd: power of sleeping GPUs, whatever is served.
        capital_usd: own GPUs and their building.
        clip_mtok: latent tokens of a clip.
    """

    arrivals_mtok: FloatArray
    capacity_mtok: FloatArray
    energy_usd_per_mtok: FloatArray
    lease_usd_per_mtok: FloatArray
    standing_usd: float
    capital_usd: float
    clip_mtok: float

    @property
    def clips_count(self) -> float:
        """Clips that are asked for."""
        return float(self.arrivals_mtok.sum()) / self.clip_mtok

    def changed(self, *, power_ratio: float, lease_ratio: float, owned_ratio: float) -> "Curve":
        """Return the curve with another level of prices, another lease, and more or fewer own GPUs.

        All are multiples of what stands here. GPUs that are no longer owned can be leased.
        """
        own = self.lease_usd_per_mtok == 0.0
        leased = np.full(self.capacity_mtok.shape, float(self.arrivals_mtok.max()))
        return replace(
            self,
            capacity_mtok=np.where(own, owned_ratio * self.capacity_mtok, leased),
            energy_usd_per_mtok=power_ratio * self.energy_usd_per_mtok,
            lease_usd_per_mtok=lease_ratio * self.lease_usd_per_mtok,
            standing_usd=power_ratio * self.standing_usd,
            capital_usd=owned_ratio * self.capital_usd,
        )

    def cost_usd(self, served_mtok: FloatArray) -> float:
        """Return the least cost of making these quantities [T]."""
        begins, ends, usd = self._order()
        filled = np.clip(served_mtok[None, :] - begins, 0.0, ends - begins)
        return float((filled * usd).sum()) + self.standing_usd

    def full_usd_per_clip(self) -> float:
        """Return what a clip costs, capital and all, if every one is made."""
        return (self.cost_usd(self.arrivals_mtok) + self.capital_usd) / self.clips_count

    def worth_making_mtok(
        self, classes: tuple[ValueClass, ...], *, usd_per_clip: float
    ) -> FloatArray:
        """Return what is served of each class if only what is worth its cost is made [K, T].

        The most valuable class meets the cheapest fleet first. Costs rise and values fall, so
        every stretch of a class on a fleet that is worth it lies before any that is not.

        Args:
            classes: the least valuable first.
            usd_per_clip: mean value of a clip.
        """
        begins, ends, usd = self._order()
        shares = np.array([each.requests_share for each in classes])
        value = np.array([each.value_ratio for each in classes]) * usd_per_clip / self.clip_mtok
        better = shares[::-1].cumsum()[::-1] - shares
        from_mtok = better[:, None, None] * self.arrivals_mtok
        to_mtok = (better + shares)[:, None, None] * self.arrivals_mtok
        stretch = np.minimum(to_mtok, ends) - np.maximum(from_mtok, begins)
        worth = value[:, None, None] > usd
        return np.asarray((np.maximum(0.0, stretch) * worth).sum(axis=1))

    def _order(self) -> tuple[FloatArray, FloatArray, FloatArray]:
        """Return where each fleet begins and ends in the merit order, and its cost [F, T]."""
        usd = self.energy_usd_per_mtok + self.lease_usd_per_mtok[:, None]
        order = np.argsort(usd, axis=0, kind="stable")
        capacity = self.capacity_mtok[order]
        ends = capacity.cumsum(axis=0)
        return ends - capacity, ends, np.take_along_axis(usd, order, axis=0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Compared:
    """Three policies on one curve: everything, what is worth it, and as many tokens at random.

    Attributes:
        unlimited_margin_usd, threshold_margin_usd: value of what is served less its cost.
        random_margin_usd: the mean over all ways to drop.
        random_half_usd: half of the interval of that (`RESTRAINT_INTERVAL_SHARE`).
        value_kept_share: value that the threshold keeps of all that is asked for.
        tokens_kept_share: tokens that it keeps.
    """

    unlimited_margin_usd: float
    threshold_margin_usd: float
    random_margin_usd: float
    random_half_usd: float
    value_kept_share: float
    tokens_kept_share: float

    @property
    def margin_up_share(self) -> float:
        """Gain of the threshold over serving everything, in parts of the size of that margin."""
        gain_usd = self.threshold_margin_usd - self.unlimited_margin_usd
        size_usd = abs(self.unlimited_margin_usd)
        return gain_usd / size_usd if size_usd else math.copysign(math.inf, gain_usd)

    @property
    def beats_random(self) -> bool:
        """Whether the threshold lies above the interval of random dropping."""
        return self.threshold_margin_usd - self.random_margin_usd > self.random_half_usd


def compared(
    curve: Curve,
    classes: tuple[ValueClass, ...],
    *,
    usd_per_clip: float,
    value_top_tenth_share: float,
) -> Compared:
    """Return the three policies on a curve, at equal tokens in every hour.

    Random dropping keeps m of n clips of an hour; with S^2 = exp(sigma^2) - 1 the variance of a
    value over its squared mean, what they are worth has the variance m S^2 (1 - m / n).

    Args:
        curve: the company's hours.
        classes: what the policy sees of the values, mean 1.
        usd_per_clip: mean value of a clip.
        value_top_tenth_share: of the values themselves, for the interval.
    """
    made = curve.worth_making_mtok(classes, usd_per_clip=usd_per_clip)
    served = made.sum(axis=0)
    cost_usd = curve.cost_usd(served)
    ratios = np.array([each.value_ratio for each in classes])
    all_usd = usd_per_clip * curve.clips_count
    value_usd = usd_per_clip * float(ratios @ made.sum(axis=1)) / curve.clip_mtok
    kept = served / curve.clip_mtok
    left_out = 1.0 - served / np.maximum(curve.arrivals_mtok, 1e-300)
    spread = math.expm1(sigma_of(value_top_tenth_share) ** 2)
    deviation = math.sqrt(spread * max(0.0, float(kept @ left_out)))
    return Compared(
        unlimited_margin_usd=all_usd - curve.cost_usd(curve.arrivals_mtok),
        threshold_margin_usd=value_usd - cost_usd,
        random_margin_usd=usd_per_clip * float(kept.sum()) - cost_usd,
        random_half_usd=HALF_INTERVAL_RATIO * deviation * usd_per_clip,
        value_kept_share=value_usd / all_usd,
        tokens_kept_share=float(kept.sum()) / curve.clips_count,
    )


def curve_of(film: Film) -> Curve:
    """Return the company's hours without the wakes of its GPUs.

    Raises:
        InputError: if power costs nothing or less on the mean: there is no level to vary.
    """
    world = film.world
    span = slice(world.first, world.last)
    price = world.buy_usd_per_mwh(world.spot_usd_per_mwh)[:, span]
    if not price.mean() > 0.0:
        raise InputError(
            f"zones {', '.join(film.zones)}: a mean price of {price.mean():.3g} USD/MWh; above 0 "
            "is needed to vary its level"
        )
    pue = world.pue[:, span]
    capacity, energy, lease = [], [], []
    for route in world.routes:
        deployment = world.deployments[route.deployment]
        fleet = world.fleets[deployment.fleet]
        awake_mw = deployment.base_mw - fleet.sleep_mw_per_gpu * deployment.gpus_count
        racks_mwh = route.marginal_mwh_per_mtok + awake_mw / route.rate_mtok_per_h
        site = deployment.site
        energy.append(pue[site] * racks_mwh * price[site] + route.network_usd_per_mtok)
        replicas = fleet.gpus_count / deployment.gpus_count
        capacity.append(replicas * route.rate_mtok_per_h * world.step_h)
        paid = deployment.gpus_count * fleet.lease_usd_per_gpu_hour
        lease.append(paid / route.rate_mtok_per_h)
    standing_mw = world.standing_mw()[:, None]
    return Curve(
        arrivals_mtok=world.arrivals_mtok[0, span],
        capacity_mtok=np.array(capacity),
        energy_usd_per_mtok=np.array(energy),
        lease_usd_per_mtok=np.array(lease),
        standing_usd=float((standing_mw * pue * price).sum()) * world.step_h,
        capital_usd=film.capital_usd,
        clip_mtok=film.clip_mtok,
    )
