"""One row of the table of operating points: what a replica does for a workload within its limits.

`tokenergy operating-points` writes the table, a company file names it, and dispatch takes its
capacities from it. A row holds the terms that it was made for, so that one which no longer fits
its company is found and named.
"""

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields
from functools import lru_cache
from hashlib import sha256
from typing import Any, Final, Literal

from tokenergy.company.accelerator import Accelerator
from tokenergy.company.catalogue import Catalogue
from tokenergy.company.company import Company
from tokenergy.company.fleet import Fleet, Model
from tokenergy.company.inputs import Lengths
from tokenergy.company.model import LanguageModel
from tokenergy.company.network import rtt_ms
from tokenergy.company.tier import Workload
from tokenergy.units import MS_PER_S, S_PER_H, TOKENS_PER_MTOK

RowBound = Literal["ttft", "tpot", "kv", "batch"]
"""What a little more load would break: a limit of the tier by itself, or its time to the first
token because the cache or the engine's batch is full and requests wait outside."""

RowTier = Literal["modelled", "measured"]
"""Whether the time of an iteration is from data sheets, or was recorded on this deployment."""

PERCENTILE_SHARE: Final = 0.99
"""Part of the requests that keeps each limit of a tier."""

PROVENANCE: Final = frozenset(
    {"source", "source_kind", "retrieved_on", "verified", "price_usd", "hub_id", "data_version",
     "fitted_on", "in_sample_mape_share", "blind_mape_share"}
)  # fmt: skip
"""Fields of the catalogue that say where a figure comes from: a point does not hang on them."""

DIGEST_LENGTH: Final = 12

UNSAID: Final = ("stack", "")
"""A term that older tables do not hold; left out of the digest, so that they still stand."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OperatingTerms:
    """What a row was made for. It stands for the same names only while all of it is the same.

    Attributes:
        fleet, model, workload: names in the company file.
        also: the other workload of a row for an even mix of two; "" for one alone.
        catalogue_model: name of the model in the catalogue.
        lengths_digest: of the trace that the lengths are drawn from; "": only means are stated.
        ttft_limit_s: of the tier, network included.
        network_s: round trip from the workload's region to the fleet's site.
        percentile_share: part of the requests that keeps each limit.
        facts_digest: of the catalogue's figures of the model, the accelerator and the energy fit,
            and of the points that the company measured of them.
        stack: engine and version, as the model states it; "" where it does not.
    """

    fleet: str
    model: str
    workload: str
    also: str = ""
    catalogue_model: str
    accelerator: str
    gpus_count: int
    bytes_per_weight: float
    batch_limit_count: int
    input_tokens: float
    output_tokens: float
    lengths_digest: str = ""
    ttft_limit_s: float
    tpot_limit_s: float
    percentile_share: float = PERCENTILE_SHARE
    network_s: float
    host_w_per_gpu: float
    facts_digest: str
    stack: str = ""

    @property
    def key(self) -> tuple[str, str, str, str]:
        """Return the names that a row is looked up by: fleet, model, workload, also."""
        return self.fleet, self.model, self.workload, self.also

    @property
    def digest(self) -> str:
        """Return twelve characters that differ where any term does."""
        terms = {name: value for name, value in asdict(self).items() if (name, value) != UNSAID}
        said = ";".join(f"{name}={_text(value)}" for name, value in terms.items())
        return sha256(said.encode()).hexdigest()[:DIGEST_LENGTH]

    def differences(self, other: "OperatingTerms") -> tuple[str, ...]:
        """Return each term that differs, as `name: own instead of the other's`."""
        return tuple(
            f"{term.name} {_text(getattr(self, term.name))} instead of "
            f"{_text(getattr(other, term.name))}"
            for term in fields(self)
            if _text(getattr(self, term.name)) != _text(getattr(other, term.name))
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class OperatingRow:
    """One awake replica at the largest load that keeps both limits of a tier.

    The power of a replica at a rate of r requests per second up to `rate_per_s` is `base_w +
    marginal_j_per_token x output_tokens x r`: boards and host, before PUE. Where the limits are
    missed even with next to no load, `rate_per_s` is 0 and what hangs on a load is NaN.

    Attributes:
        terms: what it was made for.
        rate_per_s: requests per second, of the worst seed.
        rate_spread_share: rate of the best seed over that of the worst, less 1.
        busy_share: part of the time in which an iteration runs.
        mean_batch_count: sequences in an iteration, averaged over that time.
        power_w: boards and host at the point.
        base_w: what the line has at no load; it is no power that a replica ever draws.
        marginal_j_per_token: slope of the line, joules per output token.
        power_tdp_share: power of the boards over their TDP.
        half_load_error_share: the line over the simulated power at half the rate, less 1.
        mix_error_share: of a row for two workloads: what the program's shares promise over the
            load that keeps the limits, less 1; else NaN.
        prefill_beyond_share: joules of prefill beyond the energy benchmark's own mix over all
            joules of the boards; they are in the figures.
        ttft_s, tpot_s: at the percentile at the point, worst seed; ttft without the network.
        unloaded_ttft_s, unloaded_tpot_s: at the percentile, of requests that come one at a time.
        bound: what a little more load would break.
        kv_blocks_count, block_tokens: cache of the replica.
        chunk_tokens_count: most tokens of one iteration.
        requests_count: of one simulation, warm-up included.
        seeds_count: simulations of each load.
        lengths: the distribution that lengths were drawn from, in words.
        law: name and version of the law of the time of an iteration.
        tier: whether that law was measured on this deployment.
        notes: what else has to be said.
    """

    terms: OperatingTerms
    rate_per_s: float
    rate_spread_share: float
    busy_share: float
    mean_batch_count: float
    power_w: float
    base_w: float
    marginal_j_per_token: float
    power_tdp_share: float
    half_load_error_share: float
    mix_error_share: float = math.nan
    prefill_beyond_share: float
    ttft_s: float
    tpot_s: float
    unloaded_ttft_s: float
    unloaded_tpot_s: float
    bound: RowBound
    kv_blocks_count: int
    block_tokens: int
    chunk_tokens_count: int
    requests_count: int
    seeds_count: int
    lengths: str
    law: str
    tier: RowTier
    notes: tuple[str, ...] = ()

    @property
    def reachable(self) -> bool:
        """Tell whether any load at all keeps the limits."""
        return self.rate_per_s > 0.0

    @property
    def rate_mtok_per_h(self) -> float:
        """Return the output at the point, Mtok per hour."""
        return self.rate_per_s * self.terms.output_tokens * S_PER_H / TOKENS_PER_MTOK

    def to_dict(self) -> dict[str, Any]:
        """Return the row as one flat mapping, terms first; NaN becomes None."""
        held = asdict(self)
        flat = {**held.pop("terms"), "digest": self.terms.digest}
        flat |= {"rate_mtok_per_h": self.rate_mtok_per_h if self.reachable else 0.0}
        flat |= held
        flat["notes"] = list(self.notes)
        return {
            name: None if isinstance(value, float) and math.isnan(value) else value
            for name, value in flat.items()
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Misfit:
    """Why no row stands for a pair: there is none, or it was made for other terms.

    `differences` is empty where there is no row at all.
    """

    terms: OperatingTerms
    differences: tuple[str, ...] = ()

    def __str__(self) -> str:
        """Say it in one clause."""
        own = self.terms
        where = f"{own.workload} with {own.model}@{own.fleet}"
        if not self.differences:
            return f"the table of operating points has no row for {where}"
        return (
            f"the row of the table of operating points for {where} was made for other terms: "
            + ", ".join(self.differences)
        )


def fitting_row(rows: Sequence[OperatingRow], terms: OperatingTerms) -> OperatingRow | Misfit:
    """Return the row made for exactly these terms, or why none stands."""
    own = next((row for row in rows if row.terms.key == terms.key), None)
    if own is None:
        return Misfit(terms=terms)
    if own.terms.digest == terms.digest:
        return own
    return Misfit(terms=terms, differences=own.terms.differences(terms))


def operating_terms(
    company: Company,
    catalogue: Catalogue,
    *,
    workload: Workload,
    model: Model,
    fleet: Fleet,
    lengths: Lengths,
) -> OperatingTerms:
    """Return the terms of a workload on a language model of a fleet.

    Raises:
        UnknownModel, UnknownAccelerator: naming the nearest entries.
    """
    tier = next(tier for tier in company.tiers if tier.name == workload.tier)
    site = next(site for site in company.sites if site.name == fleet.site)
    region = next(region for region in company.regions if region.name == workload.origin)
    facts = catalogue.language_model(model.catalogue)
    if model.bytes_per_weight is not None:
        facts = facts.at_precision(model.bytes_per_weight)
    return OperatingTerms(
        fleet=fleet.name,
        model=model.name,
        workload=workload.name,
        catalogue_model=facts.model_id,
        accelerator=catalogue.accelerator(fleet.accelerator).accelerator,
        gpus_count=model.gpus_per_replica,
        bytes_per_weight=facts.bytes_per_weight,
        batch_limit_count=model.batch_limit,
        input_tokens=lengths.input_tokens,
        output_tokens=lengths.output_tokens,
        lengths_digest=lengths.digest,
        ttft_limit_s=tier.ttft_limit_s,
        tpot_limit_s=tier.tpot_limit_s,
        network_s=rtt_ms(company.network, region, site) / MS_PER_S,
        host_w_per_gpu=site.host_w_per_gpu,
        facts_digest=facts_digest(catalogue, facts, catalogue.accelerator(fleet.accelerator)),
        stack=model.stack or "",
    )


def facts_digest(catalogue: Catalogue, model: LanguageModel, accelerator: Accelerator) -> str:
    """Return a digest of the catalogue's figures that a point hangs on."""
    fits = [catalogue.fitted_coefficients(accelerator.accelerator), *catalogue.coefficients]
    # Without a fit of its own, an accelerator leans on another's: then any of them may matter.
    known = fits[:1] if fits[0] is not None else fits[1:]
    measured = [
        point
        for point in catalogue.points
        if (point.model, point.accelerator) == (model.model_id, accelerator.accelerator)
    ]
    held = [_figures(row) for row in (model, accelerator, *known, *measured)]
    return sha256(repr(held).encode()).hexdigest()[:DIGEST_LENGTH]


@lru_cache(maxsize=1024)  # the same few rows stand behind every pair of a company
def _figures(row: Any) -> list[tuple[str, Any]]:
    return sorted((name, value) for name, value in asdict(row).items() if name not in PROVENANCE)


def _text(value: object) -> str:
    """Write a term so that reading it back from a file changes nothing."""
    return f"{value:.9g}" if isinstance(value, float) else str(value)
