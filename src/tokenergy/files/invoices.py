"""Invoices of suppliers as a table (CSV and its like): refused rows listed, periods compared."""

import re
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import ROUND_HALF_EVEN, Decimal
from pathlib import Path
from typing import Final, get_args

from tokenergy.company.finding import Finding, errors_of
from tokenergy.company.supplier_invoice import Component, PlaceKind, SupplierInvoice
from tokenergy.errors import FindingsError
from tokenergy.files.cells import Mark, Row, zone_named
from tokenergy.files.invoice_price import quantity_of
from tokenergy.files.records import open_records, refuse_missing
from tokenergy.files.refused import Refusals, Refused, RowRefused

NANO: Final = Decimal(10) ** 9
START: Final = ("period_start", "start")
END: Final = ("period_end", "end")
LAST_DAY: Final = ("period_last_day", "last_day")
AMOUNT: Final = ("amount", "amount_value")
COLUMNS: Final = (
    ("supplier",),
    ("invoice_id", "invoice", "invoice_number"),
    START,
    (*END, *LAST_DAY),
    ("component",),
    AMOUNT,
    ("currency", "amount_currency"),
)
"""Of each group one must be there. A period ends before `period_end`, or after the last day."""
APART_LISTED_COUNT: Final = 20
SPAN_MOST: Final = timedelta(days=3_700)
_DAY: Final = re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII)


@dataclass(frozen=True, slots=True, kw_only=True)
class InvoiceImport:
    """A file of invoices, read; fields as of `UsageImport`."""

    invoices: tuple[SupplierInvoice, ...]
    refused: tuple[Refused, ...]
    refused_counts: Mapping[str, int]
    findings: tuple[Finding, ...]
    file: str


def read_invoices(
    path: Path,
    *,
    currency: str = "USD",
    rates: Mapping[str, Decimal] | None = None,
    time_zone: str | None = None,
    mark: Mark | None = None,
) -> InvoiceImport:
    """Read invoices; amounts become the company's money, by a stated rate or not at all.

    Args:
        path: CSV, JSON, JSONL or Parquet, packed or not.
        currency: the company's.
        rates: of another currency, what one unit is in the company's.
        time_zone: IANA name of the zone of dates and of stamps that carry none.
        mark: the decimal mark; None: what the file shows.

    Raises:
        FindingsError: if it holds no invoices, or all of them are refused.
    """
    refusals, taken, rates = Refusals(), list[SupplierInvoice](), dict(rates or {})
    _check_rates(rates)
    zone, seen, inclusive_count = zone_named(time_zone), set[tuple[object, ...]](), 0
    with open_records(path, mark=mark) as records:
        _check_columns(path.name, records.columns)
        for number, cells in records.rows:
            try:
                if isinstance(cells, Refused):
                    raise RowRefused(cells.code, cells.reason)
                row = Row(cells, records.mark, zone)
                invoice = _invoice(row, currency, rates, f"{path.name}:{number}")
                _refuse_twice(invoice, seen)
                inclusive_count += _ends_on_last_day(row)
                taken.append(invoice)
            except RowRefused as refused:
                refusals.add(number, refused.code, refused.reason)
        left_out = refusals.findings(path.name, taken_count=len(taken))
        if errors_of(left_out):
            raise FindingsError(left_out)
        found = (
            *records.findings,
            *left_out,
            *_inclusive(path.name, inclusive_count),
            *_apart(path.name, taken),
        )
    return InvoiceImport(
        invoices=tuple(taken),
        refused=tuple(refusals.listed),
        refused_counts=dict(refusals.counts),
        findings=found,
        file=path.name,
    )


def _check_rates(rates: Mapping[str, Decimal]) -> None:
    bad = [name for name, rate in rates.items() if not (rate.is_finite() and rate > 0)]
    if bad:
        raise FindingsError(
            [
                Finding(
                    code="BAD_RATE",
                    path=f"rates.{name}",
                    value=f"{rates[name]}",
                    reason="a rate of exchange is above 0",
                    remedy="State what one unit is in the company's currency, e.g. EUR=1.08",
                )
                for name in bad
            ]
        )


def _check_columns(file: str, columns: Sequence[str]) -> None:
    refuse_missing(
        file,
        [" or ".join(group) for group in COLUMNS if not set(group) & set(columns)],
        reason="a file of invoices has this column, and it is not here",
        remedy="Add it, or name it so",
    )


def _invoice(row: Row, currency: str, rates: Mapping[str, Decimal], source: str) -> SupplierInvoice:
    """Return one line of an invoice.

    Raises:
        RowRefused: for what is missing, in another currency, or contradicts itself.
    """
    supplier, number = row.name("supplier"), row.word("invoice_id", "invoice", "invoice_number")
    if not supplier or not number:
        raise RowRefused("INVOICE_UNNAMED", "it has no supplier or no number of an invoice")
    start, end = _period(row)
    component = row.word("component").lower()
    if component not in get_args(Component):
        known = ", ".join(get_args(Component))
        raise RowRefused("UNKNOWN_COMPONENT", f"its component is none of {known}")
    amount = row.amount(*AMOUNT)
    if amount is None:
        raise RowRefused("AMOUNT_MISSING", "it has no amount; nothing is not 0")
    rate, told = _rate(row, currency, rates)
    kind, place = _place(row)
    quantity, unit = quantity_of(row, amount, component)
    nano = (amount * rate * NANO).to_integral_value(rounding=ROUND_HALF_EVEN)
    return SupplierInvoice(
        supplier=supplier,
        invoice_id=number,
        line=row.word("line"),
        start=start,
        end=end,
        place_kind=kind,
        place=place,
        meter=row.word("meter"),
        component=component,  # type: ignore[arg-type]  # held against its words above
        amount_nano_usd=int(nano),
        quantity=None if quantity is None else float(quantity),
        unit=unit,
        rate=told,
        source=source,
    )


def _period(row: Row) -> tuple[datetime, datetime]:
    start, end = row.moment(*START), row.moment(*END)
    if end is None:
        last = row.moment(*LAST_DAY)
        if last is not None:
            # A day of its place: 23 to 25 hours.
            local = last.astimezone(row.zone or last.tzinfo)
            end = (local + timedelta(days=1)).astimezone(last.tzinfo)
    if start is None or end is None:
        raise RowRefused("BAD_STAMP", "its period has no start or no end")
    if end <= start or end - start > SPAN_MOST:
        raise RowRefused("BAD_SPAN", f"it runs from {start:%Y-%m-%d} to {end:%Y-%m-%d}")
    return start, end


def _rate(row: Row, currency: str, rates: Mapping[str, Decimal]) -> tuple[Decimal, str]:
    stated = row.word("currency", "amount_currency").upper()
    if not stated:
        raise RowRefused("CURRENCY_MISSING", "it names no currency")
    if stated == currency:
        return Decimal(1), ""
    if stated not in rates:
        word = stated if len(stated) == 3 and stated.isalpha() else "a word that is none"
        raise RowRefused(
            "CURRENCY_MIXED",
            f"its currency is {word}, the company's {currency}; there is no hidden rate: "
            "state one (--rate)",
        )
    return rates[stated], f"{stated} x {rates[stated]}"


def _place(row: Row) -> tuple[PlaceKind, str]:
    named = [kind for kind in ("site", "contract", "fleet") if row.word(kind)]
    if len(named) > 1:
        reason = f"it is for a {' and a '.join(named)} at once; name one"
        raise RowRefused("PLACE_TWICE", reason)
    for kind in ("site", "contract", "fleet"):
        if kind in named:
            return kind, row.name(kind)
    return "company", ""


def _refuse_twice(invoice: SupplierInvoice, seen: set[tuple[object, ...]]) -> None:
    key = invoice.identity
    if key in seen:
        reason = "this line of this invoice stands above already; number its lines if both count"
        raise RowRefused("DUPLICATE_INVOICE", reason)
    seen.add(key)


def _ends_on_last_day(row: Row) -> bool:
    """Tell whether a period reads 1 to 31: then the last day is likely meant to be in it."""
    first, last = row.word(*START), row.word(*END)
    if not (_DAY.fullmatch(first) and _DAY.fullmatch(last)):
        return False
    day = datetime.fromisoformat(last) + timedelta(days=1)
    return first.endswith("-01") and day.day == 1


def _inclusive(file: str, count: int) -> Iterator[Finding]:
    if count:
        yield Finding(
            code="PERIOD_END_OPEN",
            path=f"{file}.period_end",
            value=f"{count}",
            unit="rows",
            reason="a period ends before its period_end, and here that is the last of a month: "
            "that day is not in it",
            remedy="If it should be, name the column period_last_day",
            severity="warning",
        )


def _apart(file: str, invoices: Sequence[SupplierInvoice]) -> Iterator[Finding]:
    """Tell periods of one meter that overlap or leave a gap; credit notes may do either."""
    meters: dict[tuple[str, ...], list[SupplierInvoice]] = defaultdict(list)
    for invoice in invoices:
        if invoice.amount_nano_usd >= 0:
            place: tuple[str, ...] = (invoice.place_kind, invoice.place, invoice.meter)
            meters[invoice.supplier, *place, invoice.component].append(invoice)
    found: list[Finding] = []
    for meter, own in meters.items():
        own.sort(key=lambda each: (each.start, each.end, each.invoice_id, each.line))
        before = own[0]
        for after in own[1:]:
            same = after.invoice_id == before.invoice_id
            if after.start < before.end and not same:
                found.append(_finding(file, "INVOICE_OVERLAP", meter, before, after))
            elif after.start > before.end:
                found.append(_finding(file, "INVOICE_GAP", meter, before, after))
            if after.end >= before.end:
                before = after
    yield from found[:APART_LISTED_COUNT]
    if len(found) > APART_LISTED_COUNT:
        yield Finding(
            code="INVOICES_APART",
            path=file,
            value=f"{len(found) - APART_LISTED_COUNT}",
            reason="more periods overlap or leave gaps; they are not listed",
            remedy="Correct those that are",
            severity="warning",
        )


def _finding(
    file: str,
    code: str,
    meter: tuple[str, ...],
    before: SupplierInvoice,
    after: SupplierInvoice,
) -> Finding:
    overlap = code == "INVOICE_OVERLAP"
    low, high = sorted((before.end, after.start))
    return Finding(
        code=code,
        path=f"{file}: {' '.join(filter(None, meter))}",
        value=f"{(min(high, after.end) - low).total_seconds() / 3600.0:g}",
        unit="h",
        reason=f"{before.source} and {after.source} "
        + ("charge for the same time" if overlap else "leave a time that nobody charges for")
        + f", from {low:%Y-%m-%dT%H:%MZ}",
        remedy="Drop one, or credit it" if overlap else "Add the invoice of that time, if any",
        severity="warning",
    )
