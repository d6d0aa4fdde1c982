"""A real `tokenergy serve` for tests: started, waited for, asked, stopped by its own pid.

    with serving(company_file, folder=tmp_path) as gateway:
        key = gateway.key("acme")
        answer = gateway.ask(key, {"model": "small", "messages": [...]})

The gateway has a folder of its own (`data`, `ledger`, `log`), a free port, and ends with the block:
by SIGTERM, and by SIGKILL of exactly its processes if that takes too long.
"""

import json
import os
import re
import signal
import sqlite3
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil

from tokenergy.api.keys import key_ring

STARTS_WITHIN_S = 90.0
ENDS_WITHIN_S = 30.0
ADDRESS = re.compile(r"(http://127\.0\.0\.1:\d+)")
ADMIN = re.compile(r"admin\s+(http://127\.0\.0\.1:\d+)")
WORKER, BOARD_MAKER = "tokenergy.api.worker", "board-maker"


class DidNotStart(RuntimeError):
    """The gateway ended, or said nothing, before it was ready; the text is the end of its log."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """One answer; `body` as it came."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def request_id(self) -> str:
        return self.headers.get("x-tokenergy-request-id", "")


@dataclass(slots=True, kw_only=True)
class Gateway:
    """A gateway that runs. `pid` is control's: the process that starts and watches the others."""

    company: Path
    data: Path
    ledger: Path
    log: Path
    url: str
    child: "subprocess.Popen[bytes]"
    started_s: float = 0.0
    """From the start of the process to the first readiness."""
    keys: dict[str, str] = field(default_factory=dict)

    @property
    def pid(self) -> int:
        return self.child.pid

    @property
    def port(self) -> int:
        return int(self.url.rpartition(":")[2])

    @property
    def admin_url(self) -> str:
        """Address of the admin port, where it was started with `words=("--admin-port", "0")`."""
        found = ADMIN.findall(self.log_text())
        if not found:
            raise DidNotStart("this gateway was started without --admin-port")
        return str(found[-1])

    def processes(self) -> list[psutil.Process]:
        """Return control and everything that it started."""
        try:
            control = psutil.Process(self.pid)
            return [control, *control.children(recursive=True)]
        except psutil.NoSuchProcess:
            return []

    def workers(self) -> list[psutil.Process]:
        return [each for each in self.processes() if WORKER in _words(each)]

    def board_makers(self) -> list[psutil.Process]:
        return [each for each in self.processes() if BOARD_MAKER in _words(each)]

    def key(self, tenant: str, **more: Any) -> str:
        """Return a key of a tenant; without further wishes the same one each time."""
        if more or tenant not in self.keys:
            made = new_key(self.company, self.data, tenant, **more)
            if more:
                return made
            self.keys[tenant] = made
        return self.keys[tenant]

    def ask(
        self,
        key: str | None,
        body: Mapping[str, Any] | bytes | None,
        *,
        path: str = "/v1/chat/completions",
        headers: Mapping[str, str] | None = None,
        timeout_s: float = 30.0,
    ) -> Answer:
        """Ask once, whole; an error status is an answer too. `body` None: GET."""
        told = {"Content-Type": "application/json"} | dict(headers or {})
        if key is not None:
            told["Authorization"] = f"Bearer {key}"
        sent = body if body is None or isinstance(body, bytes) else json.dumps(body).encode()
        request = urllib.request.Request(self.url + path, data=sent, headers=told)
        try:
            with urllib.request.urlopen(request, timeout=timeout_s) as answer:
                return _answer(answer.status, answer.headers, answer.read())
        except urllib.error.HTTPError as error:
            with error:
                return _answer(error.code, error.headers, error.read())

    def rows(self, query: str, *values: Any) -> list[tuple[Any, ...]]:
        """Ask the ledger, read-only; [] while there is none."""
        if not self.ledger.exists():
            return []
        with closing(sqlite3.connect(f"file:{self.ledger}?mode=ro", uri=True)) as base:
            return base.execute(query, values).fetchall()

    def terminate(self) -> None:
        self.child.send_signal(signal.SIGTERM)

    def wait(self, timeout_s: float = ENDS_WITHIN_S) -> int:
        """Return control's exit status once it has ended."""
        return self.child.wait(timeout=timeout_s)

    def kill(self) -> None:
        """Kill every process of this gateway at once, as a machine does that loses its power."""
        for each in self.processes():
            with suppress(psutil.NoSuchProcess):
                each.kill()
        self.child.wait(timeout=ENDS_WITHIN_S)

    def stop(self) -> int:
        """End it; return control's exit status."""
        known = self.processes()
        if self.child.poll() is None:
            self.terminate()
            with suppress(subprocess.TimeoutExpired):
                self.child.wait(timeout=ENDS_WITHIN_S)
        for each in known:
            with suppress(psutil.NoSuchProcess):
                each.kill()
        return self.child.wait(timeout=ENDS_WITHIN_S)

    def log_text(self) -> str:
        return self.log.read_text(encoding="utf-8", errors="replace")


def new_key(company: Path, data: Path, tenant: str, **more: Any) -> str:
    """Make a key, before or while the gateway runs."""
    with key_ring(company, data) as ring:
        return ring.create(tenant=tenant, now_s=time.time(), **more).key


def started(
    company: Path,
    *,
    folder: Path,
    workers: int = 1,
    words: Sequence[str] = (),
    environment: Mapping[str, str] | None = None,
    tenants: Sequence[str] = (),
    prefix: Sequence[str] = (),
    port: int = 0,
    ready: bool = True,
    command: Sequence[str] = (),
) -> Gateway:
    """Start a gateway and wait until it is ready; the caller stops it.

    Args:
        company: the company file.
        folder: where its data, ledger and log go; a second start there goes on from the first.
        workers: how many.
        words: further words of the command line.
        environment: variables beside this process's own.
        tenants: whose keys are made before it starts, so that its door is never open.
        prefix: words before the command, e.g. `("taskset", "-c", "1")`.
        port: 0 takes a free one.
        ready: whether to wait for /readyz, and not only for the address.
        command: another control, told company, data and ledger; (): `tokenergy serve`.

    Raises:
        DidNotStart: with the end of its log.
    """
    data, ledger, log = folder / "data", folder / "ledger.sqlite", folder / "serve.log"
    data.mkdir(parents=True, exist_ok=True, mode=0o700)
    keys = {tenant: new_key(company, data, tenant) for tenant in tenants}
    said = [str(company), str(data), str(ledger)]
    if not command:
        command = (sys.executable, "-m", "tokenergy", "serve", str(company))
        said = ["--data", str(data), "--ledger", str(ledger), "--port", str(port)]
        said += ["--workers", str(workers)]
    began_s = time.monotonic()
    with log.open("ab") as out:
        at = out.tell()
        child = subprocess.Popen(
            [*prefix, *command, *said, *words],
            stdout=out,
            stderr=subprocess.STDOUT,
            env={**os.environ, "PYTHONUNBUFFERED": "1", **(environment or {})},
        )
    gateway = Gateway(
        company=company, data=data, ledger=ledger, log=log, url="", child=child, keys=keys
    )
    try:
        gateway.url = _address(gateway, at)
        if ready:
            _wait_until_ready(gateway)
    except BaseException:
        gateway.stop()
        raise
    gateway.started_s = time.monotonic() - began_s
    return gateway


@contextmanager
def serving(company: Path, *, folder: Path, **options: Any) -> Iterator[Gateway]:
    """Run a gateway until the block ends; for the options see `started`."""
    gateway = started(company, folder=folder, **options)
    try:
        yield gateway
    except BaseException:
        sys.stderr.write(gateway.log_text()[-3000:])  # pytest shows it beside the failure
        raise
    finally:
        gateway.stop()


def _address(gateway: Gateway, at: int) -> str:
    until_s = time.monotonic() + STARTS_WITHIN_S
    while time.monotonic() < until_s:
        said = gateway.log.read_bytes()[at:].decode(errors="replace")
        if found := ADDRESS.search(said):
            return found.group(1)
        if gateway.child.poll() is not None:
            break
        time.sleep(0.02)
    raise DidNotStart(f"no address within {STARTS_WITHIN_S:g} s:\n{gateway.log_text()[-3000:]}")


def _wait_until_ready(gateway: Gateway) -> None:
    until_s, told = time.monotonic() + STARTS_WITHIN_S, "nothing"
    while time.monotonic() < until_s and gateway.child.poll() is None:
        try:
            answer = gateway.ask(None, None, path="/readyz", timeout_s=5)
            if answer.status == 200:
                return
            told = f"{answer.status} {answer.body[:500]!r}"
        except OSError as error:
            told = str(error)
        time.sleep(0.02)
    raise DidNotStart(f"never ready, last told {told}:\n{gateway.log_text()[-3000:]}")


def _words(process: psutil.Process) -> list[str]:
    try:
        return process.cmdline()
    except (psutil.NoSuchProcess, psutil.ZombieProcess):
        return []


def _answer(status: int, headers: Any, body: bytes) -> Answer:
    return Answer(
        status=status, headers={name.lower(): value for name, value in headers.items()}, body=body
    )
