"""Requests for a company out of a real ledger: the run that is named, and no other."""

from datetime import UTC, datetime, timedelta

import pytest
from worlds import company_dict

from tokenergy.api.tracing import read_requests
from tokenergy.company.company import Company
from tokenergy.company.ledger import LedgerEntry
from tokenergy.errors import FindingsError
from tokenergy.store.sqlite import SqliteLedger

START = datetime(2026, 3, 2, 8, tzinfo=UTC)


@pytest.fixture
def company():
    return Company.model_validate(company_dict())


def rows(run_id, workload):
    for second in (0, 7):
        for component, quantity in (("input", 300e-6), ("serve", 50e-6)):
            yield LedgerEntry(
                run_id=run_id,
                source="serve",
                kind="request",
                request_id=f"r{second}",
                start=START + timedelta(seconds=second),
                end=START + timedelta(seconds=second + 2),
                workload=workload,
                component=component,
                quantity=quantity,
                unit="Mtok",
            )


def test_a_run_of_a_ledger_is_a_trace(tmp_path, company) -> None:
    workload = company.workloads[0].name
    path = tmp_path / "ledger.sqlite"
    with SqliteLedger(path) as held:
        held.append([*rows("one", workload), *rows("two", workload)])
    with pytest.raises(FindingsError, match="LEDGER_RUNS"):
        read_requests(path, company)
    trace = read_requests(path, company, run_id="two").trace
    assert trace.arrival_s.tolist() == [0.0, 7.0]
    assert trace.input_tokens.tolist() == [300, 300]
    assert trace.workloads[trace.workload[0]] == workload
