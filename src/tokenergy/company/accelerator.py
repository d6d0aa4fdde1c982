"""An accelerator: one row of the catalogue of SKUs."""

from dataclasses import dataclass
from datetime import date
from typing import Final, Literal

from tokenergy.errors import InputError

SourceKind = Literal["config", "datasheet", "measured", "published", "recalled"]
"""Where a row of the catalogue comes from; `recalled` means that nobody has checked it."""

USABLE_MEMORY_SHARE: Final = 0.9
"""Of a GPU's memory, for weights and cache: vLLM's default `gpu_memory_utilization`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Accelerator:
    """A SKU, per GPU board: dense rates of its data sheet, and where they come from.

    `idle_w` is the board awake with no process on it, and stands in for its sleep where no
    sleep figure is known. `context_w` is what it draws beyond that while a process holds it
    open with nothing to do, however much memory is full; None where nobody measured it.
    `fp8_tflop_per_s` is None where the SKU has no FP8 arithmetic, and `price_usd` where no
    price is known: a missing price is never guessed.
    """

    accelerator: str
    tdp_w: float
    idle_w: float
    memory_gb: float
    bandwidth_gb_per_s: float
    bf16_tflop_per_s: float
    fp8_tflop_per_s: float | None
    price_usd: float | None
    source: str
    source_kind: SourceKind
    retrieved_on: date
    verified: bool
    context_w: float | None = None

    def __post_init__(self) -> None:
        """Refuse a figure that no board can have.

        Raises:
            InputError: if a required figure is not positive, or idle exceeds TDP, alone or
                with a process on the board.
        """
        for name in ("tdp_w", "idle_w", "memory_gb", "bandwidth_gb_per_s", "bf16_tflop_per_s"):
            figure = getattr(self, name)
            if not figure > 0:
                raise InputError(
                    f"accelerator {self.accelerator!r}: {name} is {figure}, must exceed 0"
                )
        if self.context_w is not None and not self.context_w >= 0:
            raise InputError(
                f"accelerator {self.accelerator!r}: context_w is {self.context_w}, below 0 W"
            )
        if self.waiting_w > self.tdp_w:
            raise InputError(
                f"accelerator {self.accelerator!r}: idle {self.waiting_w:g} W exceeds "
                f"its TDP of {self.tdp_w:g} W"
            )

    @property
    def waiting_w(self) -> float:
        """Return the watts of one board that holds a model and has nothing to do.

        Its idle watts and those of the process, where these are known.
        """
        return self.idle_w + (self.context_w or 0.0)

    @property
    def usable_gb(self) -> float:
        """Return the memory of one board that weights and cache may fill, GB."""
        return USABLE_MEMORY_SHARE * self.memory_gb
