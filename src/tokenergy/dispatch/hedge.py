"""A hedge on a policy: it walks a plain rule beside it and says when that has done better.

The shadow decides every interval on its own state, as if it had run the company all along. The
policy is behind while its cost over the trailing week exceeds the shadow's by more than an
allowance. What each of them still holds, stored energy and work not yet done, is counted at last
week's prices, or a policy that stores and waits would look dear and cheap by turns.
"""

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from tokenergy.dispatch.last_week import LastWeek
from tokenergy.dispatch.merit import Greedy
from tokenergy.dispatch.spent import Books
from tokenergy.dispatch.world import Action, FloatArray, State, World
from tokenergy.errors import InfeasibleProgram
from tokenergy.units import H_PER_DAY

ALLOWANCE_SHARE = 0.02
"""Cost above the shadow's, as a share of it, that a policy may have in a trailing week."""
TRAILING_H = 7.0 * H_PER_DAY
LEAST_H = H_PER_DAY
"""Shorter than a day a policy that stores and waits is told by its hours, not by its worth."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Past:
    """What one interval cost both, and what the policy held more than its shadow before it."""

    mine_usd: float
    shadow_usd: float
    stored_mwh: FloatArray
    waiting_mtok: FloatArray


class Hedge:
    """Shadows `greedy` beside a policy, interval by interval."""

    def __init__(
        self, world: World, week: LastWeek, *, allowance_share: float = ALLOWANCE_SHARE
    ) -> None:
        """Prepare the shadow; it starts at the policy's first interval, from the same state."""
        self._world, self._week = world, week
        self._allowance_share = allowance_share
        self.shadow = Greedy(world)
        self._books = Books(world)
        self._past: deque[_Past] = deque(maxlen=max(1, round(TRAILING_H / world.step_h)))
        self._least_count = max(1, round(LEAST_H / world.step_h))
        self._next = -1
        self._state: State | None = None

    def behind(self, at: int, state: State) -> bool:
        """Tell whether the policy has cost too much by the beginning of interval `at`.

        A walk that does not go on where it stood begins anew.
        """
        if at != self._next or self._state is None:
            self._past.clear()
            self._next, self._state = at, state
        # Contracts have one past, the company's own, whoever decides.
        self._state = replace(self._state, contracts=state.contracts)
        if len(self._past) < self._least_count:
            return False
        stored_mwh, waiting_mtok = self._more(state)
        mine_usd = sum(past.mine_usd for past in self._past)
        shadow_usd = sum(past.shadow_usd for past in self._past)
        first = self._past[0]
        mine_usd -= float(self._stored_usd_per_mwh(at) @ (stored_mwh - first.stored_mwh))
        mine_usd += float(self._waiting_usd_per_mtok(at) @ (waiting_mtok - first.waiting_mtok))
        return mine_usd - shadow_usd > self._allowance_share * abs(shadow_usd)

    def note(self, at: int, state: State, action: Action) -> None:
        """Note what the policy does in interval `at`, and let the shadow decide it too."""
        assert self._state is not None  # `behind` comes first
        try:
            shadow_action = self.shadow.decide(at, self._state)
        except InfeasibleProgram:
            self._next = -1  # its path has ended: the next interval begins a new one
            return
        stored_mwh, waiting_mtok = self._more(state)
        self._past.append(
            _Past(
                mine_usd=self._books.usd(at, state, action),
                shadow_usd=self._books.usd(at, self._state, shadow_action),
                stored_mwh=stored_mwh,
                waiting_mtok=waiting_mtok,
            )
        )
        self._state = self._books.after(at, self._state, shadow_action)
        self._next = at + 1

    def memory(self) -> Mapping[str, Any]:
        """Return what it remembers, as a JSON-ready mapping; nothing before its first interval."""
        if self._state is None:
            return {}
        state = self._state
        return {
            "next": self._next,
            "awake": state.awake.tolist(),
            "energy_mwh": state.energy_mwh.tolist(),
            "backlog_mtok": state.backlog_mtok.tolist(),
            "past": [
                [
                    past.mine_usd,
                    past.shadow_usd,
                    past.stored_mwh.tolist(),
                    past.waiting_mtok.tolist(),
                ]
                for past in self._past
            ],
        }

    def recall(self, memory: Mapping[str, Any]) -> None:
        """Go on where another hedge of the same world stopped."""
        if not memory:
            return
        self._next = int(memory["next"])
        shape = State.initial(self._world).backlog_mtok.shape
        self._state = State(
            awake=np.array(memory["awake"], dtype=np.float64),
            energy_mwh=np.array(memory["energy_mwh"], dtype=np.float64),
            backlog_mtok=np.array(memory["backlog_mtok"], dtype=np.float64).reshape(shape),
        )
        self._past.clear()
        for mine_usd, shadow_usd, stored_mwh, waiting_mtok in memory["past"]:
            self._past.append(
                _Past(
                    mine_usd=mine_usd,
                    shadow_usd=shadow_usd,
                    stored_mwh=np.array(stored_mwh, dtype=np.float64),
                    waiting_mtok=np.array(waiting_mtok, dtype=np.float64),
                )
            )

    def _more(self, state: State) -> tuple[FloatArray, FloatArray]:
        """Return what the policy holds more than its shadow: stored [B] and waiting [W]."""
        assert self._state is not None
        waiting_mtok = state.backlog_mtok.sum(axis=1) - self._state.backlog_mtok.sum(axis=1)
        return state.energy_mwh - self._state.energy_mwh, waiting_mtok

    def _stored_usd_per_mwh(self, at: int) -> FloatArray:
        """Return last week's mean price x discharge efficiency [B]."""
        world = self._world
        return np.array(
            [
                float(self._week.buy_usd_per_mwh(site, at).mean()) * battery.discharge_eff_share
                for battery, site in zip(world.batteries, world.battery_site, strict=True)
            ]
        )

    def _waiting_usd_per_mtok(self, at: int) -> FloatArray:
        """Return what waiting work will cost: last week's median at cheap places, or its value."""
        return np.array(
            [
                min(load.value_usd_per_mtok, float(np.median(self._week.usd_per_mtok(work, at))))
                for work, load in enumerate(self._world.workloads)
            ]
        )
