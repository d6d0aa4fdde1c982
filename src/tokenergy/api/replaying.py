"""What a policy would have done to requests, one by one: latency, joules, money and value."""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, fields, is_dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from tokenergy.api.opened import OpenCompany, Progress, explained_horizon
from tokenergy.api.output import refuse_no_ledger
from tokenergy.api.running import runs_id
from tokenergy.api.table import to_html, to_polars
from tokenergy.api.threads import over_threads
from tokenergy.api.tracing import read_requests
from tokenergy.company.board import Board
from tokenergy.company.currency import in_currency
from tokenergy.company.finding import Finding, errors_of
from tokenergy.company.noun import nearest_names
from tokenergy.company.trace import RequestTrace
from tokenergy.dispatch.policies import POLICIES
from tokenergy.dispatch.world import World
from tokenergy.errors import FindingsError, InfeasibleProgram, InputError, UnknownName
from tokenergy.simulate.boards import promises_of
from tokenergy.simulate.request_card import RequestCard, request_card
from tokenergy.simulate.request_case import RequestCase, sampled_case, traced_case
from tokenergy.simulate.request_entries import request_entries
from tokenergy.simulate.request_machines import machines_of, too_long_findings
from tokenergy.simulate.request_sample import drawn_sample
from tokenergy.simulate.request_value import hindsight
from tokenergy.simulate.request_words import card_sentences
from tokenergy.simulate.requests_replay import SPARE_SHARE, RequestRun, replay_requests
from tokenergy.units import S_PER_H

if TYPE_CHECKING:
    import polars as pl

GENERATED: Final = "generated"
"""In place of a file: requests are drawn as the company's file says they arrive."""
DEFAULT_POLICIES: Final = ("greedy_battery", "mpc")
DEFAULT_SAMPLE: Final = 120_000
"""Requests that are drawn where nobody says how many: 24 h of ten workloads in about a minute for
each policy."""


@dataclass(frozen=True, kw_only=True, eq=False)
class RequestReplay:
    """Requests replayed under one policy or several.

    Attributes:
        heading: company, horizon, synthetic series, warnings.
        card: the scorecard.
        runs: what each policy came to, request by request.
        shown: the policy that the tables are about: mpc, else the last that ran.
        ledger: the SQLite file that requests were written to, if any.
    """

    heading: dict[str, Any]
    card: RequestCard
    runs: dict[str, RequestRun]
    shown: str
    ledger: Path | None

    @property
    def currency(self) -> str:
        """The company's own money."""
        return str(self.heading["currency"])

    def __str__(self) -> str:
        """Say in sentences what the replay found."""
        return "\n".join((str(self.heading["company"]), *self.lines()))

    def to_dict(self) -> dict[str, Any]:
        """Return the replay as one JSON-ready object; keys carry units."""
        told: dict[str, Any] = self.heading | self.card.to_dict()
        told["shown"] = self.shown
        told["ledger"] = None if self.ledger is None else str(self.ledger)
        return {key: _plain(value) for key, value in told.items()}

    def to_polars(self) -> "pl.DataFrame":
        """Return one row for each policy and tier as a polars frame."""
        return to_polars(self._rows())

    def _repr_html_(self) -> str:
        return to_html(self._rows(), f"{self.heading['company']}: requests")

    def _rows(self) -> list[dict[str, Any]]:
        rows = []
        for policy, score in self.card.policies.items():
            for name, tier in score.tiers.items():
                times = {
                    f"{what}_{percentile}_s": value
                    for what, found in (("ttft", tier.ttft_s), ("tpot", tier.tpot_s))
                    for percentile, value in (found or {}).items()
                }
                rows.append(
                    {
                        "policy": policy,
                        "tier": name,
                        "requests_count": tier.requests_count,
                        "served_count": tier.served_count,
                        "refused_count": tier.refused_count,
                        "slo_kept_share": tier.slo_kept_share,
                        "kept_share": tier.kept_share,
                        "j_per_token": tier.j_per_token,
                        **times,
                    }
                )
        return rows

    def lines(self) -> Iterator[str]:
        """Yield what the card means, in sentences; no saving without its baseline."""
        for line in card_sentences(self.card, self.shown):
            yield in_currency(line, self.currency)


def replay(
    company: OpenCompany,
    requests: str | Path | RequestTrace = GENERATED,
    *,
    hours: float | None = None,
    policies: Sequence[str] | None = None,
    sample: int | None = None,
    seed: int | None = None,
    ledger: str | Path | None = None,
    workload: str | None = None,
    zone: str | None = None,
    spare_share: float = SPARE_SHARE,
    on_progress: Progress | None = None,
) -> RequestReplay:
    """Replay requests through the one decision and the replicas, under each policy.

    Args:
        company: an opened company.
        requests: a file of requests of any shape that `files.request_traces` reads, a ledger, or
            a trace; `generated`: a sample of what the company's file says arrives.
        hours: how much of the company's horizon is replayed, from its start; None: a trace as
            long as it lasts, generated requests over the whole horizon.
        policies: names out of `dispatch.policies.POLICIES`; None: `DEFAULT_POLICIES`.
        sample: how many requests to draw, about; None: `DEFAULT_SAMPLE`. Only where they are
            generated: every request of a trace is decided.
        seed: of what is drawn; None: the company's own.
        ledger: append the requests of each policy to this SQLite file; None: write nothing.
        workload: the workload that a file's requests are of, where it does not say.
        zone: the time zone of its stamps, where they have none.
        spare_share: part of every replica's operating point that dispatch leaves free.
        on_progress: told what is done.

    Raises:
        FindingsError: with everything wrong with the requests, or where no dispatch satisfies the
            company's own limits.
        UnknownName: for a policy that nobody knows.
        InputError: if no policy is named, hours are out of range, or the ledger cannot be written.
    """
    names = _named(policies)
    held = None if ledger is None else Path(ledger)
    if held is not None:
        refuse_no_ledger(held)
    seed = company.company.seed if seed is None else seed
    trace = _trace(company, requests, workload=workload, zone=zone)
    world, case = _case(_cut(company, hours, trace), trace, sample=sample, seed=seed)
    try:
        runs = _runs(company, world, case, names, seed, spare_share, on_progress)
    except InfeasibleProgram as error:
        raise explained_horizon(company, error) from error
    if held is not None:
        _write(company, world, runs, held, seed, on_progress)
    return RequestReplay(
        heading=_heading(company, trace),
        card=request_card(world, tuple(runs.values()), promises_of(world), spare_share=spare_share),
        runs=runs,
        shown="mpc" if "mpc" in runs else tuple(runs)[-1],
        ledger=held,
    )


def _runs(
    company: OpenCompany,
    world: World,
    case: RequestCase,
    names: Sequence[str],
    seed: int,
    spare_share: float,
    on_progress: Progress | None,
) -> dict[str, RequestRun]:
    """Return what each policy makes of a case."""
    promises = promises_of(world)
    machines = machines_of(world, company.catalogue, case)
    _refuse(too_long_findings(world, case, machines))
    bound = hindsight(world, case, promises)
    return {
        name: replay_requests(
            world, case, name, promises,
            machines=machines, bound=bound, spare_share=spare_share, seed=seed,
            spread=over_threads, on_progress=on_progress,
        )
        for name in names
    }  # fmt: skip


def _named(policies: Sequence[str] | None) -> tuple[str, ...]:
    names = tuple(dict.fromkeys(DEFAULT_POLICIES if policies is None else policies))
    if not names:
        raise InputError("no policy was named; name at least one")
    unknown = [name for name in names if name not in POLICIES]
    if unknown:
        near = nearest_names(unknown[0], POLICIES) or tuple(POLICIES)
        raise UnknownName(f"unknown policies: {', '.join(unknown)}; nearest: {', '.join(near)}")
    return names


def _trace(
    company: OpenCompany,
    requests: str | Path | RequestTrace,
    *,
    workload: str | None,
    zone: str | None,
) -> RequestTrace | None:
    """Return the trace that is named; None: requests are drawn."""
    if isinstance(requests, RequestTrace):
        return requests
    if str(requests) == GENERATED:
        return None
    return read_requests(requests, company.company, workload=workload, zone=zone).trace


def _cut(company: OpenCompany, hours: float | None, trace: RequestTrace | None) -> World:
    """Return the company's world on the hours that are replayed, from its horizon's start on.

    Raises:
        InputError: if they are no whole intervals, or more than there is data or trace for.
    """
    world, horizon = company.world, company.company.horizon
    step_h = world.step_h
    if trace is not None:
        laid_h = 0.0
        if trace.start.tzinfo is not None and horizon.start <= trace.start < horizon.end:
            laid_h = (trace.start - horizon.start).total_seconds() / S_PER_H
        need_count = math.ceil((laid_h + trace.span_s / S_PER_H) / step_h - 1e-9)
        need_h = max(1, need_count) * step_h
        if hours is not None and hours > need_h + 1e-9:
            raise InputError(
                f"the requests last {trace.span_s / S_PER_H:.4g} h, {hours:g} h were asked for: an "
                "hour of data is not a day. Ask for no more than there is"
            )
        hours = min(need_h, world.count * step_h) if hours is None else hours
    if hours is None:
        return world
    if not math.isclose(hours / step_h, round(hours / step_h), abs_tol=1e-9) or hours <= 0.0:
        raise InputError(f"hours is {hours:g}; it must be whole intervals of {step_h:g} h, above 0")
    count = round(hours / step_h)
    if count > world.count:
        raise InputError(
            f"hours is {hours:g}; the horizon ends after {world.count * step_h:g} h, at "
            f"{horizon.end:%Y-%m-%dT%H:%MZ}. Ask for less, or lengthen it (--days)"
        )
    return replace(world, count=count)


def _case(
    world: World, trace: RequestTrace | None, *, sample: int | None, seed: int
) -> tuple[World, RequestCase]:
    """Return the world whose arrivals the requests are, and the requests on its intervals."""
    promises = promises_of(world)
    if trace is not None:
        if sample is not None:
            raise InputError("sample is for generated requests: of a trace every one is decided")
        return traced_case(world, trace, promises)
    count = DEFAULT_SAMPLE if sample is None else sample
    drawn = drawn_sample(world, promises, requests_count=count, seed=seed)
    shares = np.array(drawn.sample_share)
    return world, sampled_case(world, drawn.trace, shares, promises)


def _refuse(found: Iterator[Finding]) -> None:
    errors = errors_of(tuple(found))
    if errors:
        raise FindingsError(errors)


def _heading(company: OpenCompany, trace: RequestTrace | None) -> dict[str, Any]:
    """Return what stands at the head of the result, with what a reader has to know first."""
    heading = company.heading()
    heading["warnings"] += [finding.to_dict() for finding in _warnings(company, trace)]
    return heading


def _warnings(company: OpenCompany, trace: RequestTrace | None) -> Iterator[Finding]:
    if company.company.operating_points is None:
        yield Finding(
            code="NO_OPERATING_POINTS",
            path="operating_points",
            reason="dispatch plans with points from the catalogue, which know no prompts and no "
            "queues: replicas may be sent more than they can do",
            remedy="Write a table with `tokenergy operating-points --out` and name it",
            severity="warning",
        )
    if trace is not None:
        yield from (each for each in trace.findings() if each.severity == "warning")


def _write(
    company: OpenCompany,
    world: World,
    runs: Mapping[str, RequestRun],
    ledger: Path,
    seed: int,
    on_progress: Progress | None,
) -> None:
    """Append the requests of every policy, and the boards that they were decided by."""
    from tokenergy.store.sqlite import SqliteLedger

    with SqliteLedger(ledger) as held:
        for done, run in enumerate(runs.values()):
            held.append(request_entries(world, run, run_id_of(company, world, run, seed)))
            for at, board in enumerate(run.decided.boards):
                held.save_board(board.board_id, world.moment(world.first + at), board_words(board))
            if on_progress is not None:
                on_progress("ledger", done + 1, len(runs))


def run_id_of(company: OpenCompany, world: World, run: RequestRun, seed: int) -> str:
    """Return the id of a replay in the ledger: company, hours, requests, policy."""
    seeded = f"-seed{seed}" if run.case.sampled else ""
    what = f"requests-{world.count * world.step_h:g}h-{run.case.count}{seeded}"
    return f"{runs_id(company)}/{what}/{run.policy}"


def board_words(board: Board) -> Any:
    """Return a board as a JSON-ready mapping, as it is kept in the ledger."""
    return _plain(board)


def _plain(value: Any) -> Any:
    """Return plain JSON: what is no finite number is null, nouns are mappings."""
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {str(key): _plain(each) for key, each in value.items()}
    if isinstance(value, frozenset):
        return sorted(_plain(each) for each in value)
    if isinstance(value, list | tuple):
        return [_plain(each) for each in value]
    if isinstance(value, datetime | Path):
        return str(value)
    if is_dataclass(value) and not isinstance(value, type):
        return {part.name: _plain(getattr(value, part.name)) for part in fields(value)}
    return value
