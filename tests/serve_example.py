"""The gateway of an example, running where docs/serve.md says, for the examples of that page."""

import os
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from live_pair import is_free

PORT, ADMIN_PORT = 8088, 9088
READY = f"http://127.0.0.1:{PORT}/readyz"
WITHIN_S = 120.0
AT = {"meridian": ("--at", "2026-03-02T18:00Z")}
"""Examples that are played from a moment of their own: their prices are then always the same."""


@contextmanager
def serving_example(name: str, folder: Path) -> Iterator[None]:
    """Run `tokenergy serve examples/NAME.yaml` in a folder until the block ends."""
    until_s = time.monotonic() + WITHIN_S
    while time.monotonic() < until_s and not (is_free(PORT) and is_free(ADMIN_PORT)):
        time.sleep(0.5)  # another run of the tests on this machine may have them for a while
    log = folder / "serve.log"
    words = [f"examples/{name}.yaml", "--port", str(PORT), "--admin-port", str(ADMIN_PORT)]
    with log.open("wb") as out:
        child = subprocess.Popen(
            [sys.executable, "-m", "tokenergy", "serve", *words, *AT.get(name, ())],
            cwd=folder,
            env=os.environ | {"PYTHONUNBUFFERED": "1"},
            stdout=out,
            stderr=subprocess.STDOUT,
        )
    try:
        _wait_until_ready(child, log)
        yield
    finally:
        child.terminate()
        try:
            child.wait(timeout=30.0)
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()


def _wait_until_ready(child: "subprocess.Popen[bytes]", log: Path) -> None:
    until_s = time.monotonic() + WITHIN_S
    while time.monotonic() < until_s and child.poll() is None:
        try:
            with urllib.request.urlopen(READY, timeout=5) as answer:
                if answer.status == 200:
                    return
        except urllib.error.HTTPError as error:
            error.close()
        except OSError:
            pass
        time.sleep(0.1)
    raise RuntimeError(f"the gateway is not ready:\n{log.read_text(errors='replace')[-2000:]}")
