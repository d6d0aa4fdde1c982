"""Batches through a real gateway: each line is one request of the journal, and one bill."""

import json
from collections import Counter
from pathlib import Path

from faulty_upstream import faulty_upstream
from gateway_world import RunningWorld, running
from openai import OpenAI
from side_fake import until

from tokenergy.company.serving.record import Closed, Opened
from tokenergy.serve.batch_runner import BatchRunner
from tokenergy.serve.side_app import side_app
from tokenergy.store.batches import SqliteBatches


def test_a_line_is_one_request_of_the_journal(tmp_path: Path) -> None:
    """Twelve lines of 3 tokens; the engine counts what the batch, the journal and the bill say."""
    with faulty_upstream(completion_tokens=3) as server, running(server) as world:
        batches, runner = _joined(world, tmp_path)
        client = OpenAI(api_key="tk-test", base_url=f"{world.url}/v1", max_retries=0)
        lines = [
            json.dumps(
                {
                    "custom_id": f"q{at}", "method": "POST", "url": "/v1/chat/completions",
                    "body": {"model": "large", "messages": [{"role": "user", "content": "hi"}]},
                }
            )
            for at in range(12)
        ]  # fmt: skip
        file = client.files.create(file=("in.jsonl", "\n".join(lines).encode()), purpose="batch")
        batch = client.batches.create(
            input_file_id=file.id, endpoint="/v1/chat/completions", completion_window="24h"
        )
        until(lambda: client.batches.retrieve(batch.id).status == "completed")
        batch = client.batches.retrieve(batch.id)
        client.close()
        runner.stop()
        records = world.records()
        opened = Counter(one.batch for one in records if isinstance(one, Opened))
        assert opened == {f"{batch.id}/q{at}": 1 for at in range(12)}
        assert {one.tier for one in records if isinstance(one, Opened)} == {"slow"}
        closed = [one for one in records if isinstance(one, Closed)]
        assert Counter(one.outcome for one in closed) == {"completed": 12}
        assert batch.usage is not None
        assert batch.usage.output_tokens == sum(one.output_tokens for one in closed) == 36
        assert batch.usage.input_tokens == sum(one.input_tokens for one in closed)
        assert server.counters.completion_tokens == 36
        batches.close()


def _joined(world: RunningWorld, folder: Path) -> tuple[SqliteBatches, BatchRunner]:
    """Put the side application and its runner into a running gateway."""
    import asyncio

    batches = SqliteBatches(folder / "batches.sqlite", folder / "files")
    made: list[BatchRunner] = []

    async def begin() -> None:
        runner = BatchRunner(world.gateway, batches, owner="1", poll_s=0.02)
        made.append(runner)
        world.worker._beside = asyncio.create_task(runner.run())  # type: ignore[attr-defined]
        app = side_app(world.gateway, batches=batches, wake=runner.wake)
        world.worker.door._side = app

    asyncio.run_coroutine_threadsafe(begin(), world.loop).result(10.0)
    return batches, made[0]
