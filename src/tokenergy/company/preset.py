"""A dated, sourced figure of somebody else: named on purpose, never a default."""

from calendar import monthrange
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from datetime import date, datetime
from typing import Any, Final, Literal

from tokenergy.company.finding import Finding

Status = Literal["published", "analyst_estimate", "secondary_press", "to_be_verified", "arithmetic"]
STALE_MONTHS: Final = 24
"""A preset older than this at the start of the horizon is stale (contracts sheet, section 9)."""
VERIFIED: Final = ("published", "arithmetic")
REFUSED: Final = "to_be_verified"
"""A figure of this status is left out unless it is asked for in so many words."""
CONFLICTING: Final = frozenset({"sora_cantor", "sora_wsj"})
CONFLICT: Final = "sora_conflict"
"""Two estimates of one cost, and how far they lie apart: never one without the others."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Preset:
    """One figure as it was published.

    Attributes:
        preset: what it belongs to, e.g. `sora_cantor`.
        fact: which figure of it, e.g. `usd_per_clip`.
        quantity: the figure, in `unit`.
        as_of: the day it speaks of, or was published.
        source: where it stands.
        status: how far it can be trusted; `arithmetic` is ours, on figures of the others.
        note: what a reader must know beside it, or "".
    """

    preset: str
    fact: str
    quantity: float
    unit: str
    as_of: date
    source: str
    status: Status
    note: str

    @property
    def is_money(self) -> bool:
        """Whether it is in US dollars, and means another thing in a company of another money."""
        return "USD" in self.unit

    def to_dict(self) -> dict[str, Any]:
        """Return the preset as a JSON-ready mapping."""
        return asdict(self) | {"as_of": self.as_of.isoformat()}


@dataclass(frozen=True, slots=True, kw_only=True)
class Range:
    """Between which values an input of an experiment lies, and who says so.

    Attributes:
        name: of the input, with its unit, e.g. `usd_per_gpu`.
        low, base, high: quantities in `unit`.
        source: where both ends are from.
        status: how far it can be trusted.
    """

    name: str
    low_quantity: float
    base_quantity: float
    high_quantity: float
    unit: str
    source: str
    status: Status


def select(
    presets: Sequence[Preset],
    names: Sequence[str],
    *,
    at: datetime | None,
    allow_unverified: bool = False,
    paths: Sequence[str] = (),
) -> tuple[tuple[Preset, ...], tuple[Finding, ...]]:
    """Return the figures that a company names, and what a reader must know about them.

    Nothing is loaded that is not named, but for one case: the estimates of Sora's cost differ
    fifteen-fold, so whoever names one is given the other and the conflict, and told so.

    Args:
        presets: every known figure.
        names: presets as the company names them.
        at: start of the horizon, against which figures are stale; None: it is not known.
        allow_unverified: whether figures of status `to_be_verified` may be loaded.
        paths: where each name stands; if left out, `presets[0]` and so on.

    Returns:
        The figures in the order of `names`, and findings: `UNKNOWN_NAME` (error),
        `DUPLICATE_NAME`, `PRESET_UNVERIFIED` (an error only where it leaves nothing of a
        preset), `PRESET_STALE` and `PRESET_CONFLICT` (warnings).

    Source: contracts sheet, section 9; economics sheet, sections 8 and 14.
    """
    known = tuple(dict.fromkeys(row.preset for row in presets))
    findings: list[Finding] = []
    wanted: dict[str, str] = {}
    places = paths or [f"presets[{place}]" for place in range(len(names))]
    for path, name in zip(places, names, strict=True):
        if name not in known:
            findings.append(_unknown(path, name, known))
        elif name in wanted:
            findings.append(_twice(path, name, wanted[name]))
        else:
            wanted[name] = path
    beside = _missing_sides(wanted, known)
    if beside:
        path = next(wanted[side] for side in wanted if side in CONFLICTING)
        findings.append(_conflict(path, beside))
        wanted |= dict.fromkeys(beside, path)
    loaded: list[Preset] = []
    for name, path in wanted.items():
        rows = [row for row in presets if row.preset == name]
        kept = [row for row in rows if allow_unverified or row.status != REFUSED]
        findings += _unverified(path, rows, kept)
        findings += _stale(path, kept, at)
        loaded += kept
    return tuple(loaded), tuple(findings)


def months_before(at: datetime, months_count: int) -> date:
    """Return the day so many calendar months earlier; a day that a month lacks is its last."""
    year, month = divmod(at.year * 12 + at.month - 1 - months_count, 12)
    return date(year, month + 1, min(at.day, monthrange(year, month + 1)[1]))


def _missing_sides(wanted: dict[str, str], known: Sequence[str]) -> tuple[str, ...]:
    if CONFLICTING.isdisjoint(wanted):
        return ()
    together = [name for name in known if name in CONFLICTING or name == CONFLICT]
    return tuple(name for name in together if name not in wanted)


def _unknown(path: str, name: str, known: Sequence[str]) -> Finding:
    from tokenergy.company.noun import nearest_names  # it loads pydantic: only on the way out

    near = nearest_names(name, known)
    return Finding(
        code="UNKNOWN_NAME",
        path=path,
        value=name,
        reason=f"there is no preset called {name!r}",
        remedy="Did you mean " + ", ".join(map(repr, near)) + "?"
        if near
        else f"Known are {', '.join(sorted(known)) or 'none'}",
    )


def _twice(path: str, name: str, first: str) -> Finding:
    return Finding(
        code="DUPLICATE_NAME",
        path=path,
        value=name,
        reason=f"{first} names preset {name!r} already",
        remedy="Keep one of the two",
        severity="warning",
    )


def _conflict(path: str, beside: Sequence[str]) -> Finding:
    named = " and ".join(beside)
    return Finding(
        code="PRESET_CONFLICT",
        path=path,
        value=named,
        reason="the published estimates of Sora's cost differ fifteen-fold and nobody outside "
        f"can decide between them: {named} {'is' if len(beside) == 1 else 'are'} shown beside",
        remedy=f"Name {named} too",
        severity="warning",
    )


def _unverified(path: str, rows: list[Preset], kept: list[Preset]) -> Iterator[Finding]:
    """Say which figures nobody has checked at their source, and which were left out for it."""
    name = rows[0].preset
    refused = [row for row in rows if row not in kept]
    if refused:
        yield Finding(
            code="PRESET_UNVERIFIED",
            path=path,
            value=", ".join(row.fact for row in refused),
            limit=", ".join(VERIFIED),
            reason=f"nobody has verified {'these figures' if kept else 'any figure'} of preset "
            f"{name!r} ({refused[0].source}): they are left out",
            remedy="Work with the others"
            if kept
            else "Take it out of presets until its source has been checked, or show it with "
            "`economics --allow-unverified`",
            severity="warning" if kept else "error",
        )
    doubtful = [row for row in kept if row.status not in VERIFIED]
    if doubtful:
        statuses = ", ".join(sorted({row.status for row in doubtful}))
        yield Finding(
            code="PRESET_UNVERIFIED",
            path=path,
            value=statuses,
            limit=", ".join(VERIFIED),
            reason=f"figures of preset {name!r} do not stand on a source that was checked: "
            + ", ".join(row.fact for row in doubtful),
            remedy="Show them with their source and date, and decide nothing by them alone",
            severity="warning",
        )


def _stale(path: str, kept: list[Preset], at: datetime | None) -> Iterator[Finding]:
    if at is None or not kept:
        return
    limit = months_before(at, STALE_MONTHS)
    old = [row for row in kept if row.as_of < limit]
    if old:
        yield Finding(
            code="PRESET_STALE",
            path=path,
            value=min(row.as_of for row in old).isoformat(),
            limit=limit.isoformat(),
            reason=f"figures of preset {old[0].preset!r} are more than {STALE_MONTHS} months "
            "older than the start of the horizon: " + ", ".join(row.fact for row in old),
            remedy="Look for newer figures, or show these as history",
            severity="warning",
        )
