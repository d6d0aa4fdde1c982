"""A place with a meter: its market, its grid connection, its cooling."""

from datetime import date
from typing import Annotated, Self
from zoneinfo import ZoneInfo

from pydantic import AfterValidator, Field, model_validator

from tokenergy.company.carbon import SiteCarbon
from tokenergy.company.connection import ImportSteps, NonFirm, RampStep
from tokenergy.company.noun import (
    LatitudeDeg,
    LongitudeDeg,
    Name,
    NonNegative,
    Noun,
    Positive,
    nearest_names,
)
from tokenergy.company.series import SeriesSource
from tokenergy.company.zones import known_zones


def _known_zone(name: str) -> str:
    if name not in known_zones():
        near = ", ".join(nearest_names(name, known_zones())) or "none"
        raise ValueError(f"{name!r} is not an IANA time zone (nearest: {near})")
    return name


ZoneName = Annotated[str, AfterValidator(_known_zone)]


class Market(Noun):
    """The power market that a site's meter is settled in."""

    zone: str
    """The market's own name for the price zone, e.g. `US-TEX-ERCO` or `DE-LU`."""
    time_zone: ZoneName
    """IANA zone of the market's day."""
    price: SeriesSource
    """Spot price in USD/MWh (a file in another currency states `usd_per_unit`)."""
    day_ahead_at: str | None = Field(default=None, pattern=r"^([01]\d|2[0-3]):[0-5]\d$")
    """Local time at which tomorrow's prices are published; null for a real-time market."""

    @property
    def tz(self) -> ZoneInfo:
        """The market's time zone."""
        return ZoneInfo(self.time_zone)


class PuePoint(Noun):
    """Facility power over IT power at one outdoor temperature."""

    outdoor_c: float = Field(ge=-60.0, le=60.0)
    pue: float = Field(ge=1.0, le=3.0)


class Site(Noun):
    """A data centre: where it is, what it may draw, and what its power costs."""

    name: Name
    latitude_deg: LatitudeDeg
    longitude_deg: LongitudeDeg
    market: Market
    import_limit_mw: Positive
    """Most power that the grid connection may deliver, at the meter."""
    export_limit_mw: NonNegative = 0.0
    """Most power that the site may feed in, at the meter."""
    pue: Annotated[float, Field(ge=1.0, le=3.0)] | tuple[PuePoint, ...]
    """One figure, or points by outdoor temperature: linear between, flat outside."""
    outdoor_c: SeriesSource | None = None
    """Outdoor temperature in degrees Celsius; needed when `pue` is a list of points."""
    non_firm: NonFirm | None = None
    """Part of the import limit that the grid may take back; null: all of it is firm."""
    import_price: ImportSteps | None = None
    """What bought power costs more as the site draws more; null: a price-taker."""
    carbon: SiteCarbon | None = None
    """What a MWh from the grid emits here; null: the site has no carbon ledger."""
    zone_load_mw: Positive | None = None
    """Mean load of the price zone: a site that is a large part of it moves its price."""
    fixed_load_mw: NonNegative = 0.0
    """IT load that no dispatch moves (storage, network, control), before PUE."""
    energised_on: date | None = None
    """First day on which the connection delivers; null: before the horizon."""
    ramp: tuple[RampStep, ...] = ()
    """What the connection delivers from a date on; the last step is `import_limit_mw`. Before the
    first step nothing stands there that needs power. Empty: all of it at once."""
    host_w_per_gpu: NonNegative = 150.0
    """Host power per GPU while a replica is awake (EcoLogits: 1.2 kW for 8 GPUs)."""
    facility_usd_per_kw: NonNegative | None = None
    """Building, cooling and grid works, per kW of import limit; only in full cost."""
    facility_life_y: Positive = 15.0
    """Years over which the facility is written off; 15 is an assumption."""

    @model_validator(mode="after")
    def _ramp_in_order(self) -> Self:
        starts = [step.start for step in self.ramp]
        if starts != sorted(set(starts)):
            raise ValueError("ramp steps must rise in start, each date once")
        return self

    @model_validator(mode="after")
    def _points_in_order(self) -> Self:
        if isinstance(self.pue, tuple):
            if not self.pue:
                raise ValueError("pue needs one figure or at least one point")
            outdoor = [point.outdoor_c for point in self.pue]
            if outdoor != sorted(set(outdoor)):
                raise ValueError("pue points must rise in outdoor_c, each temperature once")
            if len(outdoor) > 1 and self.outdoor_c is None:
                raise ValueError("pue by temperature needs outdoor_c, a series of the weather")
        return self


class Region(Noun):
    """Where requests come from."""

    name: Name
    latitude_deg: LatitudeDeg
    longitude_deg: LongitudeDeg


class Rtt(Noun):
    """A measured round trip between a region and a site."""

    region: Name
    site: Name
    rtt_ms: NonNegative


class Network(Noun):
    """What it costs, in time and money, to answer from far away.

    Without a table, `rtt_ms = 5 + 1.4 x great-circle km / 100`: a guess, and far too kind
    between America and Asia.
    """

    rtt: tuple[Rtt, ...] = ()
    """Measured round trips; they win over the formula."""
    egress_usd_per_gb: NonNegative = 0.0
    """Price of a gigabyte that leaves a site."""
    bytes_per_token: NonNegative = 6.0
    """Bytes on the wire per output token of text (guess: 4 letters and framing)."""
