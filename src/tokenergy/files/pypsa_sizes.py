"""The sizes that are open, as PyPSA chooses them: `p_nom` of one component each.

Where a size moves the bounds of one component alone, it is that component's own `p_nom`. Where it
moves several things at once (GPUs that are there and what they draw asleep; a connection both
ways), it is a link `build <name>` that always flows in full: each of its ports gives a bus what a
unit of the size brings there, by interval.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

import numpy as np

from tokenergy.dispatch.world import FloatArray
from tokenergy.errors import InputError
from tokenergy.files.pypsa_laid import Affine, Laid
from tokenergy.files.pypsa_parts import Parts

WHOLE: Final = 1e-9
"""Part of a step that is rounding."""


@dataclass(kw_only=True)
class Sizes:
    """What is known so far of each candidate's component.

    Attributes:
        parts: the network.
        laid: the program.
        holders: component and name that hold a candidate's size.
        ports: what a `build` link gives to which bus, by candidate.
    """

    parts: Parts
    laid: Laid
    holders: dict[int, tuple[str, str]] = field(default_factory=dict)
    ports: dict[int, dict[str, FloatArray]] = field(default_factory=dict)

    def name(self, k: int) -> str:
        """Return a candidate's name."""
        return self.laid.posed.candidates[k].name

    def nominal(self, k: int) -> dict[str, float | bool]:
        """Return the figures of a component whose size is a candidate's."""
        candidate = self.laid.posed.candidates[k]
        given: dict[str, float | bool] = {
            "p_nom_extendable": True,
            "p_nom_min": candidate.least,
            "p_nom_max": candidate.most,
            "capital_cost": float(self.laid.unit_usd()[k]),
        }
        if self.modular(k):
            given["p_nom_mod"] = float(candidate.step or 0.0)
        return given

    def modular(self, k: int) -> bool:
        """Tell whether PyPSA can build it in its steps: they begin at 0."""
        candidate = self.laid.posed.candidates[k]
        if candidate.step is None:
            return False
        begins = candidate.least / candidate.step
        return abs(begins - round(begins)) <= WHOLE

    def held_by(self, k: int, component: str, name: str) -> None:
        """Say which component's `p_nom` is a candidate's size."""
        self.holders[k] = (component, name)

    def alone(self, slopes: Mapping[int, FloatArray], rows: tuple[str, ...]) -> bool:
        """Tell whether candidates move nothing that a component says but these rows."""
        spoken = {row for k in slopes for row in self.laid.moved_by(k) if row in SPOKEN}
        return bool(slopes) and spoken <= set(rows)

    def port(self, bus: str, given: Affine, sign: float) -> None:
        """Let each size give a bus what a unit of it brings."""
        for k, slope in given.slopes.items():
            mine = self.ports.setdefault(k, {})
            mine[bus] = mine.get(bus, np.zeros(self.laid.count)) + sign * slope

    def room(self, name: str, limit: Affine) -> str:
        """Return a bus that holds a limit which sizes move, to be used up; '' where none does."""
        if not limit.slopes:
            return ""
        bus = self.parts.bus(name, "room")
        stands = np.maximum(0.0, limit.fixed)
        if stands.any():
            self.parts.add("Generator", f"standing {name}", bus=bus, p_nom=1.0, p_max_pu=stands)
        self.parts.sink(f"unused {name}", bus)
        self.port(bus, limit, 1.0)
        return bus

    def finish(self) -> None:
        """Add a `build` link for each size that no component holds.

        Raises:
            InputError: naming a size that one component holds and others would need too.
        """
        torn = [self.name(k) for k in self.holders if self.ports.get(k)]
        if torn:
            raise InputError(
                f"PyPSA components cannot say the size of {', '.join(torn)}: it moves more than "
                "one of them"
            )
        for k in range(len(self.laid.posed.candidates)):
            if k not in self.holders:
                self._build(k)

    def _build(self, k: int) -> None:
        parts = self.parts
        if ("Bus", "to build") not in parts.parts:
            parts.bus("to build", "room")
            parts.bus("built", "room")
            parts.source("to build", "to build")
            parts.sink("built", "built")
        ports: dict[str, str | FloatArray] = {}
        for number, (bus, slope) in enumerate(self.ports.get(k, {}).items(), start=2):
            ports |= {f"bus{number}": bus, f"efficiency{number}": slope}
        name = f"build {self.name(k)}"
        parts.add(
            "Link", name, bus0="to build", bus1="built", carrier="room", p_max_pu=parts.on,
            p_min_pu=parts.on, **ports, **self.nominal(k),
        )  # fmt: skip
        self.held_by(k, "Link", name)


SPOKEN = frozenset(
    ("racks", "balance", "commercial", "fleet", "meter_import.most", "meter_export.most",
     "take.most", "take.least", "generate.most", "generate.least", "exclusive", "energy.most",
     "battery", "api", "replicas")
)  # fmt: skip
"""Rows that components say and sizes may move."""
