"""LiteLLM's spend logs: one row for each request; its shape only, never its package.

Shape: the table `LiteLLM_SpendLogs` of its schema, as CSV, or as its /spend/logs answers (JSON).
Tokens of the model's own prefix cache stand in `metadata`; a request that the gateway's response
cache answered (`cache_hit`) made no engine work and is left out.
"""

import json
from datetime import timedelta
from typing import Any, Final

from tokenergy.files.cells import Row
from tokenergy.files.key_hash import KeyHash
from tokenergy.files.openai_usage import Tell, tenant_of, tokens_of
from tokenergy.files.refused import RowRefused

COLUMNS: Final = (
    ("request_id",),
    ("starttime",),
    ("endtime",),
    ("model", "model_group"),
    ("prompt_tokens",),
    ("completion_tokens",),
)
"""Names as in the schema, in lower case."""
RESOLUTION: Final = timedelta(milliseconds=1)
"""The table keeps milliseconds: a request may end in the one it began in."""


def litellm_row(row: Row, keys: KeyHash, tell: Tell) -> dict[str, Any]:
    """Return one logged request as the fields of a `UsageRow`.

    The model is `model_group`, the name that the proxy gives it, where there is one.

    Raises:
        RowRefused: if no engine worked for it, or it contradicts itself.
    """
    start, end = row.moment("starttime"), row.moment("endtime")
    if start is None or end is None:
        raise RowRefused("BAD_STAMP", "startTime or endTime is empty")
    if row.flag("cache_hit"):
        raise RowRefused("CACHE_HIT", "the gateway answered from its cache: no engine worked")
    given, made = row.count("prompt_tokens"), row.count("completion_tokens")
    if given == 0 and made == 0:
        failed = row.word("status") == "failure"
        said = "the request failed" if failed else "a call that counts no tokens"
        raise RowRefused("NO_TOKENS", f"{said}: there is nothing to price")
    model = row.name("model_group", "model")
    if not model:
        raise RowRefused("MODEL_MISSING", "no model is named, so it has no price")
    metadata = _metadata(row)
    spend = row.amount("spend")
    return {
        "start": start,
        "end": end + RESOLUTION if end == start else end,
        "model": model,
        "tenant": tenant_of(row, keys, clear=("team_id", "organization_id")),
        "tier": "",
        "requests_count": 1,
        "spend_usd": None if spend is None else float(spend),
        **tokens_of(row, given, made, _cached(metadata)),
    }


def _metadata(row: Row) -> dict[str, Any]:
    value = row.cell("metadata")
    if value is None:
        return {}
    if isinstance(value, str):
        try:
            value = json.loads(value)
        except (ValueError, RecursionError):
            reason = "metadata is no JSON (cut off?), so its cached tokens are not known"
            raise RowRefused("BAD_METADATA", reason) from None
    return value if isinstance(value, dict) else {}


def _cached(metadata: dict[str, Any]) -> int | None:
    """Return the input tokens that the engine's prefix cache answered; None: not told."""
    usage = metadata.get("usage_object")
    usage = usage if isinstance(usage, dict) else {}
    details = usage.get("prompt_tokens_details")
    details = details if isinstance(details, dict) else {}
    more = metadata.get("additional_usage_values")
    more = more if isinstance(more, dict) else {}
    cells = {
        "cached_tokens": details.get("cached_tokens"),
        "cache_read_input_tokens": more.get("cache_read_input_tokens"),
    }
    return Row(cells, ".", None).count("cached_tokens", "cache_read_input_tokens")
