"""What is counted of a request that has ended, and what is learnt from its answer."""

from collections import defaultdict
from functools import lru_cache
from typing import TYPE_CHECKING, Final

from tokenergy.company.board import PART_NAMES, Board, Candidate, Rung
from tokenergy.company.decision import Decision
from tokenergy.company.serving.record import Closed
from tokenergy.serve.gateway_metrics import Labels, Tally
from tokenergy.units import MICROJOULES_PER_J, NANO_USD_PER_USD

if TYPE_CHECKING:
    from tokenergy.serve.flight import Flight
    from tokenergy.serve.gateway import Gateway

DONE: Final = {"serve": "served", "cap": "capped", "downgrade": "downgraded"}
"""Actions in the words of the metrics."""
LEARN_ALL_COUNT: Final = 64
LEARN_EVERY_COUNT: Final = 8


class ServedRow:
    """What one tenant was served under one tier by one model at one site: plain sums.

    A sum by itself costs a tenth of a labelled count; the labels are put on when the counts are
    told, every two seconds (`told`).
    """

    __slots__ = (
        "cached_tokens", "charge_nano_usd", "cost_nano_usd", "input_tokens", "joules_microjoules",
        "output_tokens", "parts_usd", "requests_count", "sources_count",
    )  # fmt: skip

    def __init__(self) -> None:
        """Begin at nothing."""
        self.input_tokens = self.cached_tokens = self.output_tokens = 0
        self.joules_microjoules = self.charge_nano_usd = self.cost_nano_usd = 0
        self.parts_usd = [0.0] * len(PART_NAMES)
        self.requests_count: dict[tuple[str, str], int] = {}
        self.sources_count: dict[str, int] = {}


class Served:
    """All rows of a worker."""

    def __init__(self) -> None:
        """Hold nothing yet."""
        self.rows: dict[tuple[str, str, str, str, str], ServedRow] = {}
        self._due: dict[int, tuple[Rung, int]] = {}

    def add(self, tenant: str, tier: str, decision: Decision, record: Closed) -> None:
        """Count a request that has ended."""
        key = (tenant, tier, record.model, record.site, record.energy_tier)
        row = self.rows.get(key)
        if row is None:
            row = self.rows[key] = ServedRow()
        row.input_tokens += record.input_tokens
        row.cached_tokens += record.cached_tokens
        row.output_tokens += record.output_tokens
        row.joules_microjoules += record.microjoules
        row.charge_nano_usd += record.charge_nano_usd
        row.cost_nano_usd += record.cost_nano_usd
        what = (decision.action, decision.reason)
        row.requests_count[what] = row.requests_count.get(what, 0) + 1
        source = record.usage_source
        row.sources_count[source] = row.sources_count.get(source, 0) + 1
        place = decision.candidate
        if place is not None and record.cost_nano_usd and place.high_usd_per_mtok:
            work_mtok = record.cost_nano_usd / NANO_USD_PER_USD / place.high_usd_per_mtok
            sums = row.parts_usd
            for at, usd_per_mtok in nonzero_parts(place):
                sums[at] += usd_per_mtok * work_mtok

    def place(self, board: Board | None, tally: Tally, decision: Decision, record: Closed) -> None:
        """Count where the tokens of an answer came from, against where its board meant them.

        Only where the dispatch gave the model's places shares; both sides are then counted, so
        that they sum to the same. What was meant is worked out when the counts are told.
        """
        tokens = record.output_tokens
        if board is None or decision.candidate is None or not tokens:
            return
        rung = board.workloads[decision.workload_index].rungs[decision.rung]
        if not rung.planned:
            return
        tally.add("tokenergy_share_tokens", (record.site, record.model, "served"), tokens)
        held = self._due.get(id(rung))
        self._due[id(rung)] = (rung, tokens if held is None else held[1] + tokens)

    def planned(self, tally: Tally) -> None:
        """Spread the tokens since the last time over the places that the dispatch meant."""
        for rung, tokens in self._due.values():
            for at, share in zip(rung.planned, rung.planned_share, strict=True):
                meant = rung.candidates[at]
                labels = (meant.site, meant.model, "planned")
                tally.add("tokenergy_share_tokens", labels, tokens * share)
        self._due.clear()

    def told(self, tally: Tally) -> None:
        """Write every row into the labelled counts."""
        self.planned(tally)
        counts: defaultdict[tuple[str, Labels], float] = defaultdict(float)
        for (tenant, tier, model, site, energy_tier), row in self.rows.items():
            who = (tenant, tier, model, site)
            counts["tokenergy_tokens", (*who, "input")] += row.input_tokens
            counts["tokenergy_tokens", (*who, "output")] += row.output_tokens
            counts["tokenergy_tokens", (*who, "cached_input")] += row.cached_tokens
            joules = row.joules_microjoules / MICROJOULES_PER_J
            counts["tokenergy_energy_joules", (*who, "all", energy_tier)] += joules
            charge = row.charge_nano_usd / NANO_USD_PER_USD
            counts["tokenergy_charge_usd", (tenant, tier)] += charge
            for (action, reason), count in row.requests_count.items():
                done = DONE.get(action, "deferred")
                counts["tokenergy_requests", (done, reason)] += count
            for source, count in row.sources_count.items():
                counts["tokenergy_usage_source", (source,)] += count
            for name, usd in zip(PART_NAMES, row.parts_usd, strict=True):
                if usd:
                    counts["tokenergy_cost_usd", (name,)] += usd
        tally.rows = counts


@lru_cache(maxsize=1024)
def nonzero_parts(place: Candidate) -> tuple[tuple[int, float], ...]:
    """Return the parts of a place's price that are not 0, by their number."""
    return tuple((at, part) for at, part in enumerate(place.parts_usd_per_mtok) if part)


def count(gateway: "Gateway", flight: "Flight", record: Closed) -> None:
    """Count a request that has ended, and learn from its answer."""
    decision, request = flight.decision, flight.request
    assert decision is not None
    assert request is not None
    gateway.served.add(request.tenant, request.tier, decision, record)
    gateway.served.place(flight.board, gateway.tally, decision, record)
    model = (record.model,)
    gateway.tally.observe("gen_ai_server_request_duration_seconds", model, record.ended_s)
    first_s = record.first_byte_s
    if first_s is not None and flight.stream is not None:
        gateway.tally.observe("gen_ai_server_time_to_first_token_seconds", model, first_s)
    if record.usage_source == "reported" and record.status == 200:
        _learn(gateway, flight, record)


def _learn(gateway: "Gateway", flight: "Flight", record: Closed) -> None:
    """Learn how long this tenant's texts and answers are: of all at first, of every eighth later.

    Means move by a twentieth with each; once they stand, every answer would tell the same.
    """
    request, row, asked = flight.request, flight.row, flight.asked
    assert request is not None
    assert row is not None
    assert asked is not None
    key = (request.tenant, request.tier, row.workload.name)
    seen_count = gateway.learnt_count.get(key, 0)
    gateway.learnt_count[key] = seen_count + 1
    if seen_count > LEARN_ALL_COUNT and seen_count % LEARN_EVERY_COUNT:
        return
    gateway.lengths = gateway.lengths.seen(
        tenant=request.tenant,
        model=row.workload.ladder[0],
        tier=request.tier,
        text_bytes_count=0 if asked.other_tokens else asked.text_bytes_count,
        text_tokens=record.input_tokens,
        output_tokens=record.output_tokens // max(1, asked.answers_count),
        capped=record.finish == "length" or _at_cap(flight, record),
    )


def _at_cap(flight: "Flight", record: Closed) -> bool:
    """Tell whether an answer is as long as its cap: some servers call such a one complete."""
    decision, asked = flight.decision, flight.asked
    assert decision is not None
    assert asked is not None
    cap = decision.cap_tokens
    return cap is not None and record.output_tokens >= cap * max(1, asked.answers_count)
