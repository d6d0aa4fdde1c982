"""A bill, decisions, claims and a failure by hand, as the verbs print them."""

from typing import Any


def settlement() -> dict[str, Any]:
    """Three contracts: 100 MWh bought at 30 and 10 sold at 50, a delivery of 1,000, a fee of 200.

    texas-spot 3,000 - 500 = 2,500; with 1,000 and 200 the bill is 3,700 USD, of which March is
    3,500.
    """
    rows = [
        ("texas-spot", "purchase", 100.0, "MWh", 30.0, 3_000.0),
        ("texas-spot", "resale", 10.0, "MWh", -50.0, -500.0),
        ("texas-wind", "delivery", 40.0, "MWh", 25.0, 1_000.0),
        ("texas-wires", "fixed_charge", 1.0, "month", 200.0, 200.0),
    ]
    names = ("contract_id", "component", "quantity", "unit", "rate_usd", "amount_usd")
    return {
        "month": None,
        "policy": "mpc",
        "run_id": None,
        "rows": [dict(zip(names, row, strict=True)) | {"lines_count": 2} for row in rows],
        "by_contract": {"texas-spot": 2_500.0, "texas-wind": 1_000.0, "texas-wires": 200.0},
        "bill_usd": 3_700.0,
        "months_usd": {"2026-03": 3_500.0, "2026-04": 200.0},
        "horizon_bill_usd": 3_700.0,
        "program_bill_usd": 3_700.0,
        "uncovered": None,
        "notes": ["policy: mpc (a simulation)"],
    }


def decision(decision: str, reason: str, mtok: float, **more: Any) -> dict[str, Any]:
    """Return what a run decided about a part of 100 Mtok of one workload, worth 2 USD each."""
    return {
        "source": "run",
        "outcome": "refused" if decision == "refuse" else "served",
        "tier": "chat",
        "workload": "chat-europe",
        "decision": decision,
        "reason": reason,
        "unit": "Mtok",
        "quantity": mtok,
        "asked_share": mtok / 100.0,
        "value_usd_per_mtok": 2.0,
        "asked_usd_per_mtok": 0.5,
        "lost_usd": 0.0,
    } | more


def decisions() -> list[dict[str, Any]]:
    """Return all kinds of decisions of a run and of a ledger's requests."""
    request = {
        "source": "serve", "tier": "free", "workload": "free-australia", "unit": "Mtok",
        "start": "2026-03-02T10:00:00Z", "end": "2026-03-03T11:30:00Z",
    }  # fmt: skip
    return [
        decision("serve", "value_above_cost", 70.0),
        decision("defer", "cheaper_interval", 20.0),
        decision("downgrade", "downgrade_pays", 6.0, lost_usd=3.0),
        decision("refuse", "marginal_cost_exceeds_value", 4.0, lost_usd=8.0)
        | {"asked_usd_per_mtok": 2.0},
        request | {"outcome": "served", "decision": "cap", "reason": "cap_pays"}
        | {"requests_count": 12.0, "quantity": 0.3, "cost_usd": 0.02, "lost_usd": None},
        request | {"outcome": "refused", "decision": "refuse", "reason": "rate_limited"}
        | {"requests_count": 40.0, "quantity": 1.2, "cost_usd": None, "lost_usd": 0.7},
        request | {"outcome": "upstream_error", "decision": "serve", "reason": "value_above_cost"}
        | {"requests_count": 1.0, "quantity": 0.0, "cost_usd": 0.0, "lost_usd": None},
    ]  # fmt: skip


def thesis() -> dict[str, Any]:
    """Return three claims: one holds, one does not, one cannot be told."""
    names = (
        "id",
        "claim",
        "number",
        "unit",
        "threshold",
        "verdict",
        "says",
        "holds_share",
        "label",
    )
    results = [
        ("T1", "the same hour moved", 0.12, "of the cost", ">= 0.1", "PASS", "It saves 12 %.",
         0.91, "sensitivity"),
        ("T2", "free power is <much>", 0.01, "of hours", ">= 0.05", "FAIL", "Only 1 % of hours.",
         0.2, "evidence"),
        ("T3", "a rival must pay", None, "USD", "> 0", "NOT_APPLICABLE", "No rival is known.",
         None, "identity"),
    ]  # fmt: skip
    return {
        "synthetic": ["US-TX"],
        "prices_source": "a seeded synthetic year",
        "zones": ["US-TX"],
        "hours_count": 8_760,
        "seed": 1,
        "warnings": [],
        "experiments_count": 3,
        "holds_count": 1,
        "fails_count": 1,
        "summary": ["1 of 3 hold; 1 do not: T2; 1 cannot be told yet: T3."],
        "results": [dict(zip(names, row, strict=True)) for row in results],
    }


def failed() -> dict[str, Any]:
    """Return a failure with one finding."""
    finding = {
        "code": "MUST_SERVE_NOWHERE", "path": "workloads[1]", "value": "6.4", "limit": "6",
        "unit": "MW", "severity": "error", "line": 12, "file": "/home/me/meridian.yaml",
        "reason": "frankfurt cannot carry <b>chat-europe</b>", "remedy": "Raise import_limit_mw",
    }  # fmt: skip
    return {
        "step": "simulating the policies", "error": "no dispatch", "ours": False,
        "findings": [finding],
    }  # fmt: skip
