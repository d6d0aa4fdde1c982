"""From the joules of boards at work to those of the facility: four numbers, always apart."""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from tokenergy.company.energy_words import Boundary
from tokenergy.company.finding import Finding

HOST_SHARE: Final = 25.0 / 58.0
"""Host over board joules: 25 and 58 % of a median prompt (arXiv 2508.15734, published)."""

IDLE_SHARE: Final = 10.0 / 58.0
"""Idle boards over boards at work: 10 and 58 % of the same prompt."""

PUBLISHED_PUE: Final = 1.09
"""Facility over rack of the fleet that the same prompt ran in."""

PUBLISHED: Final = "arXiv 2508.15734"


@dataclass(frozen=True, slots=True, kw_only=True)
class HostByShare:
    """The host as a share of the boards' work: the form for figures of a request."""

    host_share: float = HOST_SHARE


@dataclass(frozen=True, slots=True, kw_only=True)
class HostByPower:
    """The host as watts while awake: the form for sites, where it is base power."""

    host_w: float
    """Of all hosts of the replica's boards together."""


Host = HostByShare | HostByPower
"""One or the other, never both."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FacilityTerms:
    """What stands between boards and the facility's meter; None is "not said".

    What is not said is taken from one published fleet (58 % boards, 25 host, 10 idle, PUE 1.09),
    and named in `assumed`.
    """

    host: Host | None = None
    idle_share: float | None = None
    """Idle boards over boards at work."""
    pue_ratio: float | None = None

    def assumed(self, boundary: Boundary) -> tuple[str, ...]:
        """Return what was not said of what the boundary holds, with the figure that stands in."""
        terms = (
            (f"host {HOST_SHARE:.2f} of the boards", self.host, ("it", "facility")),
            (f"idle {IDLE_SHARE:.2f} of the boards", self.idle_share, ("it", "facility")),
            (f"PUE {PUBLISHED_PUE:g}", self.pue_ratio, ("facility",)),
        )
        return tuple(
            f"{what} ({PUBLISHED})"
            for what, term, within in terms
            if term is None and boundary in within
        )

    def findings(self) -> Iterator[Finding]:
        """Yield what no facility can have."""
        if self.pue_ratio is not None and not 1.0 <= self.pue_ratio < math.inf:
            yield _finding("pue", self.pue_ratio, "at least 1", "facility over rack, by definition")
        if self.idle_share is not None and not 0.0 <= self.idle_share < math.inf:
            yield _finding(
                "idle_share", self.idle_share, "at least 0", "idle boards over busy ones"
            )
        match self.host:
            case HostByShare(host_share=figure) if not 0.0 <= figure < math.inf:
                yield _finding("host_share", figure, "at least 0", "host over board joules")
            case HostByPower(host_w=figure) if not 0.0 <= figure < math.inf:
                yield _finding("host_w", figure, "at least 0 W", "watts of the hosts while awake")


@dataclass(frozen=True, slots=True, kw_only=True)
class FacilityParts:
    """Joules in four parts, and the arithmetic of the last three in words."""

    gpu_j: float
    host_j: float
    idle_j: float
    overhead_j: float
    host_how: str
    idle_how: str
    overhead_how: str

    @property
    def total_j(self) -> float:
        """Return the sum."""
        return self.gpu_j + self.host_j + self.idle_j + self.overhead_j


def facility_parts(
    gpu_j: float, terms: FacilityTerms, *, boundary: Boundary, board_w: float
) -> FacilityParts:
    """Return the four parts of some boards' work, at a boundary.

        E = PUE x (E_gpu (1 + host_share) + E_idle)

    `gpu` is the boards at work alone, `it` adds host and idle boards, `facility` the overhead. A
    part outside the boundary is 0, and its words say so. A host in watts is awake for as long as
    the boards take to draw their joules.

    Args:
        gpu_j: boards at work.
        terms: of the site.
        boundary: what is asked for.
        board_w: power of the boards at work, which says how long they were at it.
    """
    outside = f"outside the boundary {boundary}"
    host_ratio = _host_ratio(terms.host, board_w)
    idle_share = IDLE_SHARE if terms.idle_share is None else terms.idle_share
    pue_ratio = PUBLISHED_PUE if terms.pue_ratio is None else terms.pue_ratio
    within = boundary != "gpu"
    host_j = host_ratio * gpu_j if within else 0.0
    idle_j = idle_share * gpu_j if within else 0.0
    overhead_j = (pue_ratio - 1.0) * (gpu_j + host_j + idle_j) if boundary == "facility" else 0.0
    return FacilityParts(
        gpu_j=gpu_j,
        host_j=host_j,
        idle_j=idle_j,
        overhead_j=overhead_j,
        host_how=_host_how(terms.host, host_ratio) if within else outside,
        idle_how=f"{idle_share:.3g} of the boards at work" if within else outside,
        overhead_how=f"PUE {pue_ratio:g}" if boundary == "facility" else outside,
    )


def _host_ratio(host: Host | None, board_w: float) -> float:
    match host:
        case HostByPower():
            return host.host_w / board_w
        case HostByShare():
            return host.host_share
        case None:
            return HOST_SHARE


def _host_how(host: Host | None, host_ratio: float) -> str:
    if isinstance(host, HostByPower):
        return f"{host.host_w:g} W while the boards work: {host_ratio:.3g} of them"
    return f"{host_ratio:.3g} of the boards at work"


def _finding(name: str, figure_quantity: float, limit: str, what: str) -> Finding:
    return Finding(
        code="ENERGY_FACILITY",
        path=name,
        value=f"{figure_quantity:g}",
        limit=limit,
        reason=f"{name} is {what}",
        remedy="State the site's own figure, or leave it out",
    )
