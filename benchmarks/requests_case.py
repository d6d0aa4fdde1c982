"""The requests, the tables of time and the replica that Vidur and the request engines both get.

Lengths are those of ../shared/data/azure_llm_2023_conv.csv.gz (Azure LLM inference 2023, CC BY
4.0), drawn without order; where that file is not, lognormal lengths of about that size, and the
case says `synthetic`. Arrivals are Poisson with a seed.

Times are a roofline of Llama 3 8B on one A100: Vidur's own attention profile for this pair is not
in its public source. So what is compared here is engines; nothing is said about an A100.
"""

import csv
import gzip
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from record import ROOT

from tokenergy.simulate.law_tables import additive_law
from tokenergy.simulate.replica import ReplicaRequests, ReplicaSpec, StepEnergy

LENGTHS = ROOT.parent / "shared" / "data" / "azure_llm_2023_conv.csv.gz"
SEED = 20231116

LAYERS_COUNT = 32
LAYER_WEIGHTS_COUNT = 2 * 4096 * 4096 + 2 * 4096 * 1024 + 3 * 4096 * 14336
LAYER_CACHE_BYTES = 2 * 1024 * 2
"""Key and value of one token in one layer, two bytes each."""
WEIGHTS_BYTES = 2 * (LAYERS_COUNT * LAYER_WEIGHTS_COUNT + 2 * 128256 * 4096)
FLOPS_PER_S = 0.5 * 312e12
"""Half of an A100's dense bf16 peak: chosen so that 8 requests a second are too many."""
BYTES_PER_S = 0.8 * 2.039e12
LAUNCH_S = 3e-6

BUCKET_TOKENS = 64
EXTRA_SHARE = 0.1
"""What more than one decode, or more than one prefill, adds to its attention."""
MAX_BATCH_COUNT = 256
MAX_BATCH_TOKENS = 512
BLOCK_TOKENS = 16
WATERMARK_SHARE = 0.01
KV_BLOCKS_COUNT = int(
    (0.9 * 80 * 1024**3 - WEIGHTS_BYTES) / (LAYERS_COUNT * LAYER_CACHE_BYTES * BLOCK_TOKENS)
)
"""What 90 % of 80 GiB hold beside the weights."""
WATERMARK_BLOCKS_COUNT = int(WATERMARK_SHARE * KV_BLOCKS_COUNT)

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Requests:
    """Requests of one replica, sorted by arrival [n]."""

    rate_per_s: float
    source: str
    arrival_s: FloatArray
    input_tokens: IntArray
    output_tokens: IntArray


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Tables:
    """Seconds of one layer.

    `linear_s[n]` and `cache_save_s[n]` for n tokens (the first is read at multiples of 8),
    `decode_s[d, b]` for d decodes whose mean context lies in bucket b, `prefill_s[b, r]` for
    contexts of b buckets in all and chunks c_i with r = round(sqrt(sum of c_i^2)). `EXTRA_SHARE`
    comes on top.
    """

    linear_s: FloatArray
    cache_save_s: FloatArray
    decode_s: FloatArray
    prefill_s: FloatArray


def lengths(count: int, seed: int) -> tuple[IntArray, IntArray, str]:
    """Return input and output tokens of `count` requests, and where they are from."""
    rng = np.random.default_rng(seed)
    if not LENGTHS.exists():
        come = np.clip(rng.lognormal(6.6, 0.9, count), 2, 14050).astype(np.int64)
        go = np.clip(rng.lognormal(5.0, 0.8, count), 7, 1000).astype(np.int64)
        return come, go, "synthetic: lognormal lengths, seeded"
    with gzip.open(LENGTHS, "rt", encoding="utf-8") as lines:
        rows = [(int(row["ContextTokens"]), int(row["GeneratedTokens"]))
                for row in csv.DictReader(lines)]  # fmt: skip
    every = np.array(rows, dtype=np.int64)
    picked = every[rng.choice(len(every), count, replace=count > len(every))]
    return picked[:, 0].copy(), picked[:, 1].copy(), f"lengths of {LENGTHS.name}, arrivals Poisson"


def requests_at(rate_per_s: float, count: int, seed: int = SEED) -> Requests:
    """Return `count` requests that come at a rate; the same lengths and shape at every rate."""
    come, go, source = lengths(count, seed)
    gaps = np.random.default_rng(seed + 1).exponential(1.0, count)
    return Requests(
        rate_per_s=rate_per_s,
        source=source,
        arrival_s=np.cumsum(gaps) / rate_per_s,
        input_tokens=come,
        output_tokens=go,
    )


def roofline_tables(longest_tokens: int) -> Tables:
    """Return the tables, up to a context of `longest_tokens`."""
    buckets = np.arange(-(-longest_tokens // BUCKET_TOKENS) + 2, dtype=np.float64)
    tokens = np.arange(MAX_BATCH_TOKENS + 1)
    read_s = 2.0 * LAYER_WEIGHTS_COUNT / BYTES_PER_S
    linear_s = np.maximum(2.0 * LAYER_WEIGHTS_COUNT * tokens / FLOPS_PER_S, read_s)
    cache_save_s = LAUNCH_S + tokens * LAYER_CACHE_BYTES / BYTES_PER_S
    decodes = np.arange(MAX_BATCH_COUNT + 1)[:, None]
    held = decodes * BUCKET_TOKENS * buckets[None, :]
    decode_s = LAUNCH_S + held * LAYER_CACHE_BYTES / BYTES_PER_S
    chunk = np.arange(MAX_BATCH_TOKENS + 1)[None, :]
    pairs = chunk * (BUCKET_TOKENS * buckets[:, None] + 0.5 * chunk)
    prefill_s = np.asarray(LAUNCH_S + 4.0 * 4096 * pairs / FLOPS_PER_S, np.float64)
    return Tables(
        linear_s=linear_s, cache_save_s=cache_save_s, decode_s=decode_s, prefill_s=prefill_s
    )


def spec(tables: Tables) -> ReplicaSpec:
    """Return the replica as our engines take it, with an energy curve that rises with the batch."""
    return ReplicaSpec(
        law=additive_law(
            layers_count=LAYERS_COUNT,
            linear_s=tables.linear_s,
            cache_save_s=tables.cache_save_s,
            decode_s=tables.decode_s,
            prefill_s=tables.prefill_s,
            decodes_extra_share=EXTRA_SHARE,
            prefills_extra_share=EXTRA_SHARE,
            bucket_tokens=BUCKET_TOKENS,
        ),
        energy=StepEnergy(
            base_j=np.asarray(4.0 + 0.01 * np.arange(MAX_BATCH_COUNT + 1), np.float64),
            decode_j=0.05,
            prefill_j=0.02,
            idle_w=60.0,
        ),
        kv_blocks_count=KV_BLOCKS_COUNT,
        watermark_blocks_count=WATERMARK_BLOCKS_COUNT,
        block_tokens=BLOCK_TOKENS,
        max_batch_count=MAX_BATCH_COUNT,
        max_batch_tokens=MAX_BATCH_TOKENS,
    )


def asked(requests: Requests) -> ReplicaRequests:
    """Return one replica's requests as our engines take them."""
    count = len(requests.arrival_s)
    return ReplicaRequests(
        arrival_s=requests.arrival_s,
        input_tokens=requests.input_tokens,
        output_tokens=requests.output_tokens,
        cached_tokens=np.zeros(count, dtype=np.int64),
        offsets=np.array([0, count]),
    )


def many(replicas_count: int, each_count: int, rate_per_s: float) -> ReplicaRequests:
    """Return the requests of many replicas, each with arrivals of its own at that rate."""
    count = replicas_count * each_count
    come, go, _ = lengths(count, SEED + 2)
    gaps = np.random.default_rng(SEED + 3).exponential(1.0, (replicas_count, each_count))
    return ReplicaRequests(
        arrival_s=(np.cumsum(gaps, axis=1) / rate_per_s).ravel(),
        input_tokens=come,
        output_tokens=go,
        cached_tokens=np.zeros(count, dtype=np.int64),
        offsets=np.arange(replicas_count + 1) * each_count,
    )


def longest_tokens(requests: Requests) -> int:
    """Return the longest context that the requests can reach."""
    return int((requests.input_tokens + requests.output_tokens).max())


def told(requests: Requests, tables: Tables, *, metrics: bool, watch: bool) -> dict[str, Any]:
    """Return the case as the peer reads it."""
    return {
        "arrival_s": requests.arrival_s.tolist(),
        "input_tokens": requests.input_tokens.tolist(),
        "output_tokens": requests.output_tokens.tolist(),
        "tables": {
            "linear_s": tables.linear_s.tolist(),
            "cache_save_s": tables.cache_save_s.tolist(),
            "decode_s": tables.decode_s.tolist(),
            "prefill_s": tables.prefill_s.tolist(),
            "bucket_tokens": BUCKET_TOKENS,
            "extra_share": EXTRA_SHARE,
        },
        "replica": {
            "kv_blocks_count": KV_BLOCKS_COUNT,
            "block_tokens": BLOCK_TOKENS,
            "watermark_share": WATERMARK_SHARE,
            "max_batch_count": MAX_BATCH_COUNT,
            "max_batch_tokens": MAX_BATCH_TOKENS,
        },
        "metrics": metrics,
        "watch": watch,
    }
