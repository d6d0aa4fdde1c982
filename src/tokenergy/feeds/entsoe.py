"""European day-ahead prices, wind, sun and load, from the ENTSO-E Transparency Platform.

A zone is a name of `catalogue/bidding_zones.csv` (`DE-LU`, `FR`, `NO2`) or an EIC code. Of a day
with several auctions only the coupled day-ahead market counts (sequence 1): the others, such as
EXAA's, come earlier in the day and are other prices.
"""

import csv
import re
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from functools import cache
from importlib.resources import files
from types import MappingProxyType
from typing import Final

from tokenergy.company.finding import Finding
from tokenergy.company.noun import nearest_names
from tokenergy.company.refusal import refuse
from tokenergy.feeds.answer import Answer
from tokenergy.feeds.entsoe_xml import NO_MATCH, Told, series_in
from tokenergy.feeds.http import Http, Refused, Secret
from tokenergy.feeds.kept import Described, series_of
from tokenergy.feeds.laid import HOUR, check_unit, pieces
from tokenergy.feeds.series import Ask, FeedQuantity, FeedRow, FeedSeries, check_quantity

TABLE: Final = "bidding_zones.csv"
SPAN_LIMIT: Final = timedelta(days=365)
"""The platform answers at most a year at once."""
COUPLED: Final = 1
EIC: Final = re.compile(r"\d{2}[XYZTWV][0-9A-Z-]{13}")
TYPES: Final[Mapping[str, tuple[str, ...]]] = MappingProxyType(
    {"wind": ("B18", "B19"), "solar": ("B16",)}
)
"""Production types: B16 solar, B18 wind offshore, B19 wind onshore."""
EXPECTED: Final[Mapping[str, str]] = MappingProxyType(
    {"day_ahead_price": "EUR/MWH", "wind": "MAW", "solar": "MAW", "load": "MAW"}
)


@cache
def load_zones() -> Mapping[str, str]:
    """Return the EIC code of each known zone; read once per process."""
    text = (files("tokenergy") / "catalogue" / TABLE).read_text(encoding="utf-8")
    return MappingProxyType({row["zone"]: row["eic"] for row in csv.DictReader(text.splitlines())})


def eic_of(zone: str) -> str:
    """Return the code of a zone, or the zone itself if it is one.

    Raises:
        FindingsError: FEED_UNKNOWN_ZONE.
    """
    known = load_zones()
    name = zone.upper().replace("_", "-")
    if name in known:
        return known[name]
    if EIC.fullmatch(zone):
        return zone
    near = ", ".join(nearest_names(zone, known)) or "none"
    refuse(
        "FEED_UNKNOWN_ZONE",
        path="zone",
        value=zone,
        reason="entsoe knows no such zone by name",
        remedy=f"Nearest: {near}; or write the EIC code of the bidding zone",
    )


class Entsoe:
    """Day-ahead prices in EUR/MWh, and actual wind, solar and load in MW, of bidding zones."""

    name: str = "entsoe"
    quantities: tuple[FeedQuantity, ...] = ("day_ahead_price", "wind", "solar", "load")

    def __init__(
        self,
        http: Http,
        *,
        base_url: str = "https://web-api.tp.entsoe.eu/api",
        key: str | None = None,
    ) -> None:
        """Keep the door and the key; nothing is asked yet."""
        self._http = http
        self._base_url = base_url.rstrip("/")
        self._key = key

    def fetch(self, ask: Ask) -> FeedSeries:
        """Return the series of a zone, in its native step.

        Raises:
            InputError: without a key, for an unknown zone, for values in another unit, or if
                the platform cannot be read.
        """
        check_quantity(ask.quantity, feed=self.name, known=self.quantities)
        if not self._key:
            refuse(
                "FEED_NO_KEY",
                path=self.name,
                reason="the Transparency Platform answers only with a security token",
                remedy="Ask the platform for one, and set ENTSOE_API_KEY in the environment",
            )
        eic = eic_of(ask.zone)
        secret = Secret("param", "securityToken", self._key)
        answers: list[Answer] = []
        findings: list[Finding] = []
        rows: list[FeedRow] = []
        if ask.quantity == "wind" or ask.quantity == "solar":
            rows = self._power(ask, eic, secret, answers)
        else:
            told = self._told(_params(ask.quantity, eic), ask, secret, answers)
            rows, findings = chosen(told, ask)
        price = ask.quantity == "day_ahead_price"
        return series_of(
            ask,
            Described(
                feed=self.name,
                unit="EUR/MWh" if price else "MW",
                column="day_ahead_price_eur_per_mwh" if price else f"{ask.quantity}_mw",
                source=f"ENTSO-E Transparency Platform, {ask.quantity} of {ask.zone} ({eic}): "
                f"{self._base_url}",
                step=rows[0].step if rows else HOUR,
            ),
            rows=rows,
            answers=answers,
            findings=findings,
        )

    def _power(self, ask: Ask, eic: str, secret: Secret, answers: list[Answer]) -> list[FeedRow]:
        """Read one production type after the other and add them up."""
        found: list[list[FeedRow]] = []
        for kind in TYPES[ask.quantity]:
            params = _params(ask.quantity, eic) | {"psrType": kind}
            told = [one for one in self._told(params, ask, secret, answers) if not one.consumes]
            rows, _ = chosen(told, ask)
            if rows:
                found.append(rows)
        return added(found)

    def _told(
        self, params: Mapping[str, str], ask: Ask, secret: Secret, answers: list[Answer]
    ) -> list[Told]:
        """Read a span in pieces of a year at most; a piece without data is empty."""
        told: list[Told] = []
        for start, end in pieces(ask.start, ask.end, limit=SPAN_LIMIT):
            span = {"periodStart": _stamp(start), "periodEnd": _stamp(end)}
            try:
                answer = self._http.get(
                    self._base_url, params={**params, **span}, secret=secret, accept="*/*"
                )
            except Refused as refused:
                # Older parts of the platform say "nothing here" with status 400.
                if NO_MATCH.encode() not in refused.body.lower():
                    raise
                continue
            answers.append(answer)
            # The platform gives whole days; what lies outside the piece belongs to the next one.
            told += [_cut(one, start=start, end=end) for one in series_in(answer)]
        return told


def chosen(told: list[Told], ask: Ask) -> tuple[list[FeedRow], list[Finding]]:
    """Return the intervals of the coupled market, in the unit that the column will say.

    Raises:
        FindingsError: FEED_UNIT.
    """
    path = f"entsoe {ask.zone} {ask.quantity}"
    kept = [one for one in told if one.sequence in (None, COUPLED)]
    for one in kept:
        unit = f"{one.currency}/{one.measure}" if one.currency else one.measure
        check_unit(unit, expected=EXPECTED[ask.quantity], path=path)
    rows = [row for one in kept for row in one.rows]
    left = sorted({one.sequence for one in told if one.sequence not in (None, COUPLED)}, key=str)
    if not left:
        return rows, []
    finding = Finding(
        code="FEED_OTHER_AUCTION",
        path=path,
        value=", ".join(map(str, left)),
        limit=f"{COUPLED}",
        reason="the platform gives prices of other auctions of these days too; only the coupled "
        "day-ahead market (sequence 1) is kept",
        remedy="No need, unless you buy in the other auction",
        severity="warning",
    )
    return rows, [finding]


def added(found: list[list[FeedRow]]) -> list[FeedRow]:
    """Return the sum of several types; an interval that one of them lacks has no value."""
    if len(found) < 2:
        return found[0] if found else []
    by_type = [{(row.start, row.step): row for row in rows} for rows in found]
    sums: list[FeedRow] = []
    for start, step in sorted(set().union(*by_type)):
        parts = [rows.get((start, step)) for rows in by_type]
        values = [None if part is None else part.value for part in parts]
        known = [value for value in values if value is not None]
        revisions = [part.revision for part in parts if part is not None and part.revision]
        sums.append(
            FeedRow(
                start=start,
                step=step,
                value=sum(known) if len(known) == len(values) else None,
                revision=max(revisions, default=None),
            )
        )
    return sums


def _cut(told: Told, *, start: datetime, end: datetime) -> Told:
    return replace(told, rows=tuple(row for row in told.rows if start <= row.start < end))


def _params(quantity: FeedQuantity, eic: str) -> dict[str, str]:
    match quantity:
        case "day_ahead_price":
            return {
                "documentType": "A44",
                "contract_MarketAgreement.type": "A01",
                "in_Domain": eic,
                "out_Domain": eic,
            }
        case "load":
            return {"documentType": "A65", "processType": "A16", "outBiddingZone_Domain": eic}
        case _:
            return {"documentType": "A75", "processType": "A16", "in_Domain": eic}


def _stamp(moment: datetime) -> str:
    return f"{moment:%Y%m%d%H%M}"
