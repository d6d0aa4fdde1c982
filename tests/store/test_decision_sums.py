"""What was decided about the requests of a ledger: counts, tokens and money by reason."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

from tokenergy.company.ledger import LedgerEntry
from tokenergy.store.sqlite import SqliteLedger

START = datetime(2026, 3, 2, 10, tzinfo=UTC)


def request(number: int, component: str, **columns: object) -> LedgerEntry:
    """Return a row of a request that came so many seconds after the start and took one."""
    at = START + timedelta(seconds=number)
    row = LedgerEntry(
        run_id="gateway", source="serve", kind="request", request_id=str(number), start=at,
        end=at + timedelta(seconds=1), tier="chat", workload="w", unit="Mtok", quantity=0.5,
        component=component, decision="serve", reason="value_above_cost", amount_nano_usd=3,
    )  # fmt: skip
    return replace(row, **columns)  # type: ignore[arg-type]


def test_requests_are_added_up_by_what_was_decided_and_why(tmp_path: Path) -> None:
    """Two served at 3 nano-dollars, one of a sample that stands for 10, one refused, one broken."""
    with SqliteLedger(tmp_path / "a.sqlite") as held:
        assert held.decisions() == ()
        held.append(
            [
                request(0, "serve"),
                request(0, "input", quantity=9.0, amount_nano_usd=0),
                request(1, "serve"),
                request(2, "serve", part="sample:10.0", decision="cap", reason="cap_pays"),
                request(3, "refused", decision="refuse", reason="rate_limited"),
                request(4, "timeout", quantity=0.0, amount_nano_usd=0),
                request(5, "usage_estimated", unit="request", quantity=1.0, amount_nano_usd=0),
                replace(request(6, "serve"), kind="interval", request_id=""),
            ]
        )
        found = {(row.decision, row.outcome): row for row in held.decisions()}
    assert set(found) == {
        ("serve", "served"), ("cap", "served"), ("refuse", "refused"), ("serve", "timeout"),
    }  # fmt: skip
    served = found["serve", "served"]
    assert (served.requests_count, served.quantity) == (2.0, 1.0)
    assert (served.cost_usd, served.lost_usd) == (6e-9, None)
    assert (served.start, served.end) == ("2026-03-02T10:00:00Z", "2026-03-02T10:00:02Z")
    assert found["cap", "served"].requests_count == 10.0
    refused = found["refuse", "refused"]
    assert (refused.cost_usd, refused.lost_usd) == (None, 3e-9)
