"""A network as PyPSA would hold it, before it is written: components, and what their flows mean.

Every figure is a rate (MW, Mtok/h, GPUs) with the interval as the snapshot's weight. Before the
first interval may stand snapshots of no weight in which everything is switched off but what they
are made for: they tie figures to a capacity that PyPSA chooses (`before`).
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final, Literal

import numpy as np

from tokenergy.dispatch.world import FloatArray

Kind = Literal["Carrier", "Bus", "Generator", "Load", "Link", "Store", "StorageUnit"]
Value = float | str | bool
Given = Value | FloatArray
LISTS: Final[dict[Kind, str]] = {
    "Carrier": "carriers",
    "Bus": "buses",
    "Generator": "generators",
    "Load": "loads",
    "Link": "links",
    "Store": "stores",
    "StorageUnit": "storage_units",
}
"""Name of each kind's list in a PyPSA file."""
PLENTY: Final = 1e7
"""Larger than any flow: PyPSA wants a finite size."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Part:
    """One component: figures that stand still, and those that follow time [before + n]."""

    kind: Kind
    name: str
    fixed: Mapping[str, Value]
    series: Mapping[str, FloatArray]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Flow:
    """What a column of the program is in the network: `ratio` x a variable, summed over flows.

    Attributes:
        component, variable, name: of PyPSA, e.g. Link, p, `import texas`; `Extra` for a column
            that no component holds.
        ratio: units of the column in one unit of the variable, one figure or [n].
    """

    component: str
    variable: str
    name: str
    ratio: float | FloatArray


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class NetworkParts:
    """A whole network.

    Attributes:
        name: of the company.
        parts: the components.
        snapshots: start of each snapshot, those before the horizon included.
        step_h: weight of each interval.
        before_count: snapshots of no weight before the first interval.
        meta: what `n.meta["tokenergy"]` says.
    """

    name: str
    parts: tuple[Part, ...]
    snapshots: tuple[datetime, ...]
    step_h: float
    before_count: int
    meta: Mapping[str, Any]


@dataclass(kw_only=True)
class Parts:
    """A network that is being put together.

    Attributes:
        count: intervals.
        before_count: snapshots before them.
        step_h: hours of an interval.
        flows: what each column of the program is, by block and place.
        said: blocks of rows that components say.
        forms: what is said by which component form, for the reader.
    """

    count: int
    before_count: int
    step_h: float
    parts: dict[tuple[Kind, str], Part] = field(default_factory=dict)
    flows: dict[tuple[str, int], list[Flow]] = field(default_factory=dict)
    said: set[str] = field(default_factory=set)
    forms: dict[str, str] = field(default_factory=dict)

    @property
    def on(self) -> FloatArray:
        """1 in every interval: what is switched off before the horizon."""
        return np.ones(self.count)

    def add(
        self,
        kind: Kind,
        name: str,
        before: Mapping[str, float | FloatArray] | None = None,
        /,
        **given: Given,
    ) -> None:
        """Add a component; arrays are by interval [n].

        Args:
            kind: of component.
            name: of it; no two of a kind have one name.
            before: what an array's figures are in the snapshots before the horizon; else 0.
            **given: its figures.
        """
        if (kind, name) in self.parts:
            raise ValueError(f"the network has a {kind} {name!r} already")
        fixed: dict[str, Value] = {}
        series: dict[str, FloatArray] = {}
        for attribute, value in given.items():
            if not isinstance(value, np.ndarray):
                fixed[attribute] = value
                continue
            lead = (before or {}).get(attribute, 0.0)
            whole = np.concatenate((np.broadcast_to(lead, self.before_count), value))
            if (whole == whole[0]).all():
                fixed[attribute] = float(whole[0])
            else:
                series[attribute] = whole
        self.parts[kind, name] = Part(kind=kind, name=name, fixed=fixed, series=series)

    def bus(self, name: str, carrier: str) -> str:
        """Add a bus if it is not there; return its name."""
        if ("Bus", name) not in self.parts:
            self.add("Bus", name, carrier=carrier)
        return name

    def sink(self, name: str, bus: str) -> None:
        """Let anything leave a bus for nothing."""
        self.add("Generator", name, bus=bus, p_nom=PLENTY, sign=-1.0)

    def source(self, name: str, bus: str) -> None:
        """Let anything enter a bus for nothing."""
        self.add("Generator", name, bus=bus, p_nom=PLENTY)

    def means(
        self, block: str, at: int, component: str, variable: str, name: str, ratio: Any
    ) -> None:
        """Say that a column of the program is `ratio` x a variable, or a part of it."""
        flow = Flow(component=component, variable=variable, name=name, ratio=ratio)
        self.flows.setdefault((block, at), []).append(flow)

    def says(self, form: str, *rows: str) -> None:
        """Say that rows of the program are in the components, in which form."""
        self.said.update(rows)
        self.forms[rows[0]] = form
