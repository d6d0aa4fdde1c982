"""The bill of a month: every line of every contract and tariff, from a run or from a ledger."""

import math
import re
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final
from zoneinfo import ZoneInfo

from tokenergy.api.opened import OpenCompany, Progress
from tokenergy.api.running import runs_id
from tokenergy.api.simulating import HEADLINE, simulate
from tokenergy.api.table import to_html, to_polars
from tokenergy.company.finding import Finding
from tokenergy.company.settle import SettlementLine
from tokenergy.errors import InputError
from tokenergy.simulate.account import account
from tokenergy.simulate.run import Run
from tokenergy.units import NANO_USD_PER_USD

if TYPE_CHECKING:
    import polars as pl

MONTH: Final = re.compile(r"\d{4}-(0[1-9]|1[0-2])")
PRICES: Final = (".price", ".hub_price")
"""How the path of a series of prices ends."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BillRow:
    """Lines of one contract, component and unit, added up.

    `rate_usd` is their mean, amount over quantity; None where the quantity is 0.
    """

    contract_id: str
    component: str
    lines_count: int
    quantity: float
    unit: str
    rate_usd: float | None
    amount_usd: float


@dataclass(frozen=True, kw_only=True, eq=False)
class Settled:
    """The lines of a bill, and nothing beside them.

    Attributes:
        heading: company, horizon, synthetic series, warnings.
        month: the billing month, e.g. `2025-07`; "" for the whole horizon.
        policy: who decided what was metered.
        run_id: the run of the ledger that was read; "" if the company was simulated.
        lines: of the month, by contract in the order of the file, then by time. A line belongs
            to the month that it starts in, on the clock of its contract's market or its tariff.
        months_usd: what every month of the horizon comes to.
        program_usd: the same horizon by the program's own prices; None of a ledger.
        uncovered: which part of the month the horizon lacks, "" if none.
    """

    heading: dict[str, Any]
    month: str
    policy: str
    run_id: str
    lines: tuple[SettlementLine, ...]
    months_usd: dict[str, float]
    program_usd: float | None
    uncovered: str

    @property
    def bill_usd(self) -> float:
        """The sum of the lines."""
        return math.fsum(line.amount_usd for line in self.lines)

    @property
    def currency(self) -> str:
        """The company's own money."""
        return str(self.heading["currency"])

    def by_contract(self) -> dict[str, float]:
        """Return what each contract and tariff comes to, USD, in the order of the bill."""
        names = dict.fromkeys(line.contract_id for line in self.lines)
        return {
            name: math.fsum(line.amount_usd for line in self.lines if line.contract_id == name)
            for name in names
        }

    def rows(self) -> tuple[BillRow, ...]:
        """Return the lines added up by contract, component and unit, in the order of the bill."""
        groups: dict[tuple[str, str, str], list[SettlementLine]] = {}
        for line in self.lines:
            groups.setdefault((line.contract_id, line.component, line.unit), []).append(line)
        rows = []
        for (contract_id, component, unit), lines in groups.items():
            quantity = math.fsum(line.quantity for line in lines)
            usd = math.fsum(line.amount_usd for line in lines)
            rows.append(
                BillRow(
                    contract_id=contract_id,
                    component=component,
                    lines_count=len(lines),
                    quantity=quantity,
                    unit=unit,
                    rate_usd=usd / quantity if quantity else None,
                    amount_usd=usd,
                )
            )
        return tuple(rows)

    def notes(self) -> Iterator[str]:
        """Yield what a reader must know beside the figures."""
        source = f"read from run {self.run_id}" if self.run_id else "a simulation"
        yield f"policy: {self.policy} ({source})"
        if self.uncovered:
            yield self.uncovered

    def __str__(self) -> str:
        """Say what the bill comes to, and whose dispatch it is of."""
        head = f"{self.heading['company']}: bill of {self.month or 'the horizon'}"
        return "\n".join((f"{head}: {self.bill_usd:,.2f} {self.currency}", *self.notes()))

    def to_dict(self) -> dict[str, Any]:
        """Return the bill as one JSON-ready object; keys carry units."""
        return self.heading | {
            "month": self.month or None,
            "policy": self.policy,
            "run_id": self.run_id or None,
            "lines": [_line_dict(line) for line in self.lines],
            "by_contract": self.by_contract(),
            "bill_usd": self.bill_usd,
            "months_usd": self.months_usd,
            "horizon_bill_usd": math.fsum(self.months_usd.values()),
            "program_bill_usd": self.program_usd,
            "uncovered": self.uncovered or None,
        }

    def added_up(self) -> dict[str, Any]:
        """Return the bill without its single lines: rows by contract, component and unit."""
        told = {key: value for key, value in self.to_dict().items() if key not in self.heading}
        del told["lines"]
        return told | {
            "rows": [asdict(row) for row in self.rows()],
            "notes": list(self.notes()),
        }

    def to_polars(self) -> "pl.DataFrame":
        """Return one row per line as a polars frame."""
        return to_polars([_line_dict(line) for line in self.lines])

    def _repr_html_(self) -> str:
        rows = [asdict(row) for row in self.rows()]
        return to_html(rows, f"{self.heading['company']}: bill of {self.month or 'the horizon'}")


def settle(
    company: OpenCompany,
    *,
    month: str | None = None,
    policy: str = HEADLINE,
    ledger: str | Path | None = None,
    on_progress: Progress | None = None,
) -> Settled:
    """Return the bill of a month, line by line.

    Args:
        company: an opened company; its whole horizon is run, so that peaks and ratchets of the
            months before are known.
        month: the billing month, e.g. `2025-07`; None: all that the horizon touches.
        policy: who decides what is metered; one of `dispatch.policies.POLICIES`.
        ledger: read the run of this policy from this SQLite file in the place of simulating.
        on_progress: told of the intervals that are done.

    Raises:
        InputError: if the month is none, or lies outside the horizon; or if the ledger does not
            hold this policy's run of this company on this horizon.
        UnknownName: for a policy that nobody knows.
        FindingsError: if no dispatch satisfies the company's own limits.
    """
    if month is not None:
        _refuse_no_month(month, company, _zones(company))
    if ledger is not None:
        run_id = f"{runs_id(company)}/{policy}"
        lines = _read_lines(Path(ledger), run_id)
        return _settled(company, lines, month=month, policy=policy, run_id=run_id)
    done = simulate(company, policies=(policy,), on_progress=on_progress)
    return settled_run(company, done.runs[policy], month=month)


def settled_run(company: OpenCompany, run: Run, *, month: str | None = None) -> Settled:
    """Return the bill of a run that has been made on the company's horizon."""
    spent = account(company.world, run)
    program_usd = math.fsum(spent.power_usd.values())
    return _settled(company, spent.lines, month=month, policy=run.policy, program_usd=program_usd)


def _settled(
    company: OpenCompany,
    lines: Sequence[SettlementLine],
    *,
    month: str | None,
    policy: str,
    run_id: str = "",
    program_usd: float | None = None,
) -> Settled:
    """Return lines as a bill: in order, by month, with what a reader must know beside them."""
    zones = _zones(company)
    order = {name: at for at, name in enumerate(zones)}
    lines = tuple(sorted(lines, key=lambda x: (order[x.contract_id], x.start, x.component)))
    by_month: dict[str, list[SettlementLine]] = {}
    for line in lines:
        by_month.setdefault(_month_of(line.start, zones[line.contract_id]), []).append(line)
    heading = company.heading()
    heading["warnings"] += [finding.to_dict() for finding in _synthetic_prices(company)]
    return Settled(
        heading=heading,
        month=month or "",
        policy=policy,
        run_id=run_id,
        lines=lines if month is None else tuple(by_month.get(month, ())),
        months_usd={
            name: math.fsum(line.amount_usd for line in held)
            for name, held in sorted(by_month.items())
        },
        program_usd=program_usd,
        uncovered=_uncovered(month, company, zones),
    )


def _zones(company: OpenCompany) -> dict[str, ZoneInfo]:
    """Return on whose clock the months of each contract and tariff are counted."""
    markets = {site.name: site.market.tz for site in company.company.sites}
    zones = {each.id: markets[each.site] for each in company.company.contracts}
    for tariff in company.company.tariffs:
        own = tariff.time_zone
        zones[tariff.id] = ZoneInfo(own) if own else markets[tariff.site]
    return zones


def _month_of(start: datetime, zone: ZoneInfo) -> str:
    return f"{start.astimezone(zone):%Y-%m}"


def _refuse_no_month(month: str, company: OpenCompany, zones: dict[str, ZoneInfo]) -> None:
    if not MONTH.fullmatch(month):
        raise InputError(f"{month!r} is no month: write e.g. 2025-07")
    horizon = company.company.horizon
    last = horizon.interval(horizon.intervals_count - 1).start
    touched = {_month_of(when, zone) for zone in zones.values() for when in (horizon.start, last)}
    if not min(touched) <= month <= max(touched):
        raise InputError(
            f"the horizon touches {' to '.join(sorted({min(touched), max(touched)}))}, not "
            f"{month}: name another month, or move the horizon"
        )


def _uncovered(month: str | None, company: OpenCompany, zones: dict[str, ZoneInfo]) -> str:
    """Say which part of a month the horizon lacks on some contract's clock; "" if none."""
    if month is None:
        return ""
    horizon = company.company.horizon
    year, number = (int(part) for part in month.split("-"))
    after = (year + 1, 1) if number == 12 else (year, number + 1)
    begins = min(_first_moment(year, number, zone) for zone in zones.values())
    ends = max(_first_moment(*after, zone) for zone in zones.values())
    said = []
    if horizon.start > begins:
        said.append(f"begins only at {horizon.start:%Y-%m-%dT%H:%MZ}")
    if horizon.end < ends:
        said.append(f"ends already at {horizon.end:%Y-%m-%dT%H:%MZ}")
    if not said:
        return ""
    return (
        f"This is no whole month: the horizon {' and '.join(said)}; charges by the month are in "
        "it whole, peaks and energy only of what it covers."
    )


def _first_moment(year: int, month: int, zone: ZoneInfo) -> datetime:
    return datetime(year, month, 1, tzinfo=zone).astimezone(UTC)


def _read_lines(ledger: Path, run_id: str) -> tuple[SettlementLine, ...]:
    """Return the lines of one run of a ledger; amounts are exact to the nano-dollar."""
    from tokenergy.store.sqlite import SqliteLedger

    if not ledger.is_file():
        raise InputError(f"there is no ledger {ledger}; `simulate` writes one")
    with SqliteLedger(ledger, read_only=True) as held:
        runs = held.runs()
        if run_id not in runs:
            raise InputError(
                f"the ledger {ledger} holds no run {run_id!r} (this company, horizon, series and "
                f"release); it holds: {', '.join(runs) or 'none'}"
            )
        return tuple(
            SettlementLine(
                contract_id=entry.contract_id,
                component=entry.component,
                start=entry.start,
                end=entry.end,
                quantity=entry.quantity,
                unit=entry.unit,
                rate_usd=entry.rate_nano_usd / NANO_USD_PER_USD,
                amount_usd=entry.amount_nano_usd / NANO_USD_PER_USD,
            )
            for entry in held.entries(run_id=run_id)
            if entry.kind == "settlement"
        )


def _synthetic_prices(company: OpenCompany) -> Iterator[Finding]:
    """Say that a bill is made of prices that nobody ever paid."""
    paths: Sequence[str] = [path for path in company.synthetic if path.endswith(PRICES)]
    if paths:
        yield Finding(
            code="PRICE_SERIES_SYNTHETIC",
            path=paths[0],
            value=f"{len(paths)}",
            unit="series",
            reason=f"this bill is settled on synthetic prices: {', '.join(paths)}",
            remedy="Name recorded prices to settle what was billed",
            severity="warning",
        )


def _line_dict(line: SettlementLine) -> dict[str, Any]:
    moments = {
        key: getattr(line, key).strftime("%Y-%m-%dT%H:%M:%SZ").replace(":00Z", "Z")
        for key in ("start", "end")
    }
    return asdict(line) | moments
