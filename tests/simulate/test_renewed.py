"""A policy is made afresh every day: nothing but what it says it remembers is carried over."""

import numpy as np
from worlds import random_world

from tokenergy.dispatch.world import Action, State, World
from tokenergy.simulate.renewed import Renewed
from tokenergy.simulate.replay import replay


class Noted:
    """Refuses all work and counts how often it was made and asked."""

    name = "noted"
    made_count = 0

    def __init__(self, world: World) -> None:
        self.world, self.asked = world, 0
        type(self).made_count += 1

    def decide(self, at: int, state: State) -> Action:
        world, self.asked = self.world, self.asked + 1
        return Action(
            serve_mtok=np.zeros(len(world.routes)),
            refused_mtok=world.arrivals_mtok[:, at] + state.backlog_mtok.sum(axis=1),
            awake=np.zeros(len(world.deployments)),
            take_mw=np.array([take.floor_mw[at] for take in world.takes]),
            charge_mw=np.zeros(len(world.batteries)),
            discharge_mw=np.zeros(len(world.batteries)),
            source=f"{self.asked}",
        )


class Kept(Noted):
    made_count = 0
    plans_once = True


class Remembering(Noted):
    made_count = 0

    def memory(self):
        return {"asked": self.asked}

    def recall(self, memory) -> None:
        self.asked = memory["asked"]


def sources(policy) -> tuple[int, ...]:
    made = random_world(1, hours=60)
    run = replay(made, Renewed(made, "noted", policy))
    return tuple(int(run.sources[at]) for at in (0, 23, 24, 47, 48, 59))


def test_every_day_begins_with_a_new_one() -> None:
    assert sources(Noted) == (1, 24, 1, 24, 1, 12)
    assert Noted.made_count == 3


def test_one_that_plans_once_is_kept() -> None:
    assert sources(Kept) == (1, 24, 25, 48, 49, 60)
    assert Kept.made_count == 1


def test_memory_is_carried_over_and_nothing_else() -> None:
    assert sources(Remembering) == (1, 24, 25, 48, 49, 60)
    assert Remembering.made_count == 3
