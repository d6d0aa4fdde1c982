"""GPUs at a site: a SKU and a count, owned or leased."""

from datetime import date
from typing import Annotated, Final, Literal, Self

from pydantic import Field, model_validator

from tokenergy.company.measured import MeasuredReplica
from tokenergy.company.noun import Name, NonNegative, Noun, Positive, Share

BYTES_PER_WEIGHT: Final = {"bf16": 2.0, "fp8": 1.0, "mxfp4": 0.55}
"""Bytes of one weight by precision; MXFP4 keeps some of its weights in BF16."""


class GpuOwnership(Noun):
    """Bought: sunk in dispatch, an annuity in full cost."""

    usd_per_gpu: NonNegative
    """Price of one GPU with its share of the node and the network."""
    life_y: Positive = 5.0
    """Years over which it is written off; 5 is an assumption."""
    ops_share_per_year: Share = 0.04
    """Repairs and operation per year, as a share of the price; 4 % is an assumption."""


class GpuLease(Noun):
    """Rented: by the awake hour, for a term, or until somebody else wants it."""

    kind: Literal["on_demand", "reserved", "spot"]
    """`on_demand` and `spot` are paid while awake; `reserved` is sunk, only in full cost."""
    usd_per_gpu_hour: NonNegative
    """Price of one GPU for one hour."""
    interruptions_per_h: NonNegative = 0.0
    """Expected interruptions of one GPU per hour (spot only); each costs a wake."""

    @model_validator(mode="after")
    def _only_spot_is_interrupted(self) -> Self:
        if self.kind != "spot" and self.interruptions_per_h:
            raise ValueError(f"interruptions_per_h belongs to a spot lease, not {self.kind!r}")
        return self


class Fleet(Noun):
    """One SKU at one site."""

    name: Name
    site: Name
    accelerator: str
    """Name in the catalogue, e.g. `H100`."""
    gpu_count: int = Field(gt=0)
    """GPUs that stand there."""
    available_share: Share = 1.0
    """Share that is not broken or in repair."""
    delivered_on: date | None = None
    """First day on which the GPUs stand there; null: before the horizon, or with the first step of
    their site's ramp. They are paid for over the whole horizon."""
    owned: GpuOwnership | None = None
    """What the GPUs cost to buy; a fleet has this or a lease."""
    lease: GpuLease | None = None
    """What the GPUs cost to rent."""

    @model_validator(mode="after")
    def _owned_or_leased(self) -> Self:
        if (self.owned is None) == (self.lease is None):
            raise ValueError("a fleet is either owned or leased: state exactly one of the two")
        return self


class ExternalApi(Noun):
    """Somebody else's model at a list price: make-or-buy, and a cap on every rent."""

    name: Name
    model: Name
    """The company's own model name that it stands in for."""
    usd_per_mtok: NonNegative
    """List price per Mtok of output, the workload's input included."""
    quality_share: Share
    """Quality on the company's own scale."""
    ttft_s: NonNegative = 0.5
    """Usual time to first token, without the network."""
    tpot_s: NonNegative = 0.02
    """Usual time per output token."""
    limit_mtok_per_h: NonNegative | None = None
    """Rate limit; null: none."""


class MediaShape(Noun):
    """What one item of an image or video model looks like."""

    height: int = Field(gt=0)
    width: int = Field(gt=0)
    frames: int = Field(default=1, gt=0)
    steps: int = Field(gt=0)
    fps: Annotated[float, Field(gt=0.0)] | None = None
    """Frames per second of the finished video; null for an image."""


class Model(Noun):
    """A model that the company serves, and how one replica of it is built."""

    name: Name
    catalogue: str
    """Name in the catalogue, e.g. `llama-3.1-70b`."""
    precision: Literal["bf16", "fp8", "mxfp4"] | None = None
    """Weights; null: as published."""
    gpus_per_replica: int = Field(default=1, gt=0)
    quality_share: Share
    """Quality on the company's own scale, 1 is the best it offers."""
    fleets: tuple[Name, ...] | None = None
    """Fleets that hold it; null: every fleet."""
    shape: MediaShape | None = None
    """Size of an image or a video; null for a language model."""
    batch_limit: int = Field(default=256, gt=0)
    """Most sequences in one decode step."""
    stack: str | None = Field(default=None, min_length=1)
    """Engine and version, e.g. `vllm 0.11.1`; null: the one that its measured points name, else
    the one that the catalogue was measured under."""
    measured: tuple[MeasuredReplica, ...] = ()
    """Replicas that were measured: on their fleets they stand for the catalogue's figures."""
    wake_s: NonNegative | None = None
    """Seconds from asleep to serving; null: container start and weight bytes / read rate."""

    @property
    def bytes_per_weight(self) -> float | None:
        """Bytes of one weight where the file states a precision; None: as published."""
        return None if self.precision is None else BYTES_PER_WEIGHT[self.precision]
