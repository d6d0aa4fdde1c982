"""How far a run has come, in words that outlive the process: state, memory, and what passed.

Every 24 h of the horizon a run notes what it needs to go on: the state, what its policy remembers
and what happened since the note before. A run that is stopped goes on from the last of these
notes and ends bit for bit as if nobody had stopped it: a run that is not stopped goes on from its
own notes too, so that both take the same way (`replay`).
"""

import json
import zlib
from base64 import b64decode, b64encode
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any, Final, Protocol, cast

import numpy as np

from tokenergy.company.contract_state import ContractState
from tokenergy.dispatch.world import Action, FloatArray, State, World
from tokenergy.errors import InputError
from tokenergy.simulate.interval import Step
from tokenergy.units import H_PER_DAY

FORMAT: Final = 1
"""Of the notes: those of another one are refused, not guessed at."""

Words = Mapping[str, Any]
"""Plain JSON; Python floats survive it to the last bit."""


class Journal(Protocol):
    """Where a run's notes are kept, outside the core."""

    def kept(self) -> Sequence[Words]:
        """Return the notes of this run, the oldest first; none: it has not begun."""
        ...

    def keep(self, at: int, words: Words) -> None:
        """Keep a note about the moment before interval `at` of the world."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Passed:
    """One interval that is over: what happened, who decided it, and what they thought it cost."""

    step: Step
    source: str
    asked_usd_per_mtok: FloatArray | None
    mw_rent_usd_per_mwh: FloatArray | None

    @classmethod
    def of(cls, step: Step, action: Action) -> "Passed":
        """Return what an action has become."""
        return cls(
            step=step,
            source=action.source,
            asked_usd_per_mtok=action.asked_usd_per_mtok,
            mw_rent_usd_per_mwh=action.mw_rent_usd_per_mwh,
        )


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Note:
    """How far a run has come.

    Attributes:
        at: index of the interval that comes next.
        state: what the past leaves to it.
        memory: what the policy remembers.
        passed: what happened since the note before.
    """

    at: int
    state: State
    memory: Words
    passed: tuple[Passed, ...]

    def to_dict(self) -> dict[str, Any]:
        """Return the note as a JSON-ready mapping."""
        return {
            "format": FORMAT,
            "at": self.at,
            "state": state_words(self.state),
            "memory": dict(self.memory),
            "sources": [each.source for each in self.passed],
            "steps": {
                name: _packed([getattr(each.step, name) for each in self.passed])
                for name in STEP_ARRAYS
            },
            "prices": {
                name: _packed([getattr(each, name) for each in self.passed]) for name in PRICES
            },
        }

    @classmethod
    def from_dict(cls, words: Words) -> "Note":
        """Return the note that `to_dict` wrote.

        Raises:
            InputError: if it is of another format.
        """
        if words.get("format") != FORMAT:
            raise InputError(
                f"the run was noted down in format {words.get('format')}, this release reads "
                f"format {FORMAT}: simulate again without resuming"
            )
        state = state_of(words["state"])
        count = len(words["sources"])
        steps = {name: _unpacked(words["steps"][name], count) for name in STEP_ARRAYS}
        prices = {name: _unpacked(words["prices"][name], count) for name in PRICES}
        passed = tuple(
            Passed(
                step=Step(
                    **cast(Any, {name: rows[at] for name, rows in steps.items()}), after=state
                ),
                source=words["sources"][at],
                **{name: rows[at] for name, rows in prices.items()},
            )
            for at in range(count)
        )
        return cls(at=words["at"], state=state, memory=words["memory"], passed=passed)


STEP_ARRAYS: Final = tuple(each.name for each in fields(Step) if each.name != "after")
PRICES: Final = ("asked_usd_per_mtok", "mw_rent_usd_per_mwh")


def begins_day(world: World, at: int) -> bool:
    """Tell whether a day of the horizon begins with interval `at`, or the horizon ends before it.

    Days are 24 h from the horizon's start on; there policies are made afresh and notes are made.
    """
    day = max(1, round(H_PER_DAY / world.step_h))
    return at == world.last or (at > world.first and (at - world.first) % day == 0)


def notes_of(world: World, kept: Sequence[Words]) -> list[Note]:
    """Return the notes from the beginning of the horizon on, as far as none is missing."""
    notes: list[Note] = []
    done = world.first
    for words in kept:
        note = Note.from_dict(words)
        if note.at != done + len(note.passed) or not note.passed:
            break
        notes.append(note)
        done = note.at
    return notes


def state_words(state: State) -> dict[str, Any]:
    """Return a state as a JSON-ready mapping; it survives the way there and back to the bit."""
    return {
        "awake": _plain(state.awake),
        "energy_mwh": _plain(state.energy_mwh),
        "backlog_mtok": _plain(state.backlog_mtok),
        "contracts": {name: each.to_dict() for name, each in sorted(state.contracts.items())},
    }


def state_of(words: Words) -> State:
    """Return the state that `state_words` wrote, its arrays laid out row by row.

    Raises:
        KeyError: if a part is missing.
    """
    arrays = {
        name: np.array(words[name]["values"], dtype=np.float64).reshape(words[name]["shape"])
        for name in ("awake", "energy_mwh", "backlog_mtok")
    }
    contracts = {name: ContractState.from_dict(each) for name, each in words["contracts"].items()}
    return State(**arrays, contracts=contracts)


def through_words(words: Words) -> dict[str, Any]:
    """Return words as they come back from where they were kept."""
    read: dict[str, Any] = json.loads(json.dumps(words))
    return read


def _plain(values: FloatArray) -> dict[str, Any]:
    return {"shape": list(values.shape), "values": values.ravel().tolist()}


def _packed(rows: Sequence[FloatArray | None]) -> dict[str, Any] | None:
    """Return rows of one shape as text, every bit of them; None where one is missing."""
    known = [row for row in rows if row is not None]
    if len(known) < len(rows) or not known:
        return None
    stacked = np.stack(known).astype("<f8")
    packed = b64encode(zlib.compress(stacked.tobytes())).decode()
    return {"shape": list(stacked.shape), "float64": packed}


def _unpacked(words: Words | None, count: int) -> Sequence[Any]:
    if words is None:
        return [None] * count
    read = np.frombuffer(zlib.decompress(b64decode(words["float64"])), dtype="<f8")
    return list(read.astype(np.float64).reshape(words["shape"]))
