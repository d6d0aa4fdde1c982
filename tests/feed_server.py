"""Stand-ins for Energy-Charts and the ENTSO-E platform on `feed_server_more.FeedServer`.

Where the shapes were looked up (no text or code was copied; the values are made up):
- Energy-Charts: its public OpenAPI description (`/price`, `/public_power`) and open clients.
- ENTSO-E: the platform's API guide and the element names that open clients read; that a day may
  hold several TimeSeries told apart by their auction's position, in any order, stands in public
  notes on real answers. Status 401 and the acknowledgement with reason 999 likewise.
"""

from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime, timedelta

from feed_server_more import Asked, FeedServer, Speaker, Told, after, code_of, door, in_csv, in_json

__all__ = [
    "Asked",
    "FeedServer",
    "Speaker",
    "Told",
    "after",
    "code_of",
    "day_ahead",
    "document",
    "door",
    "energy_charts",
    "entsoe",
    "in_csv",
    "in_json",
    "in_xml",
    "no_data",
    "power_charts",
    "time_series",
]

QUARTER = timedelta(minutes=15)
HOUR = timedelta(hours=1)
LICENCE = "CC BY 4.0 (creativecommons.org/licenses/by/4.0) from Bundesnetzagentur | SMARD.de"
Values = Mapping[datetime, float | None]


# ---- Energy-Charts --------------------------------------------------------------------------


def day_ahead(
    start: datetime, values: Iterable[float | None], *, step: timedelta = HOUR
) -> dict[datetime, float | None]:
    """Lay values one after the other from a moment."""
    return {start + at * step: value for at, value in enumerate(values)}


def _asked_span(asked: Asked) -> tuple[datetime, datetime]:
    return tuple(datetime.fromisoformat(asked.query[name]) for name in ("start", "end"))  # type: ignore[return-value]


def energy_charts(values: Values, *, unit: str = "EUR / MWh") -> Speaker:
    """Speak as `/price` does: stamps from start to end, the end included."""

    def speak(asked: Asked) -> Told:
        start, end = _asked_span(asked)
        kept = {when: value for when, value in values.items() if start <= when <= end}
        return in_json(
            {
                "license_info": LICENCE,
                "unix_seconds": [int(when.timestamp()) for when in kept],
                "price": list(kept.values()),
                "unit": unit,
                "deprecated": False,
            }
        )

    return speak


def power_charts(kinds: Mapping[str, Values]) -> Speaker:
    """Speak as `/public_power` does; each kind has the same stamps."""

    def speak(asked: Asked) -> Told:
        start, end = _asked_span(asked)
        whens = [when for when in next(iter(kinds.values())) if start <= when <= end]
        return in_json(
            {
                "unix_seconds": [int(when.timestamp()) for when in whens],
                "production_types": [
                    {"name": name, "data": [values[when] for when in whens]}
                    for name, values in kinds.items()
                ],
                "deprecated": False,
            }
        )

    return speak


# ---- ENTSO-E --------------------------------------------------------------------------------


def time_series(
    start: datetime,
    points: Mapping[int, float],
    *,
    count: int,
    step: timedelta = HOUR,
    curve: str = "A03",
    sequence: int | None = 1,
    kind: str = "price",
    currency: str = "EUR",
    measure: str = "MWH",
    domain: str = "inBiddingZone_Domain.mRID",
) -> str:
    """Write one TimeSeries of one Period with the named positions."""
    element = "price.amount" if kind == "price" else "quantity"
    place = (
        ""
        if sequence is None
        else "<classificationSequence_AttributeInstanceComponent.position>"
        f"{sequence}</classificationSequence_AttributeInstanceComponent.position>"
    )
    units = (
        f"<currency_Unit.name>{currency}</currency_Unit.name>"
        f"<price_Measure_Unit.name>{measure}</price_Measure_Unit.name>"
        if kind == "price"
        else f'<{domain} codingScheme="A01">10Y1001A1001A82H</{domain}>'
        f"<quantity_Measure_Unit.name>{measure}</quantity_Measure_Unit.name>"
    )
    told = "".join(
        f"<Point><position>{position}</position><{element}>{value}</{element}></Point>"
        for position, value in points.items()
    )
    minutes = int(step.total_seconds() // 60)
    return (
        f"<TimeSeries><mRID>1</mRID><businessType>A62</businessType>{place}{units}"
        f"<curveType>{curve}</curveType><Period><timeInterval><start>{start:%Y-%m-%dT%H:%MZ}"
        f"</start><end>{start + count * step:%Y-%m-%dT%H:%MZ}</end></timeInterval>"
        f"<resolution>PT{minutes}M</resolution>{told}</Period></TimeSeries>"
    )


def document(*series: str, root: str = "Publication_MarketDocument", revision: int = 1) -> Told:
    """Write a document around them."""
    return in_xml(
        f'<{root} xmlns="urn:iec62325.351:tc57wg16:451-3:publicationdocument:7:3">'
        f"<mRID>0f</mRID><revisionNumber>{revision}</revisionNumber><type>A44</type>"
        f"<createdDateTime>2026-03-01T12:00:00Z</createdDateTime>{''.join(series)}</{root}>"
    )


def in_xml(text: str, *, status: int = 200) -> Told:
    return Told(
        f'<?xml version="1.0" encoding="utf-8"?>\n{text}'.encode(),
        status=status,
        headers={"Content-Type": "text/xml"},
    )


def no_data(*, text: str = "No matching data found for Data item", status: int = 200) -> Told:
    name = "Acknowledgement_MarketDocument"
    return in_xml(
        f'<{name} xmlns="urn:iec62325.351:tc57wg16:451-1:acknowledgementdocument:7:0"><mRID>0f'
        f"</mRID><Reason><code>999</code><text>{text}</text></Reason></{name}>",
        status=status,
    )


def entsoe(tell: Callable[[Asked, datetime, datetime], Told]) -> Speaker:
    """Speak as the platform does: a token, a span of a year at most, then the document."""

    def speak(asked: Asked) -> Told:
        if asked.query.get("securityToken") != "sesame":
            return in_xml("<Acknowledgement_MarketDocument/>", status=401)
        start, end = (
            datetime.strptime(asked.query[name], "%Y%m%d%H%M").replace(tzinfo=UTC)
            for name in ("periodStart", "periodEnd")
        )
        if end - start > timedelta(days=366):
            return no_data(text="The amount of requested data exceeds allowed limit", status=400)
        return tell(asked, start, end)

    return speak
