"""T4, cost per token is won by energy: which lever is first, and where does power stand?

Economics sheet, sections 1 and 9, twice.

Megawatts free: every lever moved by a half either way; the metric is the full cost of a token.
Watts are moved at fixed throughput in a building that stands, so that they and the price of
power are one number (cost = price x J/token) and "last" means tied last with watts.

Megawatts bound: the connection carries a part of what is asked for, and as many GPUs as its
nameplate has room for. The metric is the contribution margin of a year: revenue less power,
which is what one more Mtok costs once GPUs and building are there; the margin after capital is
told beside it. Tokens of a year, with `k` kW at the meter and `m` Mtok a year by GPU, are
`min(asked, MW x 1000 / k x m)`. By contribution margin this half is arithmetic wherever a token
sells for more than its power: that it holds in all draws says no more than that.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields, replace
from typing import Any, Final

import numpy as np

from tokenergy.company.preset import Range
from tokenergy.economics.gpu_cost import Basis, GpuCost
from tokenergy.economics.levers import (
    POWER_PRICE,
    THROUGHPUT,
    UTILISATION,
    WATTS,
    Lever,
    gpu_ends,
    gpu_levers,
    lever,
    stronger_count,
    tornado,
    weaker_count,
)
from tokenergy.thesis.draws import drawn, unverified
from tokenergy.thesis.inputs import ThesisInputs
from tokenergy.thesis.result import Result, Told, hash_of, verdict_of
from tokenergy.thesis.thresholds import DRAWS_COUNT, LEVER_SHARE, MW_BOUND_SHARE

MEGAWATTS: Final = "megawatts"
BASES: Final[tuple[Basis, ...]] = ("reserved", "consumed")
PER_MW: Final = (THROUGHPUT, WATTS, MEGAWATTS)
"""Tokens per second and watt, from either side, and the megawatts themselves."""

NEEDED_MW: Final = 100.0
"""Nameplate at the meter that all demand would need: only sets the size of the figures."""

GPU_NAMES: Final = tuple(field.name for field in fields(GpuCost))
PRICE_NAME: Final = "token_price_usd_per_mtok"
DRAWN: Final = (*GPU_NAMES, PRICE_NAME)


@dataclass(frozen=True, slots=True, kw_only=True)
class Bound:
    """A GPU company that could sell more tokens than its megawatts make.

    Attributes:
        gpu: one of its GPUs.
        available_mw: nameplate that the connection carries, at the meter.
        asked_mtok: what would be bought in a year.
        price_usd_per_mtok: what a Mtok sells for.
    """

    gpu: GpuCost
    available_mw: float
    asked_mtok: float
    price_usd_per_mtok: float

    @property
    def served_mtok(self) -> float:
        """Tokens of a year: what is asked for, or what the megawatts make."""
        return min(self.asked_mtok, self.gpu.gpus_on(self.available_mw) * self.gpu.mtok_per_year)

    @property
    def contribution_usd_per_year(self) -> float:
        """Revenue less power."""
        return self.served_mtok * (self.price_usd_per_mtok - self.gpu.energy_usd_per_mtok)

    @property
    def margin_usd_per_year(self) -> float:
        """Revenue less full cost, of as many GPUs as have work."""
        return self.served_mtok * (self.price_usd_per_mtok - self.gpu.usd_per_mtok())


def bound_at(gpu: GpuCost, *, price_usd_per_mtok: float) -> Bound:
    """Return the company whose connection carries a part of what is asked for."""
    return Bound(
        gpu=gpu,
        available_mw=MW_BOUND_SHARE * NEEDED_MW,
        asked_mtok=gpu.gpus_on(NEEDED_MW) * gpu.mtok_per_year,
        price_usd_per_mtok=price_usd_per_mtok,
    )


def bound_levers(bound: Bound, *, after_capital: bool = False) -> tuple[Lever, ...]:
    """Return the levers on the margin of a year, per Mtok asked for, the strongest first.

    Args:
        bound: the company as it stands.
        after_capital: take the margin after GPUs and building, not the contribution margin.
    """
    ends = {
        name: tuple(replace(bound, gpu=gpu) for gpu in pair)
        for name, pair in gpu_ends(bound.gpu, move_share=LEVER_SHARE).items()
    }
    ends[MEGAWATTS] = tuple(
        replace(bound, available_mw=bound.available_mw * ratio)
        for ratio in (1.0 - LEVER_SHARE, 1.0 + LEVER_SHARE)
    )

    def margin_usd(of: Bound) -> float:
        usd = of.margin_usd_per_year if after_capital else of.contribution_usd_per_year
        return usd / bound.asked_mtok

    return tornado(
        lever(
            name,
            low_usd_per_mtok=margin_usd(low),
            base_usd_per_mtok=margin_usd(bound),
            high_usd_per_mtok=margin_usd(high),
            move_share=LEVER_SHARE,
            metric="margin",
            capped=name == UTILISATION
            and bound.gpu.utilisation_share * (1.0 + LEVER_SHARE) > high.gpu.utilisation_share,
        )
        for name, (low, high) in ends.items()
    )


def price_is_last(levers: tuple[Lever, ...]) -> bool:
    """Return whether no lever moves less than the price of power does."""
    return weaker_count(levers, POWER_PRICE) == 0


def per_mw_is_first(bound: Bound, *, after_capital: bool = False) -> bool:
    """Return whether tokens per watt, or megawatts, move a margin most that there is.

    Where tokens sell below their power, no megawatt is scarce.
    """
    levers = bound_levers(bound, after_capital=after_capital)
    earns = bound.price_usd_per_mtok > bound.gpu.energy_usd_per_mtok
    return earns and any(stronger_count(levers, name) == 0 for name in PER_MW)


def run(inputs: ThesisInputs, told: Told | None = None) -> Result:
    """Rank the levers with megawatts free and bound, at the base and over the ranges."""
    gpu, price = _base(inputs.ranges)
    free = gpu_levers(gpu, move_share=LEVER_SHARE)
    bound = bound_at(gpu, price_usd_per_mtok=price)
    contribution, margin = bound_levers(bound), bound_levers(bound, after_capital=True)
    last, first = price_is_last(free), per_mw_is_first(bound)
    held = _held(_drawn(inputs), told)
    return Result(
        id="T4",
        claim="cost per token is won by energy: by access to it, not by its price",
        label="sensitivity",
        number=float(weaker_count(free, POWER_PRICE)),
        unit="levers",
        threshold=(
            f"0 of {len(free)} levers move full cost less than the price of power where MW are "
            f"free, and tokens per watt or MW move contribution margin most where MW are bound "
            f"at {MW_BOUND_SHARE:.0%}"
        ),
        verdict=verdict_of(last and first),
        says=_says(free, contribution, gpu, price, held),
        holds_share=held["both_share"],
        draws_count=DRAWS_COUNT,
        inputs_hash=hash_of(
            {
                "ranges": {name: asdict(inputs.ranges[name]) for name in DRAWN},
                "seed": inputs.seed,
            }
        ),
        figures={
            "gpu": gpu.to_dict(),
            "price_usd_per_mtok": price,
            "free_holds": last,
            "free": _rows(free),
            "free_new_site": _rows(
                gpu_levers(gpu, move_share=LEVER_SHARE, facility_follows_watts=True)
            ),
            "bound_holds": first,
            "bound_after_capital_holds": per_mw_is_first(bound, after_capital=True),
            "needed_mw": NEEDED_MW,
            "available_mw": bound.available_mw,
            "bound": _rows(contribution, asked_mtok=bound.asked_mtok),
            "bound_after_capital": _rows(margin, asked_mtok=bound.asked_mtok),
            "rent": _rent(gpu, price),
            "draws": held,
        },
        findings=unverified(inputs.ranges, DRAWN),
    )


def _base(ranges: Mapping[str, Range]) -> tuple[GpuCost, float]:
    gpu = GpuCost(**{name: ranges[name].base_quantity for name in GPU_NAMES})
    return gpu, ranges[PRICE_NAME].base_quantity


def _drawn(inputs: ThesisInputs) -> tuple[tuple[GpuCost, float], ...]:
    """Return GPUs and token prices, each input drawn apart from the others."""
    random = np.random.default_rng([inputs.seed, 4])
    values = drawn(random, inputs.ranges, DRAWN, count=DRAWS_COUNT)
    columns = {name: column.tolist() for name, column in values.items()}
    prices = columns.pop(PRICE_NAME)
    rows = zip(*columns.values(), strict=True)
    gpus = (GpuCost(**dict(zip(columns, row, strict=True))) for row in rows)
    return tuple(zip(gpus, prices, strict=True))


def _held(cases: tuple[tuple[GpuCost, float], ...], told: Told | None) -> dict[str, Any]:
    """Return in how many draws each half holds, and what the price of power outdoes."""
    last, first, first_after = [], [], []
    outdone: dict[str, int] = {}
    for done, (gpu, price) in enumerate(cases):
        free = gpu_levers(gpu, move_share=LEVER_SHARE)
        bound = bound_at(gpu, price_usd_per_mtok=price)
        last.append(price_is_last(free))
        first.append(per_mw_is_first(bound))
        first_after.append(per_mw_is_first(bound, after_capital=True))
        for each in free:
            beaten = stronger_count(free, each.name) > stronger_count(free, POWER_PRICE)
            outdone[each.name] = outdone.get(each.name, 0) + beaten
        if told is not None:
            told(done + 1, len(cases))
    kwh = np.array([gpu.kwh_share for gpu, _ in cases])
    where = np.array(last)
    return {
        "both_share": float(np.mean(where & np.array(first))),
        "free_share": float(np.mean(where)),
        "bound_share": float(np.mean(first)),
        "bound_after_capital_share": float(np.mean(first_after)),
        "price_outdoes_share": {
            name: count / len(cases) for name, count in sorted(outdone.items()) if count
        },
        "kwh_share_p5": float(np.quantile(kwh, 0.05)),
        "kwh_share_p50": float(np.quantile(kwh, 0.5)),
        "kwh_share_p95": float(np.quantile(kwh, 0.95)),
        "kwh_share_where_last": float(kwh[where].mean()) if where.any() else None,
        "kwh_share_where_not_last": float(kwh[~where].mean()) if not where.all() else None,
    }


def _rows(levers: tuple[Lever, ...], *, asked_mtok: float | None = None) -> list[dict[str, Any]]:
    """Return the tornado as rows with ranks; with `asked_mtok`, in USD of a year too."""
    rows = []
    for each in levers:
        row = each.to_dict() | {"rank_count": 1 + stronger_count(levers, each.name)}
        if asked_mtok is not None:
            for end in ("low", "base", "high"):
                row[f"{end}_usd_per_year"] = row[f"{end}_usd_per_mtok"] * asked_mtok
        rows.append(row)
    return rows


def _rent(gpu: GpuCost, price_usd_per_mtok: float) -> dict[str, float]:
    """Return what one more MWh is worth where megawatts bind, beside what it costs."""
    margins = {
        "": price_usd_per_mtok - gpu.energy_usd_per_mtok,
        "_after_capital": price_usd_per_mtok - gpu.usd_per_mtok(),
    }
    told = {"power_usd_per_mwh": gpu.usd_per_mwh}
    for name, margin in margins.items():
        told[f"margin{name}_usd_per_mtok"] = margin
        for basis in BASES:
            rent = gpu.rent_usd_per_mwh(margin_usd_per_mtok=margin, basis=basis)
            told[f"{basis}{name}_usd_per_mwh"] = rent
    return told


def _says(
    free: tuple[Lever, ...],
    bound: tuple[Lever, ...],
    gpu: GpuCost,
    price_usd_per_mtok: float,
    held: Mapping[str, Any],
) -> str:
    """Say both halves with their figures, also where one is no."""
    power, strongest, (first, second) = _named(free, POWER_PRICE), free[0], bound[:2]
    weaker = weaker_count(free, POWER_PRICE)
    place = "last, tied with watts" if weaker == 0 else f"ahead of {weaker} other levers"
    rent = _rent(gpu, price_usd_per_mtok)
    return (
        f"Not as a price: where megawatts are free, half the price of power moves full cost by "
        f"{_swing(power):.1%}, {place}; {strongest.name} moves it by {_swing(strongest):.0%}. "
        f"As access: where megawatts cover {MW_BOUND_SHARE:.0%} of what is needed, {first.name} "
        f"moves contribution margin most ({_swing(first):.1%}), {second.name} by "
        f"{_swing(second):.1%}, megawatts by {_swing(_named(bound, MEGAWATTS)):.1%}, the price of "
        "power by "
        f"{_swing(_named(bound, POWER_PRICE)):.1%}; one more reserved MWh is worth "
        f"{rent['reserved_usd_per_mwh']:,.0f} USD "
        f"({rent['reserved_after_capital_usd_per_mwh']:,.0f} once GPUs and building are paid) "
        f"against a price of {gpu.usd_per_mwh:.0f}. Of the draws, the first half holds in "
        f"{held['free_share']:.1%}, the second in {held['bound_share']:.1%} (arithmetic, where a "
        f"token sells above its power), and in {held['bound_after_capital_share']:.1%} by the "
        "margin after capital."
    )


def _named(levers: tuple[Lever, ...], name: str) -> Lever:
    return next(each for each in levers if each.name == name)


def _swing(each: Lever) -> float:
    return each.swing_usd_per_mtok / abs(each.base_usd_per_mtok)
