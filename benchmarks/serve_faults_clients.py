"""Clients that leave, read slowly or send a lot: each is held to its own share.

- `left`: some clients leave at a random chunk: the upstream is closed at once, there is a record of
  every stream, nothing is held afterwards.
- `slow_readers`: readers of 1 KB/s of streams that come as fast as they are taken: the upstream
  is made to wait, so that a stream holds a bounded piece of memory; others are served meanwhile.
- `big_bodies`: bodies up to the limit are served, one byte more is 413, others wait little.
"""

import json
import socket
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

from serve_fault import Found, body, lines_of, recorded, told_bad
from serve_native import Load, cpu_s, load, rss_mb, upstreams
from serve_ours import Gateway, gateway, settled

LEFT_PERMILLE = 200
CLOSED_WITHIN_S = 2.0
COUNTED_SHARE = 0.05
"""Tokens of streams that were left may be counted so far from what the upstream wrote, or one each:
what it wrote while the news travelled."""
READ_BYTES_PER_S = 1_000
MOST_KB_PER_STREAM = 64.0
LONG_STREAM = {"tokens": 20_000, "pad_bytes": 4_000}
"""80 MB, as fast as they are taken: far more than the kernel keeps between two processes."""
IDLE_SHARE = 0.1
BODY_LIMIT_BYTES = 10_000_000


def left(folder: Path, *, requests: int, connections: int = 48, gap_us: int = 40_000) -> Found:
    """Let a fifth of the clients leave at a random chunk."""
    log = folder / "clients.log"
    with (
        upstreams(2) as servers,
        gateway([server.url for server in servers], folder=folder) as running,
    ):
        seen = load(
            running.port,
            connections=connections,
            requests=requests,
            stream=True,
            tokens=24,
            gap_us=gap_us,
            leave_permille=LEFT_PERMILLE,
            key=running.key("acme"),
            log=log,
        )
        time.sleep(CLOSED_WITHIN_S)
        counted = [server.counters() for server in servers]
        settled(running)
        lines, held = list(lines_of(log)), recorded(running.ledger)
    cut = sum(each["cut"] for each in counted)
    written = sum(each["cut_tokens"] + each["completion_tokens"] for each in counted)
    leavers = [line for line in lines if line.outcome == "left"]
    unknown = [line for line in lines if line.request_id not in held]
    booked = sum(each.output_tokens for each in held.values())
    of_leavers = sum(held[line.request_id].output_tokens for line in leavers if line not in unknown)
    off = abs(booked - written)
    allowed = max(COUNTED_SHARE * of_leavers, len(leavers))
    streams = sum(each["streams"] for each in counted)
    ended = cut + sum(each["finished"] for each in counted)
    return Found(
        tried=len(lines),
        lost=len(unknown),
        faults=(
            *told_bad("not recorded", unknown),
            *((f"{streams - ended} streams still run at the upstream",) if streams > ended else ()),
            *((f"{len(leavers)} left, the upstream saw {cut}",) if cut > len(leavers) else ()),
            *(
                (f"{off} tokens of {of_leavers} in streams that were left are not counted",)
                if off > allowed
                else ()
            ),
            *((f"{seen['wrong']} wrong answers",) if seen["wrong"] else ()),
            *((f"{seen['cut'] + seen['lost']} cut",) if seen["cut"] + seen["lost"] else ()),
        ),
        more={
            "left": len(leavers),
            "tokens_booked": booked,
            "tokens_written": written,
            "tokens_of_leavers": of_leavers,
        },
    )


@contextmanager
def reading_slowly(gateway: Gateway, key: str, *, count: int) -> Iterator[None]:
    """Let `count` clients begin a long stream, and take a thousand bytes of it each second."""
    asked = json.dumps(body(stream=True, **LONG_STREAM)).encode()
    head = _head(gateway, key, len(asked))
    enough = threading.Event()
    with ExitStack() as stack:
        readers = []
        for _ in range(count):
            one = stack.enter_context(socket.socket())
            one.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            one.connect(("127.0.0.1", gateway.port))
            one.sendall(head + asked)
            one.setblocking(False)
            readers.append(one)
        reader = threading.Thread(target=_sip, args=(readers, enough))
        reader.start()
        try:
            yield
        finally:
            enough.set()
            reader.join()


def _sip(readers: Sequence[socket.socket], enough: threading.Event) -> None:
    while not enough.wait(1.0):
        for one in readers:
            try:
                one.recv(READ_BYTES_PER_S)
            except (BlockingIOError, ConnectionError):
                continue


def slow_readers(folder: Path, *, readers: int, seconds: float) -> Found:
    """Hold many slow readers of long streams, and serve others meanwhile."""
    with (
        upstreams(2) as servers,
        gateway([server.url for server in servers], folder=folder) as running,
    ):
        key, (worker,) = running.key("acme"), running.workers()
        others = {"connections": 16, "rate": 50, "seconds": seconds, "key": key}
        load(running.port, connections=16, requests=500, stream=True, key=key)  # warm
        alone = load(running.port, **others)
        before_mb = rss_mb(worker.pid)
        with reading_slowly(running, key, count=readers):
            _until_idle(worker.pid)
            held_kb = (rss_mb(worker.pid) - before_mb) * 1e3 / readers
            counted = [server.counters() for server in servers]
            beside = load(running.port, **others)
        alive = running.workers()[0].pid == worker.pid
    bad = beside["tried"] - beside["answered"]
    waiting = sum(each["streams"] - each["finished"] - each["cut"] for each in counted)
    return Found(
        tried=readers + beside["tried"],
        lost=bad,
        faults=(
            *((f"{bad} others were not answered",) if bad else ()),
            *((f"only {waiting} of {readers} streams wait",) if waiting < readers else ()),
            *(
                (f"{held_kb:.0f} KB a stream, above {MOST_KB_PER_STREAM:g}",)
                if held_kb > MOST_KB_PER_STREAM
                else ()
            ),
            *(("the worker ended",) if not alive else ()),
        ),
        more={
            "kb_per_stream": round(held_kb, 1),
            "others_p99_ms": beside["answer"].get("p99_ms"),
            "others_p99_alone_ms": alone["answer"].get("p99_ms"),
        },
    )


def _until_idle(pid: int, within_s: float = 60.0) -> None:
    """Wait until a process does nothing to speak of."""
    until_s = time.monotonic() + within_s
    while time.monotonic() < until_s:
        before_s = cpu_s(pid)
        time.sleep(1.0)
        if cpu_s(pid) - before_s <= IDLE_SHARE:
            return


def big_bodies(folder: Path, *, count: int, body_bytes: int = BODY_LIMIT_BYTES) -> Found:
    """Send bodies at the limit, and one byte over it; ask small things beside."""
    with (
        upstreams(2) as servers,
        gateway(
            [server.url for server in servers], folder=folder, limits=f"body_bytes: {body_bytes}"
        ) as running,
    ):
        key = running.key("acme")
        others = {"connections": 8, "rate": 50, "key": key}
        alone = load(running.port, **others, seconds=1.0)
        beside = Load(running.port, **others)
        at_limit = [running.ask(key, _filled(body_bytes), timeout_s=60) for _ in range(count)]
        over = _status_of(running, key, _filled(body_bytes + 1))
        seen = beside.stop()
        settled(running)
        held = recorded(running.ledger)
    bad = [f"{answer.status} {answer.body[:200]!r}" for answer in at_limit if answer.status != 200]
    unknown = [each for each in at_limit if each.status == 200 and each.request_id not in held]
    waited_ms = seen["answer"]["max_ms"] - alone["answer"]["max_ms"]
    return Found(
        tried=count + 1 + seen["tried"],
        lost=len(bad) + len(unknown) + seen["tried"] - seen["answered"],
        faults=(
            *told_bad("bodies at the limit not served", bad),
            *told_bad("served and not recorded", unknown),
            *((f"one byte over it: {over}",) if over != 413 else ()),
            *(
                (f"{seen['tried'] - seen['answered']} others were not answered",)
                if seen["tried"] != seen["answered"]
                else ()
            ),
        ),
        more={"others_waited_ms": round(waited_ms, 1), "others_p50_ms": seen["answer"]["p50_ms"]},
    )


def _head(gateway: Gateway, key: str, length: int) -> bytes:
    return (
        f"POST /v1/chat/completions HTTP/1.1\r\nHost: {gateway.url[7:]}\r\nAuthorization: Bearer "
        f"{key}\r\nContent-Type: application/json\r\nContent-Length: {length}\r\n\r\n"
    ).encode()


def _status_of(gateway: Gateway, key: str, sent: bytes) -> int | str:
    """Send a body that is not wanted; return the status that is told all the same."""
    with socket.create_connection(("127.0.0.1", gateway.port), timeout=30) as one:
        with suppress(ConnectionError):  # it need not take all of it
            one.sendall(_head(gateway, key, len(sent)) + sent)
        try:
            told = one.recv(4096)
        except ConnectionError as error:
            return f"nothing told ({type(error).__name__})"
    return int(told.split()[1]) if told.startswith(b"HTTP/1.1 ") else f"told {told[:40]!r}"


def _filled(size: int) -> bytes:
    """Return a body of exactly that many bytes: what fills it up is a field that we do not know."""
    empty = json.dumps(body(padding="")).encode()
    return json.dumps(body(padding="x" * (size - len(empty)))).encode()
