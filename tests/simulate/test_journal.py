"""A run that is stopped anywhere and gone on with ends bit for bit as one that was not."""

import json
from dataclasses import fields, replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from worlds import random_world

import tokenergy as te
from tokenergy.company.contract_state import ContractState
from tokenergy.dispatch.lp_policies import Mpc
from tokenergy.dispatch.world import Action, State, World
from tokenergy.errors import InputError
from tokenergy.simulate.journal import Note, begins_day, notes_of, state_of, state_words
from tokenergy.simulate.renewed import Renewed, renewed
from tokenergy.simulate.replay import replay
from tokenergy.simulate.run import Run

SMALL = Path(__file__).parents[1] / "small.yaml"
PEAK = """
tariffs:
  - id: grid
    site: texas
    demand: [{name: peak, usd_per_kw_month: 12, ratchet_share: 0.85, history: []}]
"""


class Paper:
    """A journal in memory, through the words that a file would keep."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def kept(self):
        return [json.loads(line) for line in self.lines]

    def keep(self, at: int, words) -> None:
        self.lines.append(json.dumps(words, allow_nan=False))


class Stopped(Exception):
    pass


class Drifting:
    """Charges a little more each time it is asked, and forgets it with the process."""

    name = "drifting"

    def __init__(self, world: World) -> None:
        self.world, self.times, self.drift = world, 0, 0.0

    def decide(self, at: int, state: State) -> Action:
        world = self.world
        self.times, self.drift = self.times + 1, self.drift + 0.1 / 3.0
        return Action(
            serve_mtok=np.zeros(len(world.routes)),
            refused_mtok=world.arrivals_mtok[:, at] + state.backlog_mtok.sum(axis=1),
            awake=np.zeros(len(world.deployments)),
            take_mw=np.array([take.floor_mw[at] for take in world.takes]),
            charge_mw=np.full(len(world.batteries), 0.01 * self.drift),
            discharge_mw=np.zeros(len(world.batteries)),
            source=f"drifting {self.times}",
        )

    def memory(self):
        return {"times": self.times, "drift": self.drift}

    def recall(self, memory) -> None:
        self.times, self.drift = memory["times"], memory["drift"]


def same(first: Run, second: Run) -> None:
    """Assert that two runs agree in every bit."""
    for each in fields(Run):
        one, other = getattr(first, each.name), getattr(second, each.name)
        if isinstance(one, np.ndarray):
            assert one.shape == other.shape, each.name
            assert one.tobytes() == other.tobytes(), each.name
        elif not isinstance(one, State):
            assert one == other, each.name


def stopped(made: World, policy, journal: Paper, *, after: int) -> None:
    def told(done: int, of: int) -> None:
        if done == after:
            raise Stopped

    with pytest.raises(Stopped):
        replay(made, policy, journal=journal, on_progress=told)


@settings(max_examples=10)
@given(st.integers(0, 50), st.integers(1, 71))
def test_what_a_policy_remembers_survives_a_stop(seed: int, after: int) -> None:
    made, journal = random_world(seed, hours=72), Paper()

    def make() -> Renewed:
        return Renewed(made, "drifting", Drifting)

    whole = replay(made, make())
    stopped(made, make(), journal, after=after)
    assert len(journal.lines) == after // 24
    again = replay(made, make(), journal=journal)
    same(whole, again)
    assert again.sources[-1] == "drifting 72"


@pytest.mark.parametrize(
    ("name", "afters"),
    [
        ("greedy_battery", (7,)),
        ("greedy_battery", (24, 26, 48)),
        ("daily_duals", (25, 47)),
        ("mpc", (24, 30)),
        ("clairvoyant", (25,)),
    ],
)
def test_a_policy_that_ships_goes_on_bit_for_bit(name: str, afters: tuple[int, ...]) -> None:
    made, journal = random_world(5, hours=52), Paper()
    whole = replay(made, renewed(made, name))
    for after in afters:
        stopped(made, renewed(made, name), journal, after=after)
    same(whole, replay(made, renewed(made, name), journal=journal))


def test_whole_replicas_go_on_bit_for_bit() -> None:
    made, journal = random_world(6, hours=48), Paper()
    whole = replay(made, renewed(made, "greedy_battery"), whole_replicas=True)
    policy = renewed(made, "greedy_battery")
    with pytest.raises(Stopped):
        replay(made, policy, journal=journal, whole_replicas=True, on_progress=_stop_at(30))
    again = replay(made, renewed(made, "greedy_battery"), journal=journal, whole_replicas=True)
    same(whole, again)


def _stop_at(after: int):
    def told(done: int, of: int) -> None:
        if done == after:
            raise Stopped

    return told


def test_a_run_that_has_ended_needs_no_policy() -> None:
    made, journal = random_world(2, hours=30), Paper()
    whole = replay(made, renewed(made, "greedy"), journal=journal)

    def never(world: World):
        raise AssertionError("it has been through already")

    same(whole, replay(made, Renewed(made, "greedy", never), journal=journal))


def test_a_missing_note_sends_back_to_the_one_before() -> None:
    made, journal = random_world(3, hours=72), Paper()
    whole = replay(made, renewed(made, "greedy"), journal=journal)
    assert [note.at for note in notes_of(made, journal.kept())] == [24, 48, 72]
    del journal.lines[1]
    assert [note.at for note in notes_of(made, journal.kept())] == [24]
    same(whole, replay(made, renewed(made, "greedy"), journal=journal))


def test_notes_of_another_format_are_refused() -> None:
    made, journal = random_world(3, hours=24), Paper()
    replay(made, renewed(made, "greedy"), journal=journal)
    words = journal.kept()[0] | {"format": 7}
    with pytest.raises(InputError, match="in format 7, this release reads format 1"):
        Note.from_dict(words)


def test_days_are_24_h_from_the_start_of_the_horizon() -> None:
    made = replace(random_world(1, hours=60), first=4, count=56)
    assert [at for at in range(61) if begins_day(made, at)] == [28, 52, 60]


AWKWARD = st.floats(allow_nan=False, allow_infinity=False)


@given(st.lists(AWKWARD, max_size=4), st.integers(0, 3), AWKWARD)
def test_a_state_survives_words_to_the_last_bit(energy, waits: int, peak_mw: float) -> None:
    state = State(
        awake=np.array([0.1 + 0.2, -0.0, 5e-324]),
        energy_mwh=np.array(energy, dtype=float),
        backlog_mtok=np.asfortranarray(np.full((2, waits), 1.0 / 3.0)),
        contracts={
            "grid.peak": ContractState(
                period="2026-03", peak_mw=peak_mw, past_peaks=(("2026-02", 1.0 / 3.0),)
            )
        },
    )
    read = state_of(json.loads(json.dumps(state_words(state))))
    for name in ("awake", "energy_mwh", "backlog_mtok"):
        one, other = getattr(state, name), getattr(read, name)
        assert (one.shape, one.tobytes("C")) == (other.shape, other.tobytes("C"))
        assert other.flags.c_contiguous
    assert read.contracts == state.contracts


def test_a_restart_from_the_stored_state_decides_the_same(tmp_path: Path) -> None:
    """The peak so far is in the note: without it the next decision would be another one."""
    file = tmp_path / "tariffed.yaml"
    file.write_text(SMALL.read_text(encoding="utf-8") + PEAK, encoding="utf-8")
    made, journal = te.load(file).world, Paper()
    run = replay(made, _unhedged(made), journal=journal)
    note = Note.from_dict(journal.kept()[0])
    peak_mw = note.state.contracts["grid.peak"].peak_mw
    assert peak_mw == run.import_mwh[0, :24].max() / made.step_h > 0.0

    def decided(state: State) -> Action:
        policy = _unhedged(made)
        policy.recall(note.memory)
        return policy.decide(note.at, state)

    first, again = decided(note.state), decided(Note.from_dict(journal.kept()[0]).state)
    assert first.serve_mtok.tobytes() == again.serve_mtok.tobytes()
    assert first.awake.tobytes() == run.awake[:, 24].tobytes()
    without = decided(replace(note.state, contracts={}))
    assert not np.allclose(first.serve_mtok, without.serve_mtok)


def _unhedged(made: World) -> Renewed:
    """Return mpc that never does as greedy does: that knows no peaks."""
    return Renewed(made, "mpc", lambda where: Mpc(where, hedged=False))
