"""What PyPSA makes of a network's components, written from its documentation.

A second reading, without PyPSA and without our program.

A link draws `p` at bus0 and gives `efficiency_i p` at bus i; with a delay, what it gives arrives
that many hours later. A store gives `(e before - e) / weight`. A storage unit's charge is
`before + weight (efficiency_store p_store - p_dispatch / efficiency_dispatch)`, at most
`max_hours p_nom`. Every bus balances in every snapshot. Cost: `marginal_cost x weight x p`, and
`capital_cost x p_nom` of what is extendable.
"""

from dataclasses import dataclass, field

import numpy as np
from scipy.optimize import linprog
from scipy.sparse import coo_array

SIGNS = {"Generator": 1.0, "Load": -1.0}


@dataclass
class Rows:
    entries: list = field(default_factory=list)
    rhs: list = field(default_factory=list)

    def add(self, terms, rhs):
        self.entries += [(len(self.rhs), column, value) for column, value in terms if value]
        self.rhs.append(rhs)

    def matrix(self, columns):
        if not self.rhs:
            return None, None
        rows, at, values = zip(*self.entries, strict=True) if self.entries else ((), (), ())
        return coo_array((values, (rows, at)), shape=(len(self.rhs), columns)).tocsr(), self.rhs


class Reading:
    def __init__(self, network):
        self.network, self.count = network, len(network.snapshots)
        self.weight = network.step_h
        self.objective = np.full(self.count, network.step_h)
        self.objective[: network.before_count] = 0.0
        self.cost, self.lower, self.upper = [], [], []
        self.equal, self.below = Rows(), Rows()
        self.buses = {p.name: [([], 0.0) for _ in range(self.count)] for p in self.of("Bus")}
        self.nominal = {}
        for kind in ("Generator", "Link", "Store", "StorageUnit", "Load"):
            for part in self.of(kind):
                getattr(self, f"read_{kind.lower()}")(part)
        for balances in self.buses.values():
            for terms, load in balances:
                if terms or load:
                    self.equal.add(terms, load)

    def of(self, kind):
        return [part for part in self.network.parts if part.kind == kind]

    def figure(self, part, name, default):
        if name in part.series:
            return part.series[name]
        return np.full(self.count, part.fixed.get(name, default))

    def column(self, cost=0.0, lower=0.0, upper=np.inf):
        self.cost.append(cost)
        self.lower.append(lower)
        self.upper.append(upper)
        return len(self.cost) - 1

    def size(self, part):
        """Return the column of a size that is open, or None and its figure."""
        if not part.fixed.get("p_nom_extendable"):
            return None, part.fixed.get("p_nom", 0.0)
        assert not part.fixed.get("p_nom_mod")
        at = self.column(
            part.fixed.get("capital_cost", 0.0),
            part.fixed.get("p_nom_min", 0.0),
            part.fixed.get("p_nom_max", np.inf),
        )
        self.nominal[part.name] = at
        return at, 0.0

    def flows(self, part, least, most, cost):
        """Return columns between `least` and `most` of the size, by snapshot."""
        at, size = self.size(part)
        columns = []
        for t in range(self.count):
            if at is None:
                columns.append(self.column(cost[t], least[t] * size, most[t] * size))
                continue
            columns.append(self.column(cost[t], -np.inf))
            self.below.add([(columns[t], 1.0), (at, -most[t])], 0.0)
            self.below.add([(columns[t], -1.0), (at, least[t])], 0.0)
        return columns

    def give(self, bus, t, column, value):
        self.buses[bus][t][0].append((column, value))

    def read_generator(self, part):
        columns = self.flows(
            part,
            self.figure(part, "p_min_pu", 0.0),
            self.figure(part, "p_max_pu", 1.0),
            self.objective * self.figure(part, "marginal_cost", 0.0),
        )
        for t, column in enumerate(columns):
            self.give(part.fixed["bus"], t, column, part.fixed.get("sign", 1.0))

    def read_load(self, part):
        asked = self.figure(part, "p_set", 0.0)
        balances = self.buses[part.fixed["bus"]]
        for t in range(self.count):
            balances[t] = (balances[t][0], balances[t][1] + asked[t])

    def read_link(self, part):
        columns = self.flows(
            part,
            self.figure(part, "p_min_pu", 0.0),
            self.figure(part, "p_max_pu", 1.0),
            self.objective * self.figure(part, "marginal_cost", 0.0),
        )
        late = int(part.fixed.get("delay", 0.0) / self.weight)
        for t, column in enumerate(columns):
            self.give(part.fixed["bus0"], t, column, -1.0)
            for port in range(1, 10):
                bus = part.fixed.get(f"bus{port}")
                name = "efficiency" if port == 1 else f"efficiency{port}"
                if bus:
                    value = self.figure(part, name, 1.0)[t]
                    arrives = t + (late if port == 1 else 0)
                    if arrives < self.count:
                        self.give(bus, arrives, column, value)

    def read_store(self, part):
        size = part.fixed["e_nom"]
        least, most = self.figure(part, "e_min_pu", 0.0), self.figure(part, "e_max_pu", 1.0)
        levels = [self.column(0.0, least[t] * size, most[t] * size) for t in range(self.count)]
        for t in range(self.count):
            self.give(part.fixed["bus"], t, levels[t], -1.0 / self.weight)
            if t:
                self.give(part.fixed["bus"], t, levels[t - 1], 1.0 / self.weight)
            else:
                balances = self.buses[part.fixed["bus"]]
                begun = part.fixed["e_initial"] / self.weight
                balances[0] = (balances[0][0], balances[0][1] - begun)

    def read_storageunit(self, part):
        at, size = self.size(part)
        least, most = self.figure(part, "p_min_pu", -1.0), self.figure(part, "p_max_pu", 1.0)
        wear = self.objective * self.figure(part, "marginal_cost", 0.0)
        worth = self.objective * self.figure(part, "marginal_cost_storage", 0.0)
        before = None
        for t in range(self.count):
            into, out, held = self.column(), self.column(wear[t]), self.column(worth[t])
            for column, limit in (
                (into, -least[t]), (out, most[t]), (held, part.fixed["max_hours"]),
            ):  # fmt: skip
                terms = [(column, 1.0)] + ([] if at is None else [(at, -limit)])
                self.below.add(terms, 0.0 if at is not None else limit * size)
            self.give(part.fixed["bus"], t, out, 1.0)
            self.give(part.fixed["bus"], t, into, -1.0)
            terms = [
                (held, 1.0),
                (into, -self.weight * part.fixed["efficiency_store"]),
                (out, self.weight / part.fixed["efficiency_dispatch"]),
            ]
            begun = part.fixed.get("state_of_charge_initial", 0.0) if before is None else 0.0
            if before is not None:
                terms.append((before, -1.0))
            self.equal.add(terms, begun)
            before = held


def optimum(network):
    """Return what PyPSA's objective is, and each open size by its component's name."""
    read = Reading(network)
    columns = len(read.cost)
    a_eq, b_eq = read.equal.matrix(columns)
    a_ub, b_ub = read.below.matrix(columns)
    found = linprog(
        read.cost,
        A_ub=a_ub,
        b_ub=b_ub,
        A_eq=a_eq,
        b_eq=b_eq,
        bounds=np.array([read.lower, read.upper]).T,
        method="highs",
    )
    assert found.status == 0, found.message
    return found.fun, {name: found.x[at] for name, at in read.nominal.items()}
