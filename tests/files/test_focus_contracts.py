"""Contract commitments: blocks and as-produced contracts, with what nobody knows left out."""

from datetime import UTC, datetime

import pytest
from worlds import company_of

from tokenergy.files.focus_columns import focus_columns
from tokenergy.files.focus_contracts import committed_ids, contract_rows

NOW = datetime(2026, 6, 1, tzinfo=UTC)
SPOT = {"kind": "spot", "id": "grid", "site": "texas"}
BLOCK = {
    "kind": "block", "id": "base", "site": "texas", "contract_mw": 2, "strike_usd_per_mwh": 40,
    "start": "2026-01-01", "end": "2027-01-01",
}  # fmt: skip
WIND = {
    "kind": "ppa_as_produced", "id": "wind", "site": "texas", "project_mw": 10, "share": 0.5,
    "strike_usd_per_mwh": 30, "profile": {"synthetic": "texas", "quantity": "wind"},
    "start": "2026-01-01", "end": "2026-01-11",
}  # fmt: skip


def dataset(*contracts, now=NOW):
    rows, findings = contract_rows(company_of(contracts=[SPOT, *contracts]), now=now)
    names = [column.name for column in focus_columns("1.4", "contract_commitment")]
    return [dict(zip(names, row, strict=True)) for row in rows], findings, rows


def test_a_block_around_the_clock():
    """2 MW x 8760 h = 17,520 MWh, at 40 USD: 700,800 USD."""
    (row,), findings, rows = dataset(BLOCK)
    assert row["ContractCommitmentQuantity"] == pytest.approx(17_520_000.0)
    assert row["ContractCommitmentCost"] == pytest.approx(700_800.0)
    assert (row["ContractCommitmentCategory"], row["ContractCommitmentUnit"]) == ("Usage", "kWh")
    assert row["ContractPeriodStart"] == datetime(2026, 1, 1, tzinfo=UTC)
    assert row["ContractCommitmentLifecycleStatus"] == "Active" and findings == ()
    assert committed_ids(rows) == {"base"}


def test_a_block_of_weekday_hours_is_counted_in_the_markets_clock():
    """5 to 12 January 2026, 8 to 20 local: Monday to Friday, 12 h each: 5 x 12 h x 2 MW.

    The term begins at midnight UTC, Sunday evening in Texas, and ends so a week later.
    """
    week = BLOCK | {"from_hour": 8, "to_hour": 20, "weekdays_only": True, "start": "2026-01-05",
                    "end": "2026-01-12"}  # fmt: skip
    (row,), _, _ = dataset(week)
    assert row["ContractCommitmentQuantity"] == pytest.approx(120_000.0)


def test_an_escalator_leaves_the_cost_open():
    (row,), _, _ = dataset(BLOCK | {"escalator_share_per_year": 0.02})
    assert row["ContractCommitmentCost"] is None


def test_as_produced_is_at_most_its_nameplate_and_says_so():
    """10 MW x 0.5 x 240 h = 1,200 MWh at most; nobody knows the cost."""
    (row,), (finding,), _ = dataset(WIND)
    assert row["ContractCommitmentQuantity"] == pytest.approx(1_200_000.0)
    assert row["ContractCommitmentCost"] is None and finding.code == "COMMITMENT_AT_MOST"
    assert row["ContractCommitmentLifecycleStatus"] == "Expired"


def test_an_open_end_is_left_out_and_told():
    rows, (finding,), _ = dataset({k: v for k, v in BLOCK.items() if k != "end"})
    assert rows == [] and finding.code == "COMMITMENT_OPEN_ENDED"
    assert finding.path == "contracts[1]"


def test_status_before_the_start():
    (row,), _, _ = dataset(BLOCK, now=datetime(2025, 1, 1, tzinfo=UTC))
    assert row["ContractCommitmentLifecycleStatus"] == "Pending"
