"""Suppliers' invoices, spread over the tokens that they paid for, to the nano-dollar.

Energy and facilities go by kWh, GPUs by GPU-hours, everything else by tokens: of the work at the
invoice's place, in its period. Work without tokens (an idle replica's kWh, standing load) takes
its part too, and that part, like an invoice in whose period nothing worked, is unused capacity: a
line of its own, never smeared over the rest. What names a place that nobody knows is in no line;
it is the residual, and above 0.1 % of the invoices it is an error (economics sheet, section 7).

Each invoice is divided by largest remainders, so its lines add up exactly. Its parts are each
within one nano-dollar of the true share, and splitting an invoice in two moves no line by more
than one: if a line is rounded down in both halves (remainders r1, r2) and up in the whole, though
r1 + r2 >= 1, every line that went before it in a half goes before it in the whole as well, and
the sums of the three could not agree.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final, Literal

from tokenergy.company.finding import Finding
from tokenergy.company.supplier_invoice import SupplierInvoice
from tokenergy.economics.reconcile import RESIDUAL_MOST_SHARE
from tokenergy.metering.attribute import divide
from tokenergy.units import NANO_USD_PER_USD

Method = Literal["kwh", "gpu_hours", "tokens"]
METHODS: Final[Mapping[str, Method]] = {
    "energy": "kwh",
    "capacity": "kwh",
    "facility": "kwh",
    "gpu": "gpu_hours",
    "other": "tokens",
}
PARTS_OF_SPAN_COUNT: Final = 10**6
"""A span that lies only partly in a period counts in this many parts."""
MICROSECOND: Final = timedelta(microseconds=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Work:
    """What was done in `[start, end)` for one tenant by one model at one place.

    Attributes:
        tokens: of any kind; 0 for what stood by.
        energy_microjoules: at the meter of the site; None: nobody knows, which is no 0.
        gpu_ms: GPUs times milliseconds.
    """

    start: datetime
    end: datetime
    tenant: str = ""
    model: str = ""
    site: str = ""
    fleet: str = ""
    tokens: int
    energy_microjoules: int | None = 0
    gpu_ms: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Places:
    """The places that invoices may name.

    Attributes:
        sites: their names.
        fleets: names of fleets.
        site_of_contract: where each contract delivers, or each tariff is charged.
    """

    sites: frozenset[str]
    fleets: frozenset[str] = frozenset()
    site_of_contract: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class AllocationLine:
    """A part of one invoice, for the tokens of one tenant, model and site in one span.

    `method` says what it was spread by; `unallocated` marks unused capacity.
    """

    supplier: str
    invoice_id: str
    line: str
    component: str
    method: Method
    start: datetime
    end: datetime
    tenant: str = ""
    model: str = ""
    site: str = ""
    unallocated: bool = False
    amount_nano_usd: int

    def to_dict(self) -> dict[str, Any]:
        """Return the line as a JSON-ready mapping."""
        times = {"start": self.start.isoformat(), "end": self.end.isoformat()}
        return asdict(self) | times


@dataclass(frozen=True, slots=True, kw_only=True)
class Allocation:
    """Every invoice, spread.

    Attributes:
        lines: sorted; those of unused capacity among them.
        invoiced_nano_usd: sum of the invoices.
        size_nano_usd: sum of their sizes; a credit note adds to it.
        unplaced_nano_usd: sizes of those that name a place nobody knows, added up.
        tokens_nano_usd: what went to tokens.
        unallocated_nano_usd: what went to unused capacity.
        findings: an error where the residual is above 0.1 %; methods that had to change.
    """

    lines: tuple[AllocationLine, ...]
    invoiced_nano_usd: int
    size_nano_usd: int
    unplaced_nano_usd: int
    tokens_nano_usd: int
    unallocated_nano_usd: int
    findings: tuple[Finding, ...] = ()

    @property
    def residual_nano_usd(self) -> int:
        """Invoiced and in no line."""
        return self.invoiced_nano_usd - self.tokens_nano_usd - self.unallocated_nano_usd

    @property
    def allocated_share(self) -> float | None:
        """Part of the invoices that is in a line; None without invoices."""
        if not self.size_nano_usd:
            return None
        return 1.0 - self.unplaced_nano_usd / self.size_nano_usd

    def sentence(self) -> str:
        """Say how much of the invoices was allocated."""
        share = self.allocated_share
        if share is None:
            return "There were no invoices to allocate."
        usd = [
            amount / NANO_USD_PER_USD
            for amount in (
                self.invoiced_nano_usd,
                self.tokens_nano_usd,
                self.unallocated_nano_usd,
                self.residual_nano_usd,
            )
        ]
        return (
            f"Allocated {share:.1%} of invoices: {usd[0]:,.2f} USD, {usd[1]:,.2f} to tokens, "
            f"{usd[2]:,.2f} to unused capacity, residual {usd[3]:,.2f} USD."
        )

    def to_dict(self) -> dict[str, Any]:
        """Return the allocation as a JSON-ready mapping."""
        return {
            "sentence": self.sentence(),
            "allocated_share": self.allocated_share,
            "residual_usd": self.residual_nano_usd / NANO_USD_PER_USD,
            "invoiced_nano_usd": self.invoiced_nano_usd,
            "tokens_nano_usd": self.tokens_nano_usd,
            "unallocated_nano_usd": self.unallocated_nano_usd,
            "residual_nano_usd": self.residual_nano_usd,
            "lines": [line.to_dict() for line in self.lines],
            "findings": [finding.to_dict() for finding in self.findings],
        }


def allocate(
    invoices: Iterable[SupplierInvoice], works: Iterable[Work], places: Places
) -> Allocation:
    """Spread every invoice over the work that it paid for; the order of either changes nothing.

    Args:
        invoices: lines of suppliers' invoices, in the company's money.
        works: what was done, tokenless standing load and idle replicas included.
        places: which sites, fleets and contracts there are.
    """
    ordered = sorted(invoices, key=_order)
    index = _Index.of(works)
    lines: list[AllocationLine] = []
    unplaced: list[SupplierInvoice] = []
    unmetered: list[SupplierInvoice] = []
    for invoice in ordered:
        there = index.at(invoice, places)
        if there is None:
            unplaced.append(invoice)
            continue
        method, weights = _weights(invoice, there)
        if method != METHODS[invoice.component]:
            unmetered.append(invoice)
        lines.extend(_lines(invoice, method, weights))
    size = sum(abs(invoice.amount_nano_usd) for invoice in ordered)
    lost = sum(abs(invoice.amount_nano_usd) for invoice in unplaced)
    return Allocation(
        lines=tuple(lines),
        invoiced_nano_usd=sum(invoice.amount_nano_usd for invoice in ordered),
        size_nano_usd=size,
        unplaced_nano_usd=lost,
        tokens_nano_usd=sum(line.amount_nano_usd for line in lines if not line.unallocated),
        unallocated_nano_usd=sum(line.amount_nano_usd for line in lines if line.unallocated),
        findings=(*_unplaced(unplaced, lost, size), *_unmetered(unmetered)),
    )


def largest_remainders(amount: int, weights: Sequence[int]) -> tuple[int, ...]:
    """Divide an amount by weights into whole parts that add up to it.

    Of equal remainders the first goes first; below 0 it mirrors what it does above.

    Args:
        amount: what is divided.
        weights: not below 0, not all 0.
    """
    sign = -1 if amount < 0 else 1
    return tuple(sign * part for part in divide(abs(amount), weights))


Target = tuple[str, str, str, datetime, datetime]
"""Tenant, model, site and span that a part goes to."""


@dataclass(frozen=True, slots=True)
class _Index:
    """Work by its site and by its fleet."""

    every: list[Work]
    of_site: Mapping[str, list[Work]]
    of_fleet: Mapping[str, list[Work]]

    @classmethod
    def of(cls, works: Iterable[Work]) -> "_Index":
        every = list(works)
        site, fleet = defaultdict(list), defaultdict(list)
        for work in every:
            site[work.site].append(work)
            fleet[work.fleet].append(work)
        return cls(every, site, fleet)

    def at(self, invoice: SupplierInvoice, places: Places) -> list[Work] | None:
        """Return the work at an invoice's place in its period; None: there is no such place."""
        place = invoice.place
        match invoice.place_kind:
            case "company":
                found = self.every
            case "fleet" if place in places.fleets:
                found = self.of_fleet.get(place, [])
            case "site" if place in places.sites:
                found = self.of_site.get(place, [])
            case "contract" if place in places.site_of_contract:
                found = self.of_site.get(places.site_of_contract[place], [])
            case _:
                return None
        return [work for work in found if work.start < invoice.end and work.end > invoice.start]


def _order(invoice: SupplierInvoice) -> tuple[Any, ...]:
    return (*invoice.identity, invoice.amount_nano_usd)


def _weights(
    invoice: SupplierInvoice, works: Sequence[Work]
) -> tuple[Method, dict[Target | None, int]]:
    """Return what an invoice is spread by, and how much of it each target has; None: unused.

    Where no work of its place and period says how much of it there is, tokens stand in; and where
    some work does not say, for otherwise the rest would pay its part.
    """
    method = METHODS[invoice.component]
    unknown = any(work.tokens and _MEASURES[method](work) is None for work in works)
    taken = {} if unknown else _sums(invoice, works, _MEASURES[method])
    if not any(taken.values()) and any(work.tokens for work in works):
        method = "tokens"
        taken = _sums(invoice, works, _MEASURES[method])
    return method, taken


_MEASURES: Final[Mapping[Method, Callable[[Work], int | None]]] = {
    "kwh": lambda work: work.energy_microjoules,
    "gpu_hours": lambda work: work.gpu_ms,
    "tokens": lambda work: work.tokens,
}


def _sums(
    invoice: SupplierInvoice, works: Sequence[Work], measure: Callable[[Work], int | None]
) -> dict[Target | None, int]:
    sums: dict[Target | None, int] = defaultdict(int)
    for work in works:
        key = (work.tenant, work.model, work.site, work.start, work.end) if work.tokens else None
        sums[key] += (measure(work) or 0) * _parts(invoice, work)
    return sums


def _parts(invoice: SupplierInvoice, work: Work) -> int:
    """Return how much of a work's span lies in the period, in parts of its span."""
    if invoice.start <= work.start and work.end <= invoice.end:
        return PARTS_OF_SPAN_COUNT
    inside = min(invoice.end, work.end) - max(invoice.start, work.start)
    span = work.end - work.start
    return PARTS_OF_SPAN_COUNT * (inside // MICROSECOND) // (span // MICROSECOND)


def _lines(
    invoice: SupplierInvoice, method: Method, weights: Mapping[Target | None, int]
) -> Iterator[AllocationLine]:
    """Yield the parts of one invoice; what nothing worked for last."""
    targets = sorted(key for key, weight in weights.items() if key is not None and weight)
    unused = weights.get(None, 0)
    if not targets and not unused:
        unused = 1  # nothing worked: all of it is unused capacity
    shares = [*(weights[key] for key in targets), unused]
    parts = largest_remainders(invoice.amount_nano_usd, shares)
    head = {
        "supplier": invoice.supplier,
        "invoice_id": invoice.invoice_id,
        "line": invoice.line,
        "component": invoice.component,
        "method": method,
    }
    for (tenant, model, site, start, end), part in zip(targets, parts, strict=False):
        yield AllocationLine(
            **head,  # type: ignore[arg-type]  # words of the invoice
            start=start,
            end=end,
            tenant=tenant,
            model=model,
            site=site,
            amount_nano_usd=part,
        )
    if unused:
        yield AllocationLine(
            **head,  # type: ignore[arg-type]  # words of the invoice
            start=invoice.start,
            end=invoice.end,
            site=invoice.place if invoice.place_kind == "site" else "",
            unallocated=True,
            amount_nano_usd=parts[-1],
        )


def _unplaced(
    invoices: Sequence[SupplierInvoice], lost_nano_usd: int, size_nano_usd: int
) -> Iterator[Finding]:
    if not invoices:
        return
    named = sorted({f"{each.place_kind} {each.place!r}" for each in invoices})
    share = lost_nano_usd / size_nano_usd if size_nano_usd else 0.0
    yield Finding(
        code="ALLOCATION_RESIDUAL",
        path="economics.allocation",
        value=f"{share:.4%}",
        limit=f"{RESIDUAL_MOST_SHARE:.1%}",
        unit="of invoices",
        reason=f"{lost_nano_usd / NANO_USD_PER_USD:,.2f} USD were invoiced and charged to "
        f"nobody: nothing here is called {', '.join(named[:5])}",
        remedy="Name sites, fleets and contracts as the company file does",
        severity="error" if share > RESIDUAL_MOST_SHARE else "warning",
    )


def _unmetered(invoices: Sequence[SupplierInvoice]) -> Iterator[Finding]:
    if not invoices:
        return
    usd = sum(abs(each.amount_nano_usd) for each in invoices) / NANO_USD_PER_USD
    yield Finding(
        code="METER_MISSING",
        path="economics.allocation",
        value=f"{len(invoices)}",
        unit="invoices",
        reason=f"{usd:,.2f} USD for energy or GPUs were spread by tokens: of their place and "
        "period no work has kWh or GPU-hours, or nobody knows those of some of it",
        remedy="Meter it, or have it modelled, before you compare models by these lines",
        severity="warning",
    )
