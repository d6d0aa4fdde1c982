"""Verb: judge what a line of a batch came to: its line of the output or error file, or later."""

import secrets
from datetime import datetime
from typing import Any, Final, NamedTuple

import msgspec

from tokenergy.company.serving.batch import BatchTokens, Claimed, LineAnswer
from tokenergy.serve.side import Told

LATER: Final = frozenset({429, 503})
"""Statuses that leave a line queued: nobody has run it."""
UNSAID: Final = frozenset({0, 499})
"""The gateway ended before it said anything: the line goes back, and nobody rests."""
AGAIN: Final = frozenset({408, 500, 502, 504})
"""Statuses of faults that may pass: tried again, a few times."""
FAULTS_COUNT: Final = 4
FIRST_WAIT_S: Final = 5.0
PAUSE_S: Final = 15.0
"""How long a batch rests after a refusal that names no time."""
LONGEST_PAUSE_S: Final = 300.0
"""How long it rests at most: prices change with every board."""


class _WithUsage(msgspec.Struct):
    usage: dict[str, Any]


class Later(NamedTuple):
    """A line that is tried again.

    Attributes:
        not_before_s: when.
        faulty: whether it failed by a fault that may pass.
        pause_s: until when its whole batch rests; None: it does not.
    """

    not_before_s: float
    faulty: bool
    pause_s: float | None


def judged(told: Told, claimed: Claimed, *, now_s: float) -> LineAnswer | Later:
    """Return what a line came to."""
    if told.status in UNSAID:
        return Later(now_s, faulty=False, pause_s=None)
    if told.status in LATER:
        pause_s = _pause_s(told.body, now_s)
        return Later(pause_s, faulty=False, pause_s=pause_s)
    if told.status in AGAIN and claimed.faults_count < FAULTS_COUNT:
        wait_s = FIRST_WAIT_S * 2.0**claimed.faults_count
        return Later(now_s + wait_s, faulty=True, pause_s=None)
    good = 200 <= told.status < 300
    response = {
        "status_code": told.status,
        "request_id": told.request_id,
        "body": msgspec.Raw(_one_line(told.body)),
    }
    line = {
        "id": f"batch_req_{secrets.token_hex(12)}",
        "custom_id": claimed.line.custom_id,
        "response": response,
        "error": None,
    }
    tokens = _tokens(told.body) if good else BatchTokens()
    return LineAnswer(good, msgspec.json.encode(line), tokens)


def _one_line(body: bytes) -> bytes:
    """Return JSON without line breaks; what is no JSON as a string of it."""
    try:
        return msgspec.json.format(body.decode(), indent=-1).encode()
    except (msgspec.DecodeError, UnicodeDecodeError):
        return msgspec.json.encode(body.decode("utf-8", "replace"))


def _pause_s(body: bytes, now_s: float) -> float:
    """Return until when a refused line's batch rests."""
    try:
        told = msgspec.json.decode(body)
        following = told["error"]["tokenergy"]["next_admitted"]["start"]
        start_s = datetime.fromisoformat(following).timestamp()
    except (msgspec.DecodeError, KeyError, TypeError, ValueError):
        start_s = now_s + PAUSE_S
    return min(max(start_s, now_s + FIRST_WAIT_S), now_s + LONGEST_PAUSE_S)


def _tokens(body: bytes) -> BatchTokens:
    """Return an answer's usage, by either endpoint's names."""
    try:
        usage = msgspec.json.decode(body, type=_WithUsage).usage
    except msgspec.DecodeError:
        return BatchTokens()
    return BatchTokens(
        input_tokens=_count(usage, "prompt_tokens", "input_tokens"),
        cached_tokens=_count(
            _detail(usage, "prompt_tokens_details", "input_tokens_details"), "cached_tokens"
        ),
        output_tokens=_count(usage, "completion_tokens", "output_tokens"),
        reasoning_tokens=_count(
            _detail(usage, "completion_tokens_details", "output_tokens_details"),
            "reasoning_tokens",
        ),
    )


def _detail(usage: dict[str, Any], *names: str) -> dict[str, Any]:
    for name in names:
        if isinstance(found := usage.get(name), dict):
            return found
    return {}


def _count(usage: dict[str, Any], *names: str) -> int:
    for name in names:
        found = usage.get(name)
        if isinstance(found, int) and not isinstance(found, bool) and found >= 0:
            return found
    return 0
