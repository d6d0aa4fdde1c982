"""OpenAI-style usage: buckets of the organization's usage, and a plain table of our own.

Shapes: GET /v1/organization/usage/completions (OpenAPI document 2.3.0) and the dashboard's CSV
with the same columns. What is required and how it may be called is in `COLUMNS`, `GENERIC`.
"""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from tokenergy.company.finding import Finding
from tokenergy.files.cells import Row
from tokenergy.files.key_hash import KeyHash
from tokenergy.files.refused import RowRefused

COLUMNS: Final = (
    ("start_time", "start_time_iso"),
    ("end_time", "end_time_iso"),
    ("input_tokens",),
    ("output_tokens",),
    ("num_model_requests",),
)
START: Final = ("start", "start_time", "hour", "day", "date")
END: Final = ("end", "end_time")
INPUT: Final = ("input_tokens", "prompt_tokens")
OUTPUT: Final = ("output_tokens", "completion_tokens")
GENERIC: Final = (START, ("model",), INPUT, OUTPUT)
"""`start` and `end`, or an `hour`, or a `day`; stamps at the start, half-open."""
TIERS: Final = ("default", "flex", "priority", "scale", "fast", "auto")
"""Service tiers (economics sheet, section 12); `batch` is a column of its own."""
RESULT: Final = "organization.usage.completions.result"

Tell = Callable[[Finding], None]


def openai_row(row: Row, keys: KeyHash, tell: Tell) -> dict[str, Any]:
    """Return one result of one bucket as the fields of a `UsageRow`.

    Raises:
        RowRefused: if it is empty, of another product, or contradicts itself.
    """
    start = _must(row.moment("start_time", "start_time_iso"), "start_time")
    end = _must(row.moment("end_time", "end_time_iso"), "end_time")
    kind = row.word("object")
    if kind not in ("", "bucket", RESULT):
        raise RowRefused("NOT_COMPLETIONS", "it is a result of another product than completions")
    given, made = row.count("input_tokens"), row.count("output_tokens")
    requests = row.count("num_model_requests")
    if given is None and made is None and requests is None:
        raise RowRefused("EMPTY_BUCKET", "nothing was used in this bucket")
    return {
        "start": start,
        "end": end,
        "model": _model(row, "group the export by model"),
        "tenant": tenant_of(row, keys, clear=("project_id",)),
        "tier": _tier(row, tell),
        "requests_count": requests,
        **tokens_of(row, given, made, row.count("input_cached_tokens")),
    }


def generic_row(row: Row, keys: KeyHash, tell: Tell) -> dict[str, Any]:
    """Return one row of the plain table as the fields of a `UsageRow`.

    Raises:
        RowRefused: if a field is missing, or it contradicts itself.
    """
    start = _must(row.moment(*START), "start")
    cached = row.count("cached_input_tokens", "cached_tokens", "input_cached_tokens", "cached")
    spend = row.amount("spend_usd", "cost_usd")
    return {
        "start": start,
        "end": _end(row, start),
        "model": _model(row, "name it"),
        "tenant": tenant_of(row, keys, clear=("tenant", "project_id", "project", "team")),
        "tier": row.name("tier", "service_tier"),
        "requests_count": row.count("requests_count", "requests", "num_model_requests"),
        "spend_usd": None if spend is None else float(spend),
        **tokens_of(row, row.count(*INPUT), row.count(*OUTPUT), cached),
    }


def tokens_of(row: Row, given: int | None, made: int | None, cached: int | None) -> dict[str, int]:
    """Return the token counts of a row, which hold what OpenAI's usage promises.

    Raises:
        RowRefused: `USAGE_INCONSISTENT` if cached exceeds input, reasoning exceeds output, or a
            total is not input plus output; `MISSING_COUNT` without one of them.
    """
    if given is None or made is None:
        lacking = "input tokens" if given is None else "output tokens"
        raise RowRefused("MISSING_COUNT", f"it has no count of {lacking}")
    held = 0 if cached is None else cached
    if held > given:
        raise RowRefused("USAGE_INCONSISTENT", f"{held} cached tokens of {given} input tokens")
    reasoning = row.count("reasoning_tokens", "output_reasoning_tokens") or 0
    if reasoning > made:
        reason = f"{reasoning} reasoning tokens are inside of {made} output tokens"
        raise RowRefused("USAGE_INCONSISTENT", reason)
    total = row.count("total_tokens")
    if total is not None and total != given + made:
        reason = f"total_tokens is {total}, input and output are {given} + {made}"
        raise RowRefused("USAGE_INCONSISTENT", reason)
    return {"input_tokens": given, "cached_input_tokens": held, "output_tokens": made}


def tenant_of(row: Row, keys: KeyHash, *, clear: tuple[str, ...]) -> str:
    """Return who used it: a project or team by its name, else a user or a key by its hash."""
    named = row.word(*clear)
    if named:
        return keys.of_tenant(named)
    secret = row.word("user_id", "user", "end_user", "user_email") or row.word(
        "api_key_id", "api_key", "key"
    )
    return keys.of(secret) if secret else ""


def _must(value: datetime | None, name: str) -> datetime:
    if value is None:
        raise RowRefused("BAD_STAMP", f"{name} is empty")
    return value


def _model(row: Row, remedy: str) -> str:
    model = row.name("model")
    if not model:
        raise RowRefused("MODEL_MISSING", f"no model is named, so it has no price: {remedy}")
    return model


def _end(row: Row, start: datetime) -> datetime:
    end = row.moment(*END)
    if end is not None:
        return end
    if row.cell("start", "start_time") is None:
        if row.cell("hour") is not None:
            return start + timedelta(hours=1)
        # To the next midnight on the clocks of its place: a day has 23 to 25 hours.
        local = start.astimezone(row.zone or UTC)
        return (local + timedelta(days=1)).astimezone(UTC)
    raise RowRefused("BAD_SPAN", "it has a start and no end; write an end, or name the column hour")


def _tier(row: Row, tell: Tell) -> str:
    if row.flag("batch"):
        return "batch"
    tier = row.word("service_tier")
    if tier in ("", *TIERS):
        return tier
    tell(
        Finding(
            code="TIER_UNKNOWN",
            path="service_tier",
            limit=", ".join(TIERS),
            reason="a service tier is none that we know; its rows count as default",
            remedy="Nothing, if default prices are right for it",
            severity="warning",
        )
    )
    return "default"
