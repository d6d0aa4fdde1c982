"""Whether servers have the models that the file says, asked of real ones on this machine."""

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from serving_company import written

import tokenergy as te
from tokenergy.api.upstream_models import upstream_findings
from tokenergy.api.worker_plan import worker_plan
from tokenergy.company.serving.plan import WorkerPlan


class Server(ThreadingHTTPServer):
    """Lists models; keeps what it was asked with."""

    answer: tuple[int, bytes] = (200, b"{}")

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Answer)
        self.asked: list[tuple[str, str | None]] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"

    def lists(self, *models: dict[str, Any]) -> None:
        self.answer = (200, json.dumps({"object": "list", "data": models}).encode())


class _Answer(BaseHTTPRequestHandler):
    server: Server

    def do_GET(self) -> None:
        self.server.asked.append((self.path, self.headers.get("Authorization")))
        status, body = self.server.answer
        self.send_response(status)
        self.send_header("Location", "http://127.0.0.1:1/")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing."""


@pytest.fixture
def server() -> Iterator[Server]:
    with Server() as made:
        thread = threading.Thread(target=made.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield made
        made.shutdown()
        thread.join()


def plan_of(folder: Path, url: str, **other: Any) -> WorkerPlan:
    upstream = {"name": "a", "fleet": "texas-h100", "model": "small", "served_model": "llama",
                "url": url, **other}  # fmt: skip
    return worker_plan(te.load(written(folder, upstreams=[upstream])), now_s=0.0)


def test_a_server_with_the_model_leaves_nothing_to_say(tmp_path: Path, server: Server) -> None:
    server.lists({"id": "other"}, {"id": "llama", "max_model_len": 8192})
    assert upstream_findings(plan_of(tmp_path, server.url)) == ()
    assert server.asked == [("/v1/models", None)]


def test_a_server_with_another_model_is_an_error(tmp_path: Path, server: Server) -> None:
    server.lists({"id": "mistral"})
    (found,) = upstream_findings(plan_of(tmp_path, server.url))
    assert (found.code, found.severity) == ("UPSTREAM_OTHER_MODELS", "error")
    assert (found.value, found.limit) == ("llama", "mistral")
    assert found.path == "serve.upstreams[0].served_model"


def test_the_key_comes_from_the_environment_and_stays_there(tmp_path: Path, server: Server) -> None:
    server.answer = (401, b'{"error": "bad key s3cret"}')
    plan = plan_of(tmp_path, server.url, key_env="TEXAS_KEY")
    (missing,) = upstream_findings(plan, environment={})
    assert (missing.code, missing.severity) == ("UPSTREAM_KEY_MISSING", "error")
    assert server.asked == []
    (silent,) = upstream_findings(plan, environment={"TEXAS_KEY": "s3cret"})
    assert server.asked == [("/v1/models", "Bearer s3cret")]
    assert silent.code == "UPSTREAM_SILENT"
    assert "401" in silent.reason
    assert "s3cret" not in str(silent)


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        ((404, b"nothing here"), "404"),
        ((302, b""), "302"),
        ((200, b"no json"), "JSONDecodeError"),
        ((200, b"[]"), "no list"),
        ((200, b'{"data": 3}'), "no list"),
    ],
)
def test_a_server_without_a_list_is_a_warning(
    tmp_path: Path, server: Server, answer: tuple[int, bytes], said: str
) -> None:
    server.answer = answer
    (found,) = upstream_findings(plan_of(tmp_path, server.url))
    assert (found.code, found.severity) == ("UPSTREAM_SILENT", "warning")
    assert said in found.reason


def test_a_server_that_is_not_there_is_a_warning(tmp_path: Path, server: Server) -> None:
    plan = plan_of(tmp_path, server.url)
    server.server_close()
    (found,) = upstream_findings(plan, wait_s=0.5)
    assert (found.code, found.severity) == ("UPSTREAM_SILENT", "warning")


def test_a_body_shorter_than_the_context_is_a_warning(tmp_path: Path, server: Server) -> None:
    """10,000,000 bytes at 4 bytes per token are 2,500,000 tokens."""
    plan = plan_of(tmp_path, server.url)
    server.lists({"id": "llama", "max_model_len": 2_500_000})
    assert upstream_findings(plan) == ()
    server.lists({"id": "llama", "max_model_len": 2_500_001})
    (found,) = upstream_findings(plan)
    assert (found.code, found.path) == ("BODY_BELOW_CONTEXT", "serve.limits.body_bytes")


def test_simulated_servers_are_not_asked(tmp_path: Path) -> None:
    assert upstream_findings(worker_plan(te.load(written(tmp_path)), now_s=0.0)) == ()
