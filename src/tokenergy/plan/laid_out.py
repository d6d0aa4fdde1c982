"""A plan's program before any solver has it, and how its columns read as sizes."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from tokenergy.company.catalogue import Catalogue
from tokenergy.company.company import Company
from tokenergy.company.inputs import Inputs
from tokenergy.dispatch.solve import Optimum
from tokenergy.dispatch.structure import Numbers, Structure
from tokenergy.dispatch.window import Window
from tokenergy.dispatch.world import World
from tokenergy.lp.program import FloatArray, IntArray, Program
from tokenergy.lp.solution import Solution
from tokenergy.plan.candidates import Candidate
from tokenergy.units import H_PER_YEAR


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class PlanProgram:
    """A plan's program before any solver has it; slot `t` is interval `t` of the horizon.

    Attributes:
        company: what the file says, on the horizon of the plan.
        inputs, catalogue: what stands behind it.
        world: the largest company as arrays.
        window: the whole horizon, known.
        candidates: the sizes that are open, in the order of the block `unbuilt`.
        structure: the dispatch program of the largest company; `program` is its own, grown.
        program: blocks and links.
        numbers: costs and bounds of all columns and rows.
        offset_usd: what the horizon costs beside the columns.
        integers: numbers of the columns that are whole; empty: none is.
    """

    company: Company
    inputs: Inputs
    catalogue: Catalogue
    world: World
    window: Window
    candidates: tuple[Candidate, ...]
    structure: Structure
    program: Program
    numbers: Numbers
    offset_usd: float
    integers: IntArray

    @property
    def hours_h(self) -> float:
        """Length of the horizon."""
        return self.world.count * self.world.step_h

    @property
    def years(self) -> float:
        """Length of the horizon over a year of 8,760 h: the part of an annuity that it bears."""
        return self.hours_h / H_PER_YEAR

    def columns_of(self, block: str) -> IntArray:
        """Return the numbers of the columns of a whole block, e.g. `unbuilt`."""
        found = self.program.columns[block]
        return self.program.column_number(found, 0, 0) + np.arange(found.size)

    def sizes(self, columns: FloatArray) -> dict[str, float]:
        """Return every candidate's size at a point of the program, in its unit."""
        unbuilt = columns[self.columns_of("unbuilt")]
        return {
            each.name: min(each.most, max(each.least, each.most - float(left)))
            for each, left in zip(self.candidates, unbuilt, strict=True)
        }

    def held_at(self, sizes: Mapping[str, float]) -> tuple[FloatArray, FloatArray]:
        """Return column bounds that hold every size, its steps and its opening where they are."""
        lower, upper = self.numbers.lower.copy(), self.numbers.upper.copy()
        at = self.columns_of("unbuilt")
        lower[at] = upper[at] = [each.most - sizes[each.name] for each in self.candidates]
        stepped = [each for each in self.candidates if each.step is not None]
        if stepped:
            at = self.columns_of("steps")
            counts = [(sizes[each.name] - each.least) / (each.step or 1.0) for each in stepped]
            lower[at] = upper[at] = np.round(counts)
        opening = openings_of(self.candidates)
        if opening:
            at = self.columns_of("opened")
            opened = [any(sizes[self.candidates[k].name] > 0.0 for k in ks) for ks in opening]
            lower[at] = upper[at] = np.array(opened, dtype=float)
        return lower, upper

    def optimum(self, solution: Solution) -> Optimum:
        """Return a solution of the program in the order of time, as dispatch reads it."""
        return Optimum(
            window=self.window,
            program=self.program,
            solution=solution,
            slots=np.arange(self.program.slots_count),
            deployments_count=len(self.world.deployments),
            rent_links=self.structure.rent_links,
        )


def openings_of(candidates: Sequence[Candidate]) -> list[list[int]]:
    """Return, for each site that costs something to open, its candidates by index."""
    nouns = [each.noun for each in candidates if each.opens]
    return [
        [at for at, each in enumerate(candidates) if each.kind == "site" and each.noun == noun]
        for noun in nouns
    ]
