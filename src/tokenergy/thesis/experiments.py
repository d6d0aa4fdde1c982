"""The fourteen experiments in their order, and how they are run."""

from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Final

from tokenergy.errors import UnexpectedError, UnknownName
from tokenergy.thesis import (
    dual_price,
    duel,
    flexibility,
    free_power,
    geography,
    growth_loss,
    heavy_tail,
    levers,
    meter,
    mw_moat,
    own_energy,
    restraint,
    sora,
    user_scale,
)
from tokenergy.thesis.inputs import ThesisInputs
from tokenergy.thesis.result import Experiment, Result

EXPERIMENTS: Final[Mapping[str, Experiment]] = MappingProxyType(
    {
        "T1": user_scale.run,
        "T2": growth_loss.run,
        "T3": sora.run,
        "T4": levers.run,
        "T5": mw_moat.run,
        "T6": own_energy.run,
        "T7": geography.run,
        "T8": restraint.run,
        "T9": flexibility.run,
        "T10": heavy_tail.run,
        "T11": dual_price.run,
        "T12": meter.run,
        "T13": duel.run,
        "T14": free_power.run,
    }
)
"""By id, in the order of the essay. None of them reads what another found."""

Heard = Callable[[str, int, int], None]
"""Told (id, done, of) while experiments run."""


def chosen(only: Sequence[str] = ()) -> tuple[str, ...]:
    """Return the ids that are asked for, each once, in the order of the essay.

    Args:
        only: ids in any order and case; empty: all.

    Raises:
        UnknownName: naming all unknown ids at once, and the known ones.
    """
    wanted = {name.strip().upper() for name in only}
    unknown = [name for name in only if name.strip().upper() not in EXPERIMENTS]
    if unknown:
        listed = ", ".join(repr(name) for name in dict.fromkeys(unknown))
        raise UnknownName(f"unknown experiments: {listed}; known: {', '.join(EXPERIMENTS)}")
    return tuple(id for id in EXPERIMENTS if not only or id in wanted)


def run_one(id: str, inputs: ThesisInputs, heard: Heard | None = None) -> Result:
    """Run one experiment of a known id.

    Raises:
        UnexpectedError: if its result goes by another id: a fault of ours.
    """

    def told(done: int, of: int) -> None:
        if heard is not None:
            heard(id, done, of)

    told(0, 1)
    result = EXPERIMENTS[id](inputs, told)
    if result.id != id:
        raise UnexpectedError(f"experiment {id} returned a result of {result.id}")
    told(1, 1)
    return result
