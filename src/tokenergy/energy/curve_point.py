"""One measured point of an energy curve: joules per output token at one batch."""

from dataclasses import asdict, dataclass
from typing import Any, Literal


@dataclass(frozen=True, slots=True, kw_only=True)
class CurvePoint:
    """What a benchmark measured of one model on one replica, with where it was measured.

    Attributes:
        model: the benchmark's name of it.
        accelerator: the benchmark's name of the GPU.
        gpus_count: GPUs of the whole deployment.
        replicas_count: replicas that share its requests.
        stack: serving software with its version, and precision.
        batch_count: mean sequences of one replica: concurrency over replicas.
        j_per_token: joules per output token, the prefill of its request included.
        avg_power_w_per_gpu: mean power of one GPU, None where it is not said.
        input_tokens: of one request, 0 where it is not said.
        output_tokens: of one request, 0 where it is not said.
        boundary: what was metered: GPU boards. Host, fans and PUE are not in it.
        tier: how the joules are known.
        source: file and row.
    """

    model: str
    accelerator: str
    gpus_count: int
    replicas_count: int
    stack: str
    batch_count: float
    j_per_token: float
    avg_power_w_per_gpu: float | None
    input_tokens: int
    output_tokens: int
    boundary: Literal["gpu"] = "gpu"
    tier: Literal["calibrated"] = "calibrated"
    source: str = ""

    def to_dict(self) -> dict[str, Any]:
        """Return the point as a JSON-ready mapping."""
        return asdict(self)
