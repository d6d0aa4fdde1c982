"""The board of an interval: what every request of it is decided by, out of a solved window.

It takes a world and a `PriceSheet` (duals of a policy's optimum, or a merit order) and returns a
`Board`: prices of every route in parts with both ends, primal shares, awake replicas and their
places, prices of the intervals ahead and the planned release of work that may wait. Nothing of it
is about a simulation: the gateway makes its boards by the same code.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final, Literal

import numpy as np

from tokenergy.company.board import PART_NAMES, Admission, Board, BoardWorkload, Candidate, Rung
from tokenergy.company.board_made import made_board, made_rung, made_workload
from tokenergy.company.tier import Tier
from tokenergy.dispatch.columns import quality_loss_usd_per_mtok
from tokenergy.dispatch.world import FloatArray, World
from tokenergy.simulate.price_sheets import PriceSheet
from tokenergy.units import J_PER_MWH, MS_PER_S, S_PER_H, TOKENS_PER_MTOK

NO_LIMIT_TOKENS: Final = 2**31
"""Context of a model whose limit nobody stated."""
ServiceTier = Literal["priority", "default", "flex", "batch"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Promise:
    """What the tier of a workload promises, and what serving it is worth.

    Exactly one value is stated. `rho_ratio` is mean uncached input over mean output tokens.
    """

    service_tier: ServiceTier
    ttft_limit_s: float
    tpot_limit_s: float
    deadline_s: float
    value_usd_per_mtok: float | None
    value_usd_per_request: float | None
    rho_ratio: float


def promises_of(world: World) -> tuple[Promise, ...]:
    """Return the promise of every workload of a company's world, in their order."""
    company, inputs = world.company, world.inputs
    tiers = {tier.name: tier for tier in company.tiers}
    found = []
    for spec, load in zip(world.workloads, company.workloads, strict=True):
        tier = tiers[spec.tier]
        lengths = inputs.lengths.get(load.name)
        tokens = (load.input_tokens, load.output_tokens)
        if lengths is not None:
            tokens = (lengths.input_tokens, lengths.output_tokens)
        rho = 0.0
        if tokens[0] is not None and tokens[1]:
            rho = tokens[0] / tokens[1]
        per_request = _value_usd_per_request(tier)
        found.append(
            Promise(
                service_tier=tier.service_tier,
                ttft_limit_s=tier.ttft_limit_s,
                tpot_limit_s=tier.tpot_limit_s,
                deadline_s=tier.deadline_s,
                value_usd_per_mtok=spec.value_usd_per_mtok if per_request is None else None,
                value_usd_per_request=per_request,
                rho_ratio=rho,
            )
        )
    return tuple(found)


def _value_usd_per_request(tier: Tier) -> float | None:
    """Return what a request of a tier is worth where that is stated by request."""
    if tier.value_usd_per_request is not None:
        return tier.value_usd_per_request
    if tier.from_conversion is not None:
        return tier.from_conversion.uplift_share * tier.from_conversion.ltv_usd
    return tier.price_usd_per_request if tier.value == "from_price" else None


class Boards:
    """Makes the boards of a world; holds what does not change between intervals."""

    def __init__(
        self,
        world: World,
        promises: Sequence[Promise],
        *,
        admission: Admission = "right",
        spare_share: float = 0.0,
        context_tokens: Mapping[int, int] = MappingProxyType({}),
    ) -> None:
        """Sort every workload's routes into rungs.

        Args:
            world: the company as arrays.
            promises: of every workload, in their order.
            admission: which end of a price admits.
            spare_share: part of each replica's operating point that the world's rates leave
                free: its batch then holds that much more than the world plans with.
            context_tokens: most tokens of one request by deployment; others have no limit.
        """
        self._world, self._promises, self._admission = world, tuple(promises), admission
        self._lost = quality_loss_usd_per_mtok(world)
        self._ladders = [self._ladder(at) for at in range(len(world.workloads))]
        self._spare_share, self._context = spare_share, context_tokens
        self.epoch_s = world.start.timestamp()

    def _ladder(self, workload: int) -> list[tuple[str, float, list[int]]]:
        """Return the rungs of a workload, best first: model, quality, routes."""
        world = self._world
        asked = world.workloads[workload].asked_quality_share
        rungs: dict[tuple[float, str], list[int]] = {}
        for at, route in enumerate(world.routes):
            if route.workload == workload:
                quality = min(1.0, route.quality_share / asked)
                key = (-quality, world.deployments[route.deployment].model)
                rungs.setdefault(key, []).append(at)
        return [(model, -less, routes) for (less, model), routes in sorted(rungs.items())]

    def board(
        self,
        sheet: PriceSheet,
        *,
        policy: str,
        weight_ratio: FloatArray | None = None,
        made_at_s: float | None = None,
        refresh_s: float | None = None,
        reservation_usd_per_mtok: Mapping[int, Sequence[float]] = MappingProxyType({}),
    ) -> Board:
        """Return the board of the interval that a sheet begins with.

        Args:
            sheet: its prices.
            policy: who decided it: the policy, or what it fell back to.
            weight_ratio: where requests are a sample, how many one of each workload stands for
                [W]: places and plans are then as large as the sample is, and a place's load is
                counted over the whole interval (`request_router`). None: each counts once.
            made_at_s: when it was made, seconds since the Unix epoch; None: as its interval begins.
            refresh_s: time after which the next one is due; None: its interval.
            reservation_usd_per_mtok: last week's prices by workload, which release deferred work
                once the board is stale; of those that are not in it, it is released at once.
        """
        world = self._world
        start_s = self.epoch_s + sheet.begin * world.step_h * S_PER_H
        step_s = world.step_h * S_PER_H
        shares, release = sheet.shares(world), sheet.release_mtok(world)
        counts = np.diff(sheet.edges)
        release_mtok_per_h = (release / (counts[:, None] * world.step_h)).repeat(counts, axis=0)
        ahead = (sheet.ahead_usd_per_mtok - self._lost).repeat(counts, axis=0)
        loads = [
            self._workload(
                at,
                sheet,
                shares,
                ahead,
                release_mtok_per_h,
                weight_ratio,
                reservation_usd_per_mtok.get(at, ()),
            )
            for at in range(len(world.workloads))
        ]
        return made_board(
            made_at_s=start_s if made_at_s is None else made_at_s,
            start_s=start_s,
            interval_s=step_s,
            valid_until_s=start_s + step_s,
            refresh_s=step_s if refresh_s is None else refresh_s,
            policy=policy,
            places=[deployment.name for deployment in world.deployments],
            workloads=loads,
            admission=self._admission,
        )

    def _workload(
        self,
        at: int,
        sheet: PriceSheet,
        shares: FloatArray,
        ahead: FloatArray,
        release_mtok_per_h: FloatArray,
        weight_ratio: FloatArray | None,
        reservation_usd_per_mtok: Sequence[float],
    ) -> BoardWorkload:
        spec, promise = self._world.workloads[at], self._promises[at]
        waits = spec.defer_count > 0 and sheet.from_duals
        thin = None if weight_ratio is None else float(weight_ratio[at])
        weight = 1.0 if thin is None else thin
        return made_workload(
            name=spec.name,
            tier=spec.tier,
            service_tier=promise.service_tier,
            must_serve=spec.must_serve,
            value_usd_per_mtok=promise.value_usd_per_mtok,
            value_usd_per_request=promise.value_usd_per_request,
            ttft_limit_s=promise.ttft_limit_s,
            rho_ratio=promise.rho_ratio,
            rungs=[
                self._rung(at, sheet, shares, ahead, thin, reservation_usd_per_mtok, *rung)
                for rung in self._ladders[at]
            ],
            planned_mtok=float(sheet.release_mtok(self._world)[0, at]) / weight,
            release_mtok_per_h=(release_mtok_per_h[:, at] / weight).tolist() if waits else (),
        )

    def _rung(
        self,
        workload: int,
        sheet: PriceSheet,
        shares: FloatArray,
        ahead: FloatArray,
        thin_ratio: float | None,
        reservation_usd_per_mtok: Sequence[float],
        model: str,
        quality_share: float,
        routes: list[int],
    ) -> Rung:
        cheapest = ahead[:, routes].min(axis=1)
        return made_rung(
            model=model,
            quality_share=quality_share,
            quality_source="company file: models and external_apis, quality_share",
            candidates=[
                self._candidate(route, sheet, float(shares[route]), thin_ratio) for route in routes
            ],
            ahead_usd_per_mtok=cheapest.tolist(),
            ttft_limit_s=self._promises[workload].ttft_limit_s,
            reservation_usd_per_mtok=reservation_usd_per_mtok,
        )

    def _batch_count(self, at: int, thin_ratio: float | None) -> float:
        """Return how many requests a replica of a route takes at once, a sample in an interval.

        Of an external API: what its rate limit lets through.
        """
        route = self._world.routes[at]
        target = self._world.deployments[route.deployment]
        tokens = self._world.workloads[route.workload].tokens_per_request_count
        if target.external:
            rate_mtok_per_h = target.limit_mtok_per_h
        elif thin_ratio is None:
            return route.batch_count
        else:
            rate_mtok_per_h = route.rate_mtok_per_h / (1.0 - self._spare_share)
        requests_per_h = rate_mtok_per_h * TOKENS_PER_MTOK / tokens
        if thin_ratio is not None:
            return requests_per_h * self._world.step_h / thin_ratio
        return requests_per_h * (route.ttft_s + route.tpot_s * tokens) / S_PER_H

    def _candidate(
        self, at: int, sheet: PriceSheet, share: float, thin_ratio: float | None
    ) -> Candidate:
        world, parts = self._world, sheet.parts
        route = world.routes[at]
        target = world.deployments[route.deployment]
        # The worth of lost quality is counted in the value of an answer; the rent of the tier's
        # promise of quality, which stands beside it, is a price.
        split = {
            "energy": parts.energy, "mw_rent": parts.mw_rent,
            "demand_peak_rent": parts.demand_peak_rent, "cfe_rent": parts.cfe_rent,
            "gpu_rent": parts.gpu_rent, "wake": parts.wake, "network": parts.network,
            "quality": parts.quality - self._lost,
        }  # fmt: skip
        own = {name: float(values[at]) for name, values in split.items()}
        told = [own.get(name, 0.0) for name in PART_NAMES]
        high = float(sum(told))
        gap = float(
            sheet.high_usd_per_mtok[route.workload] - sheet.low_usd_per_mtok[route.workload]
        )
        j_per_token = J_PER_MWH / TOKENS_PER_MTOK
        pue = 0.0 if target.external else float(world.pue[target.site, sheet.begin])
        awake = float(sheet.awake_count[route.deployment])
        return Candidate(
            place=-1,
            deployment=target.name,
            site="" if target.external else world.site_names[target.site],
            accelerator=target.accelerator,
            model=target.model,
            share=share,
            high_usd_per_mtok=high,
            low_usd_per_mtok=high - gap,
            parts_usd_per_mtok=tuple(told),
            kappa_ratio=route.kappa_ratio,
            base_j_per_token=pue * target.base_mw / route.rate_mtok_per_h * j_per_token,
            marginal_j_per_token=pue * route.marginal_mwh_per_mtok * j_per_token,
            awake_count=1.0 if target.external else awake,
            batch_slo_count=self._batch_count(at, thin_ratio),
            rate_mtok_per_h=route.rate_mtok_per_h / (1.0 - self._spare_share),
            ttft_s=route.ttft_s,
            tpot_s=route.tpot_s,
            rtt_s=route.rtt_ms / MS_PER_S,
            context_limit_tokens=self._context.get(route.deployment, NO_LIMIT_TOKENS),
            features=frozenset(),
            energy_tier=route.energy_tier,
        )
