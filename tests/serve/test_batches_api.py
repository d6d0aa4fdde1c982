"""Files and batches as a client of the official SDK sees them, against a real server."""

import json
import socket
from pathlib import Path
from typing import Any

import openai
import pytest
from openai import OpenAI
from openai.types import Batch
from side_fake import FakeSide, line, plan, served, until

from tokenergy.company.serving.plan import LimitsPlan

ENDPOINT = "/v1/chat/completions"


def sent(client: OpenAI, lines: list[str]) -> str:
    text = "\n".join(lines).encode()
    return client.files.create(file=("in.jsonl", text), purpose="batch").id


def made(client: OpenAI, lines: list[str], **more: Any) -> Batch:
    return client.batches.create(
        input_file_id=sent(client, lines), endpoint=ENDPOINT, completion_window="24h", **more
    )


def ended(client: OpenAI, batch_id: str) -> Batch:
    final = {"failed", "completed", "expired", "cancelled"}
    found: Batch = until(
        lambda: one if (one := client.batches.retrieve(batch_id)).status in final else None
    )
    return found


def lines_of(client: OpenAI, file_id: str | None) -> list[dict[str, Any]]:
    assert file_id is not None
    return [json.loads(text) for text in client.files.content(file_id).text.splitlines()]


def test_a_batch_runs_from_file_to_file(tmp_path: Path) -> None:
    """Three good lines of 7 input, 2 of them cached, and 5 output tokens each; one that is bad."""
    side = FakeSide()
    with served(side, tmp_path) as running, running.client() as client:
        lines = [line(f"q{at}", f"prompt {at}") for at in range(3)] + [line("bad", "status:400")]
        batch = made(client, lines, metadata={"job": "night"})
        assert batch.status == "validating"
        assert batch.expires_at == batch.created_at + 86_400
        batch = ended(client, batch.id)
        assert batch.status == "completed"
        assert batch.metadata == {"job": "night"}
        assert batch.model == "small"
        assert batch.request_counts is not None
        assert batch.request_counts.to_dict() == {"total": 4, "completed": 3, "failed": 1}
        assert batch.usage is not None
        assert batch.usage.to_dict() == {
            "input_tokens": 21,
            "input_tokens_details": {"cached_tokens": 6},
            "output_tokens": 15,
            "output_tokens_details": {"reasoning_tokens": 0},
            "total_tokens": 36,
        }
        good = lines_of(client, batch.output_file_id)
        assert [one["custom_id"] for one in good] == ["q0", "q1", "q2"]
        assert good[1]["response"]["status_code"] == 200
        assert good[1]["response"]["body"]["choices"][0]["message"]["content"] == "re: prompt 1"
        assert good[1]["error"] is None
        [bad] = lines_of(client, batch.error_file_id)
        assert bad["custom_id"] == "bad"
        assert bad["response"]["status_code"] == 400
        assert bad["response"]["body"]["error"]["code"] == "by_request"
    assert sorted(one for one, _ in side.asked) == sorted(
        f"{batch.id}/{name}" for name in ("q0", "q1", "q2", "bad")
    )


def test_every_broken_line_is_told_at_once(tmp_path: Path) -> None:
    broken = [
        line("a", "fine"),
        "{no json",
        line("a", "a second one"),
        line("c", "x", method="GET"),
        line("d", "x", url="/v1/embeddings"),
        line("e", "x", body={"model": "unknown", "messages": [{"role": "user", "content": "x"}]}),
        line("f", "x", body={"model": "small", "messages": "no list"}),
        line("g", "x", body={"model": "small", "stream": True,
                             "messages": [{"role": "user", "content": "x"}]}),
        json.dumps({"method": "POST", "url": ENDPOINT, "body": {}}),
        "",
        '"a text"',
        "\u0000",
    ]  # fmt: skip
    side = FakeSide()
    with served(side, tmp_path) as running, running.client() as client:
        batch = ended(client, made(client, broken).id)
    assert batch.status == "failed"
    assert batch.errors is not None
    assert batch.errors.data is not None
    told = [(one.line, one.code, one.param) for one in batch.errors.data]
    assert told == [
        (2, "invalid_json_line", None),
        (3, "duplicate_custom_id", "custom_id"),
        (4, "invalid_method", "method"),
        (5, "mismatched_endpoint", "url"),
        (6, "model_not_found", "body.model"),
        (7, told[5][1], "body.messages"),
        (8, "invalid_line", "body.stream"),
        (9, "invalid_line", "custom_id"),
        (11, told[8][1], None),
        (12, "invalid_json_line", None),
    ]
    assert side.asked == []
    assert "no list" not in str(batch.errors)


def test_an_empty_file_fails(tmp_path: Path) -> None:
    with served(FakeSide(), tmp_path) as running, running.client() as client:
        batch = ended(client, made(client, ["", ""]).id)
        assert batch.errors is not None
        assert batch.errors.data is not None
        assert [one.code for one in batch.errors.data] == ["empty_file"]


def test_what_is_anothers_is_not_there(tmp_path: Path) -> None:
    with served(FakeSide(), tmp_path) as running, running.client() as ann:
        batch = ended(ann, made(ann, [line("q", "x")]).id)
        with running.client("tk-bob") as bob:
            for ask in (
                lambda: bob.files.retrieve(batch.input_file_id),
                lambda: bob.files.content(batch.input_file_id),
                lambda: bob.files.delete(batch.input_file_id),
                lambda: bob.files.content(batch.output_file_id or ""),
                lambda: bob.batches.retrieve(batch.id),
                lambda: bob.batches.cancel(batch.id),
            ):
                with pytest.raises(openai.NotFoundError):
                    ask()
            with pytest.raises(openai.BadRequestError) as refused:
                bob.batches.create(
                    input_file_id=batch.input_file_id, endpoint=ENDPOINT, completion_window="24h"
                )
            assert refused.value.param == "input_file_id"
            assert bob.files.list().data == []
            assert bob.batches.list().data == []
        assert ann.files.retrieve(batch.input_file_id).filename == "in.jsonl"


def test_a_key_needs_the_scope(tmp_path: Path) -> None:
    with served(FakeSide(), tmp_path) as running:
        with running.client("tk-chat") as client, pytest.raises(openai.PermissionDeniedError):
            client.batches.list()
        with running.client("tk-none") as client, pytest.raises(openai.AuthenticationError):
            client.files.list()


def test_a_cancelled_batch_keeps_what_is_done(tmp_path: Path) -> None:
    """Two tokens of a plan release one line; the others wait until they are cancelled."""
    from side_fake import a_board

    side = FakeSide(board=a_board(release_mtok_per_h=[2e-6]), ahead_s=3_599.0)
    with served(side, tmp_path) as running, running.client() as client:
        batch = made(client, [line(f"q{at}", "x") for at in range(5)])
        until(lambda: len(side.asked) == 1)
        told = client.batches.cancel(batch.id)
        assert told.status in ("cancelling", "cancelled")
        batch = ended(client, batch.id)
        assert batch.status == "cancelled"
        assert batch.cancelling_at is not None
        assert batch.cancelled_at is not None
        assert len(lines_of(client, batch.output_file_id)) == 1
        left = lines_of(client, batch.error_file_id)
        assert {one["error"]["code"] for one in left} == {"batch_cancelled"}
        assert len(left) == 4
        again = client.batches.cancel(batch.id)
        assert again.status == "cancelled"
    assert len(side.asked) == 1


def test_an_expired_batch_returns_what_is_done(tmp_path: Path) -> None:
    refuse = True
    side = FakeSide()

    def answers(_: str, prompt: str) -> Any:
        from tokenergy.serve.side import Told

        return Told(429, b"{}", "") if refuse and prompt == "dear" else None

    side.answers = answers
    with served(side, tmp_path) as running, running.client() as client:
        batch = made(client, [line("a", "x"), line("b", "dear")])
        until(lambda: len(side.asked) == 2)
        until(lambda: client.batches.retrieve(batch.id).request_counts.completed == 1)  # type: ignore[union-attr]
        assert client.batches.retrieve(batch.id).status == "in_progress"
        side.ahead_s = 86_401.0
        batch = ended(client, batch.id)
        assert batch.status == "expired"
        assert batch.expired_at is not None
        assert [one["custom_id"] for one in lines_of(client, batch.output_file_id)] == ["a"]
        [left] = lines_of(client, batch.error_file_id)
        assert (left["custom_id"], left["error"]["code"]) == ("b", "batch_expired")
        assert left["response"] is None


def test_lists_are_paged(tmp_path: Path) -> None:
    with served(FakeSide(), tmp_path, runs=False) as running, running.client() as client:
        ids = [made(client, [line("q", "x")]).id for _ in range(5)]
        files = [one.id for one in client.files.list(limit=2, order="asc")]
        assert len(files) == 5
        assert [one.id for one in client.batches.list(limit=2)] == ids[::-1]
        assert client.batches.list(limit=2).has_more
        with pytest.raises(openai.BadRequestError):
            client.batches.list(limit=0)


def test_a_deleted_file_is_gone_but_its_batch_runs(tmp_path: Path) -> None:
    side = FakeSide(board=None)
    with served(side, tmp_path) as running, running.client() as client:
        batch = made(client, [line("q", "x")])
        until(lambda: client.batches.retrieve(batch.id).status == "in_progress")
        assert client.files.delete(batch.input_file_id).deleted
        with pytest.raises(openai.NotFoundError):
            client.files.retrieve(batch.input_file_id)
        from side_fake import a_board

        side.board = a_board()
        assert ended(client, batch.id).status == "completed"
        client.files.delete(ended(client, batch.id).output_file_id or "")
        assert client.files.list().data == []
    assert [path for path in (tmp_path / "files").rglob("*") if path.is_file()] == []


@pytest.mark.parametrize(
    ("more", "param"),
    [
        ({"endpoint": "/v1/moderations"}, "endpoint"),
        ({"completion_window": "1h"}, "completion_window"),
        ({"metadata": {"k": "v" * 513}}, "metadata"),
        ({"output_expires_after": {"anchor": "created_at", "seconds": 5}},
         "output_expires_after.seconds"),
        ({"input_file_id": 7}, "input_file_id"),
        ({"input_file_id": "file-none"}, "input_file_id"),
    ],
)  # fmt: skip
def test_a_bad_question_names_its_field(tmp_path: Path, more: Any, param: str) -> None:
    with served(FakeSide(), tmp_path, runs=False) as running, running.client() as client:
        stated = {
            "input_file_id": sent(client, [line("q", "x")]),
            "endpoint": ENDPOINT,
            "completion_window": "24h",
        }
        with pytest.raises(openai.BadRequestError) as fault:
            client.batches.create(**{**stated, **more})
        assert fault.value.param == param


def test_files_are_checked(tmp_path: Path) -> None:
    with served(FakeSide(), tmp_path, runs=False) as running, running.client() as client:
        with pytest.raises(openai.BadRequestError) as fault:
            client.files.create(file=("a.jsonl", b"x"), purpose="user_data")
        assert fault.value.param == "purpose"
        kept = client.files.create(
            file=("../../etc/passwd", b"{}"), purpose="batch",
            expires_after={"anchor": "created_at", "seconds": 3_600},
        )  # fmt: skip
        assert kept.expires_at == kept.created_at + 3_600
        assert client.files.content(kept.id).read() == b"{}"
        assert [path.name for path in (tmp_path / "files" / "ann").iterdir()] == [kept.id]
        with pytest.raises(openai.BadRequestError):
            client.post("/files", body={"purpose": "batch"}, cast_to=object)


def test_a_file_that_is_too_long_or_too_slow_leaves_nothing(tmp_path: Path) -> None:
    """413 as soon as its length is known; 408 for one that stops to come."""
    limits = LimitsPlan(body_grace_s=0.2)
    side = FakeSide(plan=plan(limits=limits))
    with served(side, tmp_path, runs=False) as running:
        host, port = running.url.removeprefix("http://").split(":")
        head = (
            "POST /v1/files HTTP/1.1\r\nhost: x\r\nauthorization: Bearer tk-ann\r\n"
            "content-type: multipart/form-data; boundary=b\r\ncontent-length: {}\r\n\r\n"
        )
        for length, status in ((10**12, b"413"), (1_000, b"408")):
            with socket.create_connection((host, int(port)), timeout=10.0) as client:
                client.sendall(head.format(length).encode() + b"--b\r\nContent-Disposition: form-")
                answer = b"".join(iter(lambda: client.recv(4_096), b""))
            assert answer.startswith(b"HTTP/1.1 " + status), answer
            assert b'"error"' in answer
    assert [path for path in (tmp_path / "files").rglob("*") if path.is_file()] == []
