"""The bill of a run: every contract and every tariff settled on what was metered."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from tokenergy.company.company import Company
from tokenergy.company.contract import Cfe, Contract, Rec
from tokenergy.company.contract_state import ContractState
from tokenergy.company.inputs import Inputs
from tokenergy.company.settle import (
    NOTHING_BEFORE,
    MeterSeries,
    SettlementLine,
    delivered_mwh,
    initial_states,
    settle,
    settle_tariff,
)
from tokenergy.company.tariff import Tariff
from tokenergy.dispatch.world import World
from tokenergy.simulate.run import Run

if TYPE_CHECKING:
    from tokenergy.simulate.interval import Step

_AT_METERS = ("bought_mwh", "sold_mwh", "import_mwh", "export_mwh", "load_mwh")
"""What is metered at every site."""


def company_of(world: World) -> Company | None:
    """Return the company behind the arrays; worlds made of arrays alone have none."""
    return world.company


def inputs_of(world: World) -> Inputs | None:
    """Return the series behind the arrays; worlds made of arrays alone have none."""
    return world.inputs


def settle_run(world: World, run: Run) -> tuple[SettlementLine, ...]:
    """Return the lines of a horizon: contract by contract, then tariff by tariff.

    Prices, profiles and the contracts' own series are those of the input, not the program's
    arrays. What was left when the horizon began is what the file says, then the world, then the
    run's first state, whoever of them knows.
    """
    company = world.company
    states = states_before(world, run.initial.contracts)
    meters = Meters(world, run, begin=world.first)
    lines: list[SettlementLine] = []
    for contract in company.contracts:
        state = states.get(contract.id, NOTHING_BEFORE)
        lines += settle(contract, meters.of_contract(contract), state).lines
    for tariff in company.tariffs:
        series = meters.of_tariff(tariff)
        lines += settle_tariff(tariff, series, states, wacc_share=company.money.wacc_share).lines
    return tuple(lines)


class Meters:
    """The meters of a run, or of one interval of it, as contracts are settled on them."""

    def __init__(self, world: World, metered: "Run | Step", *, begin: int) -> None:
        """Take what was metered from interval `begin` on."""
        self._world, self._metered = world, metered
        self._sites = {name: at for at, name in enumerate(world.site_names)}
        self._takes = {take.contract_id: at for at, take in enumerate(world.takes)}
        self._plants = {plant.contract_id: at for at, plant in enumerate(world.generators)}
        count = metered.import_mwh[0].size
        self._span = slice(begin, begin + count)
        self._start = world.moment(begin)
        self._lengths_h = [world.step_h] * count
        self._at_site: dict[int, dict[str, Any]] = {}

    def of_contract(self, contract: Contract) -> MeterSeries:
        """Return what a contract is settled on; what is not metered for it is missing."""
        delivered = {}
        if isinstance(contract, Cfe | Rec):
            wanted = contract.sources if isinstance(contract, Cfe) else contract.bundled
            delivered = {
                source.id: delivered_mwh(source, self.of_contract(source))
                for source in self._world.company.contracts
                if source.id in wanted
            }
        own: dict[str, Any] = {"delivered_mwh": delivered}
        if contract.id in self._takes:
            own["taken_mwh"] = self._row("take_mwh", self._takes[contract.id])
        if contract.id in self._plants:
            own["generate_mwh"] = self._row("generate_mwh", self._plants[contract.id])
        if (profile := self._world.inputs.profile_share.get(contract.id)) is not None:
            own["profile_share"] = profile[self._span].tolist()
        return self._series(contract.id, contract.site, own)

    def of_tariff(self, tariff: Tariff) -> MeterSeries:
        """Return what a tariff is settled on."""
        return self._series(tariff.id, tariff.site, {})

    def _series(self, owner_id: str, site_name: str, own: Mapping[str, Any]) -> MeterSeries:
        at, prefix = self._sites[site_name], f"{owner_id}."
        if at not in self._at_site:
            self._at_site[at] = self._site_rows(at)
        return MeterSeries(
            start=self._start,
            lengths_h=self._lengths_h,
            series={
                name.removeprefix(prefix): values[self._span].tolist()
                for name, values in self._world.inputs.series.items()
                if name.startswith(prefix)
            },
            **self._at_site[at],
            **own,
        )

    def _site_rows(self, at: int) -> dict[str, Any]:
        """Return what all contracts of a site are settled on."""
        site = self._world.company.sites[at]
        price_usd_per_mwh = self._world.inputs.price_usd_per_mwh[site.name]
        return {
            "time_zone": site.market.tz,
            "import_price": site.import_price,
            "spot_usd_per_mwh": price_usd_per_mwh[self._span].tolist(),
            **{name: self._row(name, at) for name in _AT_METERS},
        }

    def _row(self, name: str, at: int) -> list[float]:
        values = getattr(self._metered, name)[at]
        row: list[float] = values.tolist() if values.ndim else [float(values)]
        return row


def states_before(world: World, known: Mapping[str, ContractState]) -> dict[str, ContractState]:
    """Return the states of contracts before an interval: what is known, else the file's word."""
    return {**initial_states(world.company), **world.before, **known}
