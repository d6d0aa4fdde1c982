"""A saving split into geography, hour, deferral and storage, in two orders."""

import numpy as np
import pytest
from simulate.played import Optimal, random_company
from worlds import random_world

from tokenergy.dispatch.policies import make_policy
from tokenergy.dispatch.world import State
from tokenergy.simulate.account import account
from tokenergy.simulate.replay import replay
from tokenergy.simulate.split import split_saving, without_batteries, without_deferral


def run_policy(made, name):
    return replay(made, make_policy(name, made))


@pytest.mark.parametrize("make", [random_world, random_company])
def test_the_parts_add_up_in_both_orders(make) -> None:
    made = make(4)
    split = split_saving(made, run_policy)
    costs = [account(made, run_policy(made, n)).cost_usd for n in ("nearest", "clairvoyant")]
    assert (split.nearest_usd, split.clairvoyant_usd) == pytest.approx(tuple(costs))
    for order in (split.deferral_first, split.storage_first):
        assert sum(order.saving_usd.values()) == pytest.approx(costs[0] - costs[1])
        assert order.saving_share["hour"] == pytest.approx(order.saving_usd["hour"] / costs[0])
        assert list(order.saving_usd) == list(order.steps)
    assert split.deferral_first.steps[2:] == ("deferral", "storage")
    assert split.storage_first.steps[2:] == ("storage", "deferral")
    assert split.deferral_first.saving_usd["storage"] >= -1e-6
    assert split.storage_first.saving_usd["deferral"] >= -1e-6


def test_a_split_is_said_in_one_sentence_and_in_json() -> None:
    split = split_saving(random_world(4), run_policy)
    assert split.sentence().startswith("From nearest to clairvoyant ")
    assert all(word in split.sentence() for word in ("geography", "hour", "deferral", "storage"))
    assert split.to_dict()["storage_first"]["saving_usd"] == dict(split.storage_first.saving_usd)


def test_worlds_with_less_are_whole_worlds() -> None:
    made = random_world(4)
    bare = without_deferral(without_batteries(made))
    state = State.initial(bare)
    assert state.energy_mwh.shape == (0,)
    assert state.backlog_mtok.shape == (3, 1)
    run = replay(bare, Optimal(bare))
    assert not np.any(run.backlog_mtok)
    assert made.batteries, "the world itself is as it was"


def test_what_is_known_of_the_world_is_not_run_again() -> None:
    made = random_world(4)
    known = {name: run_policy(made, name) for name in ("nearest", "static", "clairvoyant")}
    again: list[tuple[bool, str]] = []

    def counted(where, name):
        again.append((where is made, name))
        return run_policy(where, name)

    assert split_saving(made, counted, known) == split_saving(made, run_policy)
    assert [name for here, name in again if here] == ["greedy"]
    assert [name for here, name in again if not here] == ["clairvoyant"] * 2
