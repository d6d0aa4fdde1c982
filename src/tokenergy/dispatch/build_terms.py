"""From the contracts of a company file to rates, sunk charges, plants, and terms of the program."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta

import numpy as np

from tokenergy.company.company import Company
from tokenergy.company.contract import (
    Cfe,
    Colocation,
    Contract,
    DemandResponse,
    OnSite,
    PpaAsProduced,
    PpaBaseload,
    PpaVirtual,
    Rec,
    Spot,
)
from tokenergy.company.inputs import Inputs
from tokenergy.company.site import Site
from tokenergy.dispatch.build_contracts import (
    in_term,
    made_of,
    midnight_in,
    owed_mw,
    strike_usd_per_mwh,
)
from tokenergy.dispatch.carbon import fuel_carbon_usd_per_mwh
from tokenergy.dispatch.ground import Ground
from tokenergy.dispatch.local_time import LocalTime
from tokenergy.dispatch.supply import (
    BoolArray,
    FixedBlock,
    FloatArray,
    Generator,
    MeterRate,
    Sunk,
    Take,
)
from tokenergy.dispatch.terms.certificate import Certificates
from tokenergy.dispatch.terms.commitment import Commitment, PermitHours
from tokenergy.dispatch.terms.matching import Matching
from tokenergy.dispatch.terms.min_take import MinimumTake
from tokenergy.dispatch.terms.periods import Periods
from tokenergy.dispatch.terms.response import AskedSpan, Response
from tokenergy.dispatch.terms.steps import PriceSteps
from tokenergy.dispatch.terms.term import Term
from tokenergy.units import KW_PER_MW


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ContractParts:
    """What contracts bring beside takes and blocks: see the fields of `World`."""

    rates: tuple[MeterRate, ...]
    sunk: tuple[Sunk, ...]
    generators: tuple[Generator, ...]
    terms: tuple[Term, ...]


def contract_parts(
    company: Company,
    inputs: Inputs,
    total: int,
    *,
    takes: Sequence[Take],
    blocks: Sequence[FixedBlock],
) -> ContractParts:
    """Lay out what contracts bring beside the takes and blocks that are given, over [T].

    A plant of one's own is not clean power, whatever a CFE contract says of it.
    """
    clean = {block.contract_id: block.delivery_mw for block in blocks}
    calendars = tuple(
        LocalTime.of(inputs.start, inputs.step_h, total, site.market.tz) for site in company.sites
    )
    ground = Ground(
        company=company,
        inputs=inputs,
        total=total,
        takes={take.contract_id: at for at, take in enumerate(takes)},
        clean_mw=clean,
        calendars=calendars,
    )
    for contract in company.contracts:
        if isinstance(contract, PpaVirtual):
            clean[contract.id] = _virtual_mw(contract, ground)
    generators = tuple(
        _generator(contract, ground)
        for contract in company.contracts
        if isinstance(contract, OnSite)
    )
    return ContractParts(
        rates=tuple(
            _backup(contract, ground)
            for contract in company.contracts
            if isinstance(contract, Colocation) and contract.backup_adder_usd_per_mwh
        ),
        sunk=tuple(each for contract in company.contracts for each in _sunk(contract, ground)),
        generators=generators,
        terms=(
            *_import_steps(company),
            *(each for contract in company.contracts for each in _terms(contract, ground)),
            *_plant_terms(ground, generators),
        ),
    )


def limits_next_door(
    company: Company, inputs: Inputs, import_limit_mw: FloatArray, export_limit_mw: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """Return import and export limits of the sites [S, T], lowered by co-location contracts.

    During its term no more may be imported than stands by, and no more exported than the contract
    allows: the least of the connection's limit and the contract's holds.
    """
    imports, exports = import_limit_mw.copy(), export_limit_mw.copy()
    for at, site in enumerate(company.sites):
        for contract in company.contracts:
            if not isinstance(contract, Colocation) or contract.site != site.name:
                continue
            total = imports.shape[1]
            inside = in_term(contract.start, contract.end, inputs, total, site.market.tz)
            imports[at, inside] = np.minimum(imports[at, inside], contract.standby_mw)
            exports[at, inside] = np.minimum(exports[at, inside], contract.export_limit_mw)
    return imports, exports


def _sunk(contract: Contract, ground: Ground) -> list[Sunk]:
    """Return what a contract charges whatever is decided."""
    match contract:
        case PpaBaseload():
            if not contract.shortfall_penalty_usd_per_mwh:
                return []
            owed = owed_mw(contract, ground.inputs, ground.total, ground.zone(contract))
            missing_mwh = owed * ground.series(contract, "shortfall") * ground.inputs.step_h
            paid = -contract.shortfall_penalty_usd_per_mwh * missing_mwh
            return [Sunk(contract_id=contract.id, component="shortfall_penalty", usd=paid)]
        case PpaVirtual():
            return [_difference(contract, ground)]
        case Colocation():
            usd = contract.standby_mw * contract.standby_usd_per_kw_month * KW_PER_MW
            return _monthly(contract, ground, "standby", usd)
        case DemandResponse():
            usd = contract.committed_mw * contract.availability_usd_per_kw_month * KW_PER_MW
            return _monthly(contract, ground, "availability", -usd)
        case _:
            return []


def _monthly(contract: Contract, ground: Ground, component: str, usd: float) -> list[Sunk]:
    """Book a month's charge where the horizon first touches the month, whole."""
    if not usd:
        return []
    booked = np.zeros(ground.total)
    booked[ground.first_of_month(contract)] = usd
    return [Sunk(contract_id=contract.id, component=component, usd=booked)]


def _virtual_mw(contract: PpaVirtual, ground: Ground) -> FloatArray:
    profile = ground.inputs.profile_share[contract.id][: ground.total]
    return np.asarray(contract.share * contract.project_mw * profile * ground.inside(contract))


def _difference(contract: PpaVirtual, ground: Ground) -> Sunk:
    """Return (strike - hub price after its clauses) x output: money alone, no power."""
    hub = ground.series(contract, "hub_price")
    made_mwh = _virtual_mw(contract, ground) * ground.inputs.step_h
    if contract.zero_volume_below_usd_per_mwh is not None:
        made_mwh = np.where(hub < contract.zero_volume_below_usd_per_mwh, 0.0, made_mwh)
    price = np.clip(
        hub,
        -np.inf if contract.floor_usd_per_mwh is None else contract.floor_usd_per_mwh,
        np.inf if contract.cap_usd_per_mwh is None else contract.cap_usd_per_mwh,
    )
    strike = strike_usd_per_mwh(contract, ground.inputs, ground.total, ground.zone(contract))
    return Sunk(contract_id=contract.id, component="difference", usd=made_mwh * (strike - price))


def _backup(contract: Colocation, ground: Ground) -> MeterRate:
    """Return what imported power costs more next to a generator."""
    return MeterRate(
        contract_id=contract.id,
        component="backup",
        site=ground.site(contract),
        kind="energy",
        import_usd_per_mwh=np.where(
            ground.inside(contract), contract.backup_adder_usd_per_mwh, 0.0
        ),
        export_usd_per_mwh=np.zeros(ground.total),
    )


def _generator(contract: OnSite, ground: Ground) -> Generator:
    """Return a plant: heat rate x fuel and other running cost per MWh."""
    fuel = ground.series(contract, "fuel_usd_per_mmbtu")
    local = ground.calendars[ground.site(contract)]
    years = [int(local.month_names[month][:4]) for month in local.month.tolist()]
    return Generator(
        contract_id=contract.id,
        site=ground.site(contract),
        capacity_mw=np.where(ground.inside(contract), contract.capacity_mw, 0.0),
        usd_per_mwh=contract.heat_rate_mmbtu_per_mwh * fuel + contract.vom_usd_per_mwh,
        min_load_share=contract.min_load_share,
        start_usd=contract.start_usd,
        permit_h=np.inf if contract.permit_h_per_year is None else contract.permit_h_per_year,
        permit_year=np.array(years),
        carbon_usd_per_mwh=fuel_carbon_usd_per_mwh(contract, ground.company),
    )


def _plant_terms(ground: Ground, generators: Sequence[Generator]) -> list[Term]:
    """Return the yes or no of each plant that commits, then the hours of its permit."""
    by_id = {c.id: c for c in ground.company.contracts if isinstance(c, OnSite)}
    terms: list[Term] = []
    for plant, spec in enumerate(generators):
        contract = by_id[spec.contract_id]
        if spec.commits:
            terms.append(Commitment(contract_id=contract.id, plant=plant, spec=spec))
        if contract.permit_h_per_year is not None:
            years = ground.years(contract)
            terms.append(PermitHours(contract_id=contract.id, plant=plant, spec=spec, years=years))
    return terms


def _import_steps(company: Company) -> list[Term]:
    """Return the import price in steps of each site that has one, in its spot contract's name."""
    spots = {c.site: c.id for c in company.contracts if isinstance(c, Spot)}
    return [
        _steps(at, site, spots[site.name])
        for at, site in enumerate(company.sites)
        if site.import_price is not None and site.name in spots
    ]


def _steps(at: int, site: Site, contract_id: str) -> PriceSteps:
    assert site.import_price is not None  # the caller's condition
    steps = site.import_price.steps
    ends = [np.inf if step.up_to_mw is None else step.up_to_mw for step in steps]
    return PriceSteps(
        contract_id=contract_id,
        site=at,
        widths_mw=tuple(np.diff(ends, prepend=0.0).tolist()),
        adder_usd_per_mwh=tuple(step.adder_usd_per_mwh for step in steps),
    )


def _terms(contract: Contract, ground: Ground) -> list[Term]:
    """Return what a contract adds to the program beside rates."""
    match contract:
        case PpaAsProduced() if contract.min_take_share:
            return [_minimum_take(contract, ground)]
        case DemandResponse():
            return [_response(contract, ground)]
        case Cfe():
            return [_matching(contract, ground)]
        case Rec():
            return [_certificates(contract, ground)]
        case _:
            return []


def _response(contract: DemandResponse, ground: Ground) -> Response:
    """Lay the binding events of a demand response contract on the world's intervals."""
    zone, counts = ground.zone(contract), dict[int, int]()
    spans = []
    for event in sorted(contract.events, key=lambda each: each.start):
        year = event.start.astimezone(zone).year
        counts[year] = counts.get(year, 0) + 1
        if contract.events_most_count is not None and counts[year] > contract.events_most_count:
            continue
        span = _asked_span(
            event.start, event.end, contract.notice_h, ground, ground.inside(contract)
        )
        if span is not None:
            spans.append(span)
    return Response(
        contract_id=contract.id,
        site=ground.site(contract),
        committed_mw=contract.committed_mw,
        baseline_mw=ground.series(contract, "baseline_mw"),
        delivered_usd_per_mwh=contract.delivered_usd_per_mwh,
        penalty_usd_per_mwh=contract.penalty_usd_per_mwh,
        spans=tuple(spans),
    )


def _asked_span(
    start: datetime, end: datetime, notice_h: float, ground: Ground, inside: BoolArray
) -> AskedSpan | None:
    """Return the part of each interval within `[start, end)`; None: it misses all of them."""
    step_h, hour = ground.inputs.step_h, timedelta(hours=1)
    from_h, to_h = (start - ground.inputs.start) / hour, (end - ground.inputs.start) / hour
    begins = np.arange(ground.total) * step_h
    covered_h = np.minimum(begins + step_h, to_h) - np.maximum(begins, from_h)
    share = np.clip(covered_h / step_h, 0.0, 1.0) * inside
    hits = share.nonzero()[0]
    if not hits.size:
        return None
    return AskedSpan(
        begin=int(hits[0]),
        announced=int(np.ceil((from_h - notice_h) / step_h - 1e-9)),
        share=share[hits[0] : hits[-1] + 1],
    )


def _matching(contract: Cfe, ground: Ground) -> Matching:
    """Return a target of clean power and where it may come from."""
    clean_mw = np.zeros(ground.total)
    for source in contract.sources:
        clean_mw = clean_mw + ground.clean_mw.get(source, 0.0)
    periods = ground.months if contract.period == "month" else ground.years
    return Matching(
        contract_id=contract.id,
        site=ground.site(contract),
        target_share=contract.target_share,
        premium_usd_per_mwh=contract.premium_usd_per_mwh,
        shortfall_usd_per_mwh=contract.shortfall_usd_per_mwh,
        planned_usd_per_mwh=contract.planned_usd_per_mwh,
        periods=periods(contract),
        takes=tuple(ground.takes[each] for each in contract.sources if each in ground.takes),
        clean_mw=clean_mw,
        grid_share=(
            ground.series(contract, "grid_cfe_share")
            if contract.grid_cfe_share != 0.0
            else np.zeros(ground.total)
        ),
    )


def _certificates(contract: Rec, ground: Ground) -> Certificates:
    """Return what certificates have to cover, and the contracts that come with theirs."""
    bundled_mw = np.zeros(ground.total)
    for source in contract.bundled:
        bundled_mw = bundled_mw + ground.clean_mw.get(source, 0.0)
    return Certificates(
        contract_id=contract.id,
        site=ground.site(contract),
        price_usd_per_mwh=contract.price_usd_per_mwh,
        load_share=contract.load_share,
        years=ground.years(contract),
        takes=tuple(ground.takes[each] for each in contract.bundled if each in ground.takes),
        bundled_mw=bundled_mw,
    )


def _minimum_take(contract: PpaAsProduced, ground: Ground) -> MinimumTake:
    """Return the contract years that end within the horizon, and what counts in them."""
    assert contract.start is not None and contract.annual_mwh is not None  # the noun sees to it
    zone, inputs, total = ground.zone(contract), ground.inputs, ground.total
    site, hour = ground.site(contract), timedelta(hours=1)
    made = made_of(contract, inputs, inputs.price_usd_per_mwh[contract.site][:total], zone)
    labels: list[str | None] = [None] * total
    passed = np.zeros(total)
    first_day = ground.calendars[site].first_day
    years_from = max(0, first_day.year - contract.start.year - 1)
    horizon_end = inputs.start + total * inputs.step_h * hour
    for year in range(years_from, years_from + int(total * inputs.step_h // 8760) + 4):
        opens, closes = _anniversary(contract.start, year), _anniversary(contract.start, year + 1)
        if contract.end is not None:
            closes = min(closes, contract.end)
        begin, end = midnight_in(zone, opens), midnight_in(zone, closes)
        if not (begin < end <= horizon_end):
            continue
        from_h, to_h = (begin - inputs.start) / hour, (end - inputs.start) / hour
        low = max(0, int(np.ceil(from_h / inputs.step_h)))
        high = max(0, int(np.ceil(to_h / inputs.step_h)))
        labels[low:high] = [opens.isoformat()] * (high - low)
        passed_h = (np.arange(low, high) + 1) * inputs.step_h - from_h
        passed[low:high] = passed_h / (to_h - from_h)
    years = Periods.of_labels(labels)
    strike = strike_usd_per_mwh(contract, inputs, total, zone)
    lasts = [int((years.index == at).nonzero()[0][-1]) for at in range(len(years.names))]
    return MinimumTake(
        contract_id=contract.id,
        take=ground.takes[contract.id],
        years=years,
        minimum_mwh=contract.min_take_share * contract.annual_mwh,
        strike_usd_per_mwh=strike[lasts],
        counted=np.where(made.paid_anyway, 0.0, 1.0),
        paid_mw=np.where(made.paid_anyway, made.made_mw, 0.0),
        passed_share=np.minimum(1.0, passed),
    )


def _anniversary(start: date, years: int) -> date:
    """Return the first day of a contract year; of 29 February it is 1 March."""
    try:
        return start.replace(year=start.year + years)
    except ValueError:
        return date(start.year + years, 3, 1)
