"""Every policy that ships, by name."""

from collections.abc import Callable, Mapping
from types import MappingProxyType

from tokenergy.company.noun import nearest_names
from tokenergy.dispatch.daily_duals import DailyDuals
from tokenergy.dispatch.lp_policies import Clairvoyant, Mpc, MpcPerfectDayAhead
from tokenergy.dispatch.merit import Greedy, GreedyBattery, Nearest, RoundRobin, Static
from tokenergy.dispatch.policy import Policy
from tokenergy.dispatch.reserve import Reserve
from tokenergy.dispatch.world import World
from tokenergy.errors import UnknownName

POLICIES: Mapping[str, Callable[[World], Policy]] = MappingProxyType(
    {
        "nearest": Nearest,
        "round_robin": RoundRobin,
        "static": Static,
        "greedy": Greedy,
        "greedy_battery": GreedyBattery,
        "reserve": Reserve,
        "daily_duals": DailyDuals,
        "mpc": Mpc,
        "mpc_perfect_day_ahead": MpcPerfectDayAhead,
        "clairvoyant": Clairvoyant,
    }
)
"""From what is done without a thought to the best possible (dispatch sheet, section 5)."""


def make_policy(name: str, world: World) -> Policy:
    """Return a fresh policy for a world.

    Raises:
        UnknownName: naming the nearest policies.
    """
    if name not in POLICIES:
        near = ", ".join(nearest_names(name, POLICIES) or POLICIES)
        raise UnknownName(f"policy {name!r} is unknown; nearest: {near}")
    return POLICIES[name](world)
