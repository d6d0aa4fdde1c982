"""The live page of a real gateway of two workers: whose decisions it shows, and how it ends."""

import json
import sqlite3
import time
from contextlib import closing
from pathlib import Path

import pytest
from live_events import listening
from serve_process import serving

SMALL = Path(__file__).parents[1] / "small.yaml"
ASKED_COUNT = 24
CHAT = {"model": "auto", "messages": [{"role": "user", "content": "hello"}], "max_tokens": 4}


@pytest.mark.slow  # five processes of a real gateway, a board and its face: 7 s of two cores
def test_a_stream_shows_all_workers_and_ends_with_them(tmp_path: Path) -> None:
    """Whoever listens to one worker sees what both decided; SIGTERM waits for no listener."""
    words = ("--at", "2026-03-02T18:00Z")
    with serving(SMALL, folder=tmp_path, workers=2, words=words) as gateway:
        with listening(gateway.url, waits_s=60.0) as stream:
            # the worker that answers may not have read the board yet: the other one was asked
            board_id = stream.next("standing", lambda told: told["board_id"])["board_id"]
            face = stream.next("face")  # drawn because somebody looks
            assert face["board_id"] == board_id
            for _ in range(ASKED_COUNT):
                assert gateway.ask(None, CHAT).status == 200
            seen: dict[str, str] = {}
            sums = 0
            for event in stream.events():
                if event.name == "decisions":
                    seen |= {one["id"]: one["words"] for one in event.data}
                elif event.name == "sums":
                    sums = sum(row["requests_count"] for row in event.data["rows"])
                if len(seen) == sums == ASKED_COUNT:
                    break
            assert all(text.endswith(".") for text in seen.values())
            assert _workers(gateway.ledger) == {1, 2}
            began_s = time.monotonic()
            gateway.terminate()
            assert stream.next("over")["reason"] == "stopping"
            assert list(stream.events()) == []
            assert gateway.wait() == 0
            assert time.monotonic() - began_s < 8.0  # its drain alone would be 10 s
        assert "Traceback" not in gateway.log_text()
        assert f"page       {gateway.url}/ " in gateway.log_text()
        told = json.loads((gateway.data / "findings.json").read_bytes())
        assert not [one for one in told["findings"] if one["path"] == "page"]


def _workers(ledger: Path) -> set[int]:
    """Return the workers whose journals the ledger was made of."""
    with closing(sqlite3.connect(f"file:{ledger}?mode=ro", uri=True)) as file:
        rows = file.execute("SELECT worker FROM life").fetchall()
    return {row[0] for row in rows}
