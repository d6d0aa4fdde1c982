"""Rows of a small ledger, for tests of exports: every figure is chosen by the test that uses it."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

from tokenergy.company.ledger import LedgerEntry
from tokenergy.files.focus_facts import FocusFacts

START = datetime(2026, 3, 2, tzinfo=UTC)
HOUR = timedelta(hours=1)
KWH_MICROJOULES = 3_600_000_000_000


def entry(**changes: Any) -> LedgerEntry:
    at = changes.pop("at", 0)
    usual: dict[str, Any] = {
        "run_id": "run", "source": "observe", "kind": "interval",
        "start": START + at * HOUR, "end": START + (at + 1) * HOUR, "site": "here",
    }  # fmt: skip
    return LedgerEntry(**(usual | changes))


def serve(mtok: float, *, kwh: float | None = 1.0, at: int = 0, **changes: Any) -> LedgerEntry:
    known = {} if kwh is None else {
        "energy_microjoules": round(kwh * KWH_MICROJOULES), "energy_tier": "measured",
        "boundary": "it",
    }  # fmt: skip
    usual = {
        "component": "serve", "quantity": mtok, "unit": "Mtok", "tier": "chat",
        "workload": "chat-us", "model": "large", "accelerator": "H100", "part": "large@h",
        "decision": "admit",
    }  # fmt: skip
    return entry(at=at, **(usual | known | changes))


def energy(kwh: float, component: str = "idle", *, at: int = 0, **changes: Any) -> LedgerEntry:
    return entry(
        at=at, component=component, quantity=kwh / 1e3, unit="MWh",
        energy_microjoules=round(kwh * KWH_MICROJOULES), energy_tier="measured", **changes,
    )  # fmt: skip


def line(usd: float, *, mwh: float = 1.0, component="purchase", at=0, **changes) -> LedgerEntry:
    return entry(
        at=at, kind="settlement", contract_id=changes.pop("contract_id", "grid"),
        component=component, quantity=mwh, unit="MWh", amount_nano_usd=round(usd * 1e9), **changes,
    )  # fmt: skip


def bill(usd: float, component: str, *, quantity=1.0, unit="Mtok", at=0, **changes) -> LedgerEntry:
    usual = {
        "part": "large@h", "model": "large", "accelerator": "H100", "tier": "chat",
        "workload": "chat-us",
    }  # fmt: skip
    return entry(
        at=at, component=component, quantity=quantity, unit=unit,
        amount_nano_usd=round(usd * 1e9), **(usual | changes),
    )  # fmt: skip


def two_hours() -> Iterator[LedgerEntry]:
    """Yield an hour of everything, then one without tokens."""
    yield line(30.0, mwh=0.5)
    yield line(-4.0, mwh=0.1, component="resale")
    yield line(9.0, mwh=0.3, component="delivery", contract_id="wind")
    yield serve(2.0, kwh=300.0)
    yield serve(1.0, kwh=100.0, tenant="acme", model="small", part="small@h")
    yield bill(0.5, "network", quantity=2.0)
    yield bill(6.0, "lease", quantity=3.0, unit="GPU-hour", tier="", workload="")
    yield energy(100.0)
    yield serve(
        0.5, kwh=None, site="", model="gpt", part="gpt-api", accelerator="", workload="chat-us"
    )
    yield bill(7.0, "api", site="", model="gpt", part="gpt-api", accelerator="", quantity=0.5)
    yield entry(component="refused", amount_nano_usd=10**9, quantity=1.0, unit="Mtok")
    yield line(5.0, mwh=0.1, at=1)


def facts(**changes: Any) -> FocusFacts:
    usual: dict[str, Any] = {
        "company": "Somebody",
        "currency": "USD",
        "version": "1.2",
        "basis": "allocation",
        "hide": lambda text: "k_0123456789ab" if "@" in text else text,
        "price_usd_per_mtok": lambda row: 8.0,
        "fleets": {("here", "H100"): "here-h100"},
        "index_usd_per_mwh": lambda site, moment: 50.0,
    }
    return FocusFacts(**(usual | changes))
