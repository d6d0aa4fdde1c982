"""What does it cost to watch fifty engines, and is every figure right?

Goals, in this order:
1. No silent wrong answers: every sample's counters equal those of `prometheus_client.parser` on
   the same page, for each of the fifty engines; else this exits with 1.
2. Watching 50 engines, each read every 5 s, costs under 5 % of a core; else this exits with 2.
3. Figures: processor time of one reading (request, page, sample), of reading the page alone, and
   the ratio of `prometheus_client.parser` on the same page to ours.

One server process answers fifty addresses on loopback with pages of about 100 KB, in the shape
that vLLM prints (a page that is made here, each engine with its own figures). The processor time
is that of this process alone, as an observer's would be: the server's is its own.
"""

import argparse
import multiprocessing
import sys
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from multiprocessing.connection import Connection
from typing import Any

from prometheus_client.parser import text_string_to_metric_families
from record import show, spread, write

from tokenergy.company.observe import Engine
from tokenergy.feeds.engine_names import wanted_of
from tokenergy.feeds.engine_text import read_page
from tokenergy.feeds.http import Http, utc_now
from tokenergy.feeds.watch import sampler_of
from tokenergy.metering.sample import EngineSample

ENGINES_COUNT = 50
EVERY_S = 5.0
GOAL_SHARE = 0.05
HISTOGRAMS_COUNT = 17
BUCKETS_COUNT = 22
RANKS_COUNT = 2
REASONS = ("stop", "length", "abort", "error", "repetition")
COUNTERS = {
    "prompt_tokens": "vllm:prompt_tokens_total",
    "cached_tokens": "vllm:prompt_tokens_cached_total",
    "output_tokens": "vllm:generation_tokens_total",
    "requests": "vllm:request_success_total",
}


def page_of(engine: int) -> bytes:
    """Return a page with figures of this engine's own: two ranks, 17 histograms, counters."""
    lines: list[str] = []

    def add(name: str, kind: str, figure: int, **more: str) -> None:
        for rank in range(RANKS_COUNT):
            labels = {"engine": f"{rank}", "model_name": "meta-llama/Llama-3.1-70B-Instruct"} | more
            shown = ",".join(f'{key}="{value}"' for key, value in labels.items())
            lines.append(f"{name}{{{shown}}} {float(figure + rank)}")

    def head(name: str, kind: str) -> None:
        lines.extend((f"# HELP {name} What {name} tells of this.", f"# TYPE {name} {kind}"))

    for at, name in enumerate(("vllm:num_requests_running", "vllm:num_requests_waiting")):
        head(name, "gauge")
        add(name, "gauge", at + engine)
    for at, name in enumerate(COUNTERS.values()):
        head(name, "counter")
        for reason in REASONS if "success" in name else ("",):
            more = {"finished_reason": reason} if reason else {}
            add(name, "counter", 7_000_000 - 1_000_000 * at + engine, **more)
    for at in range(HISTOGRAMS_COUNT):
        name = f"vllm:request_figure_{at}_time_seconds"
        head(name, "histogram")
        for bucket in range(BUCKETS_COUNT):
            add(f"{name}_bucket", "histogram", 1000 * bucket, le=f"{0.01 * 2**bucket:g}")
        add(f"{name}_count", "histogram", 22_000)
        add(f"{name}_sum", "histogram", 91_234)
    return ("\n".join(lines) + "\n").encode()


def serve(told: Connection) -> None:
    """Answer /0 to /49 until this process is ended."""
    pages = {f"/{engine}": page_of(engine) for engine in range(ENGINES_COUNT)}

    class Pages(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            body = pages[self.path]
            self.send_response(200)
            self.send_header("Content-Type", "text/plain; version=0.0.4; charset=utf-8")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Pages)
    told.send(server.server_address[1])
    server.serve_forever()


def expected(engine: int) -> dict[str, int]:
    """Return an engine's counters as the oracle reads them."""
    sums = dict.fromkeys(COUNTERS, 0.0)
    for family in text_string_to_metric_families(page_of(engine).decode()):
        for one in family.samples:
            for quantity, name in COUNTERS.items():
                sums[quantity] += one.value if one.name == name else 0.0
    return {quantity: int(value) for quantity, value in sums.items()}


def measure(port: int, rounds: int) -> tuple[list[float], list[str]]:
    """Read every engine in turn; return seconds of processor time of each reading, and errors."""
    wanted = {engine: expected(engine) for engine in range(ENGINES_COUNT)}
    times_s: list[float] = []
    wrong: list[str] = []
    with Http(timeout_s=10.0, tries_count=1) as http:
        samplers = {
            engine: sampler_of(
                http,
                Engine(
                    name=f"e{engine}",
                    metrics_url=f"http://127.0.0.1:{port}/{engine}",
                    fleet="fleet",
                    model="model",
                ),
                clock=utc_now,
            )
            for engine in range(ENGINES_COUNT)
        }
        for at in range(rounds + 1):
            for engine, sampler in samplers.items():
                began = time.process_time()
                sample = sampler.sample()
                if at:  # the first round opens connections and fills what is kept
                    times_s.append(time.process_time() - began)
                wrong += faults(engine, sample, wanted[engine])
    return times_s, wrong


def faults(engine: int, sample: EngineSample, wanted: dict[str, int]) -> list[str]:
    """Say which counters differ from the oracle's."""
    return [
        f"engine {engine}: {quantity} {getattr(sample, quantity)}, the oracle says {value}"
        for quantity, value in wanted.items()
        if getattr(sample, quantity) != value
    ]


def parsers(rounds: int) -> tuple[list[float], list[float]]:
    """Time reading one page, ours and the oracle's in turns."""
    body, names = page_of(0), wanted_of("vllm")
    ours_s: list[float] = []
    theirs_s: list[float] = []
    for _ in range(rounds + 1):
        began = time.process_time()
        read_page(body, names)
        ours_s.append(time.process_time() - began)
        began = time.process_time()
        for _family in text_string_to_metric_families(body.decode()):
            pass
        theirs_s.append(time.process_time() - began)
    return ours_s[1:], theirs_s[1:]


def summary(times_s: list[float], ours_s: list[float], theirs_s: list[float]) -> dict[str, Any]:
    """Return the figures that are kept."""
    mean_s = sum(times_s) / len(times_s)
    share = mean_s * ENGINES_COUNT / EVERY_S
    return {
        "engines": ENGINES_COUNT,
        "every_s": EVERY_S,
        "page_bytes": len(page_of(0)),
        "readings": len(times_s),
        "reading": spread(times_s),
        "reading_mean_ms": round(1e3 * mean_s, 3),
        "share_of_a_core": round(share, 4),
        "goal_share_of_a_core": GOAL_SHARE,
        "page_ours": spread(ours_s),
        "page_prometheus_client": spread(theirs_s),
        "ratio_prometheus_client_to_ours": round(sum(theirs_s) / sum(ours_s), 1),
    }


def main() -> int:
    """Measure, print, write."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=20, help="readings of each engine")
    asked = parser.parse_args()
    context = multiprocessing.get_context("spawn")
    here, there = context.Pipe(duplex=False)
    server = context.Process(target=serve, args=(there,), daemon=True)
    server.start()
    try:
        times_s, wrong = measure(here.recv(), asked.rounds)
    finally:
        server.terminate()
        server.join()
    kept = summary(times_s, *parsers(max(10, asked.rounds)))
    show(
        f"{ENGINES_COUNT} engines, each every {EVERY_S:g} s, {kept['page_bytes']:,} bytes a page",
        ["what", "figure"],
        [
            ["a reading, ms of processor time (median / p99)", _pair(kept["reading"])],
            ["a reading, mean", f"{kept['reading_mean_ms']:.3g}"],
            ["share of a core", f"{kept['share_of_a_core']:.2%} (goal {GOAL_SHARE:.0%})"],
            ["of it the page, ms", _pair(kept["page_ours"])],
            ["prometheus_client's parser, ms", _pair(kept["page_prometheus_client"])],
            ["prometheus_client / ours", f"{kept['ratio_prometheus_client_to_ours']:g} times"],
            ["counters that differ from it", len(wrong)],
        ],
    )
    for line in wrong[:10]:
        print(line, file=sys.stderr)
    if wrong:
        print("wrong counters: nothing is written", file=sys.stderr)
        return 1
    write("observe", kept, "prometheus-client", "urllib3")
    return 0 if kept["share_of_a_core"] < GOAL_SHARE else 2


def _pair(times: dict[str, float]) -> str:
    return f"{times['median_ms']:.3g} / {times['p99_ms']:.3g}"


if __name__ == "__main__":
    sys.exit(main())
