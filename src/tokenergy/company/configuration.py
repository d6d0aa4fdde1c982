"""What a measured point holds for: one model on one replica under one serving stack."""

from dataclasses import dataclass
from typing import Final

PUBLISHED_PRECISION_SHARE: Final = 0.25
"""How far stated bytes of a weight may lie from the published ones and still mean them: MXFP4 is
written as 0.5 to 0.66 bytes, with and without its scales and its layers in BF16."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Configuration:
    """A model, what it runs on and what runs it: a calibration never leaves it.

    Attributes:
        model: the catalogue's id of it.
        accelerator: the catalogue's name of it.
        gpus_count: accelerators of one replica.
        stack: engine and version, like `vllm 0.11.1`; "" where it is not said.
        bytes_per_weight: precision of the weights (2 BF16, 1 FP8); None: as published.
    """

    model: str
    accelerator: str
    gpus_count: int
    stack: str = ""
    bytes_per_weight: float | None = None

    def __str__(self) -> str:
        """Say it in one clause."""
        said = f"{self.model} on {self.gpus_count} x {self.accelerator}"
        if self.bytes_per_weight is not None:
            said += f" at {self.bytes_per_weight:g} bytes a weight"
        return f"{said} under {self.stack}" if self.stack else said


def stack_of(words: str) -> str:
    """Return a serving stack as a configuration names it: `vLLM  0.11.1` is `vllm 0.11.1`."""
    return " ".join(words.lower().split())


def precision_of(
    bytes_per_weight: float | None, *, published_bytes_per_weight: float
) -> float | None:
    """Return a precision as a configuration names it: None where it is the published one."""
    if bytes_per_weight is None:
        return None
    if abs(bytes_per_weight / published_bytes_per_weight - 1.0) <= PUBLISHED_PRECISION_SHARE:
        return None
    return bytes_per_weight
