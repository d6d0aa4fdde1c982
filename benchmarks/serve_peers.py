"""The proxies that the gateway is measured against, each in an environment of its own.

vllm-router (Rust, routes for vLLM; no tenants, no metering) from its wheel, with the cheapest of
its policies; LiteLLM's proxy (Python) with one worker, a key, no database and no callbacks, which
favours it on durability. LiteLLM is pinned, and never 1.82.7 or 1.82.8, which were compromised; no
part of Tokenergy depends on it. 1.106.12 is the newest whose parts are all to be had. What cannot
be installed is told absent, and no ratio to it is printed.
"""

import json
import os
import secrets
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from peer import installed
from record import ROOT
from serve_native import pinned

PEERS = ROOT / "benchmarks" / ".peers"
VLLM_ROUTER = ("vllm-router==0.1.17",)
LITELLM = ("litellm[proxy]==1.106.12",)
MODEL = "small"
STARTS_WITHIN_S = 120.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Proxy:
    """Something that answers in front of the fake upstreams.

    Attributes:
        pids: the processes whose time and memory count, the serving one first.
        key: what clients send; None: nothing.
        started_s: from its start to its first answer.
    """

    name: str
    port: int
    pids: Sequence[int] = field(default=())
    key: str | None = None
    started_s: float | None = None


def peer_python(name: str) -> tuple[Path | None, str]:
    """Return a peer's interpreter, or None and why it is absent."""
    try:
        wanted = {"vllm-router": VLLM_ROUTER, "litellm": LITELLM}[name]
        return installed(PEERS / name, wanted), ""
    except (OSError, subprocess.CalledProcessError) as error:
        said = getattr(error, "returncode", None)
        ended = f"the installer ended with {said}" if said is not None else type(error).__name__
        return None, f"{name} could not be installed ({ended}, what it said stands above)"


@contextmanager
def vllm_router(python: Path, upstreams: Sequence[str], *, core: int | None) -> Iterator[Proxy]:
    """Run vllm-router in front of the upstreams."""
    port = free_port()
    words = [
        str(python.with_name("vllm-router")), "--host", "127.0.0.1", "--port", str(port),
        "--worker-urls", *upstreams, "--policy", "round_robin", "--log-level", "error",
        "--prometheus-port", str(free_port()), "--max-concurrent-requests", "32768",
    ]  # fmt: skip
    with running(words, core=core) as child:
        began_s = time.monotonic()
        wait_for_answer(port, key=None, child=child)
        yield Proxy(
            name="vllm-router",
            port=port,
            pids=(child.pid,),
            started_s=time.monotonic() - began_s,
        )


@contextmanager
def litellm(python: Path, upstreams: Sequence[str], *, core: int | None) -> Iterator[Proxy]:
    """Run LiteLLM's proxy in front of the upstreams: one worker, no database, no callbacks."""
    port, key = free_port(), f"sk-{secrets.token_hex(24)}"
    settings = {
        "model_list": [
            {
                "model_name": MODEL,
                "litellm_params": {
                    "model": f"openai/{MODEL}",
                    "api_base": f"{url}/v1",
                    "api_key": "none",
                },
            }
            for url in upstreams
        ],
        "litellm_settings": {"telemetry": False, "request_timeout": 60},
    }
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        file = folder / "litellm.yaml"
        file.write_text(json.dumps(settings), encoding="utf-8")  # JSON is YAML
        words = [
            str(python.with_name("litellm")), "--config", str(file), "--host", "127.0.0.1",
            "--port", str(port), "--num_workers", "1", "--telemetry", "False",
        ]  # fmt: skip
        told = {"LITELLM_MASTER_KEY": key, "LITELLM_LOG": "ERROR", "LITELLM_MODE": "PRODUCTION",
                "LITELLM_LOCAL_MODEL_COST_MAP": "True"}  # fmt: skip
        began_s = time.monotonic()
        child = stack.enter_context(running(words, core=core, environment=told, folder=folder))
        wait_for_answer(port, key=key, child=child)
        yield Proxy(
            name="litellm",
            port=port,
            pids=(child.pid,),
            key=key,
            started_s=time.monotonic() - began_s,
        )


@contextmanager
def running(
    words: Sequence[str],
    *,
    core: int | None,
    environment: Mapping[str, str] | None = None,
    folder: Path | None = None,
) -> Iterator["subprocess.Popen[bytes]"]:
    """Run a command until the block ends; what it says is kept, and shown if it fails."""
    with tempfile.TemporaryFile() as log:
        child = subprocess.Popen(
            [*pinned(core), *words],
            stdout=log,
            stderr=subprocess.STDOUT,
            stdin=subprocess.DEVNULL,
            cwd=folder,
            env={**os.environ, **(environment or {})},
        )
        try:
            yield child
        except BaseException:
            log.seek(0)
            sys.stderr.write(log.read()[-3000:].decode(errors="replace"))
            raise
        finally:
            child.terminate()
            try:
                child.wait(timeout=20)
            except subprocess.TimeoutExpired:
                child.kill()
                child.wait()


def wait_for_answer(port: int, *, key: str | None, child: "subprocess.Popen[bytes]") -> None:
    """Ask until an answer comes.

    Raises:
        RuntimeError: if none comes in time, or the process ends.
    """
    body = {"model": MODEL, "messages": [{"role": "user", "content": "n=00000000 "}]}
    headers = {"Content-Type": "application/json"}
    if key is not None:
        headers["Authorization"] = f"Bearer {key}"
    asked = urllib.request.Request(
        f"http://127.0.0.1:{port}/v1/chat/completions",
        data=json.dumps(body).encode(),
        headers=headers,
    )
    until_s, told = time.monotonic() + STARTS_WITHIN_S, ""
    while time.monotonic() < until_s and child.poll() is None:
        try:
            with urllib.request.urlopen(asked, timeout=10) as answer:
                answer.read()
                return
        except urllib.error.HTTPError as error:
            told = f"{error.code} {error.read()[:300]!r}"
            error.close()
        except OSError as error:
            told = str(error)
        time.sleep(0.05)
    raise RuntimeError(f"no answer on port {port} within {STARTS_WITHIN_S:g} s: {told}")


def free_port() -> int:
    """Return a port that was free a moment ago, for programs that cannot choose one and tell."""
    with socket.socket() as door:
        door.bind(("127.0.0.1", 0))
        port: int = door.getsockname()[1]
        return port
