"""The dataset of contract commitments: what power the company has promised to take or pay.

FOCUS 1.3 and later; our 1.4 is a draft. Rows of cost join by `ContractApplied`.
"""

from collections.abc import Iterable
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from typing import Any, Final

from tokenergy.company.company import Company
from tokenergy.company.contract import Block, PpaAsProduced
from tokenergy.company.finding import Finding
from tokenergy.files.focus_columns import focus_columns
from tokenergy.files.focus_rows import Row
from tokenergy.units import KWH_PER_MWH

TYPES: Final = {"block": "Block", "ppa_as_produced": "Power Purchase Agreement, as produced"}
Commitment = Block | PpaAsProduced


def commitments(company: Company) -> tuple[Commitment, ...]:
    """Return the contracts that commit the company: all that deliver, none that is spot."""
    return tuple(c for c in company.contracts if isinstance(c, Block | PpaAsProduced))


def contract_rows(
    company: Company, *, now: datetime
) -> tuple[tuple[Row, ...], tuple[Finding, ...]]:
    """Return a row for each commitment whose term is stated, and what is left out.

    FOCUS wants a first and a last moment: a contract that the file leaves open has none, and
    none is made up. Cost is told where the strike and the quantity are fixed: of a block without
    an escalator.

    Args:
        now: the moment at which the status is told.
    """
    columns = focus_columns("1.4", "contract_commitment")
    rows: list[Row] = []
    findings: list[Finding] = []
    zones = {site.name: site.market.tz for site in company.sites}
    for at, contract in enumerate(company.contracts):
        if not isinstance(contract, Block | PpaAsProduced):
            continue
        path = f"contracts[{at}]"
        if contract.start is None or contract.end is None:
            findings.append(_open_ended(contract, path))
            continue
        if isinstance(contract, PpaAsProduced):
            findings.append(_at_most(contract, path))
        kwh = _most_kwh(contract, contract.start, contract.end, zones[contract.site])
        cells = _cells(contract, contract.start, contract.end, kwh, company, now)
        rows.append([cells[column.name] for column in columns])
    return tuple(rows), tuple(findings)


def committed_ids(rows: Iterable[Row]) -> frozenset[str]:
    """Return the contracts that stand in the dataset."""
    names = [column.name for column in focus_columns("1.4", "contract_commitment")]
    return frozenset(row[names.index("ContractId")] for row in rows)


def _cells(
    contract: Commitment, start: date, end: date, kwh: float, company: Company, now: datetime
) -> dict[str, Any]:
    begins, ends = _midnight(start), _midnight(end)
    fixed = isinstance(contract, Block) and not contract.escalator_share_per_year
    what = f"{contract.id} at {contract.site}: {contract.strike_usd_per_mwh:g} "
    return {
        "BillingCurrency": company.currency,
        "ContractCommitmentCategory": "Usage",
        "ContractCommitmentCost": contract.strike_usd_per_mwh * kwh / KWH_PER_MWH
        if fixed
        else None,
        "ContractCommitmentDescription": f"{what}{company.currency}/MWh, {contract.delivery}",
        "ContractCommitmentFulfillmentInterval": "Hourly",
        "ContractCommitmentId": contract.id,
        "ContractCommitmentLifecycleStatus": _status(begins, ends, now),
        "ContractCommitmentPaymentModel": "No Upfront",
        "ContractCommitmentPeriodEnd": ends,
        "ContractCommitmentPeriodStart": begins,
        "ContractCommitmentQuantity": kwh,
        "ContractCommitmentType": TYPES[contract.kind],
        "ContractCommitmentUnit": "kWh",
        "ContractId": contract.id,
        "ContractPeriodEnd": ends,
        "ContractPeriodStart": begins,
        "InvoiceIssuerName": contract.id,
        "ServiceProviderName": contract.id,
    }


def _most_kwh(contract: Commitment, start: date, end: date, zone: tzinfo) -> float:
    """Return the energy of the whole term: of a block exactly, as produced the most there can be.

    A block delivers in hours and on days of its market's own clock and calendar.
    """
    hours_count = (end - start).days * 24
    if isinstance(contract, PpaAsProduced):
        return contract.share * contract.project_mw * hours_count * KWH_PER_MWH
    begin, hours = _midnight(start), range(contract.from_hour, contract.to_hour)
    if contract.weekdays_only or len(hours) < 24:
        local = ((begin + timedelta(hours=at)).astimezone(zone) for at in range(hours_count))
        hours_count = sum(
            moment.hour in hours and not (contract.weekdays_only and moment.isoweekday() > 5)
            for moment in local
        )
    return contract.contract_mw * hours_count * KWH_PER_MWH


def _status(start: datetime, end: datetime, now: datetime) -> str:
    if now < start:
        return "Pending"
    return "Active" if now < end else "Expired"


def _midnight(day: date) -> datetime:
    return datetime.combine(day, time(), tzinfo=UTC)


def _open_ended(contract: Commitment, path: str) -> Finding:
    return Finding(
        code="COMMITMENT_OPEN_ENDED",
        path=path,
        value=contract.id,
        reason="FOCUS wants the first and last day of a commitment, and this contract states not "
        "both: it is left out",
        remedy="State start and end",
        severity="warning",
    )


def _at_most(contract: Commitment, path: str) -> Finding:
    return Finding(
        code="COMMITMENT_AT_MOST",
        path=path,
        value=contract.id,
        reason="nobody knows yet what an as-produced project makes: the quantity is its nameplate "
        "in every hour, the most there can be, and the cost is null",
        remedy="Read what it delivered in the file of costs",
        severity="warning",
    )
