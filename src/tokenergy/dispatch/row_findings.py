"""The rows of a table of operating points against the company that names it."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from tokenergy.company.catalogue import Catalogue
from tokenergy.company.company import Company
from tokenergy.company.finding import Finding
from tokenergy.company.fleet import Fleet, Model
from tokenergy.company.inputs import Inputs, Lengths
from tokenergy.company.operating_row import (
    Misfit,
    OperatingRow,
    fitting_row,
    operating_terms,
)
from tokenergy.company.tier import Workload
from tokenergy.dispatch.points import operating_point
from tokenergy.errors import DoesNotFit, SloUnreachable

PATH: Final = "operating_points"
REMEDY: Final = "Write the table anew: `tokenergy operating-points COMPANY --out FILE`"
SHOWN_COUNT: Final = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Pair:
    """A workload on a language model of a fleet, for which an operating point is needed."""

    workload: Workload
    model: Model
    fleet: Fleet
    lengths: Lengths


def lengths_of(workload: Workload, inputs: Inputs) -> Lengths:
    """Return the mean lengths of a workload, as stated or as its trace has them."""
    if workload.input_tokens is not None and workload.output_tokens is not None:
        return Lengths(input_tokens=workload.input_tokens, output_tokens=workload.output_tokens)
    return inputs.lengths[workload.name]


def pairs_of(company: Company, inputs: Inputs) -> Iterator[Pair]:
    """Yield every pair whose point may come from a table: no media, nothing measured."""
    for workload in company.workloads:
        for name in workload.ladder:
            model = next(model for model in company.models if model.name == name)
            if model.shape is not None:
                continue
            measured = {own.fleet for own in model.measured}
            for fleet in company.fleets:
                held = model.fleets is None or fleet.name in model.fleets
                if held and fleet.name not in measured:
                    lengths = lengths_of(workload, inputs)
                    yield Pair(workload=workload, model=model, fleet=fleet, lengths=lengths)


def row_of(
    company: Company,
    inputs: Inputs,
    catalogue: Catalogue,
    *,
    workload: Workload,
    model: Model,
    fleet: Fleet,
) -> OperatingRow | Misfit | None:
    """Return the row for a pair, why none stands, or None where no table is named."""
    if inputs.operating_rows is None or model.shape is not None:
        return None
    terms = operating_terms(
        company,
        catalogue,
        workload=workload,
        model=model,
        fleet=fleet,
        lengths=lengths_of(workload, inputs),
    )
    return fitting_row(inputs.operating_rows, terms)


def row_findings(company: Company, inputs: Inputs, catalogue: Catalogue) -> Iterator[Finding]:
    """Yield a warning for rows that are missing or stale, one for all fleets with the same fault.

    A point that no row states is computed from the catalogue; the result goes on, and says so.
    """
    if inputs.operating_rows is None:
        return
    faults: dict[tuple[str, str, tuple[str, ...]], list[str]] = {}
    for pair in pairs_of(company, inputs):
        found = row_of(
            company, inputs, catalogue,
            workload=pair.workload, model=pair.model, fleet=pair.fleet,
        )  # fmt: skip
        if isinstance(found, Misfit) and _fits(company, catalogue, pair):
            key = pair.workload.name, pair.model.name, found.differences
            faults.setdefault(key, []).append(pair.fleet.name)
    for (workload, model, differences), fleets in faults.items():
        shown = ", ".join(fleets[:SHOWN_COUNT])
        more = f" and {len(fleets) - SHOWN_COUNT} more" if len(fleets) > SHOWN_COUNT else ""
        what = f"{workload} with {model} on {shown}{more}"
        stale = bool(differences)
        reason = f"no row for {what}"
        if stale:
            reason = f"made for other terms: the row for {what} has {', '.join(differences)}"
        yield Finding(
            code="OPERATING_ROW_STALE" if stale else "OPERATING_ROW_MISSING",
            path=PATH,
            value=workload,
            reason=f"{reason}; the point is computed from the catalogue instead",
            remedy=REMEDY,
            severity="warning",
        )


def _fits(company: Company, catalogue: Catalogue, pair: Pair) -> bool:
    """Tell whether the pair could have a row at all: a model too large for its GPUs has none."""
    try:
        operating_point(
            catalogue,
            tier=next(tier for tier in company.tiers if tier.name == pair.workload.tier),
            model=pair.model,
            fleet=pair.fleet,
            site=next(site for site in company.sites if site.name == pair.fleet.site),
            lengths=pair.lengths,
        )
    except DoesNotFit:
        return False
    except SloUnreachable:
        return True
    return True
