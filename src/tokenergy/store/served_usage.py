"""Reads the ledger of a gateway for its clients: usage, charges, and one request of theirs.

Every question opens the file for itself, to read alone, and asks in one statement: what it says is
of one moment, and no writer waits for it.
"""

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import msgspec

from tokenergy.company.energy_words import worst_tier
from tokenergy.company.serving.ports import StoreFault
from tokenergy.company.serving.record import Refused
from tokenergy.company.serving.usage import CostRow, UsageAsked, UsageColumn, UsageRow
from tokenergy.store.kept_request import kept_request
from tokenergy.store.sqlite import stamp
from tokenergy.units import MICROJOULES_PER_J

WAIT_S: Final = 5.0
COLUMNS: Final[dict[UsageColumn, str]] = {
    "tenant": "ledger.tenant",
    "model": "ledger.model",
    "tier": "ledger.tier",
    "key_id": "request.key_id",
    "user_hash": "nullif(request.user_hash, '')",
    "batch": "CASE WHEN request.batch IS NULL THEN NULL WHEN request.batch = '' THEN 'false'"
    " ELSE 'true' END",
    "line_item": "ledger.model || ', ' || replace(substr(component, 8), '_', ' ')",
}
KEPT: Final = frozenset({"key_id", "user_hash", "batch"})
"""Columns that are known for as long as requests are kept in full; later they are null."""
TOKENS: Final = "CAST(round(quantity * 1e6) AS INTEGER)"
"""Whole tokens of a row: its Mtok were made by one division, which this undoes exactly."""
OF_USAGE: Final = "kind = 'request' AND component IN ('serve', 'input', 'cached_input')"
OF_COSTS: Final = "kind = 'settlement' AND component GLOB 'charge_*'"
USAGE_SUMS: Final = (
    f"sum(CASE component WHEN 'input' THEN {TOKENS} ELSE 0 END)",
    f"sum(CASE component WHEN 'cached_input' THEN {TOKENS} ELSE 0 END)",
    f"sum(CASE component WHEN 'serve' THEN {TOKENS} ELSE 0 END)",
    "sum(component = 'serve')",
)
COST_SUMS: Final = (
    "-sum(amount_nano_usd)",
    f"sum(CASE unit WHEN 'Mtok' THEN {TOKENS} ELSE CAST(quantity AS INTEGER) END)",
    "CASE WHEN min(unit) <> max(unit) THEN '' WHEN min(unit) = 'Mtok' THEN 'tokens'"
    " ELSE 'requests' END",
)


class ServedUsage:
    """Keeps the promises of `company.serving.usage.UsageRows` over one ledger file."""

    def __init__(self, path: Path) -> None:
        """Take the file; it need not be there yet."""
        self._path = path

    def usage(self, asked: UsageAsked) -> tuple[UsageRow, ...]:
        """Return tokens and requests by bucket and group, in that order."""
        width = 1 + len(asked.by)
        return tuple(
            UsageRow(row[0], tuple(row[1:width]), *row[width:])
            for row in self._rows(asked, OF_USAGE, USAGE_SUMS)
        )

    def costs(self, asked: UsageAsked) -> tuple[CostRow, ...]:
        """Return charges by bucket and group, in that order."""
        width = 1 + len(asked.by)
        return tuple(
            CostRow(row[0], tuple(row[1:width]), *row[width:])
            for row in self._rows(asked, OF_COSTS, COST_SUMS)
        )

    def _rows(
        self, asked: UsageAsked, where: str, sums: Sequence[str]
    ) -> Sequence[tuple[Any, ...]]:
        """Return the rows of a question: bucket, group, sums."""
        first = asked.start_s // asked.bucket_s
        bucket = f"CAST(strftime('%s', ledger.start) AS INTEGER) / {asked.bucket_s} - {first}"
        groups = [COLUMNS[name] for name in asked.by]
        used = {*asked.by, *(name for name, _ in asked.only)}
        source = "ledger"
        if used & KEPT:
            source += (
                " LEFT JOIN request ON request.request_id = ledger.request_id"
                " AND request.run_id = ledger.run_id"
            )
        values: list[str] = [_stamp(asked.start_s), _stamp(asked.end_s)]
        for name, allowed in asked.only:
            where += f" AND {COLUMNS[name]} IN ({', '.join('?' * len(allowed))})"
            values += allowed
        order = ", ".join(str(at + 1) for at in range(1 + len(groups)))
        query = (
            f"SELECT {', '.join([bucket, *groups, *sums])} FROM {source}"
            " WHERE source = 'serve' AND ledger.start >= ? AND ledger.start < ?"
            f" AND {where} GROUP BY {order} ORDER BY {order}"
        )
        with self._open() as file:
            return file.execute(query, values).fetchall()

    def request(self, tenant: str, request_id: str) -> dict[str, Any] | None:
        """Return what the ledger says about one request of a tenant, or None."""
        with self._open() as file:
            rows = file.execute(
                "SELECT component, kind, unit, quantity, amount_nano_usd, energy_microjoules,"
                " energy_tier, site, model, tier, workload, decision, reason, board_id,"
                ' price_version, policy, "start", "end" FROM ledger'
                " WHERE source = 'serve' AND request_id = ? AND tenant = ? ORDER BY rowid",
                (request_id, tenant),
            ).fetchall()
            kept = file.execute(
                "SELECT body FROM request WHERE request_id = ? AND tenant = ?",
                (request_id, tenant),
            ).fetchone()
        if not rows:
            return None
        return _told(rows) | ({} if kept is None else _more(kept[0]))

    @contextmanager
    def _open(self) -> Iterator[sqlite3.Connection]:
        try:
            uri = f"{self._path.absolute().as_uri()}?mode=ro"
            with closing(sqlite3.connect(uri, uri=True, timeout=WAIT_S)) as file:
                yield file
        except sqlite3.Error as fault:
            raise StoreFault(f"ledger: {fault}") from fault


def _stamp(at_s: int) -> str:
    return stamp(datetime.fromtimestamp(at_s, UTC))


def _told(rows: Sequence[tuple[Any, ...]]) -> dict[str, Any]:
    """Return a request's rows as one thing; amounts in whole nano-dollars, joules added up."""
    first = next((row for row in rows if row[1] == "request"), rows[0])
    tokens = {
        row[0]: round(row[3] * 1e6) for row in rows if row[1] == "request" and row[2] == "Mtok"
    }
    names = [row[0] for row in rows if row[1] == "request"]
    measured = [row for row in rows if row[1] == "meter"]
    served = "serve" in names
    told: dict[str, Any] = {
        "outcome": "completed" if served else names[0] if names else "",
        "tier": first[9],
        "workload": first[10],
        "model": first[8] or None,
        "site": first[7] or None,
        "decision": first[11],
        "reason": first[12],
        "board_id": first[13],
        "price_version": first[14],
        "policy": first[15],
        "started_at": first[16],
        "ended_at": first[17],
        "input_tokens": tokens.get("input", 0),
        "cached_tokens": tokens.get("cached_input", 0),
        "output_tokens": tokens.get("serve", 0),
        "cost_nano_usd": sum(row[4] for row in rows if row[0] == "serve"),
        "charge_nano_usd": -sum(row[4] for row in rows if row[1] == "settlement"),
        "charges": {row[0]: -row[4] for row in rows if row[1] == "settlement"},
        "joules": sum(row[5] for row in rows if row[1] == "request") / MICROJOULES_PER_J,
        "energy_tier": first[6],
    }
    for name in names:
        if name in ("cancelled", "drained", "failed", "interrupted", "left_the_hold"):
            told["outcome"] = name
        elif name.startswith("usage_"):
            told["usage_source"] = name.removeprefix("usage_")
    if measured:
        told["measured_joules"] = sum(row[5] for row in measured) / MICROJOULES_PER_J
        told["measured_tier"] = worst_tier(row[6] for row in measured)
        told["measured_s"] = round(sum(_within_s(row, first) for row in measured), 3)
    return told


def _within_s(window: tuple[Any, ...], request: tuple[Any, ...]) -> float:
    """Return how long a window and a request have in common: of the rest nothing was measured."""
    begun, ended = (datetime.fromisoformat(window[at]) for at in (16, 17))
    since, until = (datetime.fromisoformat(request[at]) for at in (16, 17))
    return max(0.0, (min(ended, until) - max(begun, since)).total_seconds())


def _more(body: bytes) -> dict[str, Any]:
    """Return what is known for as long as a request is kept in full."""
    try:
        kept = kept_request(body)
    except msgspec.DecodeError:
        return {"details": "kept by another release"}
    ended = kept.ended
    told: dict[str, Any] = {"status": ended.status}
    if isinstance(ended, Refused):
        return told | {"code": ended.code, "value_usd": ended.value_usd}
    opened = kept.opened
    told |= {
        "outcome": ended.outcome,
        "usage_source": ended.usage_source,
        "reasoning_tokens": ended.reasoning_tokens,
        "finish": ended.finish,
        "first_byte_s": ended.first_byte_s,
        "duration_s": ended.ended_s,
        "retries_count": ended.retries_count,
        "over_reserved": ended.over_reserved,
    }
    if opened is not None:
        decided = opened.decided
        told |= {
            "endpoint": opened.endpoint,
            "model_asked": opened.model_asked,
            "batch": opened.batch or None,
            "value_usd": decided.value_usd,
            "score_usd": decided.score_usd,
            "marginal_usd_per_mtok": decided.rates[0],
            "lambda": decided.lambda_ratio,
        }
    return told
