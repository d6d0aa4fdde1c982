"""The board as a file: what the process that makes boards tells the workers, as JSON.

Only what a board is made of travels; whatever it works out (orders, minima, digest) is worked out
again by `company.board_made`, and the digest says whether both came to the same. Beside it travel
the budgets of the present windows, with the shadow price that each begins with.
"""

import math
from collections.abc import Iterable, Sequence
from typing import Final, NamedTuple

import msgspec

from tokenergy.company.board import Admission, Board, BoardWorkload, Candidate, Rung, ServiceTier
from tokenergy.company.board_made import made_board, made_rung, made_workload
from tokenergy.company.budget_unit import BudgetUnit
from tokenergy.company.finding import Finding
from tokenergy.errors import InputError, UnexpectedError
from tokenergy.routing.pacing import Pacing, PacingRule

BOARD_VERSION: Final = 1
MAKE: Final = "Let the board maker of this release make it anew; until then the old board stays."


class BoardTold(NamedTuple):
    """What a board file said.

    Attributes:
        board: the board, made again; None where the file is broken.
        pacings: the budgets of the present windows, by name in their order.
        findings: what is wrong with the file; `company.board_findings` says what is with the board.
    """

    board: Board | None
    pacings: tuple[Pacing, ...]
    findings: tuple[Finding, ...]


class _Said(msgspec.Struct, frozen=True, kw_only=True, array_like=True, forbid_unknown_fields=True):
    """A part of the file; None stands for infinity where a number may be infinite."""


class _CandidateSaid(_Said, frozen=True, kw_only=True, array_like=True):
    deployment: str
    site: str
    accelerator: str
    model: str
    share: float
    high_usd_per_mtok: float
    low_usd_per_mtok: float
    parts_usd_per_mtok: tuple[float, ...]
    kappa_ratio: float
    base_j_per_token: float
    marginal_j_per_token: float
    awake_count: float
    batch_slo_count: float | None
    rate_mtok_per_h: float | None
    ttft_s: float
    tpot_s: float
    rtt_s: float
    context_limit_tokens: int
    features: tuple[str, ...]
    energy_tier: str


class _RungSaid(_Said, frozen=True, kw_only=True, array_like=True):
    model: str
    cap_tokens: int | None
    quality_share: float
    quality_source: str
    candidates: tuple[_CandidateSaid, ...]
    ahead_usd_per_mtok: tuple[float, ...]
    reservation_usd_per_mtok: tuple[float, ...]


class _WorkloadSaid(_Said, frozen=True, kw_only=True, array_like=True):
    name: str
    tier: str
    service_tier: ServiceTier
    must_serve: bool
    value_usd_per_mtok: float | None
    value_usd_per_request: float | None
    wait_usd_per_h: float
    ttft_limit_s: float
    rho_ratio: float
    planned_mtok: float | None
    release_mtok_per_h: tuple[float, ...]
    rungs: tuple[_RungSaid, ...]


class _PacingSaid(_Said, frozen=True, kw_only=True, array_like=True):
    budget: str
    unit: BudgetUnit
    start_s: float
    end_s: float
    budget_quantity: float
    requests_count: float
    mean_use_quantity: float
    dual_usd_per_unit: float
    worth_usd_per_unit: float
    arrived_share: tuple[float, ...]
    rule: tuple[float, ...]


class _BoardSaid(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    version: int
    board_id: str
    made_at_s: float
    start_s: float
    interval_s: float
    valid_until_s: float
    refresh_s: float
    policy: str
    admission: Admission
    places: tuple[str, ...]
    workloads: tuple[_WorkloadSaid, ...]
    pacings: tuple[_PacingSaid, ...]


_WRITER: Final = msgspec.json.Encoder()
_READER: Final = msgspec.json.Decoder(_BoardSaid)
_RULE_FIELDS: Final = tuple(PacingRule.__dataclass_fields__)


def encoded_board(board: Board, pacings: Sequence[Pacing] = ()) -> bytes:
    """Return a board and the budgets of its time as JSON.

    Raises:
        UnexpectedError: if a number of it is not a number: JSON has no word for that.
    """
    said = _BoardSaid(
        version=BOARD_VERSION,
        board_id=board.board_id,
        made_at_s=board.made_at_s,
        start_s=board.start_s,
        interval_s=board.interval_s,
        valid_until_s=board.valid_until_s,
        refresh_s=board.refresh_s,
        policy=board.policy,
        admission=board.admission,
        places=board.places,
        workloads=tuple(_workload_said(load) for load in board.workloads),
        pacings=tuple(_pacing_said(one) for one in pacings),
    )
    return _WRITER.encode(said)


def decoded_board(text: bytes) -> BoardTold:
    """Return what `encoded_board` wrote; what is broken is a finding, never an error."""
    try:
        said = _READER.decode(text)
    except msgspec.MsgspecError as error:
        return BoardTold(None, (), (_finding("BOARD_UNREADABLE", "board", str(error)),))
    if said.version != BOARD_VERSION:
        reason = f"it is written in form {said.version}, and this release reads {BOARD_VERSION}"
        return BoardTold(None, (), (_finding("BOARD_VERSION", "board.version", reason),))
    board = made_board(
        made_at_s=said.made_at_s,
        start_s=said.start_s,
        interval_s=said.interval_s,
        valid_until_s=said.valid_until_s,
        refresh_s=said.refresh_s,
        policy=said.policy,
        places=said.places,
        workloads=[_workload(load) for load in said.workloads],
        admission=said.admission,
    )
    if board.board_id != said.board_id:
        reason = f"its digest is {said.board_id}, that of its content {board.board_id}"
        return BoardTold(None, (), (_finding("BOARD_DIGEST", "board.board_id", reason),))
    pacings, findings = _pacings(said.pacings)
    return BoardTold(board, pacings, findings)


def _workload_said(load: BoardWorkload) -> _WorkloadSaid:
    return _WorkloadSaid(
        name=load.name,
        tier=load.tier,
        service_tier=load.service_tier,
        must_serve=load.must_serve,
        value_usd_per_mtok=load.value_usd_per_mtok,
        value_usd_per_request=load.value_usd_per_request,
        wait_usd_per_h=_finite(load.wait_usd_per_h, "wait_usd_per_h"),
        ttft_limit_s=_finite(load.ttft_limit_s, "ttft_limit_s"),
        rho_ratio=_finite(load.rho_ratio, "rho_ratio"),
        planned_mtok=_or_none(load.planned_mtok, "planned_mtok"),
        release_mtok_per_h=_all_finite(load.release_mtok_per_h, "release_mtok_per_h"),
        rungs=tuple(_rung_said(rung) for rung in load.rungs),
    )


def _rung_said(rung: Rung) -> _RungSaid:
    return _RungSaid(
        model=rung.model,
        cap_tokens=rung.cap_tokens,
        quality_share=rung.quality_share,
        quality_source=rung.quality_source,
        candidates=tuple(_candidate_said(one) for one in rung.candidates),
        ahead_usd_per_mtok=_all_finite(rung.ahead_usd_per_mtok, "ahead_usd_per_mtok"),
        reservation_usd_per_mtok=_all_finite(
            rung.reservation_usd_per_mtok, "reservation_usd_per_mtok"
        ),
    )


def _candidate_said(one: Candidate) -> _CandidateSaid:
    return _CandidateSaid(
        deployment=one.deployment,
        site=one.site,
        accelerator=one.accelerator,
        model=one.model,
        share=_finite(one.share, "share"),
        high_usd_per_mtok=_finite(one.high_usd_per_mtok, "high_usd_per_mtok"),
        low_usd_per_mtok=_finite(one.low_usd_per_mtok, "low_usd_per_mtok"),
        parts_usd_per_mtok=_all_finite(one.parts_usd_per_mtok, "parts_usd_per_mtok"),
        kappa_ratio=_finite(one.kappa_ratio, "kappa_ratio"),
        base_j_per_token=_finite(one.base_j_per_token, "base_j_per_token"),
        marginal_j_per_token=_finite(one.marginal_j_per_token, "marginal_j_per_token"),
        awake_count=_finite(one.awake_count, "awake_count"),
        batch_slo_count=_or_none(one.batch_slo_count, "batch_slo_count"),
        rate_mtok_per_h=_or_none(one.rate_mtok_per_h, "rate_mtok_per_h"),
        ttft_s=_finite(one.ttft_s, "ttft_s"),
        tpot_s=_finite(one.tpot_s, "tpot_s"),
        rtt_s=_finite(one.rtt_s, "rtt_s"),
        context_limit_tokens=one.context_limit_tokens,
        features=tuple(sorted(one.features)),
        energy_tier=one.energy_tier,
    )


def _pacing_said(one: Pacing) -> _PacingSaid:
    return _PacingSaid(
        budget=one.budget,
        unit=one.unit,
        start_s=one.start_s,
        end_s=one.end_s,
        budget_quantity=one.budget_quantity,
        requests_count=one.requests_count,
        mean_use_quantity=one.mean_use_quantity,
        dual_usd_per_unit=one.dual_usd_per_unit,
        worth_usd_per_unit=one.worth_usd_per_unit,
        arrived_share=one.arrived_share,
        rule=tuple(getattr(one.rule, name) for name in _RULE_FIELDS),
    )


def _workload(load: _WorkloadSaid) -> BoardWorkload:
    return made_workload(
        name=load.name,
        tier=load.tier,
        service_tier=load.service_tier,
        must_serve=load.must_serve,
        value_usd_per_mtok=load.value_usd_per_mtok,
        value_usd_per_request=load.value_usd_per_request,
        wait_usd_per_h=load.wait_usd_per_h,
        ttft_limit_s=load.ttft_limit_s,
        rho_ratio=load.rho_ratio,
        rungs=[_rung(rung, load.ttft_limit_s) for rung in load.rungs],
        planned_mtok=_or_inf(load.planned_mtok),
        release_mtok_per_h=load.release_mtok_per_h,
    )


def _rung(rung: _RungSaid, ttft_limit_s: float) -> Rung:
    return made_rung(
        model=rung.model,
        quality_share=rung.quality_share,
        quality_source=rung.quality_source,
        candidates=[_candidate(one) for one in rung.candidates],
        ahead_usd_per_mtok=rung.ahead_usd_per_mtok,
        ttft_limit_s=ttft_limit_s,
        cap_tokens=rung.cap_tokens,
        reservation_usd_per_mtok=rung.reservation_usd_per_mtok,
    )


def _candidate(one: _CandidateSaid) -> Candidate:
    return Candidate(
        place=-1,  # `made_board` finds it by name
        deployment=one.deployment,
        site=one.site,
        accelerator=one.accelerator,
        model=one.model,
        share=one.share,
        high_usd_per_mtok=one.high_usd_per_mtok,
        low_usd_per_mtok=one.low_usd_per_mtok,
        parts_usd_per_mtok=one.parts_usd_per_mtok,
        kappa_ratio=one.kappa_ratio,
        base_j_per_token=one.base_j_per_token,
        marginal_j_per_token=one.marginal_j_per_token,
        awake_count=one.awake_count,
        batch_slo_count=_or_inf(one.batch_slo_count),
        rate_mtok_per_h=_or_inf(one.rate_mtok_per_h),
        ttft_s=one.ttft_s,
        tpot_s=one.tpot_s,
        rtt_s=one.rtt_s,
        context_limit_tokens=one.context_limit_tokens,
        features=frozenset(one.features),
        energy_tier=one.energy_tier,
    )


def _pacings(
    said: Iterable[_PacingSaid],
) -> tuple[tuple[Pacing, ...], tuple[Finding, ...]]:
    """Return the budgets that can be paced; one that cannot is a finding and has no lambda."""
    made, findings = list[Pacing](), list[Finding]()
    for one in said:
        try:
            made.append(
                Pacing(
                    budget=one.budget,
                    unit=one.unit,
                    start_s=one.start_s,
                    end_s=one.end_s,
                    budget_quantity=one.budget_quantity,
                    requests_count=one.requests_count,
                    mean_use_quantity=one.mean_use_quantity,
                    dual_usd_per_unit=one.dual_usd_per_unit,
                    worth_usd_per_unit=one.worth_usd_per_unit,
                    arrived_share=one.arrived_share,
                    rule=PacingRule(**dict(zip(_RULE_FIELDS, one.rule, strict=True))),
                )
            )
        except (InputError, ValueError) as error:
            findings.append(_finding("BOARD_PACING", f"board.pacings[{one.budget}]", str(error)))
    return tuple(made), tuple(findings)


def _finite(value: float, name: str) -> float:
    if not math.isfinite(value):
        raise UnexpectedError(f"board: {name} is {value}; a finite number is needed")
    return value


def _all_finite(values: tuple[float, ...], name: str) -> tuple[float, ...]:
    for value in values:
        _finite(value, name)
    return values


def _or_none(value: float, name: str) -> float | None:
    """Return None in the place of infinity, for which JSON has no word."""
    return None if value == math.inf else _finite(value, name)


def _or_inf(value: float | None) -> float:
    return math.inf if value is None else value


def _finding(code: str, path: str, reason: str) -> Finding:
    return Finding(code=code, path=path, reason=reason, remedy=MAKE, severity="error")
