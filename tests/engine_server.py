"""A loopback server that answers as engines and Prometheus do: their shapes, our figures.

Shapes after: vllm-project/vllm vllm/v1/metrics/loggers.py and vllm/engine/metrics.py (printed by
prometheus_client), sgl-project/sglang python/sglang/srt/metrics/collector.py, ggml-org/llama.cpp
tools/server, and Prometheus' documentation of its HTTP API (querying/api).
"""

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import format_datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Event, Lock, Thread
from typing import Any
from urllib.parse import parse_qs, urlsplit

TEXT = "text/plain; version=0.0.4; charset=utf-8"
OPENMETRICS = "application/openmetrics-text; version=1.0.0; charset=utf-8"
BUCKETS = (0.001, 0.005, 0.01, 0.02, 0.04, 0.06, 0.08, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10)


def vllm_page(
    *,
    prompt: int = 10,
    cached: int = 4,
    output: int = 7,
    requests: int = 3,
    running: float = 2,
    waiting: float = 1,
    model: str = "meta-llama/Llama-3.1-8B-Instruct",
    engines: int = 1,
    age: str = "now",
    started: float | None = 1.7e9,
    histograms: int = 2,
) -> bytes:
    """A page of vLLM; `age` is now (since 2026-02), v1 (0.9), blocks or tokens (0.8), v0.

    With several engines the figures stand at engine 0, and each further one has one token more.
    """
    lines: list[str] = []

    def add(name: str, kind: str, told: str, figure: float, **more: str) -> None:
        lines.extend((f"# HELP {name} {told}", f"# TYPE {name} {kind}"))
        for engine in range(engines):
            labels = (
                {"model_name": model, **more}
                if age == "v0"
                else {"engine": str(engine), "model_name": model, **more}
            )
            shown = ",".join(f'{key}="{value}"' for key, value in labels.items())
            lines.append(f"{name}{{{shown}}} {float(figure + engine)}")

    if started is not None:
        lines += [
            "# HELP process_start_time_seconds Start time of the process since unix epoch.",
            "# TYPE process_start_time_seconds gauge",
            f"process_start_time_seconds {started}",
        ]
    add("vllm:num_requests_running", "gauge", "Number of requests in batches.", running)
    add("vllm:num_requests_waiting", "gauge", "Number of requests waiting.", waiting)
    cache = {
        "now": ("vllm:prompt_tokens_cached_total", "Number of cached prompt tokens."),
        "v1": ("vllm:prefix_cache_hits_total", "Hits, in terms of number of cached tokens."),
        "tokens": ("vllm:gpu_prefix_cache_hits_total", "Hits, in number of cached tokens."),
        "blocks": ("vllm:gpu_prefix_cache_hits_total", "Hits, in number of cached blocks."),
    }.get(age)
    if cache:
        add(cache[0], "counter", cache[1], cached)
        if age == "now":
            add("vllm:prefix_cache_hits_total", "counter", "Hits, cached tokens.", cached)
        lines.append(f'{cache[0].removesuffix("_total")}_created{{engine="0"}} 1.79e+09')
    add("vllm:prompt_tokens_total", "counter", "Number of prefill tokens processed.", prompt)
    add("vllm:generation_tokens_total", "counter", "Number of tokens generated.", output)
    name = "vllm:request_success_total"
    lines += [f"# HELP {name} Count of requests.", f"# TYPE {name} counter"]
    for engine in range(engines):
        for reason, count in (("stop", requests), ("length", 0), ("abort", 0)):
            lines.append(
                f'{name}{{engine="{engine}",finished_reason="{reason}",model_name="{model}"}} '
                f"{float(count)}"
            )
    for at in range(histograms):
        base = f"vllm:histogram_{at}_seconds"
        lines += [f"# HELP {base} Histogram of time {at}.", f"# TYPE {base} histogram"]
        for engine in range(engines):
            labels = f'engine="{engine}",model_name="{model}"'
            lines += [f'{base}_bucket{{{labels},le="{edge}"}} {at}.0' for edge in BUCKETS]
            lines += [f"{base}_count{{{labels}}} {at}.0", f"{base}_sum{{{labels}}} 0.5"]
    return ("\n".join(lines) + "\n").encode()


def sglang_page(
    *,
    prompt: int = 10,
    cached: int | None = 4,
    output: int = 7,
    requests: int = 3,
    running: float = 2,
    ranks: int = 1,
    model: str = "Qwen/Qwen3-8B",
) -> bytes:
    """A page of SGLang; with `ranks`, every tensor-parallel rank tells the same requests."""
    base = f'engine_type="unified",model_name="{model}"'
    lines = []
    for name, figure in (("num_running_reqs", running), ("num_queue_reqs", 0.0)):
        lines += [f"# HELP sglang:{name} The number.", f"# TYPE sglang:{name} gauge"]
        lines += [
            f'sglang:{name}{{{base},moe_ep_rank="0",pp_rank="0",tp_rank="{rank}"}} {figure}'
            for rank in range(ranks)
        ]
    for name, count in (
        ("prompt_tokens", prompt),
        ("generation_tokens", output),
        ("num_requests", requests),
    ):
        lines += [f"# HELP sglang:{name}_total Number.", f"# TYPE sglang:{name}_total counter"]
        lines += [f'sglang:{name}_total{{{base},is_streaming="false"}} {count - count // 2}.0']
        lines += [f'sglang:{name}_total{{{base},is_streaming="true"}} {count // 2}.0']
    if cached is not None:
        lines.append("# TYPE sglang:cached_tokens_total counter")
        lines.append(f'sglang:cached_tokens_total{{{base},cache_source="device"}} {cached - 1}.0')
        lines.append(f'sglang:cached_tokens_total{{{base},cache_source="host"}} 1.0')
    return ("\n".join(lines) + "\n").encode()


def llama_page(
    *, prompt: int = 10, cached: int | None = 4, output: int = 7, running: int = 2
) -> bytes:
    """A page of llama.cpp's server; `cached` None is one of before August 2026."""
    rows: list[tuple[str, str, object]] = [("prompt_tokens_total", "counter", prompt)]
    if cached is not None:
        rows.append(("prompt_tokens_cached_total", "counter", cached))
    rows += [
        ("prompt_seconds_total", "counter", 0.31),
        ("tokens_predicted_total", "counter", output),
        ("tokens_predicted_seconds_total", "counter", 1.9),
        ("n_decode_total", "counter", output),
        ("prompt_tokens_seconds", "gauge", 171.0),
        ("predicted_tokens_seconds", "gauge", "nan"),
        ("requests_processing", "gauge", running),
        ("requests_deferred", "gauge", 0),
    ]
    text = "".join(
        f"# HELP llamacpp:{name} Figure.\n# TYPE llamacpp:{name} {kind}\nllamacpp:{name} {value}\n"
        for name, kind, value in rows
    )
    return text.encode()


def vector(*series: tuple[Mapping[str, str], str], at: float = 1.79e9, **more: Any) -> bytes:
    """What Prometheus says to an instant query."""
    result = [{"metric": dict(labels), "value": [at, text]} for labels, text in series]
    return json.dumps(
        {"status": "success", "data": {"resultType": "vector", "result": result}, **more}
    ).encode()


def matrix(*series: tuple[Mapping[str, str], list[tuple[float, str]]], **more: Any) -> bytes:
    """What Prometheus says to a range query."""
    result = [
        {"metric": dict(labels), "values": [[at, text] for at, text in values]}
        for labels, values in series
    ]
    return json.dumps(
        {"status": "success", "data": {"resultType": "matrix", "result": result}, **more}
    ).encode()


def prometheus_error(kind: str, text: str) -> bytes:
    """What Prometheus says to a query that it refuses, with status 400 or 422."""
    return json.dumps({"status": "error", "errorType": kind, "error": text}).encode()


@dataclass(slots=True)
class Reply:
    """One answer: `cut` bytes are left out of a body whose length is told whole."""

    body: bytes = b""
    status: int = 200
    content_type: str = TEXT
    headers: Mapping[str, str] = field(default_factory=dict)
    cut: int = 0
    date: datetime | None = None
    wait: Event | None = None
    """The answer comes once this is set, or after 10 s."""


Answerer = Callable[[str, dict[str, list[str]]], Reply]


@dataclass(slots=True)
class EngineServer:
    """What is answered, and what was asked: (path, query, headers)."""

    url: str
    answer: Answerer
    asked: list[tuple[str, dict[str, list[str]], dict[str, str]]] = field(default_factory=list)
    in_flight: dict[str, int] = field(default_factory=dict)
    most_in_flight: dict[str, int] = field(default_factory=dict)
    lock: Lock = field(default_factory=Lock)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    held: EngineServer

    def do_GET(self) -> None:
        held, parts = self.held, urlsplit(self.path)
        query = parse_qs(parts.query)
        with held.lock:
            held.asked.append((parts.path, query, {k.lower(): v for k, v in self.headers.items()}))
            now = held.in_flight.get(parts.path, 0) + 1
            held.in_flight[parts.path] = now
            held.most_in_flight[parts.path] = max(now, held.most_in_flight.get(parts.path, 0))
        try:
            reply = held.answer(parts.path, query)
            if reply.wait is not None:
                reply.wait.wait(10.0)
            self._send(reply)
        except (BrokenPipeError, ConnectionResetError):
            self.close_connection = True
        finally:
            with held.lock:
                held.in_flight[parts.path] -= 1

    def _send(self, reply: Reply) -> None:
        self.send_response_only(reply.status)
        self.send_header("Date", format_datetime(reply.date or datetime.now(UTC), usegmt=True))
        self.send_header("Content-Type", reply.content_type)
        for name, value in reply.headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(reply.body)))
        self.end_headers()
        self.wfile.write(reply.body[: len(reply.body) - reply.cut])
        if reply.cut:
            self.close_connection = True

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@contextmanager
def engine_server(answer: Answerer | Reply | bytes) -> Iterator[EngineServer]:
    """Serve on loopback until the end of the block."""
    reply = Reply(answer) if isinstance(answer, bytes) else answer
    chosen: Answerer = (lambda _path, _query: reply) if isinstance(reply, Reply) else reply
    held = EngineServer(url="", answer=chosen)
    handler = type("Handler", (_Handler,), {"held": held})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    held.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield held
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
