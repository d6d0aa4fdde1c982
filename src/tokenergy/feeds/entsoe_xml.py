"""The market documents of the ENTSO-E Transparency Platform, as intervals.

A document holds TimeSeries, each of Periods, each of Points `position` and `price.amount` or
`quantity`. Under `curveType` A03 a point that equals the one before is left out; under A01 a
point that is not there is missing. `Acknowledgement_MarketDocument` with reason 999 means that
there is nothing for the query. Source: the platform's API guide (IEC 62325-451-3 and -6) and the
element names that open clients read.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Final
from xml.etree import ElementTree

from tokenergy.company.refusal import refuse
from tokenergy.feeds.answer import Answer
from tokenergy.feeds.answer_shape import moment, number
from tokenergy.feeds.series import FeedRow

RESOLUTIONS: Final = {
    "PT1M": timedelta(minutes=1),
    "PT5M": timedelta(minutes=5),
    "PT15M": timedelta(minutes=15),
    "PT30M": timedelta(minutes=30),
    "PT60M": timedelta(minutes=60),
    "PT1H": timedelta(minutes=60),
}
ACKNOWLEDGEMENT: Final = "Acknowledgement_MarketDocument"
NO_DATA: Final = "999"
NO_MATCH: Final = "no matching data"
SEQUENCE: Final = "classificationSequence_AttributeInstanceComponent.position"
REPEATS: Final = "A03"
POINTS_LIMIT_COUNT: Final = 60 * 24 * 400
"""Most intervals of one period: more is no span that we ask for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """One TimeSeries.

    Attributes:
        sequence: which auction of the day it is of; 1 is the coupled day-ahead market, None is
            a zone with one auction.
        currency, measure: as the document writes them, e.g. `EUR` and `MWH` or `MAW`.
        consumes: whether the values are what a zone takes, not what it makes.
    """

    sequence: int | None
    currency: str
    measure: str
    consumes: bool
    rows: tuple[FeedRow, ...]


def series_in(answer: Answer) -> list[Told]:
    """Return every TimeSeries of a document; none where the platform has no matching data.

    Raises:
        FindingsError: FEED_NOT_XML, FEED_REFUSED (an acknowledgement of another reason),
            FEED_SHAPE, FEED_STEP, FEED_BAD_STAMP, FEED_NOT_A_NUMBER.
    """
    root = root_of(answer.text(), path=answer.url, content_type=answer.content_type)
    if _local(root) == ACKNOWLEDGEMENT:
        code, text = reason_of(root)
        if code != NO_DATA or NO_MATCH not in text.lower():
            refuse(
                "FEED_REFUSED",
                path=answer.url,
                value=code,
                reason=f"the platform refuses: {text[:200]}",
                remedy="Check the zone and the span",
            )
        return []
    revision = _whole(_text(root, "revisionNumber") or "1", path=f"{answer.url} revisionNumber")
    held = [child for child in root if _local(child) == "TimeSeries"]
    if not held:
        refuse(
            "FEED_SHAPE",
            path=answer.url,
            value=_local(root)[:80],
            limit="TimeSeries",
            reason="the document holds no time series",
            remedy="Check the address; the platform may have changed its answers",
        )
    return [
        _told(element, revision=revision, path=f"{answer.url} TimeSeries[{at}]")
        for at, element in enumerate(held)
    ]


def root_of(text: str, *, path: str, content_type: str) -> ElementTree.Element:
    """Return the root of a document, which may declare no types and no entities.

    Raises:
        FindingsError: FEED_NOT_XML.
    """
    told = ""
    if "<!DOCTYPE" in text or "<!ENTITY" in text:
        page = "html" in text[:200].lower()
        told = "an HTML page" if page else "XML that declares its own entities, which is not read"
    else:
        try:
            return ElementTree.fromstring(text)
        except (ElementTree.ParseError, ValueError):
            told = "no XML, or half of it"
    refuse(
        "FEED_NOT_XML",
        path=path,
        value=" ".join(text[:80].split()),
        reason=f"the answer is {told} ({content_type or 'no content type'})",
        remedy="Check the address; a page often means a login, a proxy or a moved service",
    )


def reason_of(root: ElementTree.Element) -> tuple[str, str]:
    """Return code and text of an acknowledgement."""
    for element in root.iter():
        if _local(element) == "Reason":
            return _text(element, "code") or "", " ".join((_text(element, "text") or "").split())
    return "", "no reason"


def _told(element: ElementTree.Element, *, revision: int, path: str) -> Told:
    sequence = _text(element, SEQUENCE)
    repeats = _text(element, "curveType") == REPEATS
    rows: list[FeedRow] = []
    for at, period in enumerate(child for child in element if _local(child) == "Period"):
        rows += _rows(period, repeats=repeats, revision=revision, path=f"{path} Period[{at}]")
    measure = _text(element, "price_Measure_Unit.name") or _text(
        element, "quantity_Measure_Unit.name"
    )
    return Told(
        sequence=None if sequence is None else _whole(sequence, path=f"{path} {SEQUENCE}"),
        currency=_text(element, "currency_Unit.name") or "",
        measure=measure or "",
        consumes=_text(element, "outBiddingZone_Domain.mRID") is not None,
        rows=tuple(rows),
    )


def _rows(
    period: ElementTree.Element, *, repeats: bool, revision: int, path: str
) -> Iterator[FeedRow]:
    """Yield the intervals of a period."""
    span = next((child for child in period if _local(child) == "timeInterval"), period)
    start = moment(_text(span, "start"), path=f"{path} start")
    end = moment(_text(span, "end"), path=f"{path} end")
    resolution = _text(period, "resolution") or ""
    step = RESOLUTIONS.get(resolution)
    if step is None:
        refuse(
            "FEED_STEP",
            path=f"{path} resolution",
            value=resolution[:20],
            limit=", ".join(RESOLUTIONS),
            reason="the document has a length of interval that we do not read",
            remedy="Ask for another quantity or span",
        )
    count = (end - start) // step
    if not 0 < count <= POINTS_LIMIT_COUNT or start + count * step != end:
        refuse(
            "FEED_SHAPE",
            path=path,
            value=f"{start.isoformat()} to {end.isoformat()}",
            limit=resolution,
            reason="the period is no whole number of its intervals",
            remedy="Ask again; if it stays, the platform has changed its answers",
        )
    points = sorted(_points(period, count=count, path=path), key=lambda point: point[0])
    for at, (position, value) in enumerate(points):
        after = points[at + 1][0] if at + 1 < len(points) else count + 1
        for place in range(position, max(after, position + 1) if repeats else position + 1):
            begin = start + (place - 1) * step
            yield FeedRow(start=begin, step=step, value=value, revision=revision)


def _points(
    period: ElementTree.Element, *, count: int, path: str
) -> Iterator[tuple[int, float | None]]:
    for at, point in enumerate(child for child in period if _local(child) == "Point"):
        where = f"{path} Point[{at}]"
        position = _whole(_text(point, "position") or "", path=f"{where} position")
        if not 1 <= position <= count:
            refuse(
                "FEED_SHAPE",
                path=f"{where} position",
                value=f"{position}",
                limit=f"1 to {count}",
                reason="a point lies outside its period",
                remedy="Ask again; if it stays, the platform has changed its answers",
            )
        value = _text(point, "price.amount")
        yield position, number(_text(point, "quantity") if value is None else value, path=where)


def _whole(text: str, *, path: str) -> int:
    if not text.isascii() or not text.isdigit() or len(text) > 9:
        refuse(
            "FEED_SHAPE",
            path=path,
            value=text[:40],
            reason="the document has something else where a whole number should stand",
            remedy="Ask again; if it stays, the platform has changed its answers",
        )
    return int(text)


def _text(element: ElementTree.Element, name: str) -> str | None:
    for child in element:
        if _local(child) == name and child.text is not None:
            return child.text.strip()
    return None


def _local(element: ElementTree.Element) -> str:
    """Return the name without its namespace: versions of the schema differ in nothing else."""
    return element.tag.rpartition("}")[2]
