"""From windows to what Prometheus scrapes: counters since the watch began, and prices of now."""

from collections.abc import Iterator, Mapping
from typing import Any, Final, get_args

from tokenergy.api.observed.observation import ModelSeen, Observation
from tokenergy.metering.reading import EnergyTier
from tokenergy.serve.figures import (
    CostFigure,
    EnergyFigure,
    Figures,
    PowerFigure,
    PriceFigure,
    RequestFigure,
    TokenFigure,
    TokenType,
)
from tokenergy.units import S_PER_H, TOKENS_PER_MTOK

TOKEN_TYPES: Final[tuple[TokenType, ...]] = ("input", "cached_input", "output")
TIERS: Final[Mapping[str, EnergyTier]] = {tier: tier for tier in get_args(EnergyTier)}

IDLE: Final = "without_tokens"
"""Component of windows in which a model made no token: nobody can part their cost per token."""


class LiveFigures:
    """Adds windows up. What one window does not know is not counted, and none of it is guessed.

    Tenants are those of a usage file of other days: they are in no counter. A cost is told only
    as long as every window's is known: a sum with holes would say that less was paid.
    """

    def __init__(self) -> None:
        """Begin at nothing known."""
        self._tokens: dict[tuple[str, str, TokenType], int] = {}
        self._energy_j: dict[tuple[str, str, EnergyTier], float] = {}
        self._cost_usd: dict[str, float] = {}
        self._cost_known = True
        self._requests: int | None = None

    def add(self, observation: Observation) -> Figures:
        """Add a window, and return the figures."""
        for site, model in observation.models():
            self._count(site.site, model)
            self._pay(model)
        return Figures(
            tokens=tuple(
                TokenFigure(site=site, model=model, token_type=kind, tokens=tokens)
                for (site, model, kind), tokens in self._tokens.items()
            ),
            energy=tuple(
                EnergyFigure(
                    site=site, model=model, energy_tier=tier, boundary="facility", energy_j=energy_j
                )
                for (site, model, tier), energy_j in self._energy_j.items()
            ),
            cost=tuple(
                CostFigure(component=name, usd=usd if self._cost_known else None)
                for name, usd in self._cost_usd.items()
            ),
            prices=tuple(_prices(observation)),
            power=tuple(
                PowerFigure(site=site.site, usd_per_mwh=site.price_usd_per_mwh)
                for site in observation.sites
            ),
            requests=(RequestFigure(decision="served", requests=self._requests),),
        )

    def _count(self, site: str, model: ModelSeen) -> None:
        told: dict[TokenType, int | None] = {
            "input": model.tokens.input,
            "cached_input": model.tokens.cached_input,
            "output": model.tokens.output,
        }
        for kind in TOKEN_TYPES:
            tokens = told[kind]
            if tokens is not None:
                key = (site, model.model, kind)
                self._tokens[key] = self._tokens.get(key, 0) + tokens
        tier, energy_j = TIERS.get(model.joules.tier), model.joules.total_j
        if tier is not None and energy_j is not None:
            at = (site, model.model, tier)
            self._energy_j[at] = self._energy_j.get(at, 0.0) + energy_j
        if model.tokens.requests is not None:
            self._requests = (self._requests or 0) + model.tokens.requests

    def _pay(self, model: ModelSeen) -> None:
        output = model.tokens.output
        if model.full_usd_per_h is not None and not output:
            paid_usd = model.full_usd_per_h * model.span_s / S_PER_H
            self._cost_usd[IDLE] = self._cost_usd.get(IDLE, 0.0) + paid_usd
            return
        if not output or model.full_parts is None:
            self._cost_known = False
            return
        for name, usd_per_mtok in model.full_parts.items():
            if usd_per_mtok is not None:
                usd = usd_per_mtok * output / TOKENS_PER_MTOK
                self._cost_usd[name] = self._cost_usd.get(name, 0.0) + usd


def _prices(observation: Observation) -> Iterator[PriceFigure]:
    """Yield the parts of what one Mtok more costs: the lowest place of a site's fleets.

    Two fleets of one site may have the same model: their parts must not be added up.
    """
    best: dict[tuple[str, str], ModelSeen] = {}
    for site, model in observation.models():
        if model.usd_per_mtok_marginal is None or model.parts is None:
            continue
        held = best.get((site.site, model.model))
        if held is None or model.usd_per_mtok_marginal < (held.usd_per_mtok_marginal or 0.0):
            best[site.site, model.model] = model
    for (name, _), model in best.items():
        parts: dict[str, Any] = model.parts or {}
        for component, usd in parts.items():
            yield PriceFigure(
                site=name,
                model=model.model,
                token_type="output",
                component=component,
                usd_per_mtok=usd,
            )
