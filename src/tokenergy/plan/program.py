"""The plan as one linear program: the dispatch of the largest company, and how much of it is built.

Every size that is open is a column beside the hours, `unbuilt` = most - size. A bound or right-hand
side of the dispatch that a size moves by `d` per unit moves by `-d unbuilt` (`effects`):

    a column within bounds:   column + d unbuilt <= its bound in the largest company
    a row:                    row + d unbuilt <= (>=, =) its right-hand side there
    steps:                    unbuilt + step x steps = most - least, steps whole
    opening a site:           unbuilt + most x opened >= most, opened 0 or 1
    budget:                   sum of capital x (most - unbuilt) + opening x opened <= budget

The objective is what the horizon costs: dispatch, charges that no decision moves, and the horizon's
part of every annuity. So a plan whose sizes are held is the clairvoyant dispatch of that company.
"""

from collections.abc import Callable, Mapping

import numpy as np

from tokenergy.company.catalogue import Catalogue
from tokenergy.company.company import Company
from tokenergy.company.horizon import Horizon
from tokenergy.company.inputs import Inputs
from tokenergy.dispatch.bound import fixed_usd
from tokenergy.dispatch.build import build_world
from tokenergy.dispatch.structure import Structure
from tokenergy.dispatch.survival import with_survival
from tokenergy.dispatch.window import Window, true_window
from tokenergy.dispatch.world import State
from tokenergy.errors import InputError
from tokenergy.plan.candidates import candidates_of
from tokenergy.plan.effects import HALF, Effects, Laid, check_straight, effects_of
from tokenergy.plan.grown import grown
from tokenergy.plan.laid_out import PlanProgram
from tokenergy.plan.sized_company import company_at
from tokenergy.units import H_PER_DAY

__all__ = ["PlanProgram", "plan_program"]

Progress = Callable[[int, int], None]
"""Told (sizes laid out, of) while the program is made."""


def plan_program(
    company: Company,
    inputs: Inputs,
    catalogue: Catalogue,
    *,
    hours: float | None = None,
    survives: bool = True,
    on_progress: Progress | None = None,
) -> PlanProgram:
    """Lay out the program of a company's plan.

    Args:
        company: a checked company file with a section `plan`.
        inputs: its series.
        catalogue: models and accelerators.
        hours: how much of the horizon, from its start; None: all of it.
        survives: whether tiers that promise to survive the loss of a site bind the plan.
        on_progress: told of the sizes that are laid out.

    Raises:
        InputError: if there is nothing to plan, or `hours` is longer than the horizon.
        PlanNotLinear: if a size moves the program otherwise than in a straight line.
    """
    company = _shortened(company, hours)
    candidates = candidates_of(company)
    most = {each.name: each.most for each in candidates}

    def laid(sizes: Mapping[str, float]) -> Laid:
        return _laid(company_at(company, sizes), inputs, catalogue, survives=survives)[0]

    largest, window = _laid(company_at(company, most), inputs, catalogue, survives=survives)
    effects: list[Effects] = []
    charges_usd: list[float] = []
    for done, each in enumerate(candidates, start=1):
        halved = laid(most | {each.name: HALF * each.most})
        effects.append(effects_of(largest, halved, most_quantity=each.most, name=each.name))
        charges_usd.append((largest.fixed_usd - halved.fixed_usd) / ((1.0 - HALF) * each.most))
        if on_progress is not None:
            on_progress(done, len(candidates))
    less = [each.most * (0.1 + 0.07 * (at % 7)) for at, each in enumerate(candidates)]
    smaller = {e.name: e.most - units for e, units in zip(candidates, less, strict=True)}
    check_straight(largest, laid(smaller), effects, less, charges_usd)
    return grown(
        PlanProgram(
            company=company,
            inputs=inputs,
            catalogue=catalogue,
            world=largest.structure.world,
            window=window,
            candidates=candidates,
            structure=largest.structure,
            program=largest.structure.program,
            numbers=largest.numbers,
            offset_usd=largest.fixed_usd,
            integers=np.zeros(0, dtype=np.int64),
        ),
        effects,
        charges_usd,
    )


def _laid(
    company: Company, inputs: Inputs, catalogue: Catalogue, *, survives: bool
) -> tuple[Laid, Window]:
    """Return a company's program over its whole horizon, and the window that it is."""
    world = build_world(company, inputs, catalogue)
    world = with_survival(world) if survives else world
    window, state = true_window(world, begin=world.first, count=world.count), State.initial(world)
    structure = Structure(world, window, ring=False)
    numbers = structure.numbers(window, state)
    return Laid(structure=structure, numbers=numbers, fixed_usd=fixed_usd(world, state)), window


def _shortened(company: Company, hours: float | None) -> Company:
    """Return the company on the first `hours` of its horizon."""
    if hours is None:
        return company
    own: Horizon = company.horizon
    longest_h = own.intervals_count * own.step_h
    if not own.step_h <= hours <= longest_h:
        raise InputError(
            f"hours is {hours:g}; it must lie between {own.step_h:g} and the horizon's "
            f"{longest_h:g} h (horizon.days in the company file)"
        )
    steps = hours / own.step_h
    if abs(steps - round(steps)) > 1e-9 * steps:
        raise InputError(f"hours is {hours:g}; it must be a whole number of {own.step_h:g} h steps")
    horizon = own.model_copy(update={"days": hours / H_PER_DAY})
    return company.model_copy(update={"horizon": horizon})
