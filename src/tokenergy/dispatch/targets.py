"""Peaks that are planned for anyway: below them a rolling window is free of the charge.

On the first day of a month nothing has been metered, and a window of two days that is charged the
month's whole rate avoids a peak that the month will reach all the same. A target says which. It
comes from a plan, from what the file says or remembers, or from the weeks before the horizon,
solved with hindsight (contracts sheet, section 6).
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import lru_cache

import numpy as np

from tokenergy.dispatch.clean_price import with_clean_prices, with_hindsight
from tokenergy.dispatch.solve import Optimum
from tokenergy.dispatch.terms.peak import Peak
from tokenergy.dispatch.terms.term import Term, block_name
from tokenergy.dispatch.world import World


@dataclass(frozen=True, slots=True, kw_only=True)
class Targets:
    """Planned peaks in MW, by the key of a tariff's item (`oncor.demand`) and billing month.

    A month of "" stands for every month that is not named.
    """

    peak_mw: Mapping[str, Mapping[str, float]] = field(default_factory=dict)


@lru_cache(maxsize=4)
def planned(world: World) -> World:
    """Return the world with a target for every demand charge: what a rolling policy starts from.

    What the file plans or remembers stands; where it says nothing, the weeks before the horizon
    are solved with hindsight. So it is with the price of a hard target of clean power. The same
    world is planned for once, however often a policy is made for it.
    """
    return with_clean_prices(with_targets(world, targets_from_history(world)))


def with_targets(world: World, targets: Targets) -> World:
    """Return the world whose demand charges have these targets; others keep their own."""
    if not targets.peak_mw:
        return world
    return replace(world, terms=tuple(_with(term, targets) for term in world.terms))


def targets_of(world: World, optimum: Optimum) -> Targets:
    """Return the peaks of an optimum, by item and month: those of the clairvoyant, or of a plan."""
    found: dict[str, dict[str, float]] = {}
    for term in _peaks(world):
        values = optimum.value(block_name(term, "peak"))
        months = term.months.within(optimum.window)
        names = term.months.names
        found[term.key] = {names[each]: float(values[each % values.size]) for each in months}
    return Targets(peak_mw=found)


def targets_from_history(world: World) -> Targets:
    """Return what the weeks before the horizon would have needed, for charges without a target.

    Nothing where every charge has one, or where the history is too short to say.
    """
    open_peaks = [term for term in _peaks(world) if not term.target_mw.any()]
    if not open_peaks:
        return Targets()
    optimum = with_hindsight(world, tuple(_as_charged_before(term) for term in _peaks(world)))
    if optimum is None:
        return Targets()
    needed = {}
    for term in open_peaks:
        needed[term.key] = {"": float(optimum.value(block_name(term, "peak")).max())}
    return Targets(peak_mw=needed)


def _peaks(world: World) -> list[Peak]:
    return [term for term in world.terms if isinstance(term, Peak)]


def _with(term: Term, targets: Targets) -> Term:
    if not isinstance(term, Peak) or term.key not in targets.peak_mw:
        return term
    own = targets.peak_mw[term.key]
    usual = own.get("")
    target_mw = term.target_mw.copy()
    for month, name in enumerate(term.months.names):
        if (planned_mw := own.get(name, usual)) is not None:
            target_mw[month] = planned_mw
    return replace(term, target_mw=target_mw)


def _as_charged_before(term: Peak) -> Peak:
    """Return a charge as if it had been there all along."""
    months = replace(term.months, touched=np.ones_like(term.months.touched))
    charged = np.ones_like(term.charged)
    return replace(term, months=months, charged=charged, floor_mw=0.0 * term.floor_mw)
