"""What a contract lacks in a window that cannot be met, in the words of the company file."""

from collections.abc import Iterator
from datetime import datetime

import numpy as np

from tokenergy.company.company import Company
from tokenergy.company.finding import Finding
from tokenergy.dispatch.solve import Optimum
from tokenergy.dispatch.terms.commitment import PermitHours
from tokenergy.dispatch.terms.matching import Matching
from tokenergy.dispatch.terms.term import Added, Term, block_name
from tokenergy.dispatch.world import World

SHORT = 1e-6
"""What is short by less, in MWh or h, is rounding."""


def shortfall_findings(
    world: World, term: Term, added: Added, optimum: Optimum
) -> tuple[Finding, ...]:
    """Return what one term is short of in the optimum of an elastic program.

    A shortfall that the contract itself has a price for is no fault.
    """
    match term:
        case Matching():
            return tuple(_unmatched(world, term, optimum))
        case PermitHours():
            return tuple(_beyond_permit(world, term, optimum))
        case _:
            return tuple(_any(world, term, added, optimum))


def _unmatched(world: World, term: Matching, optimum: Optimum) -> Iterator[Finding]:
    """Yield the periods whose target of clean power cannot be met."""
    if term.shortfall_usd_per_mwh is not None:
        return
    window, site = optimum.window, world.site_names[term.site]
    short_mwh = optimum.value(block_name(term, "short"))
    billed_mwh = optimum.value(block_name(term, "billed"))
    matched_mw = optimum.value(block_name(term, "matched"))[:, 0] / window.lengths_h
    load_mw = window.pue[term.site] * optimum.value("it")[:, term.site] / window.lengths_h
    parts = term.periods.parts(window)
    for row, number in enumerate(term.periods.touched(window)):
        going_on = term.periods.goes_on(window, world, number)
        if short_mwh[row] <= SHORT or (going_on and term.planned_usd_per_mwh is not None):
            continue
        hits = parts[:, row].nonzero()[0]
        worst = int(hits[np.argmax((load_mw - matched_mw)[hits])])
        need_mwh, limit_mwh = billed_mwh[row] + short_mwh[row], billed_mwh[row]
        begin, end = int(window.edges[hits[0]]), int(window.edges[hits[-1] + 1])
        yield Finding(
            code="CFE_TARGET_UNMET",
            path=f"{_path(world, term.contract_id)}.target_share",
            value=f"{need_mwh:.3f}",
            limit=f"{limit_mwh:.3f}",
            unit="MWh",
            reason=(
                f"contract {term.contract_id} asks site {site} to match {need_mwh:.1f} MWh of its "
                f"load from {told(world.moment(begin))} to {told(world.moment(end))} hour by "
                f"hour, even with all work refused; {limit_mwh:.1f} MWh can be matched. It lacks "
                f"most at {told(world.moment(int(window.edges[worst])))}: {load_mw[worst]:.1f} "
                f"MW of load, {matched_mw[worst]:.1f} MW of it matched"
            ),
            remedy="Lower target_share, name more sources, lower fixed_load_mw, or state "
            "shortfall_usd_per_mwh, a price at which the target may be missed",
        )


def _beyond_permit(world: World, term: PermitHours, optimum: Optimum) -> Iterator[Finding]:
    """Yield the years in which a plant would have to run longer than it may."""
    window, site = optimum.window, world.site_names[term.spec.site]
    short_h = optimum.value(block_name(term, "short"))
    made_mwh = optimum.value("generate")[:, term.plant]
    on = term.on_block
    run_h = made_mwh / np.maximum(window.mean(term.spec.capacity_mw), SHORT)
    if on in optimum.program.columns:
        run_h = optimum.value(on)[:, 0] * window.lengths_h
    parts = term.years.parts(window)
    for row in range(len(term.years.touched(window))):
        if short_h[row] <= SHORT:
            continue
        hits = ((parts[:, row] > 0.0) & (made_mwh > 0.0)).nonzero()[0]
        need_h = float(run_h @ parts[:, row])
        limit_h = need_h - float(short_h[row])
        first = world.moment(int(window.edges[hits[0]]))
        last = world.moment(int(window.edges[hits[-1] + 1]))
        yield Finding(
            code="PERMIT_HOURS_EXCEEDED",
            path=f"{_path(world, term.contract_id)}.permit_h_per_year",
            value=f"{need_h:.3f}",
            limit=f"{limit_h:.3f}",
            unit="h",
            reason=(
                f"plant {term.contract_id} has to run {need_h:.1f} h between "
                f"{told(first)} and {told(last)} for what site {site} draws without any work; "
                f"its permit leaves {limit_h:.1f} h"
            ),
            remedy="Raise permit_h_per_year or import_limit_mw, or lower fixed_load_mw",
        )


def _any(world: World, term: Term, added: Added, optimum: Optimum) -> Iterator[Finding]:
    """Yield what any other term is short of, at its worst."""
    for block, unit in (added.short or {}).items():
        short = optimum.value(block)
        if short.max(initial=0.0) <= SHORT:
            continue
        worst = np.unravel_index(int(short.argmax()), short.shape)
        at = 0 if short.ndim == 1 else int(worst[0])
        when = told(world.moment(int(optimum.window.edges[at])))
        yield Finding(
            code="CONTRACT_UNMET",
            path=_path(world, term.contract_id),
            value=f"{short.max():.3f}",
            limit="0",
            unit=unit,
            reason=(
                f"{term.component} of contract {term.contract_id} lacks {short.max():.1f} {unit} "
                f"from {when} on, whatever is done"
            ),
            remedy="Loosen the contract's limit, or lower what must be drawn",
        )


def _path(world: World, contract_id: str) -> str:
    """Return where the contract stands in the company file; worlds of arrays have none."""
    company: Company | None = world.company
    for at, contract in enumerate(() if company is None else company.contracts):
        if contract.id == contract_id:
            return f"contracts[{at}]"
    return "contracts" if company is None else "tariffs"


def told(moment: datetime) -> str:
    """Return a moment as findings write it."""
    return f"{moment:%Y-%m-%dT%H:%MZ}"
