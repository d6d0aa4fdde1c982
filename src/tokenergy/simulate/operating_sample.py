"""The replica that a row is made on: its law, its cache, its joules, requests to try it with."""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Final

from tokenergy.company.accelerator import Accelerator
from tokenergy.company.catalogue import Catalogue
from tokenergy.company.fleet import BYTES_PER_WEIGHT
from tokenergy.company.model import LanguageModel
from tokenergy.company.operating_row import OperatingTerms, RowTier
from tokenergy.energy.predict import coefficients_for
from tokenergy.energy.row_point import curve_of_terms
from tokenergy.errors import DoesNotFit, FindingsError, InputError
from tokenergy.simulate.bench import Bench
from tokenergy.simulate.kv_capacity import ReplicaMemory, computed_capacity
from tokenergy.simulate.law import KeyedLaw, TimeLaw
from tokenergy.simulate.operating_point_row import Sample
from tokenergy.simulate.replica import ReplicaSpec
from tokenergy.simulate.replica_energy import step_energy
from tokenergy.simulate.request_mix import DrawnRequests, MixPart, draw_requests, told_lengths
from tokenergy.simulate.roofline_fits import fit_for
from tokenergy.simulate.roofline_law import roofline_law

LEAST_REQUESTS_COUNT: Final = 1_000
"""Below it the slowest hundredth is ten requests, and says nothing."""

PILOT_REQUESTS_COUNT: Final = 2_000
"""Of the pilot, which says where the search begins."""

BLOCK_TOKENS: Final = 16
WATERMARK_SHARE: Final = 0.01
"""Of the blocks, which an admission leaves free."""

RESERVE_GB_PER_GPU: Final = 1.24
RESERVE_REASON: Final = "what vLLM 0.19 kept for Llama-3.1-8B on an RTX 4090, for each GPU"
"""An assumption for every other model and GPU."""

CHUNK_TOKENS_COUNT: Final = 2_048
"""Most tokens of one iteration: the engine's default."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Effort:
    """How large a simulation of one load is.

    Attributes:
        requests_count: of one seed, warm-up included.
        seeds_count: simulations of each load; the worst counts.
    """

    requests_count: int = 20_000
    seeds_count: int = 3

    def __post_init__(self) -> None:
        """Refuse what no percentile can be read off.

        Raises:
            InputError: naming the figure and its limit.
        """
        if self.requests_count < LEAST_REQUESTS_COUNT or self.seeds_count < 1:
            raise InputError(
                f"{self.requests_count} requests and {self.seeds_count} seeds: a percentile of "
                f"99 % needs {LEAST_REQUESTS_COUNT} requests, and at least one seed"
            )


def sample_of(
    catalogue: Catalogue,
    terms: OperatingTerms,
    parts: Sequence[MixPart],
    *,
    effort: Effort,
    laws: Sequence[KeyedLaw] = (),
) -> Sample:
    """Return a replica with its requests, for one workload or a mix of two.

    Raises:
        DoesNotFit: if weights and the longest request exceed the memory of the GPUs.
    """
    model = catalogue.language_model(terms.catalogue_model).at_precision(terms.bytes_per_weight)
    sku = catalogue.accelerator(terms.accelerator)
    fit = coefficients_for(catalogue, sku.accelerator)
    law, told, tier = _law(model, sku, terms, laws)
    drawn = tuple(
        draw_requests(parts, count=effort.requests_count, seed=seed)
        for seed in range(effort.seeds_count)
    )
    pilot = draw_requests(parts, count=PILOT_REQUESTS_COUNT, seed=0)
    blocks_count = _blocks_count(model, sku, terms)
    spec = ReplicaSpec(
        law=law,
        energy=step_energy(
            model,
            sku,
            fit,
            gpus_count=terms.gpus_count,
            batch_limit_count=terms.batch_limit_count,
            input_tokens=terms.input_tokens,
            output_tokens=terms.output_tokens,
            factor_ratio=curve_of_terms(catalogue, terms).factor_ratio,
        ),
        kv_blocks_count=blocks_count,
        watermark_blocks_count=int(WATERMARK_SHARE * blocks_count),
        block_tokens=BLOCK_TOKENS,
        max_batch_count=terms.batch_limit_count,
        max_batch_tokens=CHUNK_TOKENS_COUNT,
    )
    _refuse_too_long(terms, spec, (*drawn, pilot))
    bench, few = (
        Bench(
            spec=spec,
            drawn=requests,
            parts_count=len(parts),
            percentile_share=terms.percentile_share,
        )
        for requests in (drawn, (pilot,))
    )
    return Sample(
        bench=bench,
        pilot=few,
        board_tdp_w=terms.gpus_count * sku.tdp_w,
        host_w=terms.gpus_count * terms.host_w_per_gpu,
        lengths=told_lengths(parts),
        law=told,
        tier=tier,
    )


def _law(
    model: LanguageModel,
    accelerator: Accelerator,
    terms: OperatingTerms,
    laws: Sequence[KeyedLaw],
) -> tuple[TimeLaw, str, RowTier]:
    """Return the measured law of this deployment, else the roofline of its data sheet."""
    widths = {width: name for name, width in BYTES_PER_WEIGHT.items()}
    precision = model.weight_format or widths.get(terms.bytes_per_weight, "")
    if model.computes_in_fp8:
        precision = "fp8"
    own = (terms.catalogue_model, terms.accelerator, terms.gpus_count, precision)
    for one in laws:
        key = one.key
        if (key.model, key.accelerator, key.gpus_count, key.precision) == own:
            return one.law, f"{key.engine} {key.version}: {one.source}", one.tier
    fit = fit_for(terms.accelerator)
    shares = ", ".join(
        f"{part.name} {value:.3g}"
        for part in fields(fit)
        if isinstance(value := getattr(fit, part.name), float)
    )
    told = f"roofline of the data sheet ({shares}; {fit.source})"
    return roofline_law(model, accelerator, gpus_count=terms.gpus_count, fit=fit), told, "modelled"


def _blocks_count(model: LanguageModel, accelerator: Accelerator, terms: OperatingTerms) -> int:
    """Return the blocks of cache beside weights and reserve.

    Raises:
        DoesNotFit: if there is no room for one.
    """
    memory = ReplicaMemory.of_model(
        model,
        memory_gb=accelerator.memory_gb,
        gpus_count=terms.gpus_count,
        block_tokens=BLOCK_TOKENS,
    )
    try:
        return computed_capacity(
            memory, reserve_gb=RESERVE_GB_PER_GPU * terms.gpus_count, reason=RESERVE_REASON
        ).blocks_count
    except FindingsError as error:
        raise DoesNotFit(
            f"model {terms.model!r} on {terms.gpus_count} x {terms.accelerator}: "
            + "; ".join(finding.reason for finding in error.findings)
        ) from error


def _refuse_too_long(
    terms: OperatingTerms, spec: ReplicaSpec, drawn: Sequence[DrawnRequests]
) -> None:
    """Refuse a replica whose cache cannot hold the longest request: it would wait for ever.

    Raises:
        DoesNotFit: naming its tokens and the room there is.
    """
    longest = max(int((one.input_tokens + one.output_tokens).max()) for one in drawn)
    need_count = -(-longest // spec.block_tokens)
    room_count = spec.kv_blocks_count - spec.watermark_blocks_count
    if need_count > room_count:
        raise DoesNotFit(
            f"model {terms.model!r} on {terms.gpus_count} x {terms.accelerator}: a request of "
            f"{longest:,} tokens of {terms.workload} needs {need_count:,} blocks of cache, there "
            f"are {max(0, room_count):,}"
        )
