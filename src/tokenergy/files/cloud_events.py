"""Rows of the ledger as CloudEvents 1.0 in JSON, one a line.

An id is made of the row's key: exporting a ledger twice gives the same events, and a receiver
that saw one knows it (CloudEvents: `source` and `id` together are unique).
"""

import json
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote

from tokenergy.company.finding import Finding
from tokenergy.company.ledger import UNIQUE_KEY, LedgerEntry
from tokenergy.files.focus_write import whole
from tokenergy.units import J_PER_MWH, MICROJOULES_PER_J, NANO_USD_PER_USD, TOKENS_PER_MTOK

TYPES: Final = {
    "admit": "dev.tokenergy.request.completed",
    "cap": "dev.tokenergy.request.completed",
    "downgrade": "dev.tokenergy.request.completed",
    "defer": "dev.tokenergy.request.deferred",
    "refuse": "dev.tokenergy.request.refused",
}
"""What a decision about a request means to others."""
COUNTED: Final = ("", "serve", "output", "deferred", "refused")
"""Components of a request's row that tell of the request; the others tell parts of its cost."""
PRICE: Final = "dev.tokenergy.price.updated"
PLAN: Final = "dev.tokenergy.plan.updated"
PLAN_COMPONENT: Final = "plan"
Event = dict[str, Any]


class EventStream:
    """The events of a run, once; `findings` are whole when they have been read."""

    def __init__(
        self, entries: Iterable[LedgerEntry], *, company: str, hide: Callable[[str], str]
    ) -> None:
        """Take the rows in order of time, who sends, and how tenants are hidden."""
        self._entries, self._hide = entries, hide
        self._source = f"urn:tokenergy:{quote(company, safe='')}"
        self.counts: Counter[str] = Counter()

    def __iter__(self) -> Iterator[Event]:
        """Yield events in the order of the rows; a board of prices once, when it is first used."""
        board = ""
        for entry in self._entries:
            self.counts["entries"] += 1
            if entry.board_id and entry.board_id != board:
                board = entry.board_id
                yield self._event(PRICE, entry, board, {
                    "board_id": board, "price_version": entry.price_version or None,
                })  # fmt: skip
            if entry.component == PLAN_COMPONENT:
                yield self._event(PLAN, entry, "", {"part": entry.part, "reason": entry.reason})
            elif entry.kind == "request" and entry.component in COUNTED:
                kind = TYPES.get(entry.decision)
                if kind is None:
                    self.counts["undecided"] += 1
                else:
                    yield self._event(kind, entry, "", self._request(entry))

    def _event(self, kind: str, entry: LedgerEntry, subject: str, data: Event) -> Event:
        self.counts["events"] += 1
        subject = subject or entry.request_id
        moment = entry.end if kind.startswith("dev.tokenergy.request") else entry.start
        event = {
            "specversion": "1.0",
            "id": event_id(kind, entry),
            "source": self._source,
            "type": kind,
            "time": _time(moment),
            "datacontenttype": "application/json",
        }
        return event | ({"subject": subject} if subject else {}) | {"data": data}

    def _request(self, entry: LedgerEntry) -> Event:
        """Return what happened to a request; what the row does not tell is null."""
        counted = entry.unit == "Mtok"
        known = entry.energy_tier != ""
        joules = entry.energy_microjoules / MICROJOULES_PER_J
        return {
            "run_id": entry.run_id,
            "tenant": self._hide(entry.tenant) if entry.tenant else None,
            "tier": entry.tier or None,
            "workload": self._hide(entry.workload) if entry.workload else None,
            "site": entry.site or None,
            "model": entry.model or None,
            "decision": entry.decision,
            "reason": entry.reason or None,
            "output_tokens": round(entry.quantity * TOKENS_PER_MTOK) if counted else None,
            "energy_j": joules if known else None,
            "energy_mwh": joules / J_PER_MWH if known else None,
            "energy_tier": entry.energy_tier or None,
            "amount_usd": entry.amount_nano_usd / NANO_USD_PER_USD,
        }

    @property
    def findings(self) -> tuple[Finding, ...]:
        """What could not be told."""
        counts = self.counts
        told = (
            (not counts["events"], "CLOUDEVENTS_NONE", counts["entries"],
             "rows tell of no request, board or plan: a simulation and `observe` tell of intervals",
             "Export what decides request by request wrote; this ledger goes out as FOCUS"),
            (bool(counts["undecided"]), "DECISION_UNKNOWN", counts["undecided"],
             "requests have no decision that is known", "Nothing: they are left out"),
        )  # fmt: skip
        return tuple(
            Finding(
                code=code, path="ledger", value=str(count), unit="rows", severity="warning",
                reason=f"{count} {reason}", remedy=remedy,
            )
            for holds, code, count, reason, remedy in told
            if holds
        )  # fmt: skip


def event_id(kind: str, entry: LedgerEntry) -> str:
    """Return the id of a row's event: 32 hexadecimal digits of its type and key."""
    key = [str(getattr(entry, name)) for name in UNIQUE_KEY]
    return sha256(json.dumps([kind, *key]).encode()).hexdigest()[:32]


def write_events(events: Iterable[Event], out: Path) -> int:
    """Write events, one a line, whole or not at all, and return how many there were.

    Raises:
        InputError: if the file cannot be written.
    """

    def write(draft: Path) -> int:
        count = 0
        with draft.open("w", encoding="utf-8", newline="") as held:
            for event in events:
                held.write(json.dumps(event, allow_nan=False) + "\n")
                count += 1
        return count

    return whole(out, write)


def _time(moment: datetime) -> str:
    """Return a moment as RFC 3339 has it."""
    return moment.astimezone(UTC).isoformat().replace("+00:00", "Z")
