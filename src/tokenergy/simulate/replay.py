"""Replay: a policy walked through the horizon, each action checked and then done."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from tokenergy.dispatch.policy import Policy
from tokenergy.dispatch.world import FloatArray, State, World
from tokenergy.simulate.interval import Mechanics, Step
from tokenergy.simulate.run import Run

Progress = Callable[[int, int], None]
"""Called after each interval with how many are done, and how many there are."""


def replay(
    world: World,
    policy: Policy,
    *,
    initial: State | None = None,
    on_progress: Progress | None = None,
) -> Run:
    """Return what happens if `policy` decides every interval of the horizon.

    The policy only decides: meters, batteries and queues are worked out here, so no policy can
    do what the world does not allow. At the end of the horizon all waiting work is due; what
    is not served by then counts as refused. It begins at `initial`; None: nobody is awake, and
    batteries stand as the file says.

    Raises:
        LimitBroken: if an action exceeds a limit, or leaves work past its deadline.
    """
    mechanics = Mechanics(world)
    state = initial = State.initial(world) if initial is None else initial
    steps: list[Step] = []
    sources: list[str] = []
    asked: list[FloatArray | None] = []
    rents: list[FloatArray | None] = []
    for done, at in enumerate(world.horizon_indices(), start=1):
        action = policy.decide(at, _copied(state))
        step = mechanics.execute(at, state, action)
        steps.append(step)
        sources.append(action.source)
        asked.append(action.asked_usd_per_mtok)
        rents.append(action.mw_rent_usd_per_mwh)
        state = step.after
        if on_progress is not None:
            on_progress(done, world.count)
    return replace(
        _laid_out(policy.name, initial, steps, tuple(sources)),
        asked_usd_per_mtok=_known_throughout(asked),
        mw_rent_usd_per_mwh=_known_throughout(rents),
    )


def _known_throughout(prices: list[FloatArray | None]) -> FloatArray | None:
    """Return prices by interval [., T]; None where the policy did not tell all of them."""
    known = [each for each in prices if each is not None]
    return np.stack(known, axis=1) if len(known) == len(prices) else None


def _copied(state: State) -> State:
    """Return a state that a policy may scribble on."""
    return State(
        awake=state.awake.copy(),
        energy_mwh=state.energy_mwh.copy(),
        backlog_mtok=state.backlog_mtok.copy(),
    )


def _laid_out(policy: str, initial: State, steps: list[Step], sources: tuple[str, ...]) -> Run:
    def rows(name: str) -> FloatArray:
        return np.stack([getattr(step, name) for step in steps], axis=1)

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
        sources=sources,
    )
