"""What a worker counts while it serves, and how several workers' counts become one page.

A count is a float in a dictionary under its name and labels: half a microsecond. Each worker
writes all of them to a file of its own every two seconds; who is asked for the metrics adds the
files up. No user is in a label.
"""

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from itertools import chain
from typing import Final

import msgspec
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    Metric,
)

Labels = tuple[str, ...]
BUCKETS_S: Final = (
    0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5,
    5.0, 10.0, 30.0, 60.0, 300.0,
)  # fmt: skip
"""Upper ends in seconds: 0.1 ms of overhead and 5 minutes of an answer in one scale."""
COUNTERS: Final[Mapping[str, tuple[str, tuple[str, ...]]]] = {
    "tokenergy_requests": ("Requests by what was decided", ("decision", "reason")),
    "tokenergy_tokens": ("Tokens", ("tenant", "tier", "model", "site", "token_type")),
    "tokenergy_energy_joules": (
        "Energy at the meter",
        ("tenant", "tier", "model", "site", "phase", "energy_tier"),
    ),
    "tokenergy_cost_usd": ("Marginal cost of what was served", ("component",)),
    "tokenergy_charge_usd": ("What tenants were charged", ("tenant", "tier")),
    "tokenergy_errors": ("Answers that were no answer", ("status", "code")),
    "tokenergy_usage_source": ("How tokens were known", ("source",)),
    "tokenergy_retries": ("Upstreams that failed before the one that answered", ("upstream",)),
    "tokenergy_share_tokens": (
        "Output tokens by place: basis served, and basis planned by the dispatch's shares",
        ("site", "model", "basis"),
    ),
    "tokenergy_meter_windows": (
        "Windows of meters by whether they were read",
        ("site", "model", "meter", "known"),
    ),
    "tokenergy_metered_joules": (
        "What meters counted, by whether requests ran or nobody's did",
        ("site", "model", "component"),
    ),
    "tokenergy_spans_dropped": ("Spans that the exporter did not take", ()),
}
GAUGES: Final[Mapping[str, tuple[str, tuple[str, ...]]]] = {
    "tokenergy_gateway_board_age_seconds": ("Age of the prices in force", ()),
    "tokenergy_gateway_board_policy": ("1 for the policy in force", ("policy",)),
    "tokenergy_gateway_board_stale": ("1 where the prices are too old to refuse by", ()),
    "tokenergy_gateway_safe_mode": ("1 where no price is trusted", ()),
    "tokenergy_gateway_findings_count": ("Findings of prices and board", ("code", "severity")),
    "tokenergy_gateway_budget_lambda": ("Shadow price of a budget", ("budget",)),
    "tokenergy_gateway_budget_left_usd": ("What a budget still holds", ("budget",)),
    "tokenergy_gateway_budget_left_joules": ("What a budget still holds", ("budget",)),
    "tokenergy_gateway_budget_limit_usd": ("What a budget holds at its start", ("budget",)),
    "tokenergy_gateway_budget_limit_joules": ("What a budget holds at its start", ("budget",)),
    "tokenergy_gateway_budget_elapsed_share": ("Part of its window that is over", ("budget",)),
    "tokenergy_gateway_held_requests_count": ("Requests that are held", ("tier",)),
    "tokenergy_gateway_in_flight_count": ("Requests under way", ("site", "model")),
    "tokenergy_gateway_journal_bytes": ("Journal that is not projected yet", ()),
    "tokenergy_gateway_journal_limit_bytes": ("Journal at which nothing more is served", ()),
    "tokenergy_gateway_loop_lag_seconds": ("How late the loop wakes", ()),
    "tokenergy_gateway_circuit_state": ("0 closed, 1 half open, 2 open", ("upstream",)),
    "tokenergy_gateway_server_up": (
        "1 where a server's circuit lets requests through",
        ("upstream", "site", "model"),
    ),
    "tokenergy_gateway_meter_up": ("1 where a meter is read", ("site", "model", "meter")),
    "tokenergy_marginal_cost_usd_per_mtok": (
        "What one Mtok more costs at the cheapest place of a site now",
        ("site", "model", "workload", "component"),
    ),
}
HISTOGRAMS: Final[Mapping[str, tuple[str, tuple[str, ...]]]] = {
    "tokenergy_gateway_overhead_seconds": ("From the whole request to the upstream write", ()),
    "gen_ai_server_request_duration_seconds": ("Whole answers", ("gen_ai_request_model",)),
    "gen_ai_server_time_to_first_token_seconds": ("First byte", ("gen_ai_request_model",)),
}
ADDED: Final = frozenset(
    {
        "tokenergy_gateway_held_requests_count",
        "tokenergy_gateway_in_flight_count",
        "tokenergy_gateway_journal_bytes",
        "tokenergy_gateway_journal_limit_bytes",
    }
)
"""Gauges that are sums over workers; of the others the largest is told."""


class Told(msgspec.Struct, array_like=True):
    """All counts of one worker, as they travel."""

    counters: dict[str, list[tuple[Labels, float]]]
    gauges: dict[str, list[tuple[Labels, float]]]
    histograms: dict[str, list[tuple[Labels, float, list[int]]]]


class Tally:
    """The counts of one worker.

    Attributes:
        counts: by name and labels.
        rows: what is summed elsewhere and told with them (`counting.Served`).
        gauges: of now.
    """

    def __init__(self) -> None:
        """Begin at nothing."""
        self.counts: defaultdict[tuple[str, Labels], float] = defaultdict(float)
        self.rows: Mapping[tuple[str, Labels], float] = {}
        self.gauges: dict[tuple[str, Labels], float] = {}
        self._spread: dict[tuple[str, Labels], list[int]] = {}
        self._sums: defaultdict[tuple[str, Labels], float] = defaultdict(float)

    def add(self, name: str, labels: Labels, amount: float = 1.0) -> None:
        """Count."""
        self.counts[name, labels] += amount

    def observe(self, name: str, labels: Labels, seconds_s: float) -> None:
        """Put a duration into its bucket."""
        key = (name, labels)
        held = self._spread.get(key)
        if held is None:
            held = self._spread[key] = [0] * (len(BUCKETS_S) + 1)
        held[bisect_left(BUCKETS_S, seconds_s)] += 1
        self._sums[key] += seconds_s

    def set(self, name: str, labels: Labels, value: float) -> None:
        """Set a gauge."""
        self.gauges[name, labels] = value

    def clear(self, name: str) -> None:
        """Forget a gauge's children, before they are told anew."""
        for key in [key for key in self.gauges if key[0] == name]:
            del self.gauges[key]

    def go_on_from(self, file: bytes) -> None:
        """Add what the process before this one counted; what it said of its moment is over.

        Raises:
            msgspec.MsgspecError: if that is something else; then nothing is added.
        """
        told = msgspec.json.decode(file, type=Told)
        for name, rows in told.counters.items():
            for labels, amount in rows:
                self.counts[name, labels] += amount
        for name, lines in told.histograms.items():
            for labels, total, spread in lines:
                if len(spread) == len(BUCKETS_S) + 1:
                    held = self._spread.setdefault((name, labels), [0] * len(spread))
                    self._spread[name, labels] = [a + b for a, b in zip(held, spread, strict=True)]
                    self._sums[name, labels] += total

    def encoded(self) -> bytes:
        """Return all of it for the file."""
        told = Told({}, {}, {})
        whole = dict(self.counts)
        for key, amount in self.rows.items():
            whole[key] = whole.get(key, 0.0) + amount
        for (name, labels), amount in whole.items():
            told.counters.setdefault(name, []).append((labels, amount))
        for (name, labels), value in self.gauges.items():
            told.gauges.setdefault(name, []).append((labels, value))
        for (name, labels), spread in self._spread.items():
            row = (labels, self._sums[name, labels], spread)
            told.histograms.setdefault(name, []).append(row)
        return msgspec.json.encode(told)


def merged(files: Iterable[bytes], gone: Iterable[bytes] = ()) -> Told:
    """Return the counts of several workers as one: counters and histograms added up.

    Args:
        files: of the workers that run.
        gone: of those that do not: what they counted stays, what they said of now does not.

    Raises:
        msgspec.MsgspecError: if a file holds something else.
    """
    counters: defaultdict[tuple[str, Labels], float] = defaultdict(float)
    gauges: dict[tuple[str, Labels], float] = {}
    sums: defaultdict[tuple[str, Labels], float] = defaultdict(float)
    spreads: dict[tuple[str, Labels], list[int]] = {}
    for each, runs in chain(((one, True) for one in files), ((one, False) for one in gone)):
        told = msgspec.json.decode(each, type=Told)
        for name, rows in told.counters.items():
            for labels, amount in rows:
                counters[name, labels] += amount
        for name, rows in told.gauges.items() if runs else ():
            for labels, value in rows:
                held = gauges.get((name, labels))
                if held is None:
                    gauges[name, labels] = value
                else:
                    gauges[name, labels] = held + value if name in ADDED else max(held, value)
        for name, lines in told.histograms.items():
            for labels, total, spread in lines:
                sums[name, labels] += total
                now = spreads.setdefault((name, labels), [0] * len(spread))
                spreads[name, labels] = [a + b for a, b in zip(now, spread, strict=True)]
    whole = Told({}, {}, {})
    for (name, labels), amount in counters.items():
        whole.counters.setdefault(name, []).append((labels, amount))
    for (name, labels), value in gauges.items():
        whole.gauges.setdefault(name, []).append((labels, value))
    for (name, labels), spread in spreads.items():
        whole.histograms.setdefault(name, []).append((labels, sums[name, labels], spread))
    return whole


class Collector:
    """Gives prometheus_client the counts of all workers, as their files tell them."""

    def __init__(self, files: "Iterable[bytes] | None" = None, told: Told | None = None) -> None:
        """Take files, or what was merged already."""
        self._told = told if told is not None else merged(files or ())

    def collect(self) -> Iterator[Metric]:
        """Yield every family that has children."""
        for name, (text, labels) in COUNTERS.items():
            if rows := self._told.counters.get(name):
                family = CounterMetricFamily(name, text, labels=labels)
                for values, amount in rows:
                    family.add_metric(values, amount)
                yield family
        for name, (text, labels) in GAUGES.items():
            if rows := self._told.gauges.get(name):
                gauge = GaugeMetricFamily(name, text, labels=labels)
                for values, amount in rows:
                    gauge.add_metric(values, amount)
                yield gauge
        for name, (text, labels) in HISTOGRAMS.items():
            if lines := self._told.histograms.get(name):
                spread = HistogramMetricFamily(name, text, labels=labels)
                for values, total, counts in lines:
                    spread.add_metric(values, _cumulative(counts), total)
                yield spread


def _cumulative(counts: list[int]) -> list[tuple[str, float]]:
    """Return buckets as Prometheus has them: each holds all below it."""
    ends = [*(f"{end:g}" for end in BUCKETS_S), "+Inf"]
    found, so_far = [], 0
    for end, count in zip(ends, counts, strict=True):
        so_far += count
        found.append((end, float(so_far)))
    return found
