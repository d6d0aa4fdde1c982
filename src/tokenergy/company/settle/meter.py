"""What a contract is settled on: the series of its site's meters, and of its own."""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta, tzinfo
from typing import Final, NamedTuple

from tokenergy.company.connection import ImportSteps
from tokenergy.errors import InputError

METER_TOLERANCE_SHARE: Final = 1e-6
"""How far a metered quantity may lie outside what the contract allows before it is an error."""
METER_TOLERANCE_MWH: Final = 1e-6
"""How far below 0 a metered energy may lie by rounding before it is an error: 1 Wh."""


class Span(NamedTuple):
    """One interval `[start, end)` in UTC, its length, and when it starts on the contract's clock.

    The month is the local one that it starts in, e.g. `2025-07`.
    """

    at: int
    start: datetime
    end: datetime
    length_h: float
    local: datetime
    month: str

    @property
    def local_end(self) -> datetime:
        """Its end on the contract's clock."""
        return self.end.astimezone(self.local.tzinfo)


@dataclass(frozen=True, slots=True, kw_only=True)
class MeterSeries:
    """What a contract is settled on: one value per interval, of its own site or of itself.

    Attributes:
        start: first moment, in UTC.
        lengths_h: length of each interval; they need not be equal.
        time_zone: of the market: terms, months, days and hours are counted in it.
        spot_usd_per_mwh: price of the site's market zone.
        bought_mwh, sold_mwh: the site's commercial residual.
        import_mwh, export_mwh: at the site's meter.
        load_mwh: the site's load at the meter, cooling included.
        taken_mwh: what was taken of the project's output (as-produced, colocation).
        generate_mwh: what the plant made (on site).
        profile_share: the project's output over its nameplate.
        import_price: steps in which bought power costs more (spot).
        series: the contract's own, by its field (`hub_price`); of a tariff, by item and field
            (`4cp.system_load`). A field that the contract gives as a number needs none.
        delivered_mwh: what other contracts of the site delivered, by their ids (cfe, rec).
    """

    start: datetime
    lengths_h: Sequence[float]
    time_zone: tzinfo
    spot_usd_per_mwh: Sequence[float] | None = None
    bought_mwh: Sequence[float] | None = None
    sold_mwh: Sequence[float] | None = None
    import_mwh: Sequence[float] | None = None
    export_mwh: Sequence[float] | None = None
    load_mwh: Sequence[float] | None = None
    taken_mwh: Sequence[float] | None = None
    generate_mwh: Sequence[float] | None = None
    profile_share: Sequence[float] | None = None
    import_price: ImportSteps | None = None
    series: Mapping[str, Sequence[float]] = field(default_factory=dict)
    delivered_mwh: Mapping[str, Sequence[float]] = field(default_factory=dict)

    @property
    def intervals_count(self) -> int:
        """Number of intervals."""
        return len(self.lengths_h)

    def spans(self, zone: tzinfo | None = None) -> Iterator[Span]:
        """Yield each interval, on the clock of `zone`; None: the market's.

        Raises:
            InputError: if an interval has no length.
        """
        clock = zone or self.time_zone
        start = self.start
        for at, length_h in enumerate(self.lengths_h):
            if not 0.0 < length_h < math.inf:
                raise InputError(f"interval {at} from {_told(start)} has a length of {length_h} h")
            end = start + timedelta(hours=length_h)
            local = start.astimezone(clock)
            month = f"{local.year:04d}-{local.month:02d}"
            yield Span(at, start, end, length_h, local, month)
            start = end

    def needed(self, name: str, owner_id: str) -> Sequence[float]:
        """Return the series of that name.

        Raises:
            InputError: if it was not given, has another length, is no number somewhere, or is an
                energy below 0.
        """
        values: Sequence[float] | None = getattr(self, name)
        return self._sound(values, name, owner_id)

    def own(self, name: str, stated: object, owner_id: str) -> Sequence[float]:
        """Return a contract's own series; `stated` is what the contract says in its place.

        A series that was given wins; without one, a number holds in every interval.

        Raises:
            InputError: as `needed`.
        """
        if name not in self.series and isinstance(stated, int | float):
            return [float(stated)] * self.intervals_count
        return self._sound(self.series.get(name), name, owner_id)

    def delivered(self, source_id: str, owner_id: str) -> Sequence[float]:
        """Return what another contract delivered.

        Raises:
            InputError: as `needed`.
        """
        name = f"delivered_mwh of {source_id!r}"
        return self._sound(self.delivered_mwh.get(source_id), name, owner_id)

    def _sound(self, quantity: Sequence[float] | None, name: str, owner_id: str) -> Sequence[float]:
        if quantity is None:
            raise InputError(f"contract {owner_id!r} cannot be settled without {name}")
        if len(quantity) != self.intervals_count:
            raise InputError(
                f"contract {owner_id!r}: {name} has {len(quantity)} intervals, "
                f"the meter has {self.intervals_count}"
            )
        energy = name.partition(" ")[0].endswith("_mwh") and "_per_" not in name
        for at, value in enumerate(quantity):
            if not math.isfinite(value):
                raise InputError(
                    f"contract {owner_id!r}: {name} is {value} at {self._moment(at)}, not a number"
                )
            if energy and value < -METER_TOLERANCE_MWH:
                raise InputError(
                    f"contract {owner_id!r}: {name} is {value:.6g} MWh at {self._moment(at)}, "
                    "below 0 MWh"
                )
        return quantity

    def _moment(self, at: int) -> str:
        passed = sum((timedelta(hours=h) for h in self.lengths_h[:at]), timedelta())
        return _told(self.start + passed)


def _told(moment: datetime) -> str:
    return f"{moment:%Y-%m-%dT%H:%MZ}"
