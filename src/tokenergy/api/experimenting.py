"""The essay's claims, run: fourteen experiments, each with its number, threshold and verdict."""

from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from threading import Event
from typing import TYPE_CHECKING, Any

from tokenergy.api.opened import Progress
from tokenergy.api.table import to_html, to_polars
from tokenergy.company.finding import Finding
from tokenergy.company.preset import VERIFIED, Range
from tokenergy.economics.unit_cost import NOT_MATERIAL_SHARE
from tokenergy.errors import InputError
from tokenergy.files.catalogue import load_catalogue
from tokenergy.files.hourly_prices import read_hourly_prices, synthetic_hourly_prices
from tokenergy.files.presets import load_presets, load_ranges
from tokenergy.files.synthetic_zones import load_zones
from tokenergy.thesis.inputs import HourlyPrices, ThesisInputs
from tokenergy.thesis.result import Result

if TYPE_CHECKING:
    import polars as pl

SIDE_BY_SIDE_COUNT = 2
"""Experiments at once: the solver and numpy let go of the interpreter."""
LEVERS = "T4"
RARE_SHARE = 0.5
"""A claim that holds here, and in a smaller share of the draws than this, is told so."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Thesis:
    """What the experiments answered, and on which prices.

    Attributes:
        prices: hourly prices that T7 and T14 read.
        seed: of everything drawn.
        warnings: what a reader must know about the inputs.
        results: in the order of the essay.
    """

    prices: HourlyPrices
    seed: int
    warnings: tuple[Finding, ...]
    results: tuple[Result, ...]

    def __str__(self) -> str:
        """Say in sentences what was found."""
        return "\n".join(self.lines())

    @property
    def holds_count(self) -> int:
        """How many of the claims hold."""
        return sum(result.verdict == "PASS" for result in self.results)

    @property
    def fails_count(self) -> int:
        """How many of the claims do not hold."""
        return sum(result.verdict == "FAIL" for result in self.results)

    @property
    def synthetic(self) -> tuple[str, ...]:
        """Zones whose prices a seeded generator made."""
        return tuple(self.prices.usd_per_mwh) if self.prices.synthetic else ()

    def findings(self) -> Iterator[tuple[str, Mapping[str, Any]]]:
        """Yield (id, finding) of the experiments, less what `warnings` and the heading say."""
        said = {(finding.code, finding.path) for finding in self.warnings}
        for result in self.results:
            for finding in result.findings:
                told = self.synthetic and finding["code"] == "SYNTHETIC_PRICES"
                if not told and (finding["code"], finding["path"]) not in said:
                    yield result.id, finding

    def result(self, id: str) -> Result | None:
        """Return the result of an experiment, None if it was not run."""
        return next((result for result in self.results if result.id == id), None)

    def to_dict(self) -> dict[str, Any]:
        """Return everything as one JSON-ready object; keys carry units."""
        return {
            "synthetic": list(self.synthetic),
            "prices_source": self.prices.source,
            "zones": list(self.prices.usd_per_mwh),
            "hours_count": self.prices.hours_count,
            "seed": self.seed,
            "warnings": [finding.to_dict() for finding in self.warnings],
            "experiments_count": len(self.results),
            "holds_count": self.holds_count,
            "fails_count": self.fails_count,
            "summary": list(self.lines()),
            "results": [result.to_dict() for result in self.results],
        }

    def to_polars(self) -> "pl.DataFrame":
        """Return one row per experiment as a polars frame."""
        return to_polars(self._rows())

    def _repr_html_(self) -> str:
        synthetic = "SYNTHETIC prices: " if self.synthetic else ""
        return to_html(self._rows(), f"{synthetic}{self.holds_count} of {len(self.results)} hold")

    def _rows(self) -> list[dict[str, Any]]:
        names = ("id", "claim", "label", "number", "unit", "threshold", "verdict")
        more = ("holds_share", "draws_count", "says")
        return [
            {name: getattr(result, name) for name in (*names, *more)} for result in self.results
        ]

    def lines(self) -> Iterator[str]:
        """Yield what it all comes to: the small part that power's price is, first."""
        if self.synthetic:
            yield (
                f"Prices are SYNTHETIC (seed {self.seed}): what rests on them is a sensitivity, "
                "not evidence; give real ones with --prices."
            )
        levers = self.result(LEVERS)
        if levers is not None:
            yield _energy_line(levers)
        yield self._tally()

    def _tally(self) -> str:
        """Count the answers, and name those that are no."""
        text = f"{self.holds_count} of {len(self.results)} hold"
        for word, verdict in (("do not", "FAIL"), ("cannot be told yet", "NOT_APPLICABLE")):
            ids = [result.id for result in self.results if result.verdict == verdict]
            if ids:
                text += f"; {len(ids)} {word}: {', '.join(ids)}"
        rare = ", ".join(result.id for result in self.results if rarely(result))
        return f"{text}. In fewer than half of the draws: {rare}." if rare else f"{text}."


def rarely(result: Result) -> bool:
    """Tell whether a claim holds for the base values, but not in most of the draws."""
    share = result.holds_share
    return result.verdict == "PASS" and share is not None and share < RARE_SHARE


def _energy_line(levers: Result) -> str:
    """Say how small a part the price of power is, and what megawatts are worth where they bind."""
    gpu, draws, rent = (levers.figures[name] for name in ("gpu", "draws", "rent"))
    word = "a small" if gpu["kwh_share"] < NOT_MATERIAL_SHARE else "a material"
    return (
        f"The price of power alone is {word} part of a token's full cost: kWh "
        f"{gpu['kwh_share']:.1%} ({draws['kwh_share_p5']:.1%} to {draws['kwh_share_p95']:.1%} in "
        f"nine of ten draws), powered capacity {gpu['powered_capacity_share']:.1%}, silicon "
        f"{gpu['silicon_share']:.1%}; unless megawatts bind: then one more reserved MWh is worth "
        f"{rent['reserved_usd_per_mwh']:,.0f} USD at a token price of "
        f"{levers.figures['price_usd_per_mtok']:.2f} USD/Mtok, against a price of "
        f"{rent['power_usd_per_mwh']:,.0f}."
    )


def thesis(
    *,
    prices: str | Path | None = None,
    zones: Sequence[str] = (),
    usd_per_unit: Mapping[str, float] | None = None,
    only: Sequence[str] = (),
    seed: int = 1,
    on_progress: Progress | None = None,
) -> Thesis:
    """Run the experiments of the essay and hold each against its threshold.

    Args:
        prices: a CSV (gzipped too) or Parquet table of hourly prices, with a column `utc` and
            one column by zone; None: a seeded synthetic year, and then nothing on it is evidence.
        zones: columns to take; empty: all that are in USD by name or have a rate.
        usd_per_unit: USD per unit of a column's currency, by column: there is no hidden rate.
        only: ids such as `T4`; empty: all.
        seed: of the synthetic prices and of everything drawn.
        on_progress: told of what is done.

    Raises:
        FindingsError: with everything that keeps the prices from being read.
        UnknownName: for ids that nobody knows, all at once.
        InputError: for a negative seed, or zones or rates without a file.
    """
    from tokenergy.thesis.experiments import chosen  # no other verb waits for fourteen modules

    ids = chosen(only)
    if seed < 0:
        raise InputError(f"the seed is 0 or more, not {seed}")
    if prices is None and (zones or usd_per_unit):
        raise InputError("zones and rates are columns of a table of prices: name it (--prices)")
    warnings: tuple[Finding, ...] = ()
    if prices is None:
        held = synthetic_hourly_prices(seed)
    else:
        read = read_hourly_prices(Path(prices), zones=zones, usd_per_unit=usd_per_unit)
        held, warnings = read.prices, read.warnings
    ranges = load_ranges()
    inputs = ThesisInputs(
        catalogue=load_catalogue(),
        presets=load_presets(),
        ranges=ranges,
        prices=held,
        seed=seed,
        climates=load_zones(),
    )
    return Thesis(
        prices=held,
        seed=seed,
        warnings=(*warnings, *_unverified(ranges)),
        results=_results(ids, inputs, on_progress),
    )


def _unverified(ranges: Mapping[str, Range]) -> Iterator[Finding]:
    """Yield one warning for all ranges that nobody has checked against their source."""
    names = [name for name, held in ranges.items() if held.status not in VERIFIED]
    if names:
        yield Finding(
            code="PRESET_UNVERIFIED",
            path="catalogue.ranges",
            value=", ".join(names),
            reason=f"{len(names)} of the {len(ranges)} ranges that base values and draws are taken "
            "from are not checked against their sources",
            remedy="Read the shares of draws as what they are: how far a claim hangs on its inputs",
            severity="warning",
        )


def _results(
    ids: Sequence[str], inputs: ThesisInputs, on_progress: Progress | None
) -> tuple[Result, ...]:
    """Run experiments side by side; they share nothing that changes.

    What stops one of them, or the caller's Ctrl-C, stops all at what they tell next.
    """
    from tokenergy.thesis.experiments import run_one

    pool, stop = ThreadPoolExecutor(SIDE_BY_SIDE_COUNT), Event()

    def heard(id: str, done: int, of: int) -> None:
        if stop.is_set():
            raise _Stopped
        if on_progress is not None:
            on_progress(id, done, of)

    try:
        waiting = [pool.submit(run_one, id, inputs, heard) for id in ids]
        return tuple(result.result() for result in waiting)
    finally:
        stop.set()
        pool.shutdown(wait=False, cancel_futures=True)


class _Stopped(Exception):
    """Ends an experiment whose result nobody waits for any more."""
