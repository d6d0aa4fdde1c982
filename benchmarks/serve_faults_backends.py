"""Servers that refuse, reset, stall, flood or talk nonsense: the client gets the right error.

Two servers stand behind each site's deployment, so that another one can take over. Rules: the
shape of an error is OpenAI's; the breaker stays shut on 4xx; a retry comes only before the first
byte of an answer; a client fails once at most while a server goes down; afterwards no connection
is left over.
"""

import http.client
import json
import time
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from serve_fault import Found, body
from serve_ours import Gateway, Server, faulty_upstream, gateway

FAULTY_MODEL = "m"
"""What the faulty server lists."""
SERVERS_COUNT = 4
"""Two at each site, in turn."""
LIMITS = (
    "first_byte_least_s: 1, first_byte_ratio: 0.01, between_chunks_s: 1, breaker_open_s: 1, "
    "total_s: 3, hold_s: 1"
)
"""The head of a whole answer comes with its last token, so there the total counts."""
FILES_MORE = 6
"""Open files beyond what there was before, after a rest: pools keep some connections."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """What a client was told; `text` is the end of it."""

    status: int
    error: dict[str, Any] | None = None
    done: bool = False
    text: str = ""


def told(running: Gateway, key: str, *, stream: bool) -> Told:
    """Ask once; read whatever comes, also of an answer that breaks off."""
    connection = http.client.HTTPConnection("127.0.0.1", running.port, timeout=30)
    try:
        connection.request(
            "POST",
            "/v1/chat/completions",
            body=json.dumps(body(stream=stream)),
            headers={"Content-Type": "application/json", "Authorization": f"Bearer {key}"},
        )
        answer = connection.getresponse()
        try:
            text = answer.read().decode(errors="replace")
        except http.client.HTTPException as error:
            return Told(status=answer.status, text=f"broke off: {type(error).__name__}")
    except (OSError, http.client.HTTPException) as error:
        return Told(status=0, text=f"no answer: {type(error).__name__}")
    finally:
        connection.close()
    if not stream or answer.status != 200:
        return Told(status=answer.status, error=_error(text), done=True, text=text[:200])
    events = [line[6:] for line in text.splitlines() if line.startswith("data: ")]
    error = next((found for each in events if (found := _error(each))), None)
    return Told(status=200, error=error, done="[DONE]" in events, text=text[-200:])


def _error(text: str) -> dict[str, Any] | None:
    try:
        read = json.loads(text)
    except ValueError:
        return None
    error = read.get("error") if isinstance(read, dict) else None
    return error if isinstance(error, dict) else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One fault of the servers, and what a client may be told.

    Attributes:
        statuses: that are right.
        all_serve: whether nobody may fail, because another server takes over.
        mid: whether it strikes within a stream: then an error event, and no `[DONE]`.
    """

    name: str
    how: dict[str, Any]
    statuses: tuple[int, ...]
    stream: bool = False
    mid: bool = False
    only_one: bool = False
    asked_count: int = 4


CASES = (
    Case(name="reset_before_head", how={"fault": "reset", "at_byte": 0}, statuses=(502, 503)),
    Case(name="burst_of_5xx", how={"status": 500}, statuses=(500, 502, 503)),
    Case(name="slow_head", how={"head_s": 5.0}, statuses=(503, 504), asked_count=2, stream=True),
    Case(name="slow_answer", how={"head_s": 5.0}, statuses=(503, 504), asked_count=1),
    Case(name="garbage", how={"fault": "garbage"}, statuses=(502, 503)),
    Case(name="half_json", how={"fault": "half_json"}, statuses=(502, 503)),
    Case(
        name="reset_in_body", how={"fault": "reset", "at_byte": 600}, statuses=(200, 502, 503),
        stream=True, mid=True,
    ),
    Case(
        name="stalled_body", how={"fault": "stall", "at_byte": 600, "stall_s": 5.0},
        statuses=(200, 502, 503, 504), stream=True, mid=True, asked_count=2,
    ),
    Case(name="half_event", how={"fault": "half_event"}, statuses=(200, 502, 503), stream=True,
         mid=True),
    Case(name="garbage_sse", how={"fault": "garbage_sse"}, statuses=(200, 502, 503), stream=True,
         mid=True),
    Case(name="no_done", how={"fault": "no_done"}, statuses=(200, 502, 503), stream=True, mid=True),
    Case(name="one_resets", how={"fault": "reset", "at_byte": 0}, statuses=(200,), only_one=True,
         asked_count=12),
    Case(name="one_5xx", how={"status": 503}, statuses=(200,), only_one=True, asked_count=12),
)  # fmt: skip


def broken(folder: Path, *, times: int = 1, names: tuple[str, ...] = ()) -> dict[str, Found]:
    """Try every fault, `times` times as many requests; return what came of each."""
    found = {}
    with ExitStack() as stack:
        servers = [stack.enter_context(faulty_upstream()) for _ in range(SERVERS_COUNT)]
        running = stack.enter_context(
            gateway(
                [server.url for server in servers],
                folder=folder,
                limits=LIMITS,
                served_model=FAULTY_MODEL,
            )
        )
        key, (worker,) = running.key("acme"), running.workers()
        _healed(running, key, servers)
        before_count = worker.num_fds()
        for case in CASES:
            if not names or case.name in names:
                found[case.name] = _tried(running, key, servers, case, times)
                _healed(running, key, servers)
        if not names or "flood_of_4xx" in names:
            found["flood_of_4xx"] = _flooded(running, key, servers, 10 * times)
        if not names or "all_refuse" in names:
            found["all_refuse"] = _refused(running, key, servers, 4 * times)
        time.sleep(1.5)
        after_count = worker.num_fds()
    more = after_count - before_count
    found["files"] = Found(
        tried=sum(each.tried for each in found.values()),
        lost=max(0, more - FILES_MORE),
        faults=(f"{more} more files are open than before",) if more > FILES_MORE else (),
        more={"before": before_count, "after": after_count},
    )
    return found


def _tried(running: Gateway, key: str, servers: list[Server], case: Case, times: int) -> Found:
    hit = servers[:1] if case.only_one else servers
    for server in hit:
        server.always(**case.how)
    answers = [told(running, key, stream=case.stream) for _ in range(case.asked_count * times)]
    bad = [problem for each in answers if (problem := _problem(each, case))]
    allowed = 1 if case.only_one else 0
    return Found(
        tried=len(answers),
        lost=len(bad),
        faults=tuple(sorted(set(bad))[:3]) if len(bad) > allowed else (),
        more={"statuses": sorted({each.status for each in answers})},
    )


def _problem(each: Told, case: Case) -> str:
    if each.status not in case.statuses:
        return f"status {each.status}, right were {case.statuses}: {each.text}"
    if case.only_one:
        return ""
    if each.error is None:
        return f"no error told: {each.text}"
    if not {"message", "type", "code", "param"} <= set(each.error):
        return f"an error of another shape: {sorted(each.error)}"
    if case.mid and each.status == 200 and each.done:
        return "[DONE] after an error"
    return ""


def _flooded(running: Gateway, key: str, servers: list[Server], count: int) -> Found:
    """Answer 400 to everything: the client is told so, and no breaker opens."""
    for server in servers:
        server.always(status=400)
    answers = [told(running, key, stream=False) for _ in range(count)]
    for server in servers:
        server.always()
    after = told(running, key, stream=False)
    odd = sorted({each.status for each in answers} - {400})
    return Found(
        tried=count + 1,
        lost=sum(each.status != 400 for each in answers) + (after.status != 200),
        faults=(
            *((f"told {odd} for a 400",) if odd else ()),
            *((f"right after it: {after.status} {after.text}",) if after.status != 200 else ()),
        ),
    )


def _refused(running: Gateway, key: str, servers: list[Server], count: int) -> Found:
    """Let no server listen: 502 or 503 in OpenAI's shape, then back by itself."""
    for server in servers:
        server.run(server.stop_listening)
    case = Case(name="all_refuse", how={}, statuses=(502, 503))
    answers = [told(running, key, stream=False) for _ in range(count)]
    bad = [problem for each in answers if (problem := _problem(each, case))]
    for server in servers:
        server.run(server.listen_again)
    back = _healed(running, key, servers)
    return Found(
        tried=count,
        lost=len(bad),
        faults=(*sorted(set(bad))[:3], *(() if back else ("it never served again",))),
    )


def _healed(running: Gateway, key: str, servers: list[Server], within_s: float = 15.0) -> bool:
    """Mend every server, and wait until each has answered again."""
    for server in servers:
        server.always()
    until_s = time.monotonic() + within_s
    before = [server.counters.answered for server in servers]
    while time.monotonic() < until_s:
        told(running, key, stream=False)
        if all(s.counters.answered > b for s, b in zip(servers, before, strict=True)):
            return True
        time.sleep(0.02)
    return False
