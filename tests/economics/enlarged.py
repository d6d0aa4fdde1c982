"""A company of another size as a world made anew: the oracle of the one program in place."""

from dataclasses import replace

from tokenergy.dispatch.world import World
from tokenergy.economics.scaled import has_users


def enlarged(
    world: World,
    *,
    users_ratio: float,
    capacity_ratio: float = 1.0,
    contracts_ratio: float = 1.0,
) -> World:
    """Return a world with other numbers of users, GPUs, megawatts and contracts.

    With the three ratios alike, and no workload without users, everything is only larger: the
    cost is multiplied by the ratio (economics sheet, section 14).

    Args:
        world: the company as it is.
        users_ratio: multiplies the arrivals of workloads whose tier has users.
        capacity_ratio: multiplies GPUs, grid connections, fixed load, batteries and the rate
            limits of external APIs.
        contracts_ratio: multiplies blocks and as-produced contracts.
    """
    growth = 1.0 + (users_ratio - 1.0) * has_users(world)
    batteries = tuple(
        battery.model_copy(
            update={
                "power_mw": battery.power_mw * capacity_ratio,
                "capacity_mwh": battery.capacity_mwh * capacity_ratio,
            }
        )
        for battery in world.batteries
    )
    return replace(
        world,
        arrivals_mtok=world.arrivals_mtok * growth[:, None],
        import_limit_mw=world.import_limit_mw * capacity_ratio,
        export_limit_mw=world.export_limit_mw * capacity_ratio,
        fixed_mw=world.fixed_mw * capacity_ratio,
        fleets=tuple(
            replace(fleet, gpus_count=fleet.gpus_count * capacity_ratio) for fleet in world.fleets
        ),
        deployments=tuple(
            replace(d, limit_mtok_per_h=d.limit_mtok_per_h * capacity_ratio)
            for d in world.deployments
        ),
        batteries=batteries,
        takes=tuple(
            replace(
                take,
                available_mw=take.available_mw * contracts_ratio,
                floor_mw=take.floor_mw * contracts_ratio,
                sunk_usd_per_h=take.sunk_usd_per_h * contracts_ratio,
            )
            for take in world.takes
        ),
        blocks=tuple(
            replace(block, delivery_mw=block.delivery_mw * contracts_ratio)
            for block in world.blocks
        ),
    )
