"""An observation by hand, as `Observation.to_dict()` gives it: for tests of page and server."""

from datetime import UTC, datetime, timedelta
from typing import Any

START = datetime(2026, 11, 24, 12, 10, tzinfo=UTC)
PARTS = (
    "energy", "mw_rent", "demand_peak_rent", "cfe_rent", "gpu_rent", "wake", "network", "quality",
    "other",
)  # fmt: skip


def model(name: str, fleet: str, seed: int, **changes: Any) -> dict[str, Any]:
    """Return a model with figures of its own, no two alike."""
    full = {"energy": 0.11, "gpu": 1.37, "facility": 0.72, "staff": 0.29}
    parts = dict.fromkeys(PARTS, 0.0) | {"energy": 0.0213, "mw_rent": 0.0471, "wake": -0.0011}
    full = {each: usd * seed for each, usd in full.items()}
    parts = {each: usd * seed for each, usd in parts.items()}
    marginal = sum(parts.values())
    joules = {
        "gpu_j": 1011.5 * seed, "host_j": 313.25 * seed, "idle_j": 71.75 * seed,
        "overhead_j": 217.5 * seed, "total_j": 1614.0 * seed, "low_j": 1203.5 * seed,
        "high_j": 2107.25 * seed, "tier": "modelled", "reason": f"no meter at engine {seed}",
    }  # fmt: skip
    return {
        "model": name, "fleet": fleet, "accelerator": "H100", "workload": "chat",
        "engines": [f"{fleet}-1", f"{fleet}-2"], "replicas_count": 2 * seed,
        "gpus_count": 8 * seed, "span_s": 60.0 + seed / 8,
        "tokens": {"input": 36_013 * seed, "cached_input": 17_011 * seed,
                   "output": 18_007 * seed, "requests": 127 * seed},
        "joules": joules["total_j"], "joules_tier": "modelled", "joules_parts": joules,
        "j_per_token": joules["total_j"] / (18_007 * seed) + 0.001 * seed,
        "utilisation_share": 0.0371 * seed, "running_count": 4.5 * seed,
        "waiting_count": 0.25 * seed, "idle_usd_per_h": 3.41 * seed,
        "usd_per_mtok_full": sum(full.values()), "usd_per_mtok_marginal": marginal,
        "usd_per_mtok_low": marginal * 0.9, "usd_per_mtok_elsewhere": marginal * 0.8,
        "usd_per_mtok_within_replica": marginal * 0.7, "parts": parts, "full_parts": full,
    } | changes  # fmt: skip


def silent(name: str, fleet: str) -> dict[str, Any]:
    """Return a model none of whose engines answered."""
    unknown = model(name, fleet, 1)
    nothing = {
        key: None
        for key, value in unknown.items()
        if isinstance(value, float) or key in ("parts", "full_parts")
    }
    return unknown | nothing | {
        "replicas_count": 0, "gpus_count": 0, "span_s": 0.0, "joules_tier": "unknown",
        "tokens": dict.fromkeys(unknown["tokens"]),
        "joules_parts": dict.fromkeys(unknown["joules_parts"]) | {"tier": "unknown", "reason": ""},
    }  # fmt: skip


def saving() -> dict[str, Any]:
    """Return a saving against two baselines."""
    return {
        "basis": "usage", "start": "2026-11-01T00:00Z", "end": "2026-11-24T00:00Z",
        "policy": "mpc",
        "against": [
            {"baseline": "as_observed", "usd": 1234.56, "share": 0.1371, "low_usd": 987.25,
             "high_usd": 1456.75, "block_h": 24.0, "blocks_count": 23},
            {"baseline": "greedy_battery", "usd": 211.125, "share": 0.0261, "low_usd": 101.5,
             "high_usd": 322.25, "block_h": 24.0, "blocks_count": 23},
        ],
        "cost_usd": {"as_observed": 9004.5, "as_needed": 8505.25, "greedy_battery": 7981.065,
                     "mpc": 7769.94, "clairvoyant": 7702.875},
        "sleep_usd": 499.25, "placement_usd": 735.31, "regret_share": 0.0087, "refused_mtok": 1.75,
        "replicas_count": 7.0, "of_full_share": 0.0123, "baseline": "as_observed", "usd": 1234.56,
        "low_usd": 987.25, "high_usd": 1456.75,
        "says": "On the tokens of the usage file, dispatch would have saved 1,235 USD.",
    }  # fmt: skip


def allocated() -> dict[str, Any]:
    """Return invoices that found their tokens."""
    return {
        "says": "Allocated 99.98 % of invoices: 8,003.5 USD.", "allocated_share": 0.9998,
        "invoiced_usd": 8005.125, "tokens_usd": 6500.5, "unused_capacity_usd": 1503.0,
        "residual_usd": 1.625, "lines_count": 412,
        "tenants": [{"tenant": "acme", "usd": 6500.5, "parts_usd": {"energy": 500.25,
                                                                   "gpu": 6000.25}}],
    }  # fmt: skip


def tenant(name: str, seed: int) -> dict[str, Any]:
    """Return a tenant's tokens of a usage file."""
    return {
        "tenant": name, "model": "small", "input_tokens": 70_001 * seed,
        "cached_input_tokens": 10_003 * seed, "output_tokens": 33_007 * seed,
        "requests_count": 509 * seed, "energy_j": 41_011.5 * seed, "full_usd": 93.0625 * seed,
    }  # fmt: skip


def finding(code: str, severity: str = "warning") -> dict[str, Any]:
    """Return a finding as a mapping."""
    return {
        "code": code, "path": f"observe.engines.{code.lower()}", "value": "", "limit": "",
        "unit": "", "severity": severity, "line": None, "file": "",
        "reason": f"{code} is wrong because of a thing", "remedy": f"Mend {code}",
    }  # fmt: skip


def observation(*, window: int = 0, **changes: Any) -> dict[str, Any]:
    """Return the observation of a minute; `changes` replace keys."""
    start = START + timedelta(minutes=window)
    return {
        "company": "Little", "file": "little.yaml", "currency": "USD", "source": "observe",
        "basis": {"usd_per_mtok_full": "allocation", "usd_per_mtok_marginal": "marginal"},
        "start": f"{start:%Y-%m-%dT%H:%M:%SZ}",
        "end": f"{start + timedelta(minutes=1):%Y-%m-%dT%H:%M:%SZ}",
        "span_s": 60.0,
        "sites": [
            {"site": "paris", "price_usd_per_mwh": 81.375, "price_source": "energy-charts FR",
             "price_at": "2026-11-24T12:00Z", "power_usd_per_mwh": 101.625,
             "unused_gpu_usd_per_h": 6.0625, "models": [
                 model("small", "paris-h100", 1), model("small", "paris-h200", 2)]},
            {"site": "oslo", "price_usd_per_mwh": None,
             "price_source": "none that reaches the present", "price_at": None,
             "power_usd_per_mwh": None, "unused_gpu_usd_per_h": 4.5,
             "models": [silent("small", "oslo-h100")]},
        ],
        "tenants": [tenant("acme", 2), tenant("beta", 1)],
        "saving": saving(), "allocated": allocated(),
        "findings": [finding("PRICE_STALE"), finding("ALLOCATION_RESIDUAL", "error")],
        "ledger": ".tokenergy/little.sqlite",
    } | changes  # fmt: skip
