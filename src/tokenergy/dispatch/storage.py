"""How much a battery moves in one interval, given what a stored MWh is worth.

The worth falls in a straight line from an empty battery to a full one (both ends alike: one
price). Power is bought up the site's own curve as long as a MWh costs less than it is then worth
in store, and given back down the curve as long as it saves more.
"""

from dataclasses import dataclass

from tokenergy.company.battery import Battery
from tokenergy.dispatch.energy_cost import SiteCurve, tiny_mw


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredWorth:
    """What one more stored MWh is worth in an empty battery and in a full one."""

    empty_usd_per_mwh: float
    full_usd_per_mwh: float

    def shifted(self, part_share: float) -> "StoredWorth":
        """Return both ends raised by a share of their size, lowered if it is negative."""
        scale_usd_per_mwh = max(1.0, abs(self.empty_usd_per_mwh), abs(self.full_usd_per_mwh))
        more_usd_per_mwh = part_share * scale_usd_per_mwh
        return StoredWorth(
            empty_usd_per_mwh=self.empty_usd_per_mwh + more_usd_per_mwh,
            full_usd_per_mwh=self.full_usd_per_mwh + more_usd_per_mwh,
        )

    def level_mwh(self, usd_per_mwh: float, capacity_mwh: float) -> float:
        """Return the charge at which a stored MWh is worth `usd_per_mwh`."""
        span_usd_per_mwh = self.empty_usd_per_mwh - self.full_usd_per_mwh
        if span_usd_per_mwh <= 0.0:
            return capacity_mwh if usd_per_mwh < self.empty_usd_per_mwh else 0.0
        level_share = (self.empty_usd_per_mwh - usd_per_mwh) / span_usd_per_mwh
        return capacity_mwh * min(1.0, max(0.0, level_share))


def charge_mw(
    spec: Battery,
    worth: StoredWorth,
    curve: SiteCurve,
    *,
    energy_mwh: float,
    load_mw: float,
    limit_mw: float,
    step_h: float,
) -> float:
    """Return the power to charge at: up the curve until a MWh costs what it is worth in store.

    Args:
        spec: the battery.
        worth: what a stored MWh is worth.
        curve: the site's cost of load in the interval.
        energy_mwh: what is stored before it.
        load_mw: the site's load at the meter without the battery.
        limit_mw: most that the battery can absorb.
        step_h: length of the interval.
    """
    charged_mw, at = 0.0, curve.segment_at(load_mw)
    stored_mwh_per_mw = spec.charge_eff_share * step_h
    while at < len(curve.ends_mw) and charged_mw < limit_mw:
        paid = curve.slopes_usd_per_mwh[at] / spec.charge_eff_share
        wanted_mwh = worth.level_mwh(paid, spec.capacity_mwh) - energy_mwh
        wanted_mw = min(limit_mw, wanted_mwh / stored_mwh_per_mw)
        room_mw = curve.ends_mw[at] - load_mw
        charged_mw = max(charged_mw, min(wanted_mw, room_mw))
        if wanted_mw < room_mw:
            break
        at += 1
    return charged_mw if charged_mw > tiny_mw(spec.power_mw) else 0.0


def discharge_mw(
    spec: Battery,
    worth: StoredWorth,
    curve: SiteCurve,
    *,
    energy_mwh: float,
    load_mw: float,
    limit_mw: float,
    step_h: float,
) -> float:
    """Return the power to give: down the curve while a MWh saves more than it is worth in store.

    Arguments as those of `charge_mw`; `limit_mw` is the most that the battery can give.
    """
    given_mw, at = 0.0, _segment_below(curve, load_mw)
    taken_mwh_per_mw = step_h / spec.discharge_eff_share
    while at >= 0 and given_mw < limit_mw:
        saved = curve.slopes_usd_per_mwh[at] - spec.cycle_usd_per_mwh_discharged
        floor_mwh = worth.level_mwh(saved * spec.discharge_eff_share, spec.capacity_mwh)
        wanted_mw = min(limit_mw, (energy_mwh - floor_mwh) / taken_mwh_per_mw)
        start_mw = curve.ends_mw[at - 1] if at else curve.least_mw
        room_mw = load_mw - start_mw
        given_mw = max(given_mw, min(wanted_mw, room_mw))
        if wanted_mw < room_mw:
            break
        at -= 1
    return given_mw if given_mw > tiny_mw(spec.power_mw) else 0.0


def _segment_below(curve: SiteCurve, load_mw: float) -> int:
    """Return the segment that the last MW of load fell into, -1 where there is none."""
    at = curve.segment_at(load_mw)
    start_mw = curve.ends_mw[at - 1] if at else curve.least_mw
    return at - 1 if load_mw - start_mw <= tiny_mw(start_mw) else at
