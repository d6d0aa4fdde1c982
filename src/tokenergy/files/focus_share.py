"""One hour of a ledger: its tokens, and its bills shared out over them.

- `allocation`: the tokens of a site and hour bear all of its power and its leases, in
  proportion to their kWh; what falls in an hour without tokens is borne by nobody.
- `usage`: idle replicas and standing load take their part by kWh as well, and that part, like
  the lease of a deployment that made no token, is borne by nobody.

What nobody bears is told in rows of its own, so the shares always sum to the bills. Where one
row of a site and hour does not know its kWh, all are shared by tokens instead, and that is told.

Output tokens bear it all: no ledger tells the power of reading from that of writing. `observe`
has no bills: it imputes cost to each engine's window, and its joules stand in rows of their own.
"""

import math
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from tokenergy.company.ledger import LedgerEntry
from tokenergy.units import J_PER_MWH, KWH_PER_MWH, MICROJOULES_PER_J, NANO_USD_PER_USD

KWH_PER_MICROJOULE = KWH_PER_MWH / (J_PER_MWH * MICROJOULES_PER_J)
HOUR = timedelta(hours=1)
Maker = tuple[str, str, str, str, str, str, str]
"""Tenant, tier, workload, site, model, accelerator, part: who asked for tokens, who made them."""


OUTPUT = "Output Tokens"
NEEDED = ("energy", "gpu_rent")
"""Parts of an imputed cost without which it is none, in each window."""


@dataclass(slots=True, kw_only=True)
class TokenSum:
    """Tokens of one maker and meter in one hour; `costed` once a cost was laid on them."""

    entry: LedgerEntry
    start: datetime
    end: datetime
    meter: str
    mtok: float = 0.0
    kwh: float | None = 0.0
    energy_tier: str = ""
    borne_usd: float = 0.0
    costed: bool = False
    partial: bool = False

    @property
    def bears(self) -> bool:
        """Whether cost and power are laid on tokens of this kind."""
        return self.meter == OUTPUT

    @property
    def cost_known(self) -> bool:
        """Whether what it bears is its cost: a simulation holds every bill, a watch may not."""
        complete = self.entry.source == "simulate"
        return not self.bears or complete or (self.costed and not self.partial)


@dataclass(slots=True, kw_only=True)
class EngineSum:
    """What a watch imputed to one engine and read of its meters in one hour."""

    counts: Counter[str] = field(default_factory=Counter)
    usd: dict[str, float] = field(default_factory=dict)
    kwh: float = 0.0
    idle_kwh: float = 0.0
    energy_tier: str = ""


@dataclass(slots=True, kw_only=True)
class Unborne:
    """Cost of a site and hour that no token bears."""

    site: str
    start: datetime
    end: datetime
    usd: float = 0.0


@dataclass(slots=True, kw_only=True)
class Hour:
    """What the ledger says about one hour."""

    start: datetime
    tokens: dict[tuple[Maker, str, datetime, datetime], TokenSum] = field(default_factory=dict)
    bills: list[LedgerEntry] = field(default_factory=list)
    direct_usd: dict[Maker, float] = field(default_factory=dict)
    power_usd: dict[str, float] = field(default_factory=dict)
    lease_usd: dict[tuple[str, str], float] = field(default_factory=dict)
    idle_kwh: dict[str, float] = field(default_factory=dict)
    unborne: dict[tuple[str, datetime, datetime], Unborne] = field(default_factory=dict)
    engines: dict[Maker, EngineSum] = field(default_factory=dict)
    windows: Counter[Maker] = field(default_factory=Counter)

    def add_tokens(self, entry: LedgerEntry, meter: str, worst: tuple[str, ...]) -> None:
        """Add a row of tokens; several of one maker in the hour become one."""
        end = max(self.start + HOUR, entry.end)
        key = (maker_of(entry), meter, self.start, end)
        held = self.tokens.get(key)
        if held is None:
            held = TokenSum(
                entry=entry, start=self.start, end=end, meter=meter, energy_tier=entry.energy_tier
            )
            self.tokens[key] = held
        held.mtok += entry.quantity
        self.windows[key[0]] += held.bears
        if not entry.energy_tier:
            held.kwh = None
        elif held.kwh is not None:
            held.kwh += entry.energy_microjoules * KWH_PER_MICROJOULE
            if entry.energy_tier != held.energy_tier:
                held.energy_tier = max(held.energy_tier, entry.energy_tier, key=worst.index)

    def _take_bills(self) -> None:
        """Put each bill where it is shared: power of a site, a lease, or what one maker caused."""
        end = self.end
        for entry in self.bills:
            usd = entry.amount_nano_usd / NANO_USD_PER_USD
            if entry.end > end:
                self.leave(entry.site, entry.start, entry.end, usd)  # longer than the tokens are
            elif entry.kind == "settlement":
                self.power_usd[entry.site] = self.power_usd.get(entry.site, 0.0) + usd
            elif entry.component == "lease":
                at = (entry.site, entry.part)
                self.lease_usd[at] = self.lease_usd.get(at, 0.0) + usd
            else:
                maker = maker_of(entry)
                self.direct_usd[maker] = self.direct_usd.get(maker, 0.0) + usd

    def add_imputed(self, entry: LedgerEntry) -> None:
        """Add a part of the cost that a watch imputes to an engine's window."""
        engine = self.engines.setdefault(maker_of(entry), EngineSum())
        usd = entry.amount_nano_usd / NANO_USD_PER_USD
        engine.usd[entry.component] = engine.usd.get(entry.component, 0.0) + usd
        engine.counts[entry.component] += 1

    def add_metered(self, entry: LedgerEntry, worst: tuple[str, ...]) -> None:
        """Add what a meter read of an engine's window."""
        engine = self.engines.setdefault(maker_of(entry), EngineSum())
        kwh = entry.energy_microjoules * KWH_PER_MICROJOULE
        if entry.component == "idle":
            engine.idle_kwh += kwh
        else:
            engine.kwh += kwh
        engine.counts["gpu read"] += entry.component == "gpu"
        tiers = [tier for tier in (engine.energy_tier, entry.energy_tier) if tier]
        engine.energy_tier = max(tiers, key=worst.index, default="")

    def read_meters(self) -> None:
        """Give each engine's kWh to its output tokens, where every window was read."""
        for (maker, *_), held in self.tokens.items():
            engine = self.engines.get(maker)
            if engine is None or not held.bears or not engine.energy_tier:
                continue
            whole = engine.counts["gpu read"] >= self.windows[maker]
            held.kwh = engine.kwh if whole else None
            held.energy_tier = engine.energy_tier if whole else ""
        for maker, engine in self.engines.items():
            self.idle_kwh[maker[3]] = self.idle_kwh.get(maker[3], 0.0) + engine.idle_kwh

    def imputed(self) -> Iterator[tuple[str, str, float]]:
        """Yield site, part and amount of what was imputed."""
        sums: dict[tuple[str, str], float] = {}
        for maker, engine in self.engines.items():
            for component, usd in engine.usd.items():
                at = (maker[3], component)
                sums[at] = sums.get(at, 0.0) + usd
        yield from ((site, component, usd) for (site, component), usd in sums.items())

    def add_idle(self, entry: LedgerEntry) -> None:
        """Add energy that no token used."""
        kwh = entry.energy_microjoules * KWH_PER_MICROJOULE
        self.idle_kwh[entry.site] = self.idle_kwh.get(entry.site, 0.0) + kwh

    def leave(self, site: str, start: datetime, end: datetime, usd: float) -> None:
        """Keep a cost that no token bears."""
        key = (site, start, end)
        held = self.unborne.setdefault(key, Unborne(site=site, start=start, end=end))
        held.usd += usd

    def share(self, basis: str) -> int:
        """Share the bills out, and return how many sites were shared by tokens, not by kWh."""
        self._take_bills()
        by_maker: dict[Maker, list[TokenSum]] = {}
        by_part: dict[tuple[str, str], list[TokenSum]] = {}
        by_site: dict[str, list[TokenSum]] = {}
        for (maker, *_), held in self.tokens.items():
            if not held.bears:
                continue
            by_maker.setdefault(maker, []).append(held)
            by_part.setdefault((held.entry.site, held.entry.part), []).append(held)
            by_site.setdefault(held.entry.site, []).append(held)
        for maker, engine in self.engines.items():
            self._impute(engine, maker, by_maker.get(maker, []), basis)
        for maker, usd in self.direct_usd.items():
            self._spread(usd, by_maker.get(maker, []), maker[3])
        pools = dict(self.power_usd)
        for (site, part), usd in self.lease_usd.items():
            makers = by_part.get((site, part), [])
            if makers or basis == "usage":
                self._spread(usd, makers, site)
            else:
                pools[site] = pools.get(site, 0.0) + usd
        return sum(
            self._spread(
                usd,
                by_site.get(site, []),
                site,
                by_kwh=True,
                idle_kwh=self.idle_kwh.get(site, 0.0) if basis == "usage" else 0.0,
            )
            for site, usd in pools.items()
        )

    def _impute(self, engine: EngineSum, maker: Maker, over: list[TokenSum], basis: str) -> None:
        """Lay an engine's cost on its tokens; under `usage` nobody bears its idle power."""
        if not engine.usd:
            return
        kwh, idle_usd = engine.kwh + engine.idle_kwh, 0.0
        if basis == "usage" and kwh > 0.0:
            idle_usd = engine.usd.get("energy", 0.0) * (engine.idle_kwh / kwh)
            self.leave(maker[3], self.start, self._end(over), idle_usd)
        self._spread(math.fsum(engine.usd.values()) - idle_usd, over, maker[3])
        lacks = any(engine.counts[part] < self.windows[maker] for part in NEEDED)
        for held in over:
            held.partial = lacks

    @property
    def end(self) -> datetime:
        """The end of the longest row of tokens, at least an hour after the start."""
        return self._end(list(self.tokens.values()))

    def _end(self, over: list[TokenSum]) -> datetime:
        return max((held.end for held in over), default=self.start + HOUR)

    def _spread(
        self,
        usd: float,
        over: list[TokenSum],
        site: str,
        *,
        by_kwh: bool = False,
        idle_kwh: float = 0.0,
    ) -> bool:
        """Spread an amount, and tell whether tokens had to stand in for unknown kWh."""
        known = [held.kwh for held in over if held.kwh is not None]
        stands_in = by_kwh and len(known) < len(over)
        weights = known if by_kwh and not stands_in else [held.mtok for held in over]
        total = math.fsum(weights) + (0.0 if stands_in else idle_kwh)
        end = self._end(over)
        if total <= 0.0 or not over:
            self.leave(site, self.start, end, usd)
            return False
        given = 0.0
        for held, weight in zip(over, weights, strict=True):
            part_usd = usd * (weight / total)
            held.borne_usd += part_usd
            held.costed = True
            given += part_usd
        if idle_kwh and not stands_in:
            self.leave(site, self.start, end, usd - given)
        return stands_in


def maker_of(entry: LedgerEntry) -> Maker:
    """Return who asked for the tokens of a row and who made them."""
    return (
        entry.tenant, entry.tier, entry.workload, entry.site, entry.model, entry.accelerator,
        entry.part,
    )  # fmt: skip


def hour_of(moment: datetime) -> datetime:
    """Return the hour that a moment lies in."""
    return moment.replace(minute=0, second=0, microsecond=0)


def unborne_of(hour: Hour) -> Iterator[Unborne]:
    """Yield what nobody bears and is not nothing."""
    yield from (held for held in hour.unborne.values() if held.usd)
