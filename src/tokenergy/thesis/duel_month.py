"""One month of one company in a duel: what its megawatts let it serve, and what that costs.

GPUs and halls follow powered megawatts: a company holds as many as its busiest hour of the month
keeps at work, and none that it cannot power. They are awake while they work; wakes are below the
grain of a month. Tokens, power and everything paid by the hour are those of the dispatch program
over a representative window: 48 h of the month's part of the horizon, those whose mean price and
demand are nearest to the part's own.
"""

from dataclasses import dataclass, replace
from datetime import date, timedelta
from typing import Final, Literal

import numpy as np

from tokenergy.company.annuity import annuity_share
from tokenergy.company.company import Company
from tokenergy.company.growth import Growth
from tokenergy.company.noun import midnight_utc
from tokenergy.dispatch.solve import Optimum, WindowModel
from tokenergy.dispatch.window import Window, true_window
from tokenergy.dispatch.world import FloatArray, State, World
from tokenergy.economics.scaled import has_users
from tokenergy.economics.unit_cost import capital_rent, gpu_rents_usd_per_h
from tokenergy.economics.window_power import moved_power_usd
from tokenergy.errors import InputError
from tokenergy.units import H_PER_DAY, H_PER_MONTH, H_PER_YEAR, KW_PER_MW, MONTHS_PER_YEAR

WINDOW_H: Final = 48.0
PARTS_COUNT: Final = 12
"""Months of a year: the horizon is cut into as many parts, and the years are alike."""
ENOUGH_GPUS_COUNT: Final = 1e9
"""More GPUs than anybody has: megawatts are what binds."""

Asked = Literal["at_once", "as_needed"]
"""When a queuing company asks for megawatts: for the whole path at its start (kind to it), or for
each when its users come."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Queue:
    """How long new megawatts take; None: as the company file says."""

    delay_months: float | None = None
    asked: Asked = "at_once"


@dataclass(frozen=True, slots=True, kw_only=True)
class MonthBook:
    """A month of a company. Revenue is at the prices that the company file states.

    `hourly_usd` is what is paid by the hour beside power: leases while awake, external APIs,
    network, wear. `fixed_usd` is batteries, staff and what is fixed for tiers.
    """

    asked_mtok: float
    served_mtok: float
    revenue_usd: float
    power_usd: float
    used_mwh: float
    hourly_usd: float
    gpu_usd: float
    facility_usd: float
    fixed_usd: float
    gpus_count: float
    peak_mw: float

    @property
    def cost_usd(self) -> float:
        """Everything that is paid: the dispatch bill and the capital behind it."""
        capital_usd = self.gpu_usd + self.facility_usd + self.fixed_usd
        return self.power_usd + self.hourly_usd + capital_usd

    @property
    def full_usd_per_mtok(self) -> float | None:
        """Full cost of a Mtok, allocation basis; None where nothing was served."""
        return self.cost_usd / self.served_mtok if self.served_mtok > 0.0 else None


def growth_of(company: Company) -> Growth:
    """Return the growth of a company.

    Raises:
        InputError: if its file draws no path of users, or none of its tiers has users.
    """
    if company.growth is None:
        raise InputError(
            f"company {company.company!r} has no growth: a duel needs a path of users, e.g. "
            "growth: {logistic: {limit_ratio: 8, rate_share_per_year: 0.7}}"
        )
    if all(tier.users is None for tier in company.tiers):
        raise InputError(
            f"company {company.company!r} has no tier with users: nothing would grow; state "
            "users: {count: ...}"
        )
    return company.growth


def users_ratio(growth: Growth, month: float) -> float:
    """Return users at a month over users at the start; at the start before it."""
    at = max(0.0, month)
    if growth.logistic is not None:
        limit = growth.logistic.limit_ratio
        faded = np.exp(-growth.logistic.rate_share_per_year * at / MONTHS_PER_YEAR)
        return float(limit / (1.0 + (limit - 1.0) * faded))
    points = growth.users or ()
    months = [point.month for point in points]
    return float(np.interp(at, months, [point.users_ratio for point in points]))


def asked_ratio(growth: Growth, month: float) -> float:
    """Return tokens asked for at a month over those at the start: users x what each asks for."""
    rate = 1.0 + growth.tokens_per_user_growth_share_per_year
    return users_ratio(growth, month) * float(rate ** (max(0.0, month) / MONTHS_PER_YEAR))


def arrival_month(company: Company, queue: Queue) -> float:
    """Return the month in which the last new megawatts can be had; 0: nobody queues."""
    growth = growth_of(company)
    lead = growth.lead_time_months if growth.capacity == "follows" else 0.0
    stated = [_energised_month(company, at) for at in range(len(company.sites))]
    waits = [month for month in (lead, *stated) if month > 0.0]
    if queue.delay_months is None:
        return max(waits, default=0.0)
    return queue.delay_months if waits or growth.capacity == "follows" else 0.0


def _energised_month(company: Company, site: int) -> float:
    """Return the month in which all of a site's connection delivers; 0: it does so already."""
    told = company.sites[site]
    days = [told.energised_on, told.ramp[-1].start if told.ramp else None]
    return max((_month_of(company, day) for day in days if day is not None), default=0.0)


def _reached_mw(company: Company, site: int, month: float) -> float:
    """Return what a site's connection has reached in a month by its ramp; 0 without one."""
    told = company.sites[site]
    if told.energised_on is not None and month < _month_of(company, told.energised_on):
        return 0.0
    reached = [step.mw for step in told.ramp if _month_of(company, step.start) <= month]
    return reached[-1] if reached else 0.0


def _month_of(company: Company, day: date) -> float:
    after_h = (midnight_utc(day) - company.horizon.start) / timedelta(hours=1)
    return max(0.0, after_h / H_PER_MONTH)


class Months:
    """The months of one company: its demand, its megawatts, its prices.

    Raises:
        InputError: if the company draws no path of users.
    """

    def __init__(self, world: World) -> None:
        """Choose the windows that stand for the months."""
        self.world = world
        self.growth = growth_of(world.company)
        self._count = max(1, min(round(WINDOW_H / world.step_h), world.count))
        self._begins = _representative(world, self._count)
        self._grows = has_users(world)
        self._known: dict[tuple[int, bytes], MonthBook] = {}
        self._free = replace(
            world,
            fleets=tuple(
                replace(fleet, gpus_count=ENOUGH_GPUS_COUNT, sleep_mw_per_gpu=0.0)
                for fleet in world.fleets
            ),
            deployments=tuple(replace(d, wake_h=0.0, wake_mwh=0.0) for d in world.deployments),
        )

    def carried_mw(self, month: int, queue: Queue) -> FloatArray:
        """Return what each site can draw in a month [S, n], grid and behind the meter.

        Contracts deliver what was signed. A connection follows the users as `growth` has it,
        after the queue; it never shrinks. A site that is not energised imports nothing.
        """
        window = self._window(month)
        company, lead = self.world.company, self.growth.lead_time_months
        lead = lead if queue.delay_months is None else queue.delay_months
        ratio = 1.0
        if self.growth.capacity == "follows":
            seen = month - lead if queue.asked == "as_needed" else (month if month >= lead else 0)
            ratio = max(1.0, asked_ratio(self.growth, seen))
        carried = _behind_mw(self.world, window)
        for at, site in enumerate(company.sites):
            energised = _energised_month(company, at)
            if energised > 0.0 and queue.delay_months is not None:
                energised = queue.delay_months
            if month >= energised:
                carried[at] += site.import_limit_mw * ratio
            elif queue.delay_months is None:
                carried[at] += _reached_mw(company, at, month) * ratio
        return carried

    def book(self, month: int, carried_mw: FloatArray) -> MonthBook:
        """Return a month in which the sites can draw `carried_mw` [S, n], at this company's prices.

        Where that is less than its own contracts deliver behind the meter, they deliver less;
        the rest comes over the grid.
        """
        key = (month, carried_mw.tobytes())
        if key not in self._known:
            self._known[key] = self._solved(month, carried_mw)
        return self._known[key]

    def _window(self, month: int) -> Window:
        begin = self._begins[month % PARTS_COUNT]
        return true_window(self.world, begin=begin, count=self._count)

    def _solved(self, month: int, carried_mw: FloatArray) -> MonthBook:
        window = self._window(month)
        behind_mw = _behind_mw(self.world, window)
        kept = np.minimum(1.0, carried_mw / np.where(behind_mw > 0.0, behind_mw, np.inf))
        kept = np.where(behind_mw > 0.0, kept, 1.0)
        share = np.array([kept[take.site] if take.behind_the_meter else np.ones(window.count)
                          for take in self.world.takes]).reshape(-1, window.count)  # fmt: skip
        growth = 1.0 + (asked_ratio(self.growth, month) - 1.0) * self._grows
        asked = replace(
            window,
            import_limit_mw=np.maximum(0.0, carried_mw - kept * behind_mw),
            meter_block_mw=window.meter_block_mw * kept,
            available_mw=window.available_mw * share,
            floor_mw=window.floor_mw * share,
            arrivals_mtok=window.arrivals_mtok * growth[:, None],
        )
        dark = carried_mw.max(axis=1) <= 0.0
        world = replace(self._free, fixed_mw=np.where(dark, 0.0, self._free.fixed_mw))
        state = State.initial(world)
        optimum = WindowModel(world, asked, state).solved(asked)
        price_ratio = (1.0 - self.growth.token_price_decline_share_per_year) ** (
            month / MONTHS_PER_YEAR
        )
        return _booked(world, optimum, state, kept=kept, price_ratio=float(price_ratio))


def _representative(world: World, count: int) -> tuple[int, ...]:
    """Return where the window of each part of the horizon begins.

    Prices and demand are averages over the sites and over the workloads; each departure from the
    mean of the part counts as a share of that mean.
    """
    price = world.spot_usd_per_mwh.mean(axis=0)
    asked = world.arrivals_mtok.sum(axis=0)
    step = max(1, round(H_PER_DAY / world.step_h))
    begins = []
    for part in range(PARTS_COUNT):
        first = world.first + part * world.count // PARTS_COUNT
        end = world.first + (part + 1) * world.count // PARTS_COUNT
        end = max(end, first + 1)
        first = max(world.first, min(first, world.last - count))
        last = max(first, min(end, world.last) - count)
        means = [max(abs(float(row[first:end].mean())), 1e-9) for row in (price, asked)]
        best = min(
            range(first, last + 1, step),
            key=lambda at: sum(
                abs(float(row[at : at + count].mean() - row[first:end].mean())) / mean
                for row, mean in zip((price, asked), means, strict=True)
            ),
        )
        begins.append(best)
    return tuple(begins)


def _behind_mw(world: World, window: Window) -> FloatArray:
    """Return what contracts deliver behind the meter of each site [S, n]."""
    behind: FloatArray = window.meter_block_mw.copy()
    for take, available_mw in zip(world.takes, window.available_mw, strict=True):
        if take.behind_the_meter:
            behind[take.site] += available_mw
    return behind


def _booked(
    world: World, optimum: Optimum, state: State, *, kept: FloatArray, price_ratio: float
) -> MonthBook:
    """Return a solved window as a month of 730 h: the bill, and the capital for its busiest hour.

    Args:
        world: in which the window was solved.
        optimum: of the window.
        state: in which it began.
        kept: what is left of each site's contracts behind the meter [S, n].
        price_ratio: token prices over those of the file.
    """
    company, step_h = world.company, world.step_h
    serve = optimum.value("serve")
    per_h = 1.0 / (optimum.window.count * step_h)
    gpus_count = _gpus_count(world, serve)
    peak_mw = (optimum.value("it").T / step_h * optimum.window.pue).max(axis=1)
    rents = gpu_rents_usd_per_h(company)
    gpu_usd_per_h = sum(
        count / fleet.available_share * rent if fleet.available_share else 0.0
        for count, fleet, rent in zip(gpus_count, company.fleets, rents, strict=True)
    )
    facility_usd_per_h = 0.0
    for site, drawn_mw in zip(company.sites, peak_mw, strict=True):
        share = annuity_share(wacc_share=company.money.wacc_share, life_y=site.facility_life_y)
        price_usd = (site.facility_usd_per_kw or 0.0) * float(drawn_mw) * KW_PER_MW
        facility_usd_per_h += price_usd * share / H_PER_YEAR
    rent = capital_rent(company)
    tiers_usd_per_h = sum(tier.fixed_usd_per_year for tier in company.tiers) / H_PER_YEAR
    fixed_usd_per_h = rent.battery_usd_per_h + rent.staff_usd_per_h + tiers_usd_per_h
    prices = [world.workloads[route.workload].price_usd_per_mtok for route in world.routes]
    used_mwh = float((optimum.value("it").T * optimum.window.pue).sum())
    return MonthBook(
        asked_mtok=float(optimum.window.arrivals_mtok.sum()) * per_h * H_PER_MONTH,
        served_mtok=float(serve.sum()) * per_h * H_PER_MONTH,
        revenue_usd=float((serve * np.array(prices)).sum()) * price_ratio * per_h * H_PER_MONTH,
        power_usd=_power_usd(world, optimum, state, kept) * per_h * H_PER_MONTH,
        used_mwh=used_mwh * per_h * H_PER_MONTH,
        hourly_usd=_hourly_usd(world, optimum, serve) * per_h * H_PER_MONTH,
        gpu_usd=float(gpu_usd_per_h) * H_PER_MONTH,
        facility_usd=facility_usd_per_h * H_PER_MONTH,
        fixed_usd=fixed_usd_per_h * H_PER_MONTH,
        gpus_count=float(gpus_count.sum()),
        peak_mw=float(peak_mw.sum()),
    )


def _gpus_count(world: World, serve: FloatArray) -> FloatArray:
    """Return the GPUs of each fleet at work in its busiest interval [F]."""
    busy = np.zeros((serve.shape[0], len(world.fleets)))
    for at, route in enumerate(world.routes):
        target = world.deployments[route.deployment]
        if not target.external:
            replicas = serve[:, at] / (route.rate_mtok_per_h * world.step_h)
            busy[:, target.fleet] += replicas * target.gpus_count
    return np.asarray(busy.max(axis=0))


def _power_usd(world: World, optimum: Optimum, state: State, kept: FloatArray) -> float:
    """Return the power bill of a window: what moves, blocks, and what batteries end up short."""
    window, step_h = optimum.window, world.step_h
    usd = moved_power_usd(world, optimum)
    span = slice(window.begin, window.begin + window.count)
    for take in world.takes:
        left = kept[take.site] if take.behind_the_meter else np.ones(window.count)
        usd += float((take.sunk_usd_per_h[span] * left).sum()) * step_h
    for block in world.blocks:
        left = kept[block.site] if block.behind_the_meter else np.ones(window.count)
        paid = block.strike_usd_per_mwh[span] * block.delivery_mw[span] * left
        usd += float(paid.sum()) * step_h
    short_mwh = state.energy_mwh - optimum.value("energy")[-1]
    return usd + float((short_mwh * window.stored_usd_per_mwh).sum())


def _hourly_usd(world: World, optimum: Optimum, serve: FloatArray) -> float:
    """Return leases while awake, external APIs, network and wear of a window."""
    own = [d for d in world.deployments if not d.external]
    lease = [d.gpus_count * world.fleets[d.fleet].lease_usd_per_gpu_hour for d in own]
    paid = [route.api_usd_per_mtok + route.network_usd_per_mtok for route in world.routes]
    wear = [battery.cycle_usd_per_mwh_discharged for battery in world.batteries]
    usd = float((optimum.value("awake") * np.array(lease)).sum()) * world.step_h
    usd += float((serve * np.array(paid)).sum())
    return usd + float((optimum.value("discharge") * np.array(wear)).sum())
