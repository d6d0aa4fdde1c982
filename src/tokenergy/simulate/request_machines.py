"""The replica of every deployment that requests may be sent to, as the engine plays it."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from tokenergy.company.catalogue import Catalogue
from tokenergy.company.finding import Finding
from tokenergy.company.inputs import Lengths
from tokenergy.company.operating_row import operating_terms
from tokenergy.dispatch.world import World
from tokenergy.errors import DoesNotFit
from tokenergy.simulate.law import KeyedLaw
from tokenergy.simulate.operating_sample import LEAST_REQUESTS_COUNT, Effort, sample_of
from tokenergy.simulate.request_case import RequestCase
from tokenergy.simulate.request_mix import MixPart
from tokenergy.simulate.request_play import Machine

NONE_TRIED: Final = Effort(requests_count=LEAST_REQUESTS_COUNT, seeds_count=1)
"""The replica alone is wanted, not a search for its point."""
UNASKED: Final = Lengths(input_tokens=16.0, output_tokens=16.0)
"""Of requests that are drawn beside the replica and that nobody plays."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Machines:
    """The replicas of a company's deployments.

    Attributes:
        by_deployment: by index.
        without: why others have none: media, other people's models, a cache too small.
    """

    by_deployment: Mapping[int, Machine]
    without: Mapping[int, str]

    @property
    def context_tokens(self) -> Mapping[int, int]:
        """Most tokens of one request that each deployment's cache holds."""
        return {at: machine.context_tokens for at, machine in self.by_deployment.items()}


def machines_of(
    world: World, catalogue: Catalogue, case: RequestCase, *, laws: Sequence[KeyedLaw] = ()
) -> Machines:
    """Return the replicas of a company's deployments for the requests of a case.

    Joules of a prompt's tokens go by the mean lengths of the workloads that ask for its model
    first, of all that may use it where none of those has a request.
    """
    company = world.company
    found: dict[int, Machine] = {}
    without: dict[int, str] = {}
    for at, target in enumerate(world.deployments):
        if target.external:
            without[at] = "somebody else's model"
            continue
        model = next(each for each in company.models if each.name == target.model)
        if model.shape is not None:
            without[at] = "media: an item runs alone"
            continue
        fleet = next(f for f in company.fleets if f.name == world.fleets[target.fleet].name)
        loads = [w for w in company.workloads if target.model in w.ladder]
        first = [w for w in loads if w.ladder[0] == target.model]
        lengths = _lengths(case, [each.name for each in first])
        lengths = lengths or _lengths(case, [each.name for each in loads])
        if lengths is None:
            without[at] = "no request asks for its model"
            continue
        terms = operating_terms(
            company, catalogue, workload=loads[0], model=model, fleet=fleet, lengths=lengths
        )
        try:
            sample = sample_of(
                catalogue, replace(terms, lengths_digest=""), [MixPart(lengths=UNASKED)],
                effort=NONE_TRIED, laws=laws,
            )  # fmt: skip
        except DoesNotFit as fault:
            without[at] = str(fault)
            continue
        found[at] = Machine(
            spec=sample.bench.spec, host_w=sample.host_w, law=sample.law, tier=sample.tier
        )
    return Machines(by_deployment=found, without=without)


def _lengths(case: RequestCase, names: Sequence[str]) -> Lengths | None:
    trace = case.trace
    mine = np.isin(trace.workload, [trace.workloads.index(name) for name in names])
    if not mine.any():
        return None
    weights = case.weight_ratio[mine]
    uncached = (trace.input_tokens - trace.cached_tokens)[mine]
    return Lengths(
        input_tokens=max(1.0, float(np.average(uncached, weights=weights))),
        output_tokens=max(1.0, float(np.average(trace.output_tokens[mine], weights=weights))),
    )


def too_long_findings(
    world: World, case: RequestCase, machines: Machines, *, path: str = "requests"
) -> Iterator[Finding]:
    """Yield the requests that no deployment in reach could ever hold: they would wait for ever."""
    need = case.trace.input_tokens + case.trace.output_tokens
    for at, load in enumerate(world.workloads):
        places = [route.deployment for route in world.routes if route.workload == at]
        if any(place not in machines.by_deployment for place in places):
            continue  # one of them keeps no cache of ours
        room = max((machines.by_deployment[place].context_tokens for place in places), default=0)
        rows = np.flatnonzero((case.trace.workload == at) & (need > room))
        if rows.size:
            yield Finding(
                code="REQUEST_TOO_LONG",
                path=f"{path}[{int(rows[0])}]",
                value=f"{int(need[rows].max()):,}",
                limit=f"{room:,}",
                unit="tokens",
                reason=f"{rows.size:,} requests of {load.name} fit into the cache of no replica in "
                "their reach: they would wait for ever",
                remedy="Leave them out, or take more GPUs for a replica",
            )
