"""A serving stack: what an engine and its version do to the joules of the reference stack."""

from dataclasses import dataclass
from datetime import date
from typing import Final

from tokenergy.company.accelerator import SourceKind
from tokenergy.errors import InputError

UNKNOWN_STACK_BAND: Final = (0.5, 2.0)
"""Measured over predicted, where nothing is known of a stack: at least half to double, a guess."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Stack:
    """An engine at a version, and the factor on the joules predicted for the reference stack.

    `accelerator` is "" where the row holds on any. `scalar_ratio` multiplies joules, so above
    1 is worse than the reference; `low_ratio` and `high_ratio` are the band of measured over
    predicted that the stack adds of itself, after the scalar (1 and 1 where it adds nothing).
    `points_count` is how many measured points stand behind the scalar, `data_version` what
    data they came from.
    """

    engine: str
    version: str
    accelerator: str
    scalar_ratio: float
    low_ratio: float
    high_ratio: float
    points_count: int
    data_version: str
    source: str
    source_kind: SourceKind
    retrieved_on: date
    verified: bool

    def __post_init__(self) -> None:
        """Refuse a factor that no stack can have.

        Raises:
            InputError: if the scalar is not positive, or the band does not hold 1.
        """
        if not 0 < self.scalar_ratio < float("inf"):
            raise InputError(
                f"stack {self.name!r}: scalar_ratio is {self.scalar_ratio}, must exceed 0"
            )
        if not 0 < self.low_ratio <= 1 <= self.high_ratio:
            raise InputError(
                f"stack {self.name!r}: a band from {self.low_ratio:g} to {self.high_ratio:g} "
                "times the prediction; it must hold 1"
            )

    @property
    def name(self) -> str:
        """Return how a query names it, like `vllm 0.11.1`."""
        return f"{self.engine} {self.version}".strip()

    @property
    def band(self) -> tuple[float, float]:
        """Return what the stack adds to the band of a prediction, as (low, high) ratios."""
        return self.low_ratio, self.high_ratio
