"""The joules of one iteration of a replica, from the energy curve of its model."""

from collections.abc import Callable

import numpy as np

from tokenergy.company.accelerator import Accelerator
from tokenergy.company.coefficients import Coefficients
from tokenergy.company.model import LanguageModel
from tokenergy.energy.operating_point import MEASURED_INPUT_RATIO
from tokenergy.energy.predict import language_curve, prefill_j_per_token
from tokenergy.simulate.replica import StepEnergy


def step_energy(
    model: LanguageModel,
    accelerator: Accelerator,
    coefficients: Coefficients,
    *,
    gpus_count: int,
    batch_limit_count: int,
    input_tokens: float,
    output_tokens: float,
    factor_ratio: Callable[[float], float] | None = None,
) -> StepEnergy:
    """Return the joules of an iteration, boards only, for a workload with these mean lengths.

        b(B) + a x (decode tokens) + e x (prefill tokens)

    The curve was fitted to measurements that contain the prefill of their own benchmark: 0.39
    input tokens per output token. So of the workload's input only what lies beyond that is
    added, and once: e = e_in x (1 - 0.39 x output / input), at least 0. By hand, 900 tokens in
    and 300 out: 117 of the 900 are in the curve already, e = 0.87 e_in. Where a workload has
    less input than the benchmark, nothing is taken off: its joules are a little too high.

    Where points of the company correct the curve, b(B) + a B is multiplied by their factor at B:
    a token keeps a times the least factor as its own, the rest belongs to the step. Prefill beyond
    the benchmark's stays as predicted.

    Args:
        batch_limit_count: most sequences in an iteration; the table of b ends there.
        input_tokens, output_tokens: means of the workload.
        factor_ratio: what measured points make of the joules at a batch; None: nothing.
    """
    curve = language_curve(
        model,
        coefficients,
        gpus_count=gpus_count,
        context_tokens_count=input_tokens + output_tokens / 2.0,
        fp8_arithmetic=accelerator.fp8_tflop_per_s is not None,
    )
    counts = range(1, batch_limit_count + 1)
    factors = [1.0 if factor_ratio is None else factor_ratio(count) for count in counts]
    least_ratio = min(factors)
    base_j = [
        0.0,
        *(
            factor * curve.step_j(count) + (factor - least_ratio) * curve.token_j * count
            for count, factor in zip(counts, factors, strict=True)
        ),
    ]
    beyond_share = max(0.0, 1.0 - MEASURED_INPUT_RATIO * output_tokens / input_tokens)
    return StepEnergy(
        base_j=np.array(base_j),
        decode_j=least_ratio * curve.token_j,
        prefill_j=beyond_share * prefill_j_per_token(model, coefficients),
        idle_w=gpus_count * accelerator.idle_w,
    )
