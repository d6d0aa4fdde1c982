"""What contracts remember of an interval: settled on what was metered in it alone."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

from tokenergy.company.contract_state import ContractState
from tokenergy.company.settle import keeps_state, settle, settle_tariff, state_keys
from tokenergy.dispatch.world import State, World
from tokenergy.simulate.bill import Meters, company_of, states_before

if TYPE_CHECKING:
    from tokenergy.simulate.interval import Step


def advance_contracts(
    world: World, at: int, state: State, step: "Step"
) -> Mapping[str, ContractState]:
    """Return the states of all contracts and tariff items after interval `at`.

    Only those that remember something are settled; a world of arrays alone has none. Where
    `state` lacks one, it begins as the file says.

    Raises:
        InputError: if a series of a contract is missing, or no number in this interval.
    """
    if company_of(world) is None:
        return state.contracts
    contracts = [each for each in world.company.contracts if keeps_state(each)]
    tariffs = [(each, tuple(state_keys(each))) for each in world.company.tariffs]
    keys = [each.id for each in contracts] + [key for _, some in tariffs for key in some]
    if not keys:
        return state.contracts
    states = dict(state.contracts)
    if any(key not in states for key in keys):
        states = states_before(world, states)
    meters = Meters(world, step, begin=at)
    for contract in contracts:
        states[contract.id] = settle(
            contract, meters.of_contract(contract), states[contract.id]
        ).state
    for tariff, some in tariffs:
        if some:
            states |= settle_tariff(
                tariff,
                meters.of_tariff(tariff),
                states,
                wacc_share=world.company.money.wacc_share,
            ).states
    return states
