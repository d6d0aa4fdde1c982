"""What every test gets: no network, the shared data if it is there, and steady hypothesis."""

import os
import socket
from collections.abc import Callable, Iterator
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import pytest
from browsing import close_browser
from hypothesis import settings
from small_llm import RunningLlm, running_llm

ROOT = Path(__file__).resolve().parents[1]

# A terminal's width is a test's own affair: nobody else's (a worker of xdist has one) counts.
os.environ.pop("COLUMNS", None)

# No deadline: the first call of a compiled or cached thing is slow, and that is no fault.
settings.register_profile("house", deadline=None)
# In CI the same examples every time: a change fails for what it did, not for its luck.
settings.register_profile("ci", deadline=None, derandomize=True, print_blob=True)
settings.load_profile("ci" if os.environ.get("CI") else "house")


class NetworkIsOff(RuntimeError):
    """A test reached for something outside this machine."""


def _is_loopback(host: object) -> bool:
    name = host.decode() if isinstance(host, bytes) else host
    if name in (None, "", "localhost"):
        return True
    try:
        return ip_address(str(name)).is_loopback
    except ValueError:
        return False


def _loopback_only(reach: Callable[..., Any]) -> Callable[..., Any]:
    """Return `reach`, whose last argument is an address, held to loopback."""

    def guarded(sock: socket.socket, *args: Any) -> Any:
        address = args[-1]
        if isinstance(address, tuple) and not _is_loopback(address[0]):
            raise NetworkIsOff(f"the network is off in tests: {address[0]}:{address[1]}")
        return reach(sock, *args)

    return guarded


@pytest.fixture(scope="session", autouse=True)
def network_is_off() -> Iterator[None]:
    """Refuse every address but loopback: a test that needs the world cannot be repeated."""
    look_up = socket.getaddrinfo

    def look_up_loopback(host: Any, *args: Any, **kwargs: Any) -> Any:
        if not _is_loopback(host):
            raise NetworkIsOff(f"the network is off in tests: {host}")
        return look_up(host, *args, **kwargs)

    with pytest.MonkeyPatch.context() as patch:
        for name in ("connect", "connect_ex", "sendto"):
            patch.setattr(socket.socket, name, _loopback_only(getattr(socket.socket, name)))
        patch.setattr(socket, "getaddrinfo", look_up_loopback)
        yield


@pytest.fixture(scope="session", autouse=True)
def browser_ends() -> Iterator[None]:
    """End the browser that tests of pages share, if one was started."""
    yield
    close_browser()


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Return the folder of real prices and traces beside the checkout, or skip."""
    folder = ROOT.parent / "shared" / "data"
    if not folder.is_dir():
        pytest.skip("no ../shared/data beside this checkout: real prices and traces are missing")
    return folder


@pytest.fixture(scope="session")
def opened_sora() -> Any:
    """Return two days of the example with a free tier, opened."""
    import tokenergy as te

    return te.load(ROOT / "examples" / "sora_like.yaml", days=2)


@pytest.fixture(scope="session")
def sora(opened_sora: Any) -> Any:
    """Return its economics: seven seconds, once for all tests that only look."""
    import tokenergy as te

    return te.economics(opened_sora)


@pytest.fixture(scope="session")
def small_llm() -> Iterator[RunningLlm]:
    """Return a real small language model with four slots, served for the whole session, or skip."""
    with running_llm(slots=4) as served:
        yield served
