"""A worker that stands in for the gateway's: it says its process and board, dies and dawdles."""

import asyncio
import os
import signal
import socket
import sys
import time
from pathlib import Path

from tokenergy.company.serving.plan import decoded_plan
from tokenergy.serve.board_watch import BoardWatch
from tokenergy.serve.counts import SharedCounts


async def serve(data: Path, number: int, door: int, lifeline: int) -> None:
    plan = decoded_plan((data / "plan.json").read_bytes())
    watch = BoardWatch(data, deployments=plan.deployments)
    ends, running = asyncio.Event(), set[asyncio.Task[None]]()

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        asked = await reader.readuntil(b"\r\n\r\n")
        if b"/die" in asked:
            os.kill(os.getpid(), signal.SIGKILL)
        if b"/slow" in asked:
            await asyncio.sleep(1.0)
        told = f"{os.getpid()} {'none' if watch.board is None else watch.board.policy}".encode()
        head = b"HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: %d\r\n\r\n" % len(told)
        writer.write(head + told)
        await writer.drain()
        writer.close()

    async def tracked(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        running.add(task)
        task.add_done_callback(running.discard)
        await answer(reader, writer)

    loop = asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGTERM, ends.set)
    loop.add_reader(lifeline, ends.set)
    with SharedCounts.opened(data / "counts.bin", number) as counts:
        server = await asyncio.start_server(tracked, sock=socket.socket(fileno=door))
        while not ends.is_set():
            watch.poll(time.time() + plan.clock_offset_s)
            counts.beat(time.time())
            await asyncio.sleep(0.05)
        server.close()
        while running:
            await asyncio.wait(set(running))


if __name__ == "__main__":
    given = sys.argv[1:]
    lifeline = int(given[given.index("--lifeline") + 1])
    asyncio.run(serve(Path(given[0]), int(given[1]), int(given[2]), lifeline))
