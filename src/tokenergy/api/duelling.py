"""The duel of two companies of one's own: what a power book is worth against a rival's."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tokenergy.api.opened import OpenCompany, Progress
from tokenergy.api.table import to_html, to_polars
from tokenergy.thesis.duel import duel as fought
from tokenergy.thesis.duel_gap import Duel, DuelPath, GapParts, Rule

if TYPE_CHECKING:
    import polars as pl

LEVERS: Mapping[str, str] = {
    "megawatts": "its megawatts decide, not its price of a kWh",
    "kwh": "its price of a kWh decides, not its megawatts",
    "neither": "the power book decides nothing",
}


@dataclass(frozen=True, kw_only=True, eq=False)
class Fought:
    """A duel of two company files.

    Attributes:
        own: heading of the company whose power book is on trial.
        rival: heading of the one that waits for its megawatts.
        duel: month by month, by the rival's delay, and split by what made the gap.
    """

    own: Mapping[str, Any]
    rival: Mapping[str, Any]
    duel: Duel

    def __str__(self) -> str:
        """Say in sentences what the duel comes to."""
        return "\n".join(self.lines())

    def to_dict(self) -> dict[str, Any]:
        """Return the duel as one JSON-ready object; keys carry units."""
        return {"own": self.own, "rival": self.rival, "answer": list(self.lines())} | (
            self.duel.to_dict()
        )

    def to_polars(self) -> "pl.DataFrame":
        """Return one row per month as a polars frame."""
        return to_polars(self._rows())

    def _repr_html_(self) -> str:
        return to_html(self._rows(), f"{self.own['company']} against {self.rival['company']}")

    def _rows(self) -> list[dict[str, Any]]:
        return [month.to_dict() for month in self.duel.path.months]

    def lines(self) -> Iterator[str]:
        """Yield which lever decides, the gap under both price rules, and when the moat closes."""
        path, currency = self.duel.path, self.own["currency"]
        names = f"{self.own['company']} against {self.rival['company']}"
        yield (
            f"{names}: {LEVERS[self.duel.stated_parts.decides]}. The rival waits "
            f"{path.delay_months:g} months and is short of megawatts in {path.short_count} of "
            f"{len(path.months)}."
        )
        yield _gap_line("At the price of the files", path, "stated", currency)
        yield _parts_line(self.duel.stated_parts, currency)
        yield (
            _gap_line("Were a token sold at the higher full cost", path, "cost", currency)
            + " There the dearer company earns 0 by construction, and what it cannot make costs "
            "it nothing."
        )
        if self.duel.missing:
            yield f"Not stated in a file, so in no figure: {', '.join(self.duel.missing)}."


def duel(own: OpenCompany, rival: OpenCompany, *, on_progress: Progress | None = None) -> Fought:
    """Fight a duel between two companies that differ in nothing but power.

    Both need `growth`, with the same path of users; the rival waits `growth.lead_time_months`,
    or until its sites are energised.

    Args:
        own: the company whose power book is on trial.
        rival: the company that it is held against.
        on_progress: told of the paths that are done.

    Raises:
        InputError: naming everything in which the two differ beside power.
    """

    def told(done: int, of: int) -> None:
        if on_progress is not None:
            on_progress("duel", done, of)

    return Fought(
        own=own.heading(), rival=rival.heading(), duel=fought(own.world, rival.world, told=told)
    )


def _gap_line(where: str, path: DuelPath, rule: Rule, currency: str) -> str:
    closes = path.closes_month(rule)
    end = "the moat never closes" if closes is None else f"the moat closes in month {closes}"
    return (
        f"{where} the margin gap is {path.before_usd(rule):z,.0f} {currency} before the rival's "
        f"megawatts arrive and {path.total_usd(rule) - path.before_usd(rule):z,.0f} after; {end}."
    )


def _parts_line(parts: GapParts, currency: str) -> str:
    return (
        f"Of it {parts.megawatts_usd:z,.0f} {currency} are from having megawatts, "
        f"{parts.kwh_usd:z,.0f} from cheaper kWh, {parts.interaction_usd:z,.0f} from both together."
    )
