"""What one replica does on one fleet, measured by whoever runs it: it wins over the catalogue."""

from typing import Self

from pydantic import Field, model_validator

from tokenergy.company.noun import Name, NonNegative, Noun, Positive


class MeasuredReplica(Noun):
    """A replica at the largest load that keeps the tier's limits, and awake without tokens."""

    fleet: Name
    """The fleet it was measured on."""
    output_tokens_per_s: Positive
    """Tokens that one replica generates in a second at that load."""
    full_w: Positive
    """Power of the replica's boards (or processors) at that load, host and cooling excluded."""
    base_w: NonNegative
    """Their power while awake without tokens."""
    ttft_s: NonNegative = 0.0
    """Time to the first token of one request alone, without the network."""
    note: str = Field(min_length=1)
    """How and when it was measured."""

    @model_validator(mode="after")
    def _base_below_full(self) -> Self:
        if self.base_w > self.full_w:
            raise ValueError(
                f"base_w {self.base_w:g} W exceeds full_w {self.full_w:g} W: a replica draws no "
                "more while it generates nothing"
            )
        return self
