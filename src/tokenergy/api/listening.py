"""The sockets of a gateway: held by control, so that a worker may come and go behind its own."""

import contextlib
import socket
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Final

from tokenergy.errors import InputError

SENT_BYTES: Final = 262_144
"""What the kernel keeps for a client that reads slowly; left alone it would keep megabytes."""
BACKLOG: Final = 2048
"""Connections that wait while a worker is started again."""


@contextlib.contextmanager
def listening(host: str, port: int, count: int) -> Iterator[list[socket.socket]]:
    """Listen at one port with a socket for each worker, among which the kernel shares out.

    Raises:
        InputError: if the port cannot be used.
    """
    with ExitStack() as held:
        doors: list[socket.socket] = []
        try:
            where = socket.getaddrinfo(
                host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
            )[0]
            family, address = where[0], where[4]
            # A socket that shares its port would join another gateway's without a word.
            with socket.socket(family) as probe:
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                probe.bind(address)
                address = probe.getsockname()
            for _ in range(count):
                door = held.enter_context(socket.socket(family))
                door.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                if count > 1:
                    door.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
                door.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SENT_BYTES)
                door.bind(address)
                door.listen(BACKLOG)
                doors.append(door)
        except (OSError, OverflowError) as error:
            told = getattr(error, "strerror", None) or error
            raise InputError(f"cannot listen at {host}:{port}: {told}") from error
        yield doors


def address_of(door: socket.socket) -> str:
    """Return the address that a socket listens at."""
    host, port = door.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
