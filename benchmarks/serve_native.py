"""The compiled fake upstream and load generator: built with cc at run time, run, read."""

import json
import os
import shutil
import subprocess
import tempfile
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
HEADERS = ("serve_net.h", "serve_answer.h")
ENDS_WITHIN_S = 10.0


class NoCompiler(RuntimeError):
    """There is no C compiler here, so nothing of this can be measured."""


@cache
def built(name: str) -> Path:
    """Return the program made of `NAME.c`; it is built once, in a folder of its own.

    Raises:
        NoCompiler: if there is no `cc`.
        CalledProcessError: if it does not take our source; what it said stands above.
    """
    compiler = shutil.which(os.environ.get("CC", "cc"))
    if compiler is None:
        raise NoCompiler("no C compiler (cc) is here: install gcc or clang, or name one in CC")
    program = _folder() / name
    subprocess.run(
        [compiler, "-std=gnu11", "-O2", "-Wall", "-o", str(program), str(HERE / f"{name}.c")],
        check=True,
    )
    return program


@cache
def _folder() -> Path:
    made = tempfile.TemporaryDirectory(prefix="tokenergy-serve-")
    _kept.append(made)
    return Path(made.name)


_kept: list["tempfile.TemporaryDirectory[str]"] = []


@dataclass(frozen=True, slots=True, kw_only=True)
class Upstream:
    """A fake model server that runs."""

    port: int
    pid: int

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def counters(self) -> dict[str, int]:
        """Return what it has answered so far."""
        with urllib.request.urlopen(f"{self.url}/counters", timeout=10) as answer:
            told: dict[str, int] = json.load(answer)
        return told


@contextmanager
def upstreams(count: int, *, core: int | None = None) -> Iterator[list[Upstream]]:
    """Run fake model servers until the block ends, on one core if it is named."""
    children: list[subprocess.Popen[str]] = []
    try:
        for _ in range(count):
            words = [*pinned(core), str(built("serve_upstream"))]
            children.append(subprocess.Popen(words, stdout=subprocess.PIPE, text=True))
        found = []
        for child in children:
            assert child.stdout is not None
            found.append(Upstream(port=int(child.stdout.readline().split()[1]), pid=child.pid))
        yield found
    finally:
        for child in children:
            child.terminate()
        for child in children:
            try:
                child.wait(timeout=ENDS_WITHIN_S)
            except subprocess.TimeoutExpired:
                child.kill()
                child.wait()
            if child.stdout is not None:
                child.stdout.close()


class Load:
    """A load that runs: `end` waits for it, `stop` asks it to end first."""

    def __init__(self, port: int, *, core: int | None = None, **options: Any) -> None:
        words = [*pinned(core), str(built("serve_load")), "--port", str(port)]
        for name, value in options.items():
            option = f"--{name.replace('_', '-')}"
            if value is True:
                words.append(option)
            elif value is not None and value is not False:
                words += [option, str(value)]
        self.child = subprocess.Popen(words, stdout=subprocess.PIPE, text=True)

    @property
    def pid(self) -> int:
        return self.child.pid

    def running(self) -> bool:
        return self.child.poll() is None

    def stop(self) -> dict[str, Any]:
        """Begin nothing more, and wait for what is under way."""
        self.child.terminate()
        return self.end()

    def end(self, timeout_s: float = 300.0) -> dict[str, Any]:
        """Return what it found; kill it, and say so, if it does not end.

        Raises:
            RuntimeError: if it failed.
        """
        try:
            told, _ = self.child.communicate(timeout=timeout_s)
        except subprocess.TimeoutExpired:
            self.child.kill()
            self.child.communicate()
            raise RuntimeError(f"the load did not end within {timeout_s:g} s") from None
        if self.child.returncode or not told.strip():
            raise RuntimeError(f"the load generator ended with {self.child.returncode}")
        found: dict[str, Any] = json.loads(told)
        return found


def load(port: int, *, core: int | None = None, **options: Any) -> dict[str, Any]:
    """Run a load to its end; options as in `serve_load.c`, with `_` for `-`."""
    return Load(port, core=core, **options).end()


def pinned(core: int | None) -> list[str]:
    """Return the words before a command that keep it on one core; none where that is not wanted."""
    if core is None or shutil.which("taskset") is None:
        return []
    return ["taskset", "-c", str(core)]


def cpu_s(*pids: int) -> float:
    """Return processor seconds that processes have used so far, all threads, user and system."""
    ticks = 0
    for pid in pids:
        text = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8")
        words = text.rpartition(")")[2].split()
        ticks += int(words[11]) + int(words[12])
    return ticks / os.sysconf("SC_CLK_TCK")


def rss_mb(pid: int) -> float:
    """Return a process's resident memory, in MB."""
    for line in Path(f"/proc/{pid}/status").read_text(encoding="utf-8").splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) * 1024 / 1e6
    raise ProcessLookupError(f"process {pid} has no memory: it has ended")
