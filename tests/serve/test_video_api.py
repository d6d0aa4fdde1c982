"""Video jobs through a real gateway before simulated servers, as the SDK's users see them."""

import struct
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import openai
import pytest
from gateway_world import RunningWorld, board_of, plan_of, running
from openai import OpenAI
from side_fake import until

from tokenergy.company.serving.plan import PricePlan, UpstreamPlan, WorkloadPlan
from tokenergy.company.serving.record import Closed, Opened, Refused
from tokenergy.company.serving.video import VideoFacts
from tokenergy.serve.side_app import side_app
from tokenergy.serve.video_clip import simulated_clip
from tokenergy.serve.video_desk import VideoDesk
from tokenergy.store.batches import SqliteBatches

LATENT = 1_000
"""Latent tokens of a clip: at 1 USD/Mtok it costs 0.001 USD; it is worth 0.005."""


def video_plan(**more: Any) -> Any:
    """Return a plan with one video model at one simulated place; a clip is sold for 0.25 USD."""
    plan = plan_of([])
    row = {
        "name": "chat", "tier": "free", "origin": "eu", "service_tier": "default",
        "must_serve": False, "ladder": ("clip",), "input_tokens": 0.0,
        "output_tokens": 2.0 * LATENT, "items_per_request": 2.0, "media": "video",
        "ttft_limit_s": 900.0, "tpot_limit_s": 1.0, "deadline_s": 0.0,
    }  # fmt: skip
    fields = {name: getattr(plan, name) for name in plan.__struct_fields__}
    stated = fields | {
        "deployments": ("clip@near",),
        "upstreams": (
            UpstreamPlan(
                name="near-1", deployment="clip@near", site="near", accelerator="H100",
                model="clip", served_model="clip", kind=more.pop("kind", "simulated"),
                url="http://127.0.0.1:9",
            ),
        ),
        "workloads": (WorkloadPlan(**row),),
        "aliases": (),
        "prices": (
            PricePlan(
                model="clip", tier="free", input_nano_usd_per_mtok=0,
                cached_input_nano_usd_per_mtok=0, output_nano_usd_per_mtok=0,
                nano_usd_per_request=250_000_000,
            ),
        ),
    }  # fmt: skip
    return type(plan)(**stated | more)


@contextmanager
def studio(
    tmp_path: Path, *, usd_per_mtok: float = 1.0, made_s: float = 0.2, **more: Any
) -> Iterator[tuple[RunningWorld, OpenAI, SqliteBatches]]:
    """Run a gateway with a desk for videos; a clip takes 0.2 s there by the board."""
    plan = video_plan(**more)
    made = board_of(plan, prices_usd_per_mtok=(usd_per_mtok,), shares=(1.0,))
    with running(plan=plan, made=made) as world, warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # the SDK's: the service is to end
        batches = SqliteBatches(world.folder / "batches.sqlite", world.folder / "files")
        desk = VideoDesk(world.gateway, batches.videos, owner="1", pace_ratio=0.2 / made_s)
        world.worker.door._side = side_app(world.gateway, videos=(batches.videos, desk))
        with OpenAI(api_key="tk-test", base_url=f"{world.url}/v1", max_retries=0) as client:
            yield world, client, batches
        batches.close()


def test_a_clip_is_made_told_and_charged(tmp_path: Path) -> None:
    with studio(tmp_path) as (world, client, _):
        video = client.videos.create(prompt="a cat", model="clip", seconds="8", size="720x1280")
        assert video.status in ("queued", "in_progress")
        assert (video.model, video.seconds, video.size) == ("clip", "8", "720x1280")
        assert video.prompt is None
        done = client.videos.poll(video.id, poll_interval_ms=20)
        assert (done.status, done.progress) == ("completed", 100)
        assert done.completed_at is not None
        content = client.videos.download_content(video.id)
        assert content.response.headers["x-simulated"] == "tokenergy"
        assert b"simulated by tokenergy" in content.read()
        own = done.to_dict()["tokenergy"]
        assert own["simulated"] is True  # type: ignore[index]
        assert own["charge_usd"] == 0.25  # type: ignore[index]
        assert own["cost_usd"] == pytest.approx(0.001)  # type: ignore[index]
        opened, closed = world.records()
        assert isinstance(opened, Opened)
        assert isinstance(closed, Closed)
        assert opened.endpoint == "video"
        assert (closed.outcome, closed.output_tokens) == ("completed", LATENT)
        assert closed.charge_nano_usd == 250_000_000
        assert closed.cost_nano_usd == 1_000_000
        assert "a cat" not in str(world.records())
        assert [one.id for one in client.videos.list(limit=1)] == [video.id]
        assert client.videos.delete(video.id).deleted
        with pytest.raises(openai.NotFoundError):
            client.videos.retrieve(video.id)


def test_what_is_not_worth_its_cost_is_refused(tmp_path: Path) -> None:
    with studio(tmp_path, usd_per_mtok=50.0) as (world, client, _):
        with pytest.raises(openai.RateLimitError) as refused:
            client.videos.create(prompt="a cat", model="clip")
        assert refused.value.code == "marginal_cost_exceeds_value"
        assert refused.value.response.headers["x-should-retry"] == "false"
        [record] = world.records()
        assert isinstance(record, Refused)
        assert client.videos.list().data == []


def test_a_job_is_its_tenants_own(tmp_path: Path) -> None:
    with studio(tmp_path) as (world, client, _):
        video = client.videos.create(prompt="a cat", model="clip")
        with OpenAI(api_key="tk-bob", base_url=f"{world.url}/v1", max_retries=0) as bob:
            for ask in (bob.videos.retrieve, bob.videos.delete, bob.videos.download_content):
                with pytest.raises(openai.NotFoundError):
                    ask(video.id)
            assert bob.videos.list().data == []
        assert client.videos.retrieve(video.id).id == video.id


def test_a_deleted_job_is_stopped_and_costs_nothing(tmp_path: Path) -> None:
    with studio(tmp_path, made_s=100.0) as (world, client, _):
        video = client.videos.create(prompt="a cat", model="clip")
        with pytest.raises(openai.ConflictError):
            client.videos.download_content(video.id)
        client.videos.delete(video.id)
        until(lambda: len(world.records()) == 2)
        closed = world.records()[-1]
        assert isinstance(closed, Closed)
        assert (closed.outcome, closed.charge_nano_usd) == ("cancelled", 0)
        assert 0 <= closed.output_tokens < LATENT
        until(lambda: not world.gateway.flights)


def test_progress_is_told_while_it_is_made(tmp_path: Path) -> None:
    with studio(tmp_path, made_s=5.0) as (_, client, __):
        video = client.videos.create(prompt="a cat", model="clip")
        until(lambda: 0 < client.videos.retrieve(video.id).progress < 100)
        client.videos.delete(video.id)


def test_a_job_of_a_worker_that_ended_has_failed(tmp_path: Path) -> None:
    with studio(tmp_path) as (world, client, batches):
        facts = VideoFacts(
            video_id="video_1", request_id="r", tenant="ann", owner="1", status="in_progress",
            model_asked="clip", created_s=time.time(),
        )  # fmt: skip
        batches.videos.add(facts)
        VideoDesk(world.gateway, batches.videos, owner="2")
        assert client.videos.retrieve("video_1").status == "in_progress"
        VideoDesk(world.gateway, batches.videos, owner="1")
        video = client.videos.retrieve("video_1")
        assert video.status == "failed"
        assert video.error is not None
        assert video.error.code == "interrupted"


def test_the_end_of_the_gateway_interrupts_a_job(tmp_path: Path) -> None:
    from tokenergy.company.serving.plan import LimitsPlan

    with studio(tmp_path, made_s=1_000.0, limits=LimitsPlan(drain_s=0.1)) as (
        world,
        client,
        batches,
    ):
        video = client.videos.create(prompt="a cat", model="clip")
        world.stop()
        until(world.ended.is_set)
        closed = world.records()[-1]
        assert isinstance(closed, Closed)
        assert closed.outcome == "interrupted"
        batches.videos.interrupted("1", now_s=time.time(), expires_s=time.time() + 9.0)
        found = batches.videos.find("ann", video.id, now_s=time.time())
        assert found is not None
        assert found.status == "failed"


@pytest.mark.parametrize(
    ("asked", "param", "status"),
    [
        ({"model": "clip"}, "prompt", 400),
        ({"prompt": "", "model": "clip"}, "prompt", 400),
        ({"prompt": "x", "model": "none"}, "model", 404),
        ({"prompt": "x", "model": "clip", "size": "9" * 40}, "size", 400),
        ({"prompt": "x", "model": "clip", "input_reference": {"file_id": "f"}},
         "input_reference", 400),
    ],
)  # fmt: skip
def test_a_bad_question_names_its_field(
    tmp_path: Path, asked: dict[str, Any], param: str, status: int
) -> None:
    with studio(tmp_path) as (world, client, _):
        answer = world.post("/v1/videos", asked)
        assert answer.status_code == status
        assert answer.json()["error"]["param"] == param
        with pytest.raises(openai.BadRequestError) as fault:
            client.videos.create(prompt="x", model="clip", input_reference=("a.png", b"png"))
        assert fault.value.param == "input_reference"


def test_a_real_server_makes_no_videos_yet(tmp_path: Path) -> None:
    with (
        studio(tmp_path, kind="openai") as (_, client, __),
        pytest.raises(openai.InternalServerError) as fault,
    ):
        client.videos.create(prompt="x", model="clip")
    assert fault.value.status_code == 501


def test_the_clip_is_boxes_all_the_way() -> None:
    clip = simulated_clip(video_id="v", model="m")
    kinds, at = [], 0
    while at < len(clip):
        length, kind = struct.unpack_from(">I4s", clip, at)
        kinds.append(kind)
        at += length
    assert kinds == [b"ftyp", b"moov", b"free"]
    assert at == len(clip)
    moov = clip.index(b"mvhd")
    assert struct.unpack_from(">I", clip, moov - 4) == (108,)
