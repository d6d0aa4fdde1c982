"""Let Vidur simulate given requests with given times; this runs in Vidur's own environment.

`vidur_peer.py ASKED ANSWERED [CHECKOUT]`: ASKED holds the requests, the tables and the replica;
ANSWERED gets each request's first token and completion, and the seconds of Vidur's own loop.
None of Vidur's files is changed. From outside it is given requests instead of a generator, and,
instead of forests trained on profiles, the tables that our additive law reads:

- The public source (CHECKOUT) reads them with its own formulas, untouched.
- The package counts attention otherwise than the source that the design follows (no time for
  writing the cache, prefills one by one, and one token is always a decode). There the source's
  formulas are written again below, so that engines are compared and not formulas. Everything
  else, the scheduler above all, is the package's.

What Vidur writes and draws when a run ends is switched off: it is not asked for here. Metrics on
means each request's times and the distribution of batches, as on the other side; Vidur's
utilisation of flops, which only it gives, is off.
"""

import json
import sys
import tempfile
import time
import types
from collections import defaultdict
from pathlib import Path
from typing import Any

Asked = dict[str, Any]
MS_PER_S = 1e3


def vidur_tables(asked: Asked) -> dict[str, Any]:
    """Return the tables as Vidur keeps its predictions: ms of one layer, keyed by figures."""
    tables, step = asked["tables"], asked["tables"]["bucket_tokens"]
    decode, prefill = tables["decode_s"], tables["prefill_s"]
    every: dict[str, Any] = defaultdict(lambda: defaultdict(float))
    every["attn_pre_proj"] = {
        (n,): MS_PER_S * spent_s for n, spent_s in enumerate(tables["linear_s"])
    }
    every["attn_kv_cache_save"] = {
        (n,): MS_PER_S * spent_s for n, spent_s in enumerate(tables["cache_save_s"])
    }
    every["attn_decode"] = {
        (d, step * b): MS_PER_S * spent_s
        for d, row in enumerate(decode)
        for b, spent_s in enumerate(row)
    }
    every["attn_prefill"] = {
        (step * b, side**2): MS_PER_S * spent_s
        for b, row in enumerate(prefill)
        for side, spent_s in enumerate(row)
    }
    for name in (
        "attn_post_proj", "attn_rope", "mlp_up_proj", "mlp_down_proj", "mlp_act",
        "input_layernorm", "post_attention_layernorm", "add",
    ):  # fmt: skip
        every[name] = defaultdict(float)  # all operators by tokens are in one table here
    return every


def predictor_of_source(asked: Asked) -> type:
    """Return the source's own predictor, with given tables instead of trained ones."""
    from vidur.execution_time_predictor.base_execution_time_predictor import (
        BaseExecutionTimePredictor,
    )
    from vidur.execution_time_predictor.random_forrest_execution_time_predictor import (
        RandomForrestExecutionTimePredictor,
    )

    class Given(RandomForrestExecutionTimePredictor):
        def __init__(self, **configs: Any) -> None:
            BaseExecutionTimePredictor.__init__(self, **configs)
            self._attention_decode_batching_overhead_fraction = asked["tables"]["extra_share"]
            self._attention_prefill_batching_overhead_fraction = asked["tables"]["extra_share"]
            self._predictions = vidur_tables(asked)

    return Given


def predictor_of_package(asked: Asked) -> type:
    """Return a predictor for the package, with the formulas of the public source."""
    from vidur.execution_time_predictor.base_execution_time_predictor import (
        BaseExecutionTimePredictor,
    )

    every, step = vidur_tables(asked), asked["tables"]["bucket_tokens"]
    dense, save = every["attn_pre_proj"], every["attn_kv_cache_save"]
    decode, prefill = every["attn_decode"], every["attn_prefill"]
    more = 1.0 + asked["tables"]["extra_share"]

    def dense_ms(self: Any, batch: Any) -> float:
        return dense[(batch._total_num_q_tokens_rounded,)]

    def save_ms(self: Any, batch: Any) -> float:
        return save[(batch._total_num_q_tokens,)]

    def decode_ms(self: Any, batch: Any) -> float:
        held = [request._num_processed_tokens for request in batch._requests
                if request._is_prefill_complete]  # fmt: skip
        if not held:
            return 0.0
        bucket = -(-(sum(held) // len(held)) // step)
        spent_ms = decode[(len(held), bucket * step)]
        return spent_ms * more if len(held) > 1 else spent_ms

    def prefill_ms(self: Any, batch: Any) -> float:
        before, squares, count = 0, 0, 0
        for request, chunk in zip(batch._requests, batch._num_q_tokens, strict=True):
            if not request._is_prefill_complete:
                before += -(-request._num_processed_tokens // step) * step
                squares += chunk**2
                count += 1
        if not count:
            return 0.0
        spent_ms = prefill[(before, round(squares**0.5) ** 2)]
        return spent_ms * more if count > 1 else spent_ms

    asked_for = {
        "_get_attention_layer_pre_proj_execution_time": dense_ms,
        "_get_attention_rope_execution_time": save_ms,  # its own place is not counted
        "_get_attention_decode_execution_time": decode_ms,
        "_get_attention_prefill_execution_time": prefill_ms,
    }
    nothing = dict.fromkeys(
        BaseExecutionTimePredictor.__abstractmethods__ - set(asked_for), lambda *_: 0.0
    )
    return type("Given", (BaseExecutionTimePredictor,), nothing | asked_for)


def config(asked: Asked, folder: str, *, package: bool, metrics: bool) -> Any:
    """Return Vidur's configuration of one replica of Llama 3 8B on an A100."""
    import vidur.config.config as configs

    replica = asked["replica"]
    blocks = {
        "block_size": replica["block_tokens"],
        "num_blocks": replica["kv_blocks_count"],
        "watermark_blocks_fraction": replica["watermark_share"],
    }
    sarathi = {
        "chunk_size": replica["max_batch_tokens"],
        "batch_size_cap": replica["max_batch_count"],
    }
    name = "meta-llama/Llama-3-8B" if package else "meta-llama/Meta-Llama-3-8B"
    return configs.SimulationConfig(
        cluster_config=configs.ClusterConfig(
            replica_config=configs.ReplicaConfig(
                model_name=name,
                device="a100",
                network_device="a100_dgx",
                num_pipeline_stages=1,
                tensor_parallel_size=1,
            ),
            **({"cache_config": configs.CacheConfig(**blocks)} if package else {}),
            replica_scheduler_config=configs.SarathiSchedulerConfig(
                **sarathi, **({} if package else blocks)
            ),
        ),
        request_generator_config=configs.SyntheticRequestGeneratorConfig(),
        execution_time_predictor_config=configs.RandomForrestExecutionTimePredictorConfig(
            kv_cache_prediction_granularity=asked["tables"]["bucket_tokens"]
        ),
        metrics_config=configs.MetricsConfig(
            write_metrics=metrics,
            store_request_metrics=metrics,
            store_batch_metrics=metrics,
            store_utilization_metrics=False,
            enable_chrome_trace=False,
            store_plots=False,
            output_dir=folder,
        ),
    )


def simulator(asked: Asked, folder: str, *, package: bool, metrics: bool) -> tuple[Any, list[Any]]:
    """Return a simulator that is ready to run, and its requests."""
    from vidur.entities import Request
    from vidur.execution_time_predictor import ExecutionTimePredictorRegistry
    from vidur.request_generator import RequestGeneratorRegistry
    from vidur.simulator import Simulator
    from vidur.types import ExecutionTimePredictorType, RequestGeneratorType

    requests: list[Any] = []

    class GivenRequests:
        def __init__(self, config: Any) -> None:
            del config

        def generate(self) -> list[Any]:
            requests.extend(
                Request(arrived_at=at, num_prefill_tokens=come, num_decode_tokens=go)
                for at, come, go in zip(
                    asked["arrival_s"], asked["input_tokens"], asked["output_tokens"], strict=True
                )
            )
            return requests

    made = predictor_of_package(asked) if package else predictor_of_source(asked)
    ExecutionTimePredictorRegistry.unregister(ExecutionTimePredictorType.RANDOM_FORREST)
    ExecutionTimePredictorRegistry.register(ExecutionTimePredictorType.RANDOM_FORREST, made)
    RequestGeneratorRegistry.unregister(RequestGeneratorType.SYNTHETIC)
    RequestGeneratorRegistry.register(RequestGeneratorType.SYNTHETIC, GivenRequests)
    Simulator._write_output = lambda self: None
    return Simulator(config(asked, folder, package=package, metrics=metrics)), requests


def watched(made: Any) -> dict[str, int]:
    """Return a count that follows the most blocks held; it slows the run, so never a timed one."""
    seen = {"kv_high_blocks_count": 0}
    (scheduler,) = made.scheduler._replica_schedulers.values()
    allocate = scheduler.allocate

    def counted(request_id: int, num_blocks: int) -> None:
        allocate(request_id, num_blocks)
        held = scheduler.num_allocated_blocks
        seen["kv_high_blocks_count"] = max(seen["kv_high_blocks_count"], held)

    scheduler.allocate = counted
    return seen


def batches(made: Any) -> dict[str, float]:
    """Return count and mean of Vidur's distribution of batch sizes: its metrics were on."""
    from vidur.metrics.constants import BatchMetricsCountDistribution

    sketch = made.metric_store._batch_metrics_count_distribution[
        BatchMetricsCountDistribution.BATCH_SIZE
    ]._sketch
    return {"count": sketch.count, "mean": sketch.avg}


def main() -> None:
    """Read, simulate once, write."""
    asked = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))
    package = len(sys.argv) < 4
    if not package:  # the source has no vidur/__init__.py: an installed package would go before it
        source = types.ModuleType("vidur")
        source.__path__ = [str(Path(sys.argv[3]) / "vidur")]
        sys.modules["vidur"] = source
    from vidur.entities import Batch

    with tempfile.TemporaryDirectory() as folder:
        made, requests = simulator(asked, folder, package=package, metrics=asked["metrics"])
        seen = watched(made) if asked["watch"] else {}
        began, began_cpu = time.perf_counter(), time.process_time()
        made.run()
        took_cpu_s = time.process_time() - began_cpu
        took_s = time.perf_counter() - began
    answer = {
        "took_s": took_s,
        "took_cpu_s": took_cpu_s,
        "iterations_count": Batch.generate_id(),
        "restarts_count": sum(request.num_restarts for request in requests),
        "first_token_s": [request.prefill_completed_at for request in requests],
        "last_token_s": [request.completed_at for request in requests],
        "batches": batches(made) if asked["metrics"] else None,
    }
    Path(sys.argv[2]).write_text(json.dumps(answer | seen), encoding="utf-8")


if __name__ == "__main__":
    main()
