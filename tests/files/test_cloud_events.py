"""CloudEvents 1.0: the schema's words, ids that stay, and what a simulation cannot tell."""

import json
from pathlib import Path
from typing import Any

import jsonschema
from ledger_rows import entry, serve, two_hours

from tokenergy.company.ledger import LedgerEntry
from tokenergy.files.cloud_events import EventStream, event_id, write_events

# The required attributes and formats of CloudEvents 1.0.2 (cloudevents/spec, JSON format).
SCHEMA = {
    "type": "object",
    "required": ["specversion", "id", "source", "type"],
    "additionalProperties": False,
    "properties": {
        "specversion": {"const": "1.0"},
        "id": {"type": "string", "minLength": 1},
        "source": {"type": "string", "format": "uri-reference", "minLength": 1},
        "type": {"type": "string", "pattern": r"^dev\.tokenergy\.[a-z]+\.[a-z]+$"},
        "time": {"type": "string", "pattern": r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z$"},
        "subject": {"type": "string", "minLength": 1},
        "datacontenttype": {"const": "application/json"},
        "data": {"type": "object"},
    },
}


def request(number: int, **changes: Any) -> LedgerEntry:
    return serve(0.001, kind="request", request_id=f"r{number}", board_id="b1", **changes)


def rows() -> list[LedgerEntry]:
    return [
        request(1, tenant="jane@example.org"),
        entry(kind="request", request_id="r1", component="network", decision="admit",
              amount_nano_usd=5),
        request(2, decision="downgrade", kwh=None),
        request(3, decision="defer", reason="price"),
        entry(kind="request", request_id="r4", component="refused", decision="refuse", unit="Mtok",
              quantity=0.002, board_id="b2"),
        entry(component="plan", part="p1", reason="signed"),
    ]  # fmt: skip


def stream(entries=None) -> EventStream:
    held = rows() if entries is None else entries
    return EventStream(held, company="Small & Sons", hide=lambda name: f"k_{len(name)}")


def test_events_have_the_shape_of_the_specification(tmp_path: Path):
    out = tmp_path / "e.jsonl"
    assert write_events(stream(), out) == 7
    for row in out.read_text().splitlines():
        jsonschema.validate(json.loads(row), SCHEMA)


def test_what_happened_is_told_once():
    kinds = [event["type"].removeprefix("dev.tokenergy.") for event in stream()]
    assert kinds == [
        "price.updated", "request.completed", "request.completed", "request.deferred",
        "price.updated", "request.refused", "plan.updated",
    ]  # fmt: skip


def test_ids_are_the_same_each_time_and_never_shared():
    ids = [[event["id"] for event in stream()] for _ in range(2)]
    assert ids[0] == ids[1]
    assert len(set(ids[0])) == len(ids[0])
    assert event_id("a", request(1)) != event_id("b", request(1))


def test_a_request_by_hand():
    """0.001 Mtok are 1,000 tokens; 1 kWh is 3.6 MJ; who has no meter has null."""
    first, second = (e["data"] for e in stream() if e["type"].endswith("completed"))
    assert (first["output_tokens"], first["energy_j"], first["tenant"]) == (1000, 3.6e6, "k_16")
    assert second["energy_j"] is None and second["energy_mwh"] is None
    assert "jane" not in json.dumps(list(stream()))


def test_a_simulated_ledger_has_no_requests_and_says_so():
    held = stream(list(two_hours()))
    assert list(held) == []
    assert [finding.code for finding in held.findings] == ["CLOUDEVENTS_NONE"]


def test_an_unknown_decision_is_told():
    held = stream([request(1, decision="perhaps")])
    assert [event["type"] for event in held] == ["dev.tokenergy.price.updated"]
    assert [finding.code for finding in held.findings] == ["DECISION_UNKNOWN"]
