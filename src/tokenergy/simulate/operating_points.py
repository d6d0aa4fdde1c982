"""The table of operating points: for each workload on each deployment, load within its limits."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import combinations
from typing import Final

from tokenergy.company.catalogue import Catalogue
from tokenergy.company.company import Company
from tokenergy.company.finding import Finding
from tokenergy.company.inputs import Inputs, Lengths
from tokenergy.company.operating_row import OperatingRow, OperatingTerms, operating_terms
from tokenergy.dispatch.row_findings import Pair, pairs_of
from tokenergy.errors import DoesNotFit
from tokenergy.simulate.law import KeyedLaw
from tokenergy.simulate.operating_point_row import Sample, found_brackets, found_row, worst_of
from tokenergy.simulate.operating_sample import Effort, sample_of
from tokenergy.simulate.rate_search import Limits
from tokenergy.simulate.replicas import Spread
from tokenergy.simulate.request_mix import LengthPairs, MixPart

MIX_LIMIT_SHARE: Final = 0.10
"""Above it what the program's shares promise for an even mix is told as wrong, and its own row is
stored."""

Progress = Callable[[str, int, int], None]
"""Told (what, done, of)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MixError:
    """An even mix of two workloads on one deployment, against its own search.

    The dispatch program lets workloads share a replica in proportion: half of the rate of one
    beside half of the rate of the other. Here both halves are simulated together, and grown or
    shrunk together until a limit of either breaks.

    Attributes:
        fleet, model, workload, also: names.
        promised_per_s: half of both rates, requests per second.
        found_per_s: what keeps the limits of both.
        error_share: promised over found, less 1; above 0 the program promises too much.
    """

    fleet: str
    model: str
    workload: str
    also: str
    promised_per_s: float
    found_per_s: float

    @property
    def error_share(self) -> float:
        """Return promised over found, less 1 (inf where nothing of the mix keeps the limits)."""
        if self.found_per_s <= 0.0:
            return float("inf")
        return self.promised_per_s / self.found_per_s - 1.0


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class OperatingTable:
    """Every row, in the order of the company, and what is to be said about them.

    Attributes:
        rows: one for each pair that fits its GPUs, then mixes that need their own.
        mixes: every mix that was tried.
        findings: warnings.
    """

    rows: tuple[OperatingRow, ...]
    mixes: tuple[MixError, ...]
    findings: tuple[Finding, ...]


@dataclass(slots=True, kw_only=True, eq=False)
class _Bench:
    """What all pairs of one company share while their rows are made."""

    company: Company
    catalogue: Catalogue
    effort: Effort
    laws: tuple[KeyedLaw, ...]
    traces: Mapping[str, LengthPairs]
    samples: dict[tuple[object, ...], Sample]

    def terms(self, pair: Pair) -> OperatingTerms:
        return operating_terms(
            self.company,
            self.catalogue,
            workload=pair.workload,
            model=pair.model,
            fleet=pair.fleet,
            lengths=pair.lengths,
        )

    def part(self, pair: Pair) -> MixPart:
        return MixPart(lengths=pair.lengths, pairs=self.traces.get(pair.workload.name))

    def sample(self, terms: OperatingTerms, parts: Sequence[MixPart]) -> Sample:
        """Return the replica under test; pairs that differ in the network alone share it."""
        key = (
            terms.catalogue_model, terms.accelerator, terms.gpus_count, terms.bytes_per_weight,
            terms.batch_limit_count, terms.host_w_per_gpu, terms.stack,
            *((part.lengths, part.weight_share) for part in parts),
        )  # fmt: skip
        if key not in self.samples:
            self.samples[key] = sample_of(
                self.catalogue, terms, parts, effort=self.effort, laws=self.laws
            )
        return self.samples[key]


def operating_table(
    company: Company,
    inputs: Inputs,
    catalogue: Catalogue,
    *,
    effort: Effort,
    workloads: Sequence[str] | None = None,
    traces: Mapping[str, LengthPairs] | None = None,
    laws: Sequence[KeyedLaw] = (),
    spread: Spread = map,
    on_progress: Progress | None = None,
) -> OperatingTable:
    """Return the table of a company.

    Args:
        effort: how many requests and seeds a simulation has.
        workloads: names; None: all. Media and measured replicas have no rows.
        traces: by workload, the rows that its lengths are drawn from; without, a lognormal
            around the means.
        laws: measured times of an iteration; one stands where its key is that of a deployment,
            else times are computed from data sheets.
        spread: maps a function over the pairs, in their order; the core starts no threads.
        on_progress: told of each pair when it is done.
    """
    bench = _Bench(
        company=company,
        catalogue=catalogue,
        effort=effort,
        laws=tuple(laws),
        traces=traces or {},
        samples={},
    )
    pairs = [
        pair
        for pair in pairs_of(company, inputs)
        if workloads is None or pair.workload.name in workloads
    ]
    rows: list[OperatingRow] = []
    done: list[tuple[Pair, OperatingRow]] = []
    findings: list[Finding] = []
    tried: Iterable[OperatingRow | str] = spread(partial(_tried, bench), pairs)
    for at, (pair, row) in enumerate(zip(pairs, tried, strict=True)):
        if on_progress:
            on_progress("operating points", at, len(pairs))
        if isinstance(row, str):
            findings.append(_unfit(company, pair, row))
            continue
        rows.append(row)
        done.append((pair, row))
    mixes, own = _mixes(bench, done, on_progress)
    if on_progress:
        on_progress("operating points", len(pairs), len(pairs))
    findings += _said(company, rows)
    findings += [_mixed(mix) for mix in mixes if abs(mix.error_share) > MIX_LIMIT_SHARE]
    return OperatingTable(rows=(*rows, *own), mixes=tuple(mixes), findings=tuple(findings))


def _tried(bench: _Bench, pair: Pair) -> OperatingRow | str:
    """Return the row of a pair, or why its model does not fit."""
    try:
        return _row(bench, pair)
    except DoesNotFit as error:
        return str(error)


def _row(bench: _Bench, pair: Pair) -> OperatingRow:
    terms = bench.terms(pair)
    sample = bench.sample(terms, [bench.part(pair)])
    return found_row(sample, terms, limits_of(terms))


def limits_of(*terms: OperatingTerms) -> Limits:
    """Return the limits of one class of requests, or of one for each of several terms."""
    return Limits(
        ttft_limit_s=tuple(own.ttft_limit_s - own.network_s for own in terms),
        tpot_limit_s=tuple(own.tpot_limit_s for own in terms),
    )


def _mixes(
    bench: _Bench, done: Sequence[tuple[Pair, OperatingRow]], on_progress: Progress | None
) -> tuple[list[MixError], list[OperatingRow]]:
    """Search every even mix of two unlike workloads, once for each kind of replica."""
    chosen = list(_unlike(done))
    mixes: list[MixError] = []
    own: list[OperatingRow] = []
    for at, ((one, first), (other, second)) in enumerate(chosen):
        if on_progress:
            on_progress("mixes of two workloads", at, len(chosen))
        promised_per_s = (first.rate_per_s + second.rate_per_s) / 2.0
        weight_share = first.rate_per_s / (first.rate_per_s + second.rate_per_s)
        parts = [
            replace(bench.part(one), weight_share=weight_share),
            replace(bench.part(other), weight_share=1.0 - weight_share),
        ]
        terms = replace(
            first.terms,
            also=other.workload.name,
            input_tokens=_mean(one.lengths, other.lengths, weight_share, "input_tokens"),
            output_tokens=_mean(one.lengths, other.lengths, weight_share, "output_tokens"),
        )
        sample, limits = bench.sample(terms, parts), limits_of(first.terms, second.terms)
        brackets = found_brackets(sample, limits, start_per_s=promised_per_s)
        mix = MixError(
            fleet=terms.fleet,
            model=terms.model,
            workload=terms.workload,
            also=terms.also,
            promised_per_s=promised_per_s,
            found_per_s=worst_of(brackets).rate_per_s,
        )
        mixes.append(mix)
        if abs(mix.error_share) > MIX_LIMIT_SHARE:
            note = (
                f"{weight_share:.0%} of the requests are of {terms.workload}, the others of "
                f"{terms.also}, each within its own tier's limits"
            )
            row = found_row(sample, terms, limits)
            own.append(replace(row, mix_error_share=mix.error_share, notes=(*row.notes, note)))
    if on_progress and chosen:
        on_progress("mixes of two workloads", len(chosen), len(chosen))
    return mixes, own


def _unlike(
    done: Sequence[tuple[Pair, OperatingRow]],
) -> Iterator[tuple[tuple[Pair, OperatingRow], tuple[Pair, OperatingRow]]]:
    """Yield pairs of workloads on one deployment that differ in lengths or limits.

    Deployments of one model on the same GPUs are alike but for the network: the first stands for
    all of them, and of workloads that are alike but for the network the first, too.
    """
    held: dict[tuple[str, str, int], dict[tuple[object, ...], tuple[Pair, OperatingRow]]] = {}
    place: dict[tuple[str, str, int], str] = {}
    for pair, row in done:
        terms = row.terms
        kind = terms.model, terms.accelerator, terms.gpus_count
        if not row.reachable or place.setdefault(kind, terms.fleet) != terms.fleet:
            continue
        like = pair.lengths, terms.ttft_limit_s, terms.tpot_limit_s
        held.setdefault(kind, {}).setdefault(like, (pair, row))
    for unlike in held.values():
        yield from combinations(unlike.values(), 2)


def _mean(one: Lengths, other: Lengths, weight_share: float, name: str) -> float:
    first, second = float(getattr(one, name)), float(getattr(other, name))
    return weight_share * first + (1.0 - weight_share) * second


def _unfit(company: Company, pair: Pair, why: str) -> Finding:
    at = [model.name for model in company.models].index(pair.model.name)
    return Finding(
        code="OPERATING_POINT_NONE",
        path=f"models[{at}]",
        value=f"{pair.workload.name} on {pair.fleet.name}",
        reason=why,
        remedy="Raise gpus_per_replica, or name the fleets that hold the model",
        severity="warning",
    )


def _said(company: Company, rows: Sequence[OperatingRow]) -> Iterator[Finding]:
    """Yield a warning for each row that no load reaches or that contradicts the hardware."""
    names = [workload.name for workload in company.workloads]
    for row in rows:
        terms = row.terms
        path = f"workloads[{names.index(terms.workload)}]"
        what = f"{terms.workload} with {terms.model}@{terms.fleet}"
        if not row.reachable:
            yield Finding(
                code="OPERATING_LIMITS_MISSED",
                path=path,
                value=terms.workload,
                reason=f"{what} misses its limits at any load: {'; '.join(row.notes)}",
                remedy="Loosen ttft_limit_s or tpot_limit_s, take more GPUs for a replica, or a "
                "smaller model",
                severity="warning",
            )
        elif any("contradict" in note or "outside the table" in note for note in row.notes):
            yield Finding(
                code="OPERATING_POINT_DOUBTFUL",
                path=path,
                value=terms.workload,
                reason=f"{what}: {'; '.join(row.notes)}",
                remedy="Measure the replica and state it under models[].measured",
                severity="warning",
            )


def _mixed(mix: MixError) -> Finding:
    word = "more" if mix.error_share > 0.0 else "less"
    return Finding(
        code="OPERATING_MIX",
        path="workloads",
        value=f"{mix.error_share:+.0%}",
        limit=f"{MIX_LIMIT_SHARE:.0%}",
        reason=f"an even mix of {mix.workload} and {mix.also} on {mix.model}@{mix.fleet}: half of "
        f"both rates is {mix.promised_per_s:.3g} requests/s, {word} than the "
        f"{mix.found_per_s:.3g} that keep both limits; dispatch shares a replica in proportion",
        remedy="Give one of the two a model or a fleet of its own where the difference matters",
        severity="warning",
    )
