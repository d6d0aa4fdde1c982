"""One measured point of an energy curve: joules per output token at one batch."""

from dataclasses import asdict, dataclass
from typing import Any

from tokenergy.company.configuration import Configuration
from tokenergy.company.energy_words import Boundary, EnergyTier


@dataclass(frozen=True, slots=True, kw_only=True)
class CurvePoint:
    """What was measured of one model on one replica, with where it was measured.

    Attributes:
        model: the catalogue's name of it, or whoever's name it came under.
        accelerator: the same.
        gpus_count: GPUs of the whole deployment.
        replicas_count: replicas that share its requests.
        stack: serving software with its version; "" where it is not said.
        batch_count: mean sequences of one replica: concurrency over replicas.
        j_per_token: joules per output token, the prefill of its request included.
        avg_power_w_per_gpu: mean power of one GPU, None where it is not said.
        input_tokens: of one request, 0 where it is not said.
        output_tokens: of one request, 0 where it is not said.
        bytes_per_weight: precision of the weights; None where it is not said: as published.
        boundary: what was metered; only GPU boards can calibrate, host and PUE are added later.
        tier: how the joules are known, once they are used for more than themselves.
        source: file and row, or who measured it and when.
    """

    model: str
    accelerator: str
    gpus_count: int
    replicas_count: int = 1
    stack: str = ""
    batch_count: float
    j_per_token: float
    avg_power_w_per_gpu: float | None = None
    input_tokens: float = 0.0
    output_tokens: float = 0.0
    bytes_per_weight: float | None = None
    boundary: Boundary = "gpu"
    tier: EnergyTier = "calibrated"
    source: str = ""

    @property
    def configuration(self) -> Configuration:
        """Return what the point holds for: one replica's GPUs, not the deployment's."""
        return Configuration(
            model=self.model,
            accelerator=self.accelerator,
            gpus_count=self.gpus_count // self.replicas_count,
            stack=self.stack,
            bytes_per_weight=self.bytes_per_weight,
        )

    def to_dict(self) -> dict[str, Any]:
        """Return the point as a JSON-ready mapping."""
        return asdict(self)
