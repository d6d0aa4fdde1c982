"""The outlook: what a gateway's board says of the next hours, as numbers for whoever looks.

Made of the very sheet that the board in force was made of: its `now` are the prices that requests
are decided by. Later intervals are those of the same solved window; their price is a point between
both ends, the dual. Where nothing was solved (a fallback decided), the merit order of the present
stands in, and the outlook ends with it.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import numpy as np

from tokenergy.api.outlook_rows import balance_rows, now_balance_rows, queue_rows, share_rows
from tokenergy.api.pricing import RENT_USD, mw_binds_h, mw_rent_usd_per_mwh, window_full_cost
from tokenergy.company.board import Board
from tokenergy.company.currency import in_currency
from tokenergy.company.finding import Finding
from tokenergy.company.marginal import MarginalCost
from tokenergy.dispatch.duals import SMALL_DEPLOYMENT_COUNT, asked_usd_per_mtok
from tokenergy.dispatch.route_cost import route_cost
from tokenergy.dispatch.world import BoolArray, FloatArray, World
from tokenergy.economics.window_power import left_out
from tokenergy.simulate.foreseen import Seen
from tokenergy.simulate.interval import Step
from tokenergy.simulate.price_sheets import SHARE_MTOK, PriceSheet

Row = dict[str, Any]


@dataclass(frozen=True, kw_only=True, eq=False)
class Priced:
    """An interval as it was planned and priced.

    Attributes:
        world: the company as arrays.
        at: index of the interval.
        sheet: its prices; the board was made of it.
        step: what the plan does in it.
        seen: the window behind it; None: a fallback decided, by a merit order.
        policy: who decided.
    """

    world: World
    at: int
    sheet: PriceSheet
    step: Step
    seen: Seen | None
    policy: str


@dataclass(frozen=True, kw_only=True, eq=False)
class Outlook:
    """The next hours of a company as its board in force has them.

    Attributes:
        heading: company, about, file, currency, synthetic.
        board: the board in force.
        policy: who decided.
        step_h, hours_h: length of an interval of the company, and of what is shown.
        message: what power is worth here, in a sentence.
        full_cost: of the hours shown, with what is left out; None: nothing was solved.
        sites, origins: where power is used, and where requests come from.
        now: a row for each workload and deployment in reach, as `price --json` tells them.
        ahead: by workload and interval the cheapest deployment in use, else the cheapest.
        balance: power by interval and site, MW at the meter.
        shares: part of each workload's work by interval and site, where there is any.
        queues: what comes, is served and waits, by interval and workload, Mtok.
        findings: what was assumed, and what is wrong.
    """

    heading: Mapping[str, Any]
    board: Board
    policy: str
    step_h: float
    hours_h: float
    message: str
    full_cost: Mapping[str, Any] | None
    sites: Sequence[Row]
    origins: Sequence[Row]
    now: Sequence[Row]
    ahead: Sequence[Row]
    balance: Sequence[Row]
    shares: Sequence[Row]
    queues: Sequence[Row]
    findings: Sequence[Finding] = ()

    def to_dict(self) -> Row:
        """Return the outlook as one JSON-ready object; keys carry units."""
        board = self.board
        return {
            **self.heading,
            "board_id": board.board_id,
            "policy": self.policy,
            "made_at": _stamp(board.made_at_s),
            "start": _stamp(board.start_s),
            "valid_until": _stamp(board.valid_until_s),
            "step_h": self.step_h,
            "hours_h": self.hours_h,
            "message": self.message,
            "full_cost": None if self.full_cost is None else dict(self.full_cost),
            "sites": list(self.sites),
            "origins": list(self.origins),
            "now": list(self.now),
            "ahead": list(self.ahead),
            "balance": list(self.balance),
            "shares": list(self.shares),
            "queues": list(self.queues),
            "findings": [finding.to_dict() for finding in self.findings],
        }

    def binding(self) -> tuple[Row, ...]:
        """Return the sites whose megawatts bind now: site, rent in USD/MWh, limit in MW."""
        first = _stamp(self.board.start_s)
        return tuple(
            {
                "site": row["site"],
                "mw_rent_usd_per_mwh": row["mw_rent_usd_per_mwh"],
                "import_limit_mw": row["import_limit_mw"],
            }
            for row in self.balance
            if row["start"] == first
            and row["mw_rent_usd_per_mwh"] is not None
            and row["mw_rent_usd_per_mwh"] > RENT_USD
        )


def outlook_of(
    priced: Priced, board: Board, *, heading: Mapping[str, Any], findings: Sequence[Finding] = ()
) -> Outlook:
    """Return the outlook of a board.

    Args:
        priced: the interval that the board is of.
        board: the board in force.
        heading: company, about, file, currency, synthetic.
        findings: what there is to say beside it.
    """
    world, sheet, seen = priced.world, priced.sheet, priced.seen
    now = [each.to_dict() for each in _now(priced)]
    full_cost: Mapping[str, Any] | None = None
    if seen is None:
        message = (
            f"The policy {priced.policy} decided this interval by a merit order: no program was "
            "solved, so what megawatts and GPUs are worth is not known."
        )
        balance = now_balance_rows(world, priced.at, priced.step)
        queues = queue_rows(world, sheet.serve_mtok, sheet.edges, backlog=None)
    else:
        optimum, full = seen.optimum, window_full_cost(seen.world, seen.optimum)
        sentence = full.sentence(
            mw_binds_h=mw_binds_h(optimum), mw_rent_usd_per_mwh=mw_rent_usd_per_mwh(optimum)
        )
        message = in_currency(sentence, str(heading["currency"]))
        full_cost = full.to_dict() | {"left_out": list(left_out(seen.world))}
        live = slice(seen.at, optimum.window.live_count)
        balance = balance_rows(world, optimum, begin=seen.at)
        queues = queue_rows(
            world,
            sheet.serve_mtok,
            sheet.edges,
            backlog=optimum.value("backlog", live),
            arrivals=optimum.window.arrivals_mtok[:, live],
        )
    return Outlook(
        heading=heading,
        board=board,
        policy=priced.policy,
        step_h=world.step_h,
        hours_h=float(sheet.edges[-1] - sheet.edges[0]) * world.step_h,
        message=message,
        full_cost=full_cost,
        sites=_sites(world),
        origins=_origins(world),
        now=now,
        ahead=list(_ahead(priced, now)),
        balance=balance,
        shares=share_rows(world, sheet.serve_mtok, sheet.edges),
        queues=queues,
        findings=tuple(dict.fromkeys(findings)),
    )


def _stamp(at_s: float) -> str:
    return datetime.fromtimestamp(at_s, UTC).strftime("%Y-%m-%dT%H:%MZ")


def _now(priced: Priced) -> Iterator[MarginalCost]:
    """Yield the rows of the interval: prices at their high end, shares as requests get them."""
    world, sheet = priced.world, priced.sheet
    totals, shares = sheet.parts.total(), sheet.shares(world)
    start = world.moment(int(sheet.edges[0]))
    arrivals_mtok = world.arrivals_mtok[:, priced.at]
    if priced.seen is not None:
        arrivals_mtok = priced.seen.optimum.window.arrivals_mtok[:, priced.seen.at]
    for i, route in enumerate(world.routes):
        asked = bool(arrivals_mtok[route.workload] > 0.0)
        yield route_cost(
            world,
            i,
            start=start,
            parts=sheet.parts,
            total_usd_per_mtok=float(totals[i]),
            low_usd_per_mtok=float(sheet.low_usd_per_mtok[route.workload]) if asked else None,
            high_usd_per_mtok=float(sheet.high_usd_per_mtok[route.workload]),
            in_use=bool(sheet.in_use[i]),
            share=float(shares[i]),
            small=_is_small(world, i, sheet.awake_count),
        )


def _ahead(priced: Priced, now: Sequence[Row]) -> Iterator[Row]:
    """Yield for each interval and workload the cheapest deployment in use, else the cheapest."""
    world, sheet, seen = priced.world, priced.sheet, priced.seen
    loads = np.array([route.workload for route in world.routes], dtype=np.int64)
    for k, parts in enumerate(sheet.ahead_parts):
        start, end = (world.moment(int(sheet.edges[k + each])) for each in (0, 1))
        totals, served = parts.total(), sheet.serve_mtok[k]
        used = sheet.in_use if k == 0 else served > SHARE_MTOK
        asked = None if k == 0 or seen is None else _asked(priced, k)
        for workload in range(len(world.workloads)):
            at = _cheapest(totals, used, loads == workload)
            if at is None:
                continue
            if asked is None:
                row = dict(now[at])
            else:
                sent = float(served[loads == workload].clip(0.0).sum())
                row = route_cost(
                    world,
                    at,
                    start=start,
                    parts=parts,
                    total_usd_per_mtok=float(totals[at]),
                    low_usd_per_mtok=None,
                    high_usd_per_mtok=float(asked[workload]),
                    in_use=_is_used(world, workload, used[at], totals[at], asked[workload]),
                    share=float(served[at]) / sent if served[at] > SHARE_MTOK else 0.0,
                    small=False,
                ).to_dict()
            yield row | {"end": end.strftime("%Y-%m-%dT%H:%MZ")}


def _asked(priced: Priced, k: int) -> FloatArray:
    assert priced.seen is not None
    return asked_usd_per_mtok(priced.world, priced.seen.optimum, priced.seen.at + k)


def _is_used(
    world: World, workload: int, used: bool, total_usd_per_mtok: float, high_usd_per_mtok: float
) -> bool:
    """Tell whether one Mtok more would go there: not where older work is done and it would wait."""
    if not used or not world.workloads[workload].defer_count:
        return bool(used)
    above = total_usd_per_mtok - high_usd_per_mtok
    return bool(above <= 1e-6 * max(1.0, abs(total_usd_per_mtok)))


def _cheapest(totals: FloatArray, used: BoolArray, mine: BoolArray) -> int | None:
    """Return the cheapest of some routes, of those in use where there are any; None: no route."""
    among = mine & used if (mine & used).any() else mine
    if not among.any():
        return None
    return int(np.where(among, totals, np.inf).argmin())


def _is_small(world: World, i: int, awake_count: FloatArray) -> bool:
    deployment = world.routes[i].deployment
    if world.deployments[deployment].external:
        return False
    return bool(awake_count[deployment] < SMALL_DEPLOYMENT_COUNT)


def _sites(world: World) -> list[Row]:
    return [
        {
            "site": site.name,
            "latitude_deg": site.latitude_deg,
            "longitude_deg": site.longitude_deg,
            "zone": site.market.zone,
            "import_limit_mw": site.import_limit_mw,
        }
        for site in world.company.sites
    ]


def _origins(world: World) -> list[Row]:
    """Return where the requests of each workload come from."""
    regions = {region.name: region for region in world.company.regions}
    return [
        {
            "workload": load.name,
            "tier": load.tier,
            "region": load.origin,
            "latitude_deg": regions[load.origin].latitude_deg,
            "longitude_deg": regions[load.origin].longitude_deg,
        }
        for load in world.company.workloads
    ]
