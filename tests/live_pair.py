"""Two small LLMs where examples/observe.yaml looks for them, and requests to both of them."""

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

from small_llm import RunningLlm, Usage, ask, running_llm

PORTS = (18080, 18081)
"""Of paris-1 and oslo-1 in examples/observe.yaml."""
FREE_WITHIN_S = 120.0
"""Another run of the tests on this machine may have them for a while."""
PAUSES_S = (0.3, 1.0)
TOKENS_PER_REQUEST = 16
PROMPTS = (
    "Why is the sky blue in the evening?",
    "Name three rivers of Europe.",
    "What does a power meter count?",
)


@contextmanager
def running_pair() -> Iterator[tuple[RunningLlm, ...]]:
    """Serve one for each site until the block ends."""
    _wait_until_free()
    with ExitStack() as stack:
        yield tuple(stack.enter_context(running_llm(port=port)) for port in PORTS)


def _wait_until_free() -> None:
    """Wait for the ports; whoever keeps them for long is named by the server that cannot begin."""
    until = time.monotonic() + FREE_WITHIN_S
    while time.monotonic() < until and not all(map(is_free, PORTS)):
        time.sleep(0.5)


def is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def rounds(pair: tuple[RunningLlm, ...], count: int) -> list[Usage]:
    """Ask each of them one request after another; return what each answer took."""
    return [
        ask(one.url, PROMPTS[at % len(PROMPTS)], TOKENS_PER_REQUEST)
        for at in range(count)
        for one in pair
    ]


@contextmanager
def being_asked(pair: tuple[RunningLlm, ...]) -> Iterator[list[Usage]]:
    """Keep both at work while the block runs; in the end the list has every answer.

    Whatever a request failed on is raised when the block has ended.
    """
    stop = threading.Event()
    taken: list[Usage] = []
    faults: list[BaseException] = []

    def go(one: RunningLlm, pause_s: float) -> None:
        count = 0
        try:
            while not stop.is_set():
                taken.append(ask(one.url, PROMPTS[count % len(PROMPTS)], TOKENS_PER_REQUEST))
                count += 1
                stop.wait(pause_s)
        except BaseException as fault:
            faults.append(fault)

    threads = [
        threading.Thread(target=go, args=(one, pause_s))
        for one, pause_s in zip(pair, PAUSES_S, strict=True)
    ]
    for thread in threads:
        thread.start()
    try:
        yield taken
    finally:
        stop.set()
        for thread in threads:
            thread.join()
    if faults:
        raise faults[0]
