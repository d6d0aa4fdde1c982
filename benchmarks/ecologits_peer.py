"""What EcoLogits says a token costs; runs in EcoLogits' own environment, by its own functions.

Asked: a list of {total_b, active_b, gpus_count, batch_count}. Answered: for each, joules of all
boards for one output token as it ships (its own batch and count of GPUs) and with the true ones.
"""

import json
import sys
from importlib.metadata import version
from pathlib import Path

from ecologits.impacts import llm

J_PER_KWH = 3.6e6


def main() -> None:
    """Read the cases, write the answers."""
    cases = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))
    answers = {"version": version("ecologits"), "rows": [answer(case) for case in cases]}
    Path(sys.argv[2]).write_text(json.dumps(answers), encoding="utf-8")


def answer(case: dict[str, float]) -> dict[str, float]:
    memory_gb = llm.model_required_memory(case["total_b"], llm.MODEL_QUANTIZATION_BITS)
    count = llm.gpu_required_count(memory_gb, llm.GPU_MEMORY)
    return {
        "as_shipped_j": count * board_j(case["active_b"], llm.BATCH_SIZE),
        "true_batch_j": case["gpus_count"] * board_j(case["active_b"], case["batch_count"]),
    }


def board_j(active_b: float, batch_count: float) -> float:
    """Return joules of one GPU for one output token."""
    kwh = llm.gpu_energy(
        model_active_parameter_count=active_b,
        output_token_count=1,
        batch_size=batch_count,
        gpu_energy_alpha=llm.GPU_ENERGY_ALPHA,
        gpu_energy_beta=llm.GPU_ENERGY_BETA,
        gpu_energy_gamma=llm.GPU_ENERGY_GAMMA,
    )
    return float(kwh) * J_PER_KWH


if __name__ == "__main__":
    main()
