"""Usage by user: what a ledger's own rows tell, and nothing where they tell of nobody."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tokenergy.company.ledger import LedgerEntry
from tokenergy.store.sqlite import SqliteLedger
from tokenergy.store.usage import Usage
from tokenergy.units import H_PER_MONTH

START = datetime(2026, 3, 2, tzinfo=UTC)


def request(number: int, tenant: str, mtok: float, **columns) -> LedgerEntry:
    start = START + timedelta(hours=columns.pop("at", number))
    given = {
        "run_id": "gateway", "source": "serve", "kind": "request", "request_id": f"q{number}",
        "start": start, "end": start + timedelta(seconds=30), "tenant": tenant, "tier": "chat",
        "component": "serve", "quantity": mtok, "unit": "Mtok",
    }  # fmt: skip
    return LedgerEntry(**given | columns)


def usage(folder: Path, *rows: LedgerEntry, **limits) -> Usage:
    with SqliteLedger(folder / "ledger.sqlite") as ledger:
        ledger.append(rows)
    with SqliteLedger(folder / "ledger.sqlite", read_only=True) as ledger:
        return ledger.usage(**limits)


def test_tokens_are_added_by_tier_and_user(tmp_path):
    """Ann asks twice in chat (1 + 2) and once in batch (8), Bob once (4): Ann stands in both."""
    found = usage(
        tmp_path,
        request(1, "bob", 4.0),
        request(2, "ann", 1.0),
        request(3, "ann", 2.0, source="observe"),
        request(4, "ann", 8.0, tier="batch"),
    )
    assert found.mtok_by_tier == {"batch": (8.0,), "chat": (3.0, 4.0)}


def test_the_span_runs_from_the_first_start_to_the_last_end(tmp_path):
    """A long request that begins in the middle ends last: it bounds the span, 730 h in all."""
    found = usage(
        tmp_path,
        request(1, "ann", 1.0, at=0),
        request(2, "bob", 1.0, at=10, end=START + timedelta(hours=H_PER_MONTH)),
        request(3, "ann", 1.0, at=20),
    )
    assert (found.start, found.end) == (START, START + timedelta(hours=H_PER_MONTH))
    assert found.months == pytest.approx(1.0, rel=1e-12)


@pytest.mark.parametrize(
    "columns",
    [
        {"source": "simulate"},
        {"kind": "interval"},
        {"component": "network"},
        {"unit": "image"},
        {"tenant": ""},
    ],
)
def test_other_rows_tell_of_no_user(tmp_path, columns):
    other = {"tenant": "eve", **columns}
    found = usage(tmp_path, request(1, "ann", 1.0), request(2, mtok=64.0, **other))
    assert found.mtok_by_tier == {"chat": (1.0,)}
    assert found.other_units == (("image",) if "unit" in columns else ())
    assert found.end == START + timedelta(hours=1, seconds=30)


def test_a_simulated_ledger_is_empty(tmp_path):
    row = request(1, "", 5.0, source="simulate", kind="interval", workload="chat-us")
    found = usage(tmp_path, row)
    assert (found.mtok_by_tier, found.start, found.end, found.months) == ({}, None, None, 0.0)


def test_one_run_and_one_span_can_be_asked_for(tmp_path):
    """Half-open: what starts at `since` is in, what starts at `until` is not."""
    rows = [request(at, "ann", 2.0**at) for at in range(4)]
    rows += [request(9, "ann", 100.0, run_id="other", at=1)]
    limits = {"since": START + timedelta(hours=1), "until": START + timedelta(hours=3)}
    assert usage(tmp_path, *rows, run_id="gateway", **limits).mtok_by_tier == {"chat": (6.0,)}
    assert usage(tmp_path, run_id="other").mtok_by_tier == {"chat": (100.0,)}
    assert usage(tmp_path, **limits).mtok_by_tier == {"chat": (106.0,)}
    assert usage(tmp_path, run_id="none").mtok_by_tier == {}


def test_names_are_values_and_never_part_of_the_question(tmp_path):
    found = usage(tmp_path, request(1, "o'hara; --", 1.0, tier='x" y'), run_id="gateway' OR '1")
    assert found.mtok_by_tier == {}
    assert usage(tmp_path).mtok_by_tier == {'x" y': (1.0,)}
