"""A collector of OpenTelemetry on loopback: what it takes out of the protobuf that comes."""

import gzip
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import (
    ExportMetricsServiceRequest,
    ExportMetricsServiceResponse,
)


@dataclass
class Collector:
    """A collector of OTLP over HTTP, as far as metrics go."""

    url: str = ""
    status: int = 200
    paths: list[str] = field(default_factory=list)
    keys: list[str | None] = field(default_factory=list)
    taken: list[ExportMetricsServiceRequest] = field(default_factory=list)

    def metrics(self) -> dict[str, Any]:
        """Return the metrics of the last export by name."""
        (resource,) = self.taken[-1].resource_metrics
        return {metric.name: metric for scope in resource.scope_metrics for metric in scope.metrics}


@contextmanager
def otlp_collector() -> Iterator[Collector]:
    """Listen on loopback until the end of the block."""
    held = Collector()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            if self.headers.get("Content-Encoding") == "gzip":
                body = gzip.decompress(body)
            held.paths.append(self.path)
            held.keys.append(self.headers.get("x-key"))
            held.taken.append(ExportMetricsServiceRequest.FromString(body))
            self.send_response(held.status)
            answer = ExportMetricsServiceResponse().SerializeToString()
            self.send_header("Content-Type", "application/x-protobuf")
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    held.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield held
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
