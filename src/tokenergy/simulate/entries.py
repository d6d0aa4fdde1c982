"""The ledger of a run: rows whose amounts sum to its cost and whose energies to its load."""

from collections.abc import Iterable, Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import numpy as np

from tokenergy.company.ledger import EntryKind, LedgerEntry
from tokenergy.dispatch.columns import quality_loss_usd_per_mtok
from tokenergy.dispatch.world import World
from tokenergy.simulate.account import (
    Account,
    account,
    end_valuation_usd,
    lease_usd_per_replica,
)
from tokenergy.simulate.bill import company_of
from tokenergy.simulate.findings import must_serve_findings
from tokenergy.simulate.run import Run, sum_rows
from tokenergy.units import J_PER_MWH, MICROJOULES_PER_J, NANO_USD_PER_USD

LEAST = 1e-9
"""Mtok, MWh or replicas below this are rounding and leave no row of their own."""
MOST_MICROJOULES = 2**63 - 1
"""What a 64-bit column holds: 2,562 MWh; a row of more is written in parts."""


def ledger_entries(
    world: World, run: Run, run_id: str, *, spent: Account | None = None
) -> Iterator[LedgerEntry]:
    """Yield the rows of a run.

    - `interval`, by workload, deployment and interval: `serve` with its Mtok and its energy at
      the meter (power is paid for in the settlement: amount 0), then `network`, `api` and
      `quality`; by deployment `lease`, and the energy of `idle` replicas; by site the energy of
      `standing` load and sleep; by workload `refused`; by battery `cycling`, `end_valuation`.
    - `settlement`: the lines of every contract.
    - `finding`: must-serve work that was refused.

    Amounts are rounded to nano-dollars here, once.

    Args:
        world: the world of the run.
        run: what happened.
        run_id: under which it is kept.
        spent: the account of the run, where it is known already.
    """
    rows = _Rows(world, run, run_id)
    spent = account(world, run) if spent is None else spent
    parts: tuple[Iterable[LedgerEntry], ...] = (
        _served(rows), _deployed(rows), _standing(rows), _refused(rows), _batteries(rows),
        _settled(rows, spent), _found(rows),
    )  # fmt: skip
    for part in parts:
        for entry in part:
            yield from _within_a_column(entry)


class _Rows:
    """Makes rows of one run: fills in what they share."""

    def __init__(self, world: World, run: Run, run_id: str) -> None:
        self.world, self.run, self.run_id = world, run, run_id
        step = timedelta(hours=world.step_h)
        starts = [world.moment(at) for at in world.horizon_indices()]
        self.spans = [(start, start + step) for start in starts]
        self.whole = (starts[0], starts[-1] + step)
        self._fallback = [
            "" if source == run.policy else f"fallback: {source}" for source in run.sources
        ]

    def interval(self, at: int, **columns: Any) -> LedgerEntry:
        """Make a row about one interval; a fallback that decided it stands in `reason`."""
        return self.row("interval", self.spans[at], reason=self._fallback[at], **columns)

    def row(self, kind: EntryKind, span: tuple[datetime, datetime], **columns: Any) -> LedgerEntry:
        """Make a row of any kind."""
        return LedgerEntry(
            run_id=self.run_id,
            source="simulate",
            kind=kind,
            start=span[0],
            end=span[1],
            policy=self.run.policy,
            **columns,
        )

    def at_site(self, site: int) -> str:
        """Return the name of a site; external APIs are nowhere."""
        return self.world.site_names[site] if site >= 0 else ""


def _served(rows: _Rows) -> Iterator[LedgerEntry]:
    """Work done, by route and interval, with what it costs beside power and GPUs."""
    world, run = rows.world, rows.run
    energy_mwh = run.route_mwh(world)
    lost_usd_per_mtok = quality_loss_usd_per_mtok(world)
    for index, route in enumerate(world.routes):
        load, deployment = world.workloads[route.workload], world.deployments[route.deployment]
        downgraded = route.quality_share < load.asked_quality_share
        shared = {
            "part": deployment.name,
            "tier": load.tier,
            "workload": load.name,
            "site": rows.at_site(deployment.site),
            "model": deployment.model,
            "accelerator": deployment.accelerator,
            "unit": "Mtok",
            "decision": "downgrade" if downgraded else "admit",
        }
        prices = {
            "network": route.network_usd_per_mtok,
            "api": route.api_usd_per_mtok,
            "quality": float(lost_usd_per_mtok[index]),
        }
        priced = [(name, _nano(usd), usd) for name, usd in prices.items() if usd]
        modelled = {} if deployment.external else {"energy_tier": "modelled", "boundary": "meter"}
        for at in (run.serve_mtok[index] > LEAST).nonzero()[0].tolist():
            mtok = float(run.serve_mtok[index, at])
            microjoules = _microjoules(energy_mwh[index, at])
            yield rows.interval(
                at, component="serve", quantity=mtok, energy_microjoules=microjoules,
                **shared, **modelled,
            )  # fmt: skip
            for component, rate, usd in priced:
                yield rows.interval(
                    at, component=component, quantity=mtok, rate_nano_usd=rate,
                    amount_nano_usd=_nano(usd * mtok), **shared,
                )  # fmt: skip


def _deployed(rows: _Rows) -> Iterator[LedgerEntry]:
    """Rent of awake GPUs, and the energy of replicas that were awake for nobody."""
    world, run = rows.world, rows.run
    idle_mwh = np.where(run.busy_h(world) > 0.0, 0.0, run.replica_mwh(world))
    lease_usd = lease_usd_per_replica(world)
    for index, deployment in enumerate(world.deployments):
        if deployment.external:
            continue
        gpu_h = deployment.gpus_count * world.step_h
        usd_per_gpu_hour = world.fleets[deployment.fleet].lease_usd_per_gpu_hour
        shared = {
            "part": deployment.name,
            "site": rows.at_site(deployment.site),
            "model": deployment.model,
            "accelerator": deployment.accelerator,
        }
        for at in (run.awake[index] > LEAST).nonzero()[0].tolist():
            awake_count = float(run.awake[index, at])
            if usd_per_gpu_hour:
                yield rows.interval(
                    at, component="lease", quantity=awake_count * gpu_h, unit="GPU-hour",
                    rate_nano_usd=_nano(usd_per_gpu_hour),
                    amount_nano_usd=_nano(awake_count * float(lease_usd[index])), **shared,
                )  # fmt: skip
            if idle_mwh[index, at] > LEAST:
                yield _energy_row(rows, at, "idle", float(idle_mwh[index, at]), shared)


def _standing(rows: _Rows) -> Iterator[LedgerEntry]:
    """Energy of fixed load and of sleeping GPUs, by site and interval."""
    world, run = rows.world, rows.run
    owner = [d.site for d in world.deployments]
    replicas_mwh = sum_rows(run.replica_mwh(world), owner, world.sites_count)
    owner = [world.deployments[r.deployment].site for r in world.routes]
    tokens_mwh = sum_rows(run.token_mwh(world), owner, world.sites_count)
    standing_mwh = run.load_mwh - replicas_mwh - tokens_mwh
    for site, name in enumerate(world.site_names):
        for at in (standing_mwh[site] > LEAST).nonzero()[0].tolist():
            yield _energy_row(rows, at, "standing", float(standing_mwh[site, at]), {"site": name})


def _refused(rows: _Rows) -> Iterator[LedgerEntry]:
    """Work refused, at its value."""
    for index, load in enumerate(rows.world.workloads):
        refused = rows.run.refused_mtok[index]
        for at in (refused > LEAST).nonzero()[0].tolist():
            mtok = float(refused[at])
            yield rows.interval(
                at, component="refused", tier=load.tier, workload=load.name, quantity=mtok,
                unit="Mtok", rate_nano_usd=_nano(load.value_usd_per_mtok),
                amount_nano_usd=_nano(load.value_usd_per_mtok * mtok), decision="refuse",
            )  # fmt: skip


def _batteries(rows: _Rows) -> Iterator[LedgerEntry]:
    """Wear by interval, and the value of what the horizon took out of store."""
    world, run = rows.world, rows.run
    end_usd = end_valuation_usd(world, run)
    end_value = world.end_value_usd_per_mwh()
    for index, battery in enumerate(world.batteries):
        shared = {
            "part": battery.name, "unit": "MWh", "site": rows.at_site(world.battery_site[index]),
        }  # fmt: skip
        wear = battery.cycle_usd_per_mwh_discharged
        moved = (run.discharge_mwh[index] > LEAST) & (wear > 0.0)
        for at in moved.nonzero()[0].tolist():
            mwh = float(run.discharge_mwh[index, at])
            yield rows.interval(
                at, component="cycling", quantity=mwh, rate_nano_usd=_nano(wear),
                amount_nano_usd=_nano(wear * mwh), **shared,
            )  # fmt: skip
        used_mwh = float(run.initial.energy_mwh[index] - run.energy_mwh[index, -1])
        yield rows.interval(
            run.intervals_count - 1, component="end_valuation", quantity=used_mwh,
            rate_nano_usd=_nano(float(end_value[index])),
            amount_nano_usd=_nano(float(end_usd[index])), **shared,
        )  # fmt: skip


def _settled(rows: _Rows, spent: Account) -> Iterator[LedgerEntry]:
    """Lines of the bill; worlds of arrays alone have one line for each contract."""
    company = company_of(rows.world)
    if company is None:
        for contract_id, usd in spent.power_usd.items():
            yield rows.row(
                "settlement", rows.whole, contract_id=contract_id, component="total",
                amount_nano_usd=_nano(usd),
            )  # fmt: skip
        return
    sites = {owner.id: owner.site for owner in (*company.contracts, *company.tariffs)}
    for line in spent.lines:
        yield rows.row(
            "settlement", (line.start, line.end), site=sites[line.contract_id],
            contract_id=line.contract_id, component=line.component, quantity=line.quantity,
            unit=line.unit, rate_nano_usd=_nano(line.rate_usd),
            amount_nano_usd=_nano(line.amount_usd),
        )  # fmt: skip


def _found(rows: _Rows) -> Iterator[LedgerEntry]:
    for number, finding in enumerate(must_serve_findings(rows.world, rows.run), start=1):
        yield rows.row(
            "finding", rows.whole, part=f"{number}: {finding.path}", component=finding.code,
            reason=finding.reason,
        )  # fmt: skip


def _energy_row(
    rows: _Rows, at: int, component: str, mwh: float, shared: dict[str, str]
) -> LedgerEntry:
    return rows.interval(
        at, component=component, quantity=mwh, unit="MWh", energy_microjoules=_microjoules(mwh),
        energy_tier="modelled", boundary="meter", **shared,
    )  # fmt: skip


def _nano(usd: float) -> int:
    return round(usd * NANO_USD_PER_USD)


def _microjoules(mwh: float) -> int:
    return round(mwh * J_PER_MWH * MICROJOULES_PER_J)


def _within_a_column(entry: LedgerEntry) -> Iterator[LedgerEntry]:
    """Write a row whose energy no 64-bit column holds as several equal parts."""
    if abs(entry.energy_microjoules) <= MOST_MICROJOULES:
        yield entry
        return
    parts_count = -(-abs(entry.energy_microjoules) // MOST_MICROJOULES)
    energy, energy_rest = divmod(entry.energy_microjoules, parts_count)
    amount, amount_rest = divmod(entry.amount_nano_usd, parts_count)
    for at in range(parts_count):
        yield replace(
            entry,
            part=f"{entry.part}#{at + 1}/{parts_count}",
            quantity=entry.quantity / parts_count,
            energy_microjoules=energy + (at < energy_rest),
            amount_nano_usd=amount + (at < amount_rest),
        )
