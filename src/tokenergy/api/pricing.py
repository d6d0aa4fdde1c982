"""The board: what a token costs at each site now and in the next hours, in parts."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING, Any

from tokenergy.api.media_energy import ServedItem, media_items
from tokenergy.api.opened import (
    OpenCompany,
    Progress,
    begin_of,
    explained,
    state_before,
    window_count,
)
from tokenergy.api.table import to_html, to_polars
from tokenergy.company.currency import in_currency
from tokenergy.company.finding import Finding
from tokenergy.company.marginal import MarginalCost
from tokenergy.dispatch.duals import LEAST_USD_PER_MTOK, PriceBoard
from tokenergy.dispatch.explain import window_warnings
from tokenergy.dispatch.forecast import Forecaster
from tokenergy.dispatch.solve import Optimum
from tokenergy.dispatch.world import FloatArray, World
from tokenergy.dispatch.worth import ValueChange, value_changes
from tokenergy.economics.unit_cost import FullCost, full_cost, gpu_used_share
from tokenergy.economics.window_power import left_out, moved_power_usd, sunk_usd
from tokenergy.errors import InfeasibleProgram, InputError

if TYPE_CHECKING:
    import polars as pl

HOURS_MOST_H = 168.0
RENT_USD = 1e-6
"""A connection has a rent where one MWh more is worth more than this."""
OTHER_LIMIT_SHARE = 0.01
"""A rest above this share of a price is a finding (dispatch sheet, section 4)."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Board:
    """Prices of a window, row by row, and the full cost of the tokens in it.

    Attributes:
        heading: company, horizon, synthetic series, warnings.
        start: first moment of the window.
        hours_h: its length.
        prices: one row for each interval, workload and deployment in reach.
        full: full cost of the window on both bases.
        message: what power is worth here, in a sentence.
        mw_binds_h: site-hours of the window in which megawatts bind.
        values: what half and double the value of each tier would change in the window.
        energy_notes: what is extrapolated in the joules behind it, by workload and deployment.
        left_out: charges by the month, the year or the event, which the full cost does not hold.
        media: what each image or clip takes on its boards; none without media.
    """

    heading: dict[str, Any]
    start: datetime
    hours_h: float
    prices: tuple[MarginalCost, ...]
    full: FullCost
    message: str
    mw_binds_h: float
    values: tuple[ValueChange, ...]
    energy_notes: tuple[dict[str, str], ...]
    left_out: tuple[str, ...] = ()
    media: tuple[ServedItem, ...] = ()

    def __str__(self) -> str:
        """Say in two lines what the board holds."""
        return (
            f"{self.heading['company']}: {len(self.prices)} prices of {self.hours_h:g} h from "
            f"{self.start:%Y-%m-%dT%H:%MZ}\n{self.message}"
        )

    def to_dict(self) -> dict[str, Any]:
        """Return the board as one JSON-ready object; keys carry units."""
        return self.heading | {
            "start": self.start.strftime("%Y-%m-%dT%H:%MZ"),
            "hours_h": self.hours_h,
            "basis": "marginal",
            "message": self.message,
            "mw_binds_h": self.mw_binds_h,
            "full_cost": self.full.to_dict() | {"left_out": list(self.left_out)},
            "energy_notes": list(self.energy_notes),
            "media": [served.to_dict() for served in self.media],
            "value_changes": [change.to_dict() for change in self.values],
            "prices": [row.to_dict() for row in self.prices],
        }

    def to_polars(self) -> "pl.DataFrame":
        """Return the prices as a polars frame."""
        return to_polars([row.to_dict() for row in self.prices])

    def _repr_html_(self) -> str:
        rows = [row.to_dict() for row in self.prices if row.in_use]
        return to_html(rows, f"{self.heading['company']}: USD per Mtok, deployments in use")


def price(
    company: OpenCompany,
    *,
    at: datetime | None = None,
    hours: float = 48.0,
    on_progress: Progress | None = None,
) -> Board:
    """Price one Mtok more of every workload at every deployment, interval by interval.

    Args:
        company: an opened company.
        at: first moment of the window; None: the start of the horizon.
        hours: length of the window that is shown; the program looks at least 48 h ahead.
        on_progress: told of the intervals that are done.

    Raises:
        FindingsError: if no dispatch satisfies the company's own limits.
        InputError: if `at` lies outside the horizon or `hours` is out of range.
    """
    if not 0.0 < hours <= HOURS_MOST_H:
        raise InputError(f"hours is {hours:g}; it must lie above 0 and up to {HOURS_MOST_H:g} h")
    world = company.world
    begin = begin_of(company, at)
    shown = min(window_count(world, hours), world.last - begin)
    count = max(shown, min(window_count(world, 48.0), world.last - begin))
    state = state_before(world, begin)
    window = Forecaster(world).window(begin, count)
    try:
        board = PriceBoard(world, window, state)
    except InfeasibleProgram as error:
        raise explained(company, begin, state, error) from error
    rows = tuple(board.rows(range(shown), _reporter(on_progress, "pricing")))
    binds_h = mw_binds_h(board.optimum)
    full = window_full_cost(world, board.optimum)
    heading = company.heading()
    heading["warnings"] += [f.to_dict() for f in window_warnings(world, board.optimum)]
    heading["warnings"] += _unexplained(rows)
    return Board(
        heading=heading,
        start=world.moment(begin),
        hours_h=shown * world.step_h,
        prices=rows,
        full=full,
        message=in_currency(
            full.sentence(
                mw_binds_h=binds_h, mw_rent_usd_per_mwh=mw_rent_usd_per_mwh(board.optimum)
            ),
            company.company.currency,
        ),
        mw_binds_h=binds_h,
        energy_notes=tuple(_energy_notes(world)),
        left_out=left_out(world),
        media=media_items(company),
        values=value_changes(
            world, window, state, board.optimum, _reporter(on_progress, "half and double values")
        ),
    )


def _reporter(on_progress: Progress | None, what: str) -> Callable[[int, int], None] | None:
    return None if on_progress is None else partial(on_progress, what)


def _energy_notes(world: World) -> Iterator[dict[str, str]]:
    """Yield what the joules of each route rest on beyond what was measured."""
    for route in world.routes:
        for note in route.energy_notes:
            yield {
                "workload": world.workloads[route.workload].name,
                "deployment": world.deployments[route.deployment].name,
                "note": note,
            }


def mw_binds_h(optimum: Optimum) -> float:
    """Return the site-hours in which the import limit has a rent."""
    window = optimum.window
    bound = _rents(optimum) > RENT_USD
    return float(window.lengths_h[: window.live_count] @ bound.sum(axis=1))


def mw_rent_usd_per_mwh(optimum: Optimum) -> float | None:
    """Return what one MWh more is worth beside its price where the import limit has a rent.

    The mean over those site-hours; None where there are none.
    """
    rents = _rents(optimum)
    bound = rents > RENT_USD
    return float(rents[bound].mean()) if bound.any() else None


def _rents(optimum: Optimum) -> FloatArray:
    """Return the rent of every connection in the hours that count, USD/MWh [n, S]."""
    return -optimum.reduced("meter_import", slice(0, optimum.window.live_count))


def window_full_cost(world: World, optimum: Optimum) -> FullCost:
    """Return the full cost of the tokens of a solved window.

    Charges by the month, the year or the event are left out (`economics.window_power`).
    """
    window = optimum.window
    live = window.live_count
    span = slice(window.begin, window.live_end)
    step_h = world.step_h
    blocks = sum(
        float((b.delivery_mw[span] * b.strike_usd_per_mwh[span]).sum() * step_h)
        for b in world.blocks
    )
    own = [d for d in world.deployments if not d.external]
    replica_h = window.lengths_h[:live] @ optimum.value("awake")[:live]
    awake_gpu_h = [0.0] * len(world.fleets)
    for awake_h, deployment in zip(replica_h, own, strict=True):
        awake_gpu_h[deployment.fleet] += float(awake_h) * deployment.gpus_count
    lease = sum(
        h * fleet.lease_usd_per_gpu_hour for h, fleet in zip(awake_gpu_h, world.fleets, strict=True)
    )
    served = optimum.value("serve")[:live]
    api = sum(float(served[:, i].sum()) * r.api_usd_per_mtok for i, r in enumerate(world.routes))
    network = sum(
        float(served[:, i].sum()) * r.network_usd_per_mtok for i, r in enumerate(world.routes)
    )
    wear = [b.cycle_usd_per_mwh_discharged for b in world.batteries]
    cycling = float((optimum.value("discharge")[:live] * wear).sum()) if wear else 0.0
    return full_cost(
        world.company,
        hours_h=live * step_h,
        served_mtok=float(served.sum()),
        power_usd=moved_power_usd(world, optimum) + blocks + sunk_usd(world, span),
        awake_lease_usd=lease,
        api_usd=api,
        other_usd=cycling + network,
        gpu_used_share=gpu_used_share(world.company, awake_gpu_h, hours_h=live * step_h),
    )


def _unexplained(rows: tuple[MarginalCost, ...]) -> list[dict[str, Any]]:
    """Return a finding where the parts leave more than 1 % of a price unexplained."""
    bad = [
        row
        for row in rows
        if abs(row.other_usd_per_mtok)
        > max(OTHER_LIMIT_SHARE * abs(row.total_usd_per_mtok), LEAST_USD_PER_MTOK)
    ]
    if not bad:
        return []
    worst = max(bad, key=lambda row: abs(row.other_usd_per_mtok))
    finding = Finding(
        code="SPLIT_UNEXPLAINED",
        path=f"prices[{worst.workload}, {worst.site}, {worst.start:%Y-%m-%dT%H:%MZ}]",
        value=f"{worst.other_usd_per_mtok:.4g}",
        limit=f"{OTHER_LIMIT_SHARE * abs(worst.total_usd_per_mtok):.4g}",
        unit="USD/Mtok",
        severity="warning",
        reason=f"{len(bad)} prices have a part that no row of the program explains",
        remedy="Please report this: it is a fault of ours",
    )
    return [finding.to_dict()]
