"""One fault, and what is read to judge it: what clients saw, what the ledger holds."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from serve_ours import bill_nano_usd
from serve_peers import MODEL

PASSED = "passed"
TOKENS_PER_MTOK = 1_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """What came of one fault.

    Attributes:
        tried: requests that clients began.
        lost: of what may not be lost: answered and not recorded, cut, or over the limit.
        faults: every expectation that did not hold, in words; none: it passed.
        more: further figures.
    """

    tried: int
    lost: int
    faults: tuple[str, ...] = ()
    more: dict[str, Any] = field(default_factory=dict)

    @property
    def verdict(self) -> str:
        return "; ".join(self.faults) or PASSED

    def told(self) -> dict[str, Any]:
        words = asdict(self)
        del words["faults"]
        return words | {"verdict": self.verdict}


class Line(NamedTuple):
    """What the load generator says of one request."""

    mark: str
    outcome: str
    status: int
    tokens: int
    prompt: int
    completion: int
    request_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Recorded:
    """What the ledger says of one request; tokens are whole, input with what was cached."""

    input_tokens: int
    cached_tokens: int
    output_tokens: int
    charged_nano_usd: int
    reasons: frozenset[str]


def lines_of(file: Path) -> Iterator[Line]:
    """Yield what a load said, line by line."""
    for line in file.read_text(encoding="utf-8").splitlines():
        mark, outcome, status, tokens, prompt, completion, request_id = line.split()
        yield Line(
            mark, outcome, int(status), int(tokens), int(prompt), int(completion), request_id
        )


def recorded(ledger: Path) -> dict[str, Recorded]:
    """Return what the ledger holds, by request id."""
    query = (
        "select request_id, kind, component, quantity, amount_nano_usd, reason from ledger "
        "where kind in ('request', 'settlement') and request_id != ''"
    )
    rows: dict[str, list[tuple[Any, ...]]] = {}
    if ledger.exists():
        with closing(sqlite3.connect(f"file:{ledger}?mode=ro", uri=True)) as base:
            for request_id, *row in base.execute(query):
                rows.setdefault(request_id, []).append(tuple(row))
    return {request_id: _recorded(of) for request_id, of in rows.items()}


def _recorded(rows: list[tuple[Any, ...]]) -> Recorded:
    tokens = {"serve": 0, "input": 0, "cached_input": 0}
    charged = 0
    for kind, component, quantity, amount, _ in rows:
        if kind == "settlement":
            charged -= amount
        elif component in tokens:
            tokens[component] += round(quantity * TOKENS_PER_MTOK)
    return Recorded(
        input_tokens=tokens["input"],
        cached_tokens=tokens["cached_input"],
        output_tokens=tokens["serve"],
        charged_nano_usd=charged,
        reasons=frozenset(str(row[4]) for row in rows),
    )


def unrecorded(lines: list[Line], ledger: Path) -> list[Line]:
    """Return requests that were answered in full and that the ledger does not know."""
    held = recorded(ledger)
    return [line for line in lines if line.outcome == "answered" and line.request_id not in held]


def miscounted(lines: list[Line], ledger: Path) -> list[str]:
    """Return what the ledger counts or bills otherwise than the answer said, in words."""
    held, said = recorded(ledger), []
    for line in lines:
        found = held.get(line.request_id)
        if line.outcome != "answered" or found is None:
            continue
        if (found.input_tokens, found.output_tokens) != (line.prompt, line.completion):
            said.append(
                f"{line.request_id}: told {line.prompt} + {line.completion} tokens, booked "
                f"{found.input_tokens} + {found.output_tokens}"
            )
        owed = bill_nano_usd(
            prompt_tokens=found.input_tokens,
            cached_tokens=found.cached_tokens,
            completion_tokens=found.output_tokens,
        )
        if found.charged_nano_usd != owed:
            said.append(
                f"{line.request_id}: charged {found.charged_nano_usd}, owed {owed} nano-USD"
            )
    return said


def begun_without_record(lines: list[Line], ledger: Path) -> list[Line]:
    """Return streams whose head came, whatever came of them, and that the ledger does not know."""
    held = recorded(ledger)
    return [line for line in lines if line.request_id not in ("-", *held)]


def told_bad(what: str, found: list[Any]) -> tuple[str, ...]:
    """Return a fault in words with a few of what was found; nothing found is no fault."""
    if not found:
        return ()
    return (f"{len(found)} {what}, e.g. {'; '.join(str(each) for each in found[:3])}",)


def body(*, marked: int = 0, stream: bool = False, tokens: int = 8, **more: Any) -> dict[str, Any]:
    """Return a small request as a client of the fake upstream asks it."""
    text = f"n={marked:08d} "
    for word in ("gap_us", "first_us", "pad_bytes"):
        text += f"{word}={more.pop(word, 0)} "
    asked: dict[str, Any] = {
        "model": MODEL,
        "messages": [{"role": "user", "content": text}],
        "max_tokens": tokens,
    }
    if stream:
        asked |= {"stream": True, "stream_options": {"include_usage": True}}
    return asked | more
