"""A real small language model on this machine's processor, for tests: a child process."""

import importlib.util
import json
import os
import re
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

SCRIPT = Path(__file__).resolve().parents[1] / "examples" / "small_llm.py"
MUST_RUN = "TOKENERGY_LLM_MUST_RUN"
"""Set where the wheels were installed for the tests: then a test that skips would be a lie."""
STARTS_WITHIN_S = 60.0
ANSWERS_WITHIN_S = 120.0


@dataclass(frozen=True, kw_only=True)
class RunningLlm:
    """A server that answers; `url` is its base address, `pid` its process."""

    url: str
    pid: int
    log: Path

    @property
    def metrics_url(self) -> str:
        return f"{self.url}/metrics"

    @property
    def port(self) -> int:
        return int(self.url.rpartition(":")[2])


@dataclass(frozen=True, kw_only=True)
class Usage:
    """What one answer says that it took."""

    prompt_tokens: int
    cached_tokens: int
    completion_tokens: int


def missing_llm() -> str:
    """Return why there is no model here; "" if there is one."""
    spec = importlib.util.spec_from_file_location("examples_small_llm", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    script = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(script)
    return str(script.missing())


def need_llm() -> None:
    """Skip a test without a model; fail it where somebody said that there is one."""
    if reason := missing_llm():
        if os.environ.get(MUST_RUN):
            pytest.fail(f"{MUST_RUN} is set, but {reason}")
        pytest.skip(reason)


@contextmanager
def running_llm(*, slots: int = 4, port: int = 0) -> Iterator[RunningLlm]:
    """Serve the model until the block ends; a port of 0 is a free one."""
    need_llm()
    with tempfile.TemporaryDirectory(prefix="small_llm") as folder:
        log = Path(folder) / "server.log"
        words = [sys.executable, str(SCRIPT), "--port", str(port), "--slots", str(slots)]
        with log.open("wb") as out:
            child = subprocess.Popen(words, stdout=out, stderr=subprocess.STDOUT)
        try:
            url = _address(child, log)
            _wait_for(f"{url}/health", child, log)
            _wait_for(f"{url}/metrics", child, log)
            yield RunningLlm(url=url, pid=child.pid, log=log)
        except BaseException:
            sys.stderr.write(_end_of(log))  # pytest shows it beside the failure
            raise
        finally:
            child.terminate()
            try:
                child.wait(timeout=20)
            except subprocess.TimeoutExpired:
                child.kill()
                child.wait()


def ask(url: str, prompt: str, max_tokens: int = 16) -> Usage:
    """Ask for exactly that many tokens, without the prompt cache; return what it took."""
    body = {
        "messages": [{"role": "user", "content": prompt}],
        "max_tokens": max_tokens,
        "temperature": 0,
        "cache_prompt": False,
        "ignore_eos": True,
    }
    request = urllib.request.Request(
        f"{url}/v1/chat/completions",
        data=json.dumps(body).encode(),
        headers={"Content-Type": "application/json"},
    )
    with urllib.request.urlopen(request, timeout=ANSWERS_WITHIN_S) as answer:
        usage = json.load(answer)["usage"]
    return Usage(
        prompt_tokens=usage["prompt_tokens"],
        cached_tokens=usage["prompt_tokens_details"]["cached_tokens"],
        completion_tokens=usage["completion_tokens"],
    )


def _address(child: "subprocess.Popen[bytes]", log: Path) -> str:
    """Return where it listens: the script prints it as soon as it does."""
    until = time.monotonic() + STARTS_WITHIN_S
    while time.monotonic() < until:
        said = log.read_text(encoding="utf-8", errors="replace")
        if found := re.search(r" on (http://127\.0\.0\.1:\d+) with ", said):
            return found.group(1)
        if child.poll() is not None:
            break
        time.sleep(0.05)
    pytest.fail(f"the small LLM did not start:\n{_end_of(log)}")


def _wait_for(url: str, child: "subprocess.Popen[bytes]", log: Path) -> None:
    until = time.monotonic() + STARTS_WITHIN_S
    while time.monotonic() < until and child.poll() is None:
        try:
            with urllib.request.urlopen(url, timeout=5) as answer:
                if answer.status == 200:
                    return
        except urllib.error.HTTPError as error:
            error.close()  # 503: still loading
        except OSError:
            pass
        time.sleep(0.05)
    pytest.fail(f"{url} did not answer:\n{_end_of(log)}")


def _end_of(log: Path) -> str:
    return log.read_text(encoding="utf-8", errors="replace")[-2000:]
