"""Rows of carpets: one for each place and day, its hours side by side."""

import math
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, tzinfo
from typing import Any, Final
from zoneinfo import ZoneInfo

from tokenergy.page.largest import FLEET
from tokenergy.page.number import known
from tokenergy.page.rows import Given, Row, moment, unique
from tokenergy.units import H_PER_DAY

ALL_TEXT: Final = "all text workloads"
"""What the mean over the workloads of text is called."""
EVERY: Final = "every hour"
"""What stands in the place of the lowest hour where all are alike."""
NO_BREAK: Final = "\N{NO-BREAK SPACE}"
ENDS_SHARE: Final = (0.01, 0.99)
"""Colours end at these shares of all cells: a spike would leave everything else one colour."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Clock:
    """Whose days and hours a carpet is read in; `zone` is an IANA name."""

    zone: str = "UTC"

    @property
    def tz(self) -> tzinfo:
        """The zone itself."""
        return UTC if self.zone == "UTC" else ZoneInfo(self.zone)

    @property
    def words(self) -> str:
        """What an axis of hours is called."""
        return "hour, UTC" if self.zone == "UTC" else f"hour, local time of {self.zone}"


def clock_of(places: Sequence[Given]) -> Clock:
    """Return the clock that all sites share, else UTC.

    Where every site keeps one time its days are what people there live by; where sites lie round
    the world, their hours can only be compared in UTC.
    """
    zones = unique(row.get("time_zone") for row in places if row["kind"] == "site")
    return Clock(zone=str(zones[0])) if len(zones) == 1 and zones[0] else Clock()


Point = tuple[str, str, float | None]
"""Panel, start of the interval, and the figure."""


def carpet_rows(points: Iterable[Point], *, step_h: float, clock: Clock) -> list[Row]:
    """Return one row for each panel and day: `h00` and so on hold the hours that begin there.

    Intervals within an hour are averaged, and so are the two hours that a clock repeats when
    summer ends. An hour without a figure has none.

    Raises:
        ValueError: if an interval is a day or longer: it has no hour.
    """
    if step_h >= H_PER_DAY:
        raise ValueError(f"an interval of {step_h:g} h has no hour of the day")
    cells: dict[tuple[str, str], dict[int, list[float]]] = defaultdict(lambda: defaultdict(list))
    zone, hours = clock.tz, set()
    local: dict[str, tuple[str, int]] = {}
    for panel, start, value in points:
        if start not in local:
            here = moment(start).astimezone(zone)
            local[start] = f"{here:%Y-%m-%d}", here.hour
        day, hour = local[start]
        held = cells[(panel, day)]
        hours.add(hour)
        if known(value):
            held[hour].append(value)
    names = {hour: f"h{hour:02d}" for hour in sorted(hours)}
    return [
        {"panel": panel, "day": day} | {name: _mean(held.get(hour)) for hour, name in names.items()}
        for (panel, day), held in cells.items()
    ]


def _mean(values: Sequence[float] | None) -> float | None:
    return float(f"{math.fsum(values) / len(values):.6g}") if values else None


def hour_fields(rows: Sequence[Given]) -> list[str]:
    """Return the names of the hours that the rows have, in order."""
    return sorted({name for row in rows for name in row if name[0] == "h"})


def told_panels(rows: Sequence[Given]) -> list[Row]:
    """Return the rows of panels that have any figure: one without any would be an empty frame."""
    fields = hour_fields(rows)
    told = {row["panel"] for row in rows if any(known(row[name]) for name in fields)}
    return [dict(row) for row in rows if row["panel"] in told]


def ends_of(rows: Sequence[Given]) -> tuple[float, float]:
    """Return where the colours of a carpet end: the first and the last hundredth of its cells."""
    fields = hour_fields(rows)
    values = sorted(row[name] for row in rows for name in fields if known(row[name]))
    if not values:
        return 0.0, 1.0
    low, high = (values[min(len(values) - 1, int(share * len(values)))] for share in ENDS_SHARE)
    return (low, high) if high > low else (low, low + max(1e-9, abs(low) * 0.01))


def price_points(balance: Sequence[Given]) -> list[Point]:
    """Return the price of power of each row of a balance."""
    return [(row["site"], row["start"], row["buy_usd_per_mwh"]) for row in balance]


def carbon_points(
    hours: Sequence[Given], balance: Sequence[Given], shown: Sequence[str]
) -> list[Point]:
    """Return what a MWh of each shown site emits, and of all that say so, weighted by load.

    An hour in which none of these draws anything has no mean.
    """
    load = {(row["site"], row["start"]): row["load_mw"] for row in balance}
    sums: dict[str, list[float]] = defaultdict(lambda: [0.0, 0.0])
    for row in hours:
        mw = load.get((row["site"], row["start"]), 0.0)
        sums[row["start"]][0] += mw * row["carbon_kg_per_mwh"]
        sums[row["start"]][1] += mw
    stated = unique(row["site"] for row in hours)
    fleet: list[Point] = []
    if len(stated) > 1:
        fleet = [(FLEET, at, kg / mw if mw > 0.0 else None) for at, (kg, mw) in sums.items()]
    kept = set(shown)
    own = [(r["site"], r["start"], r["carbon_kg_per_mwh"]) for r in hours if r["site"] in kept]
    return [*fleet, *own]


def asked_points(asked: Sequence[Given], most_count: int) -> list[Point]:
    """Return the price of asking: of all text workloads together, and of the largest of all.

    A workload is as large as what is asked of it costs. Those of media are told by item, and are
    in no sum with text.
    """
    sums: dict[str, list[float]] = defaultdict(lambda: [0.0, 0.0])
    size: dict[str, float] = defaultdict(float)
    text: set[str] = set()
    for row in asked:
        usd = row["arrived_mtok"] * row["usd_per_mtok"]
        size[row["workload"]] += abs(usd)
        if row.get("usd_per_item") is None:
            text.add(row["workload"])
            sums[row["start"]][0] += usd
            sums[row["start"]][1] += row["arrived_mtok"]
    kept = sorted(size, key=lambda name: -size[name])[:most_count]
    every: list[Point] = []
    if len(text) > 1:
        every = [
            (ALL_TEXT, at, usd / mtok if mtok > 0.0 else None) for at, (usd, mtok) in sums.items()
        ]
    own: dict[str, list[Point]] = {name: [] for name in size if name in kept}  # as in the file
    for row in asked:
        if row["workload"] in own:
            item = row.get("usd_per_item")
            value = row["usd_per_mtok"] if item is None else item
            own[row["workload"]].append((row["workload"], row["start"], value))
    return [*every, *(point for points in own.values() for point in points)]


def units_of(asked: Sequence[Given], currency: str) -> dict[str, str]:
    """Return what the price of each workload is for: a Mtok, or an item of media."""
    of_media = {row["workload"] for row in asked if row.get("usd_per_item") is not None}
    names = unique(row["workload"] for row in asked)
    return {
        name: f"{currency} an item" if name in of_media else f"{currency}/Mtok" for name in names
    }


def mean_by_panel(rows: Sequence[Given]) -> dict[str, float]:
    """Return the mean of each panel's cells; a panel without a figure is left out."""
    fields = hour_fields(rows)
    held: dict[str, list[float]] = {}
    for row in rows:
        held.setdefault(row["panel"], []).extend(row[name] for name in fields if known(row[name]))
    return {panel: math.fsum(v) / len(v) for panel, v in held.items() if v}


def summary_rows(rows: Sequence[Given], *, step_h: float) -> list[Row]:
    """Return for each panel what its carpet says: mean, ends, and the cheapest and dearest hour.

    An hour of the day is told by its mean over the days; `at_or_below_zero_h` counts hours.
    """
    fields, found = hour_fields(rows), []
    cell_h = max(1.0, step_h)
    for panel in unique(row["panel"] for row in rows):
        mine = [row for row in rows if row["panel"] == panel]
        by_hour = {name: [row[name] for row in mine if known(row[name])] for name in fields}
        means = {name: math.fsum(v) / len(v) for name, v in by_hour.items() if v}
        values = [value for held in by_hour.values() for value in held]
        if not values:
            continue
        low, high = min(means, key=lambda n: means[n]), max(means, key=lambda n: means[n])
        flat = means[low] == means[high]
        found.append(
            {
                "panel": panel,
                "mean": math.fsum(values) / len(values),
                "lowest": min(values),
                "highest": max(values),
                "low_hour": EVERY if flat else clock_words(low, cell_h),
                "low_mean": means[low],
                "high_hour": EVERY if flat else clock_words(high, cell_h),
                "high_mean": means[high],
                "at_or_below_zero_h": sum(value <= 0.0 for value in values) * cell_h,
            }
        )
    return found


def clock_words(name: str, cell_h: float) -> str:
    """Return the hours that a field holds, e.g. `13 to 14 h`."""
    begin = int(name[1:])
    last = begin + math.ceil(cell_h)
    words = f"{begin:02d} to {last if last <= H_PER_DAY else last % 24:02d} h"
    return words.replace(" ", NO_BREAK)


def relative(rows: Sequence[Given]) -> list[Row]:
    """Return the rows with each figure over the mean of its panel, and that mean.

    A panel whose mean is 0 or below has no such ratio and is left out.
    """
    means, fields = mean_by_panel(rows), hour_fields(rows)
    return [
        dict(row)
        | {name: _over(row[name], means[row["panel"]]) for name in fields}
        | {"mean": float(f"{means[row['panel']]:.6g}")}
        for row in rows
        if means.get(row["panel"], 0.0) > 0.0
    ]


def _over(value: Any, mean: float) -> float | None:
    return float(f"{value / mean:.4g}") if known(value) else None


def missing_sites(hours: Sequence[Given], balance: Sequence[Given]) -> list[str]:
    """Return the sites of a balance that say nothing of their carbon."""
    stated = {row["site"] for row in hours}
    return [site for site in unique(row["site"] for row in balance) if site not in stated]
