"""A company's plan as a PyPSA network: a second tool's answer to the same question."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np

from tokenergy.api.opened import OpenCompany, Progress
from tokenergy.api.output import refuse_unwritable
from tokenergy.dispatch.bound import fixed_usd
from tokenergy.dispatch.build import build_world
from tokenergy.dispatch.structure import Structure
from tokenergy.dispatch.survival import with_survival
from tokenergy.dispatch.window import true_window
from tokenergy.dispatch.world import State
from tokenergy.errors import InputError
from tokenergy.files.pypsa import network_parts, write_network
from tokenergy.files.pypsa_parts import NetworkParts
from tokenergy.plan.program import PlanProgram, plan_program

OURS: Final = b"CDF"
"""How a netCDF file of the classic form begins: an earlier export may be replaced."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ExportedNetwork:
    """A network that was written.

    Attributes:
        file: the file.
        network: what stands in it.
    """

    file: Path
    network: NetworkParts

    def __str__(self) -> str:
        """Say in sentences what was written, and how to solve it."""
        return "\n".join(self.lines())

    def to_dict(self) -> dict[str, Any]:
        """Return the result as one JSON-ready object; keys carry units."""
        meta = self.network.meta
        return {
            "kind": "pypsa",
            "file": str(self.file),
            "components_count": len(self.network.parts),
            "snapshots_count": len(self.network.snapshots),
            "snapshots_before_count": self.network.before_count,
            "step_h": self.network.step_h,
            "currency": meta["currency"],
            "constant_usd": meta["constant_usd"],
            "sizes": meta["sizes"],
            "in_components": meta["components"],
            "rows_beside": self.rows_beside(),
            "variables_beside": [variable["name"] for variable in meta["variables"]],
        }

    def rows_beside(self) -> list[str]:
        """Return the blocks of rows that components cannot say."""
        return sorted({row["row"] for row in self.network.meta["rows"]})

    def lines(self) -> Iterator[str]:
        """Yield what was written in which form, and what is beside the components."""
        network, meta = self.network, self.network.meta
        yield (
            f"pypsa: {len(network.parts):,} components, {len(network.snapshots):,} snapshots of "
            f"{network.step_h:g} h in {self.file}"
        )
        if network.before_count:
            yield (
                f"  the first {network.before_count} of no weight: batteries of open size get "
                "their first charge there"
            )
        yield 'solve it with n = pypsa.Network(FILE); n.optimize(solver_name="highs")'
        yield (
            f"n.objective is the cost of the horizon in {meta['currency']}; "
            f"{meta['constant_usd']:,.2f} of it whatever is built, as the generator `fixed charges`"
        )
        for name, (component, holder) in meta["sizes"].items():
            yield f"size of {name}: p_nom_opt of the {component} {holder!r}"
        for row, form in meta["components"].items():
            yield f"{row}: {form}"
        beside = self.rows_beside()
        if not beside:
            yield "nothing stands beside the components"
            return
        yield f"components cannot say {len(beside)} kinds of rows: {', '.join(beside)}"
        yield (
            "  they are data in n.meta; pass extra_functionality=tokenergy.files.pypsa_rows."
            "extra_functionality to n.optimize, or the network costs too little"
        )


def export_network(
    company: OpenCompany,
    *,
    out: str | Path,
    hours: float | None = None,
    on_progress: Progress | None = None,
) -> ExportedNetwork:
    """Write a company's plan, or without a section `plan` its dispatch, as a PyPSA network.

    Args:
        company: an opened company.
        out: the file, netCDF as PyPSA reads it.
        hours: how much of the horizon, from its start; None: all of it.
        on_progress: told of the sizes that are laid out.

    Raises:
        InputError: if the file cannot be written, or `hours` is longer than the horizon.
        PlanNotLinear: if a size moves the program otherwise than in a straight line.
    """
    target = Path(out)
    refuse_unwritable(target, replaces=OURS)
    network = network_parts(_program(company, hours, on_progress))
    try:
        write_network(network, target)
    except OSError as error:
        raise InputError(f"cannot write {target}: {error.strerror or error}") from error
    return ExportedNetwork(file=target, network=network)


def _program(
    company: OpenCompany, hours: float | None, on_progress: Progress | None
) -> PlanProgram:
    held = company.company
    if held.plan is not None:

        def told(done: int, total: int) -> None:
            if on_progress is not None:
                on_progress("sizes laid out", done, total)

        return plan_program(held, company.inputs, company.catalogue, hours=hours, on_progress=told)
    if hours is not None:
        raise InputError("--hours shortens a plan, and the company file has no section `plan`")
    world = with_survival(build_world(held, company.inputs, company.catalogue))
    window, state = true_window(world, begin=world.first, count=world.count), State.initial(world)
    structure = Structure(world, window, ring=False)
    integers = structure.integers()
    return PlanProgram(
        company=held,
        inputs=company.inputs,
        catalogue=company.catalogue,
        world=world,
        window=window,
        candidates=(),
        structure=structure,
        program=structure.program,
        numbers=structure.numbers(window, state),
        offset_usd=fixed_usd(world, state),
        integers=np.zeros(0, dtype=np.int64) if integers is None else integers,
    )
