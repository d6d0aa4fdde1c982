"""Replay: a policy walked through the horizon, each action checked and then done."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from tokenergy.dispatch.event_path import mender
from tokenergy.dispatch.policy import Policy, Remembers
from tokenergy.dispatch.world import FloatArray, State, World
from tokenergy.simulate.advance import advance_contracts
from tokenergy.simulate.interval import Mechanics, Step
from tokenergy.simulate.journal import (
    Journal,
    Note,
    Passed,
    begins_day,
    notes_of,
    state_of,
    state_words,
    through_words,
)
from tokenergy.simulate.run import Run
from tokenergy.simulate.whole_replicas import WHOLE, WholeReplicas

Progress = Callable[[int, int], None]
"""Called after each interval with how many are done, and how many there are."""


def replay(
    world: World,
    policy: Policy,
    *,
    initial: State | None = None,
    on_progress: Progress | None = None,
    journal: Journal | None = None,
    whole_replicas: bool = False,
) -> Run:
    """Return what happens if `policy` decides every interval of the horizon.

    The policy only decides: meters, batteries and queues are worked out here, so no policy can
    do what the world does not allow. At the end of the horizon all waiting work is due; what
    is not served by then counts as refused. It begins at `initial`; None: nobody is awake, and
    batteries stand as the file says. Where something breaks that was not announced, the event path
    mends what the policy decided without knowing. With a `journal` it goes on from what is noted
    there, and notes down every day that has passed; a policy that remembers more than a day then
    has to be `Renewed`. With `whole_replicas` what is decided is done by whole ones.

    Raises:
        LimitBroken: if an action exceeds a limit, or leaves work past its deadline.
        InputError: if the notes are of another format.
    """
    mechanics, mend = Mechanics(world), mender(world)
    whole = WholeReplicas(world) if whole_replicas else None
    state = initial = State.initial(world) if initial is None else initial
    past, today = _gone_on(world, policy, journal), list[Passed]()
    if past:
        state = past[-1].state
    passed = [each for note in past for each in note.passed]
    for at in range(world.first + len(passed), world.last):
        action = mend(at, state, policy.decide(at, _copied(state)))
        action = action if whole is None else whole.made_whole(at, state, action)
        step = mechanics.execute(at, state, action)
        contracts = advance_contracts(world, at, state, step)
        step = replace(step, after=replace(step.after, contracts=contracts))
        today.append(Passed.of(step, action))
        state = step.after
        if begins_day(world, at + 1):
            state = state_of(through_words(state_words(state)))
            if journal is not None:
                _note(journal, policy, Note(at=at + 1, state=state, memory={}, passed=tuple(today)))
            passed += today
            today = []
        if on_progress is not None:
            on_progress(len(passed) + len(today), world.count)
    name = policy.name if whole is None else policy.name + WHOLE
    return replace(
        laid_out(name, initial, [p.step for p in passed], tuple(p.source for p in passed)),
        asked_usd_per_mtok=_known_throughout([p.asked_usd_per_mtok for p in passed]),
        mw_rent_usd_per_mwh=_known_throughout([p.mw_rent_usd_per_mwh for p in passed]),
    )


def _gone_on(world: World, policy: Policy, journal: Journal | None) -> list[Note]:
    """Return the notes of an earlier process, its last memory given back to the policy."""
    past = [] if journal is None else notes_of(world, journal.kept())
    if past and isinstance(policy, Remembers):
        policy.recall(past[-1].memory)
    return past


def _note(journal: Journal, policy: Policy, note: Note) -> None:
    memory = policy.memory() if isinstance(policy, Remembers) else {}
    journal.keep(note.at, replace(note, memory=memory).to_dict())


def _known_throughout(prices: list[FloatArray | None]) -> FloatArray | None:
    """Return prices by interval [., T]; None where the policy did not tell all of them."""
    known = [each for each in prices if each is not None]
    return np.stack(known, axis=1) if len(known) == len(prices) else None


def _copied(state: State) -> State:
    """Return a state that a policy may scribble on."""
    return replace(
        state,
        awake=state.awake.copy(),
        energy_mwh=state.energy_mwh.copy(),
        backlog_mtok=state.backlog_mtok.copy(),
    )


def laid_out(policy: str, initial: State, steps: list[Step], sources: tuple[str, ...]) -> Run:
    """Return the run that steps make, one after another, from `initial` on."""

    def rows(name: str) -> FloatArray:
        stacked = np.stack([getattr(step, name) for step in steps], axis=1)
        return np.ascontiguousarray(stacked)  # sums run in one order, wherever steps are from

    return Run(
        policy=policy,
        initial=initial,
        serve_mtok=rows("serve_mtok"),
        refused_mtok=rows("refused_mtok"),
        backlog_mtok=rows("backlog_mtok"),
        awake=rows("awake"),
        wake=rows("wake"),
        take_mwh=rows("take_mwh"),
        charge_mwh=rows("charge_mwh"),
        discharge_mwh=rows("discharge_mwh"),
        energy_mwh=rows("energy_mwh"),
        it_mwh=rows("it_mwh"),
        load_mwh=rows("load_mwh"),
        import_mwh=rows("import_mwh"),
        export_mwh=rows("export_mwh"),
        bought_mwh=rows("bought_mwh"),
        sold_mwh=rows("sold_mwh"),
        generate_mwh=rows("generate_mwh"),
        sources=sources,
    )
