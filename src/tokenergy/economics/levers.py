"""The tornado: how far a cost moves when one lever is moved, and everything else stands.

Economics sheet, sections 7 and 9. For one GPU in closed form, and for a company from its own
run. Nothing is estimated: each end is the cost computed again from changed figures.
"""

from collections.abc import Iterable
from dataclasses import asdict, dataclass, replace
from typing import Any, Final, Literal

from tokenergy.company.company import Company
from tokenergy.economics.gpu_cost import GpuCost
from tokenergy.economics.unit_cost import FullCost, capital_rent

Metric = Literal["full_cost", "margin"]
"""`full_cost`: USD per Mtok made; `margin`: revenue less cost per Mtok, more is better."""

TIE_SHARE: Final = 1e-9
"""Two levers that move a cost by the same share of it, give or take this, are tied."""

POWER_PRICE: Final = "power_price"
WATTS: Final = "watts"
THROUGHPUT: Final = "throughput"
UTILISATION: Final = "utilisation"
HARDWARE_PRICE: Final = "hardware_price"
LIFE: Final = "life"
WACC: Final = "wacc"
TOKEN_PRICE: Final = "token_price"


@dataclass(frozen=True, slots=True, kw_only=True)
class Lever:
    """What happens when one figure is moved down, and up, by `move_share`.

    Attributes:
        name: of the lever; watts are at fixed throughput, throughput at fixed watts.
        metric: what is measured.
        move_share: how far it is moved either way.
        low_usd_per_mtok, high_usd_per_mtok: the metric with the lever moved down, and up.
        base_usd_per_mtok: the metric as things stand.
        low_change_share, high_change_share: the changes over the size of the base; None where
            that is 0.
        capped: whether one end stopped at a limit, such as a utilisation of 1.
    """

    name: str
    metric: Metric
    move_share: float
    low_usd_per_mtok: float
    base_usd_per_mtok: float
    high_usd_per_mtok: float
    low_change_share: float | None
    high_change_share: float | None
    capped: bool

    @property
    def basis(self) -> str:
        """Which cost of a Mtok the metric holds."""
        return "full" if self.metric == "full_cost" else "price less full"

    @property
    def swing_usd_per_mtok(self) -> float:
        """The larger of both changes, without its sign."""
        base = self.base_usd_per_mtok
        return max(abs(self.low_usd_per_mtok - base), abs(self.high_usd_per_mtok - base))

    def to_dict(self) -> dict[str, Any]:
        """Return the lever as a JSON-ready mapping."""
        more = {"swing_usd_per_mtok": self.swing_usd_per_mtok, "basis": self.basis}
        return asdict(self) | more


def lever(
    name: str,
    *,
    low_usd_per_mtok: float,
    base_usd_per_mtok: float,
    high_usd_per_mtok: float,
    move_share: float,
    metric: Metric = "full_cost",
    capped: bool = False,
) -> Lever:
    """Return a lever from the metric at both of its ends."""
    size = abs(base_usd_per_mtok)
    low, high = low_usd_per_mtok - base_usd_per_mtok, high_usd_per_mtok - base_usd_per_mtok
    return Lever(
        name=name,
        metric=metric,
        move_share=move_share,
        low_usd_per_mtok=low_usd_per_mtok,
        base_usd_per_mtok=base_usd_per_mtok,
        high_usd_per_mtok=high_usd_per_mtok,
        low_change_share=low / size if size > 0.0 else None,
        high_change_share=high / size if size > 0.0 else None,
        capped=capped,
    )


def tornado(levers: Iterable[Lever]) -> tuple[Lever, ...]:
    """Return the levers by the larger of their changes, the strongest first.

    A dollar of cost is a dollar of margin, so that levers on either may stand in one tornado.
    """
    return tuple(sorted(levers, key=lambda each: -each.swing_usd_per_mtok))


def stronger_count(levers: Iterable[Lever], name: str) -> int:
    """Return how many levers move more than `name` does: 0, it is first or tied first."""
    held = tuple(levers)
    mine, room = _swing(held, name)
    return sum(each.swing_usd_per_mtok > mine + room for each in held)


def weaker_count(levers: Iterable[Lever], name: str) -> int:
    """Return how many levers move less than `name` does: 0, it is last or tied last."""
    held = tuple(levers)
    mine, room = _swing(held, name)
    return sum(each.swing_usd_per_mtok < mine - room for each in held)


def _swing(levers: tuple[Lever, ...], name: str) -> tuple[float, float]:
    """Return the swing of a lever, and within what another is tied with it."""
    (mine,) = (each for each in levers if each.name == name)
    return mine.swing_usd_per_mtok, TIE_SHARE * abs(mine.base_usd_per_mtok)


def gpu_ends(cost: GpuCost, *, move_share: float) -> dict[str, tuple[GpuCost, GpuCost]]:
    """Return the GPU with each lever moved down, and up; utilisation stops at 1.

    Watts move what the GPU draws and what has to be connected for it, so that the facility
    follows them; `gpu_levers` says when it does not.
    """
    down, up = 1.0 - move_share, 1.0 + move_share

    def both(name: str, most_share: float = float("inf")) -> tuple[GpuCost, GpuCost]:
        at = getattr(cost, name)
        return replace(cost, **{name: at * down}), replace(cost, **{name: min(most_share, at * up)})

    return {
        POWER_PRICE: both("usd_per_mwh"),
        WATTS: both("kw_per_gpu"),
        THROUGHPUT: both("tokens_per_s_per_gpu"),
        UTILISATION: both("utilisation_share", 1.0),
        HARDWARE_PRICE: both("usd_per_gpu"),
        LIFE: both("gpu_life_y"),
        WACC: both("wacc_share"),
    }


def gpu_levers(
    cost: GpuCost, *, move_share: float, facility_follows_watts: bool = False
) -> tuple[Lever, ...]:
    """Return the levers on the full cost of a token of one GPU, the strongest first.

    Args:
        cost: the GPU as it stands.
        move_share: how far each lever is moved either way.
        facility_follows_watts: whether fewer watts also need a smaller building and connection
            (a new site); false: they are built, and only the bill moves.
    """
    base = cost.usd_per_mtok()
    made = []
    for name, (low, high) in gpu_ends(cost, move_share=move_share).items():
        ends = [low.usd_per_mtok(), high.usd_per_mtok()]
        if name == WATTS and not facility_follows_watts:
            moved = [at.energy_usd_per_mtok - cost.energy_usd_per_mtok for at in (low, high)]
            ends = [base + change for change in moved]
        made.append(
            lever(
                name,
                low_usd_per_mtok=ends[0],
                base_usd_per_mtok=base,
                high_usd_per_mtok=ends[1],
                move_share=move_share,
                capped=name == UTILISATION and cost.utilisation_share * (1.0 + move_share) > 1.0,
            )
        )
    return tornado(made)


def company_levers(
    company: Company,
    full: FullCost,
    *,
    awake_lease_usd: float,
    api_usd: float,
    network_usd: float,
    revenue_usd: float | None,
    power_fixed_share: float,
    gpu_used_share: float,
    move_share: float = 0.5,
) -> tuple[Lever, ...]:
    """Return the levers on a company's full cost of a token, the strongest first.

    Recomputed from the company's own figures, `full` to begin with. What a lever moves:

    - power price, and watts at fixed throughput: the power bill in proportion. They tie.
    - throughput at fixed watts: as many GPU-hours make more tokens; only network and APIs grow.
    - utilisation: more of the GPUs that are paid for anyway are at work, until all are. Network,
      APIs and leases by the awake hour grow with the tokens, the power bill with its part that
      is not fixed.
    - hardware price: annuities and upkeep of own GPUs, and every lease.
    - life: of own GPUs; WACC: every annuity.
    - token price: the revenue in proportion; its metric is the margin.

    Args:
        company: says what capital costs.
        full: full cost of the run, allocated.
        awake_lease_usd, api_usd, network_usd: parts of it, as they went into it.
        revenue_usd: what the same tokens brought; None or 0: no lever on the token price.
        power_fixed_share: part of the power bill that stands whatever is served (idle, standing).
        gpu_used_share: awake GPU-hours over all that are paid for (`unit_cost.gpu_used_share`).
        move_share: how far each lever is moved either way.

    Returns:
        Nothing where no token was served.
    """
    if full.served_mtok <= 0.0:
        return ()
    books = _Books(
        company=company,
        full=full,
        hardware_usd=full.silicon_usd - api_usd,
        with_tokens_usd=network_usd + api_usd,
        with_hours_usd=awake_lease_usd + (1.0 - power_fixed_share) * full.power_usd,
        most_used_ratio=1.0 / gpu_used_share if gpu_used_share > 0.0 else float("inf"),
    )
    made = books.levers(move_share)
    if revenue_usd:
        made.append(_token_price(full, revenue_usd, move_share=move_share))
    return tornado(made)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Books:
    """A company's cost, split by what it moves with.

    Attributes:
        company, full: as in `company_levers`.
        hardware_usd: annuities and upkeep of GPUs, and every lease.
        with_tokens_usd: moves with the tokens, however fast they are made.
        with_hours_usd: moves with the hours in which GPUs are at work.
        most_used_ratio: how many times more hours there are to be at work in.
    """

    company: Company
    full: FullCost
    hardware_usd: float
    with_tokens_usd: float
    with_hours_usd: float
    most_used_ratio: float

    def costs(self, lever_ratio: float) -> dict[str, float]:
        """Return the full cost of a Mtok with each lever scaled alone, by its name."""
        power_usd = (lever_ratio - 1.0) * self.full.power_usd
        used_ratio = min(self.most_used_ratio, lever_ratio)
        with_use_usd = self.with_tokens_usd + self.with_hours_usd
        return {
            POWER_PRICE: self._added(power_usd),
            WATTS: self._added(power_usd),
            THROUGHPUT: self._more_tokens(lever_ratio, moving_usd=self.with_tokens_usd),
            UTILISATION: self._more_tokens(used_ratio, moving_usd=with_use_usd),
            HARDWARE_PRICE: self._added((lever_ratio - 1.0) * self.hardware_usd),
            LIFE: self._recapitalised(_longer_lived(self.company, lever_ratio)),
            WACC: self._recapitalised(_dearer_capital(self.company, lever_ratio)),
        }

    def levers(self, move_share: float) -> list[Lever]:
        """Return every lever on the full cost, in no order."""
        down, up = 1.0 - move_share, 1.0 + move_share
        lows, base, highs = self.costs(down), self.costs(1.0), self.costs(up)
        capped = {
            UTILISATION: up > self.most_used_ratio,
            WACC: up * self.company.money.wacc_share > 1.0,
        }
        return [
            lever(
                name,
                low_usd_per_mtok=lows[name],
                base_usd_per_mtok=base[name],
                high_usd_per_mtok=highs[name],
                move_share=move_share,
                capped=capped.get(name, False),
            )
            for name in base
        ]

    def _added(self, change_usd: float) -> float:
        return (self.full.allocation_usd + change_usd) / self.full.served_mtok

    def _more_tokens(self, tokens_ratio: float, *, moving_usd: float) -> float:
        """Return the full cost where only a part of it moves with the tokens."""
        standing_usd = self.full.allocation_usd - moving_usd
        return (standing_usd / tokens_ratio + moving_usd) / self.full.served_mtok

    def _recapitalised(self, changed: Company) -> float:
        now, then = capital_rent(self.company), capital_rent(changed)
        return self._added((then.total_usd_per_h - now.total_usd_per_h) * self.full.hours_h)


def _longer_lived(company: Company, life_ratio: float) -> Company:
    """Return the company with own GPUs that last longer, or less long."""
    fleets = []
    for fleet in company.fleets:
        if fleet.owned is not None:
            life = {"life_y": fleet.owned.life_y * life_ratio}
            fleets.append(fleet.model_copy(update={"owned": fleet.owned.model_copy(update=life)}))
        else:
            fleets.append(fleet)
    return company.model_copy(update={"fleets": tuple(fleets)})


def _dearer_capital(company: Company, wacc_ratio: float) -> Company:
    """Return the company with another cost of capital, at most 100 % a year."""
    wacc = {"wacc_share": min(1.0, company.money.wacc_share * wacc_ratio)}
    return company.model_copy(update={"money": company.money.model_copy(update=wacc)})


def _token_price(full: FullCost, revenue_usd: float, *, move_share: float) -> Lever:
    """Return what a lower, and a higher, price of the same tokens does to the margin."""
    low, base, high = (
        (revenue_usd * ratio - full.allocation_usd) / full.served_mtok
        for ratio in (1.0 - move_share, 1.0, 1.0 + move_share)
    )
    return lever(
        TOKEN_PRICE,
        low_usd_per_mtok=low,
        base_usd_per_mtok=base,
        high_usd_per_mtok=high,
        move_share=move_share,
        metric="margin",
    )
