"""Why a request was answered as it was: decided again, from the ledger and its board alone."""

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from math import isclose
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final

import msgspec

from tokenergy.company.board import Board
from tokenergy.company.decision import Decision
from tokenergy.company.request import Request
from tokenergy.company.serving.record import Closed, Decided, Opened, Refused, Snapshot
from tokenergy.errors import InputError
from tokenergy.metering.served_entries import moment_text
from tokenergy.routing.affinity import LastPlace
from tokenergy.routing.decide import decide
from tokenergy.routing.explain import ScoredAction, explained
from tokenergy.routing.pacing import Pacer, Pacing
from tokenergy.routing.state import State
from tokenergy.serve.board_file import decoded_board
from tokenergy.store.kept_request import KeptRequest, kept_rows

SAME_SHARE: Final = 1e-9
"""How far two scores may be apart that were worked out from the same numbers."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Explained:
    """One request: what was decided, every action it had, and whether both agree.

    Attributes:
        told: what became of it, in words.
        decided: the decision as the journal has it; None: it was refused before one.
        actions: every action that its ladder allowed, best first; () without its board.
        chosen: the one among them that was decided; None: it is not among them.
        differences: where deciding again comes to something else.
        agrees: whether it was decided again and came to the same.
    """

    request_id: str
    tenant: str
    tier: str
    at: str
    board_id: str
    told: str
    decided: Decided | None
    ended: Closed | Refused
    actions: tuple[ScoredAction, ...]
    chosen: ScoredAction | None
    differences: tuple[str, ...]
    agrees: bool

    def to_dict(self) -> dict[str, Any]:
        """Return all of it as a JSON-ready mapping."""
        return {
            "request_id": self.request_id,
            "tenant": self.tenant,
            "tier": self.tier,
            "at": self.at,
            "board_id": self.board_id,
            "told": self.told,
            "decided": None if self.decided is None else msgspec.structs.asdict(self.decided),
            "ended": {
                name: value
                for name, value in msgspec.structs.asdict(self.ended).items()
                if name not in ("asked", "decided", "state")
            },
            "actions": [
                asdict(action) | {"chosen": action is self.chosen} for action in self.actions
            ],
            "differences": list(self.differences),
            "agrees": self.agrees,
        }


def explain(request_id: str, ledgers: Iterable[Path]) -> Explained:
    """Return why a request was answered as it was.

    Args:
        request_id: as its answer's header says.
        ledgers: files to look in.

    Raises:
        InputError: if no ledger knows it, or what it keeps cannot be read.
    """
    looked = tuple(ledgers)
    for ledger in looked:
        rows = kept_rows(ledger, request_id)
        if rows is None:
            continue
        told = None if rows.board is None else decoded_board(rows.board.encode())
        return _explained(rows.kept, None if told is None else told.board)
    raise InputError(
        f"request {request_id!r} is in no ledger of {', '.join(map(str, looked))}; requests are "
        "kept for 7 days, and are there within a second of their end"
    )


def _explained(kept: KeptRequest, board: Board | None) -> Explained:
    """Return what comes of deciding again."""
    begun = kept.opened if kept.opened is not None else kept.ended
    if isinstance(begun, Closed):
        raise InputError(f"request {begun.request_id} has no beginning in the ledger")
    shared: dict[str, Any] = {
        "request_id": begun.request_id, "tenant": begun.tenant, "tier": begun.tier,
        "at": moment_text(begun.at_s), "board_id": begun.board_id, "told": _told(kept),
        "decided": begun.decided, "ended": kept.ended,
    }  # fmt: skip
    decided, snapshot = begun.decided, begun.state
    if decided is None or snapshot is None or begun.asked is None:
        return Explained(**shared, actions=(), chosen=None, differences=(), agrees=False)
    if board is None:
        words = f"board {begun.board_id!r} is not in the ledger: nothing can be decided again"
        return Explained(**shared, actions=(), chosen=None, differences=(words,), agrees=False)
    request = request_again(begun)
    state = state_again(snapshot, board, request)
    actions = explained(request, board, state)
    chosen = _chosen(actions, decided, board)
    differences = tuple(_differences(decide(request, board, state), decided, chosen))
    return Explained(
        **shared,
        actions=actions,
        chosen=chosen,
        differences=differences,
        agrees=not differences,
    )


def request_again(begun: Opened | Refused) -> Request:
    """Return the request as it was decided.

    Raises:
        InputError: if it was refused before that.
    """
    asked = begun.asked
    if asked is None:
        raise InputError(f"request {begun.request_id} was refused before any decision")
    return Request(
        request_id=begun.request_id,
        tenant=begun.tenant,
        tier=begun.tier,
        workload=begun.workload,
        origin=asked.origin,
        arrival_s=asked.arrival_s,
        input_tokens=asked.input_tokens,
        output_tokens=asked.output_tokens,
        output_late_tokens=asked.output_late_tokens,
        output_most_tokens=asked.output_most_tokens,
        input_most_tokens=asked.input_most_tokens,
        cap_tokens=asked.cap_tokens,
        deadline_s=asked.deadline_s,
        session=asked.session or None,
        needs=frozenset(asked.needs),
        model=asked.model,
        may_downgrade=asked.may_downgrade,
        may_cap=asked.may_cap,
        may_defer=asked.may_defer,
        without=frozenset(asked.without),
        value_usd=asked.value_usd,
        budgets=asked.budgets,
    )


def state_again(snapshot: Snapshot, board: Board, request: Request) -> State:
    """Return what of the state the decision read.

    Wheels are not kept: which member of a tie had the turn cannot be told again. Neither are the
    leases: what a hard limit refused is in the reason alone.
    """
    pacers = [
        Pacer(_pacing(budget, unit, snapshot.now_s), lambda_usd_per_unit, 1.0, 0.0)
        for budget, unit, lambda_usd_per_unit in snapshot.lambdas
    ]
    state = State.opened(board, now_s=snapshot.now_s, pacers=pacers)
    load = board.by_name.get(request.workload)
    counts = state.counts._replace(in_flight=snapshot.busy, busy=snapshot.busy)
    if load is not None:
        served = list(counts.served_tokens)
        served[load.index] = snapshot.served_tokens
        held = {(load.index, at_s): tokens for at_s, tokens in snapshot.held_tokens}
        counts = counts._replace(served_tokens=tuple(served), held_tokens=MappingProxyType(held))
    sessions = state.sessions
    if snapshot.last_deployment and request.session is not None:
        last = LastPlace(snapshot.last_deployment, snapshot.last_prefix_tokens)
        sessions = sessions.with_last(request.tenant, request.session, last)
    return state._replace(
        counts=counts,
        sessions=sessions,
        down=frozenset(snapshot.down),
        safe_mode=snapshot.safe_mode,
    )


def _pacing(budget: str, unit: str, now_s: float) -> Pacing:
    """Return a plan whose only use is to say what the lambda of a budget is in."""
    return Pacing(
        budget=budget, unit="usd" if unit == "usd" else "j", start_s=now_s, end_s=now_s + 1.0,
        budget_quantity=1.0, requests_count=1.0, mean_use_quantity=1.0, dual_usd_per_unit=0.0,
        worth_usd_per_unit=1.0,
    )  # fmt: skip


def _chosen(
    actions: tuple[ScoredAction, ...], decided: Decided, board: Board
) -> ScoredAction | None:
    """Return the action that was decided."""
    if decided.action == "refuse":
        return next((one for one in actions if not one.model), None)
    interval = 0
    if decided.release_s is not None:
        interval = round((decided.release_s - board.start_s) / board.interval_s)
    for action in actions:
        if (action.rung, action.deployment, action.interval) == (
            decided.rung, decided.deployment, interval,
        ):  # fmt: skip
            return action
    return None


def _differences(again: Decision, decided: Decided, chosen: ScoredAction | None) -> Iterable[str]:
    """Yield where deciding again comes to something else."""
    if chosen is None:
        yield f"what was decided, {_words(decided)}, is none of the actions"
    elif decided.action != "refuse" and not isclose(
        chosen.score_usd, decided.score_usd, rel_tol=SAME_SHARE, abs_tol=1e-15
    ):
        yield f"the score is {chosen.score_usd:.9g} USD now and was {decided.score_usd:.9g}"
    tied = decided.deployment in again.tied and again.rung == decided.rung
    for name in ("action", "rung", "model", "release_s"):
        now, then = getattr(again, name), getattr(decided, name)
        if now != then:
            yield f"{name} is {now!r} now and was {then!r}"
    if again.deployment != decided.deployment and not tied:
        yield f"deployment is {again.deployment!r} now and was {decided.deployment!r}"


def _words(decided: Decided) -> str:
    where = decided.deployment or "nowhere"
    return f"{decided.action} {decided.model or 'nothing'} at {where}"


def _told(kept: KeptRequest) -> str:
    ended, opened = kept.ended, kept.opened
    if isinstance(ended, Refused) or opened is None:
        code = ended.code if isinstance(ended, Refused) else ended.outcome
        return f"refused with {ended.status} {code}"
    decided = opened.decided
    return (
        f"{_words(decided)} because of {decided.reason}; {ended.outcome}, "
        f"{ended.input_tokens} tokens in, {ended.output_tokens} out ({ended.usage_source}), "
        f"cost {ended.cost_nano_usd / 1e9:.9f} USD, charged {ended.charge_nano_usd / 1e9:.9f} USD"
    )
