"""How many blocks of cache a replica has: given by its engine, or computed and marked so.

An explicit input and never a silent default: in an early study a wrong figure gave +158 % time to
the first token (simulator sheet, section 5).
"""

import math
from dataclasses import dataclass
from typing import Final, Literal

from tokenergy.company.accelerator import USABLE_MEMORY_SHARE
from tokenergy.company.finding import Finding
from tokenergy.company.model import LanguageModel
from tokenergy.energy.predict import kv_copies_ratio
from tokenergy.simulate.law_tables import refuse
from tokenergy.units import BYTES_PER_GB

GIVEN_ABOVE_FORMULA_SHARE: Final = 0.1
"""A given figure this far above the formula without a reserve cannot be of this replica."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplicaMemory:
    """What the cache of one replica has to share: memory of all its GPUs, weights, reserve."""

    memory_gb: float
    """Of one GPU."""
    gpus_count: int
    weights_gb: float
    """Of all GPUs together."""
    cache_bytes_per_token: float
    """Keys and values of one token, all layers and all GPUs together."""
    usable_share: float = USABLE_MEMORY_SHARE
    """What the engine may fill: `gpu_memory_utilization`."""
    block_tokens: int = 16

    @classmethod
    def of_model(
        cls,
        model: LanguageModel,
        *,
        memory_gb: float,
        gpus_count: int,
        usable_share: float = USABLE_MEMORY_SHARE,
        block_tokens: int = 16,
    ) -> "ReplicaMemory":
        """Return the memory of a replica of a model of the catalogue.

        A model with sliding layers is counted as if they kept everything, which is what an
        engine with one size of block does: its blocks are then a lower bound. A cache with fewer
        heads than GPUs is kept more than once.
        """
        return cls(
            memory_gb=memory_gb,
            gpus_count=gpus_count,
            weights_gb=model.weights_gb,
            cache_bytes_per_token=kv_copies_ratio(model, gpus_count=gpus_count)
            * (model.kv_full_bytes_per_token + model.kv_slide_bytes_per_token),
            usable_share=usable_share,
            block_tokens=block_tokens,
        )

    def blocks_at(self, reserve_gb: float) -> int:
        """Return floor((memory x share x n - weights - reserve) / bytes of a block), 0 or more."""
        left_gb = self.memory_gb * self.usable_share * self.gpus_count
        left_gb -= self.weights_gb + reserve_gb
        block_bytes = self.cache_bytes_per_token * self.block_tokens
        return max(0, math.floor(left_gb * BYTES_PER_GB / block_bytes))


@dataclass(frozen=True, slots=True, kw_only=True)
class KvCapacity:
    """Blocks of cache of one replica, how they are known, and what is odd about them."""

    blocks_count: int
    block_tokens: int
    tier: Literal["given", "modelled"]
    """`given`: the engine's own figure; `modelled`: from the formula."""
    source: str
    warnings: tuple[Finding, ...] = ()

    @property
    def tokens_count(self) -> int:
        """Return the tokens that the blocks hold."""
        return self.blocks_count * self.block_tokens


def given_capacity(memory: ReplicaMemory, blocks_count: int, *, source: str) -> KvCapacity:
    """Return the engine's own figure, held against the formula without a reserve.

    Raises:
        FindingsError: sizes that cannot be, weights larger than the memory, no block, no source.
    """
    findings = [*memory_findings(memory)]
    if blocks_count < 1:
        findings.append(
            _finding(
                "KV_BLOCKS",
                "kv_blocks_count",
                value=str(blocks_count),
                limit="1",
                unit="blocks",
                reason="a replica without a block of cache serves nobody",
                remedy="Give the figure that the engine logs at its start.",
            )
        )
    if not source:
        findings.append(
            _finding(
                "KV_SOURCE",
                "kv_blocks_count",
                reason="a given figure says where it is from",
                remedy="Name the log or the configuration that it was read in.",
            )
        )
    refuse(tuple(findings))
    most = memory.blocks_at(0.0)
    warnings: tuple[Finding, ...] = ()
    if blocks_count > (1.0 + GIVEN_ABOVE_FORMULA_SHARE) * most:
        warnings = (
            _finding(
                "KV_ABOVE_MEMORY",
                "kv_blocks_count",
                value=str(blocks_count),
                limit=str(most),
                unit="blocks",
                reason="it is more than 10 % above what the memory holds beside the weights",
                remedy="Check the number of GPUs, the precision and the block size it is for.",
                is_warning=True,
            ),
        )
    return KvCapacity(
        blocks_count=blocks_count,
        block_tokens=memory.block_tokens,
        tier="given",
        source=source,
        warnings=warnings,
    )


def computed_capacity(memory: ReplicaMemory, *, reserve_gb: float, reason: str) -> KvCapacity:
    """Return the formula's figure, `modelled`, for a reserve that must be stated.

    Args:
        memory: of the replica.
        reserve_gb: what the engine keeps for activations, graphs and other things, all GPUs.
            vLLM 0.19 kept 1.24 GB for Llama-3.1-8B on an RTX 4090; 0 is a statement too.
        reason: where the reserve is from.

    Raises:
        FindingsError: sizes that cannot be, weights larger than the memory, a negative reserve
            or one without a reason, no room for a single block.
    """
    findings = [*memory_findings(memory)]
    if not (math.isfinite(reserve_gb) and reserve_gb >= 0.0) or not reason:
        findings.append(
            _finding(
                "KV_RESERVE",
                "reserve_gb",
                value=f"{reserve_gb:g}",
                limit="0",
                unit="GB",
                reason="a computed capacity needs a reserve of 0 or more, and its reason",
                remedy="State what the engine keeps beside weights and cache, and who says so.",
            )
        )
    refuse(tuple(findings))
    blocks_count = memory.blocks_at(reserve_gb)
    if blocks_count == 0:
        refuse(
            (
                _finding(
                    "KV_BLOCKS",
                    "reserve_gb",
                    value=f"{reserve_gb:g}",
                    limit=f"{_room_gb(memory):.3f}",
                    unit="GB",
                    reason="weights and reserve leave no room for one block of cache",
                    remedy="Use more GPUs, a smaller reserve, or weights of fewer bytes.",
                ),
            )
        )
    return KvCapacity(
        blocks_count=blocks_count,
        block_tokens=memory.block_tokens,
        tier="modelled",
        source=f"memory less weights and {reserve_gb:g} GB ({reason})",
    )


def memory_findings(memory: ReplicaMemory) -> tuple[Finding, ...]:
    """Find sizes that are not positive, a share outside (0, 1], and weights that do not fit."""
    sizes = {
        "memory_gb": memory.memory_gb,
        "gpus_count": memory.gpus_count,
        "weights_gb": memory.weights_gb,
        "cache_bytes_per_token": memory.cache_bytes_per_token,
        "block_tokens": memory.block_tokens,
    }
    findings = [
        _finding(
            "KV_SIZE",
            name,
            value=f"{size:g}",
            limit="0",
            reason="it must be above 0",
            remedy="State the figure of the replica.",
        )
        for name, size in sizes.items()
        if not (math.isfinite(size) and size > 0)
    ]
    if not 0.0 < memory.usable_share <= 1.0:
        findings.append(
            _finding(
                "KV_SIZE",
                "usable_share",
                value=f"{memory.usable_share:g}",
                limit="above 0, at most 1",
                reason="an engine fills a share of the memory",
                remedy="State its `gpu_memory_utilization`.",
            )
        )
    if not findings and _room_gb(memory) < 0.0:
        usable_gb = memory.memory_gb * memory.usable_share * memory.gpus_count
        findings.append(
            _finding(
                "WEIGHTS_EXCEED_MEMORY",
                "weights_gb",
                value=f"{memory.weights_gb:.2f}",
                limit=f"{usable_gb:.2f}",
                unit="GB",
                reason="the weights are larger than the memory that the engine may fill",
                remedy="Use more GPUs, or weights of fewer bytes.",
            )
        )
    return tuple(findings)


def _room_gb(memory: ReplicaMemory) -> float:
    return memory.memory_gb * memory.usable_share * memory.gpus_count - memory.weights_gb


def _finding(
    code: str,
    path: str,
    *,
    reason: str,
    remedy: str,
    value: str = "",
    limit: str = "",
    unit: str = "",
    is_warning: bool = False,
) -> Finding:
    return Finding(
        code=code,
        path=path,
        reason=reason,
        remedy=remedy,
        value=value,
        limit=limit,
        unit=unit,
        severity="warning" if is_warning else "error",
    )
