"""Models, usage, prices, advice and health, as clients and load balancers see them."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import openai
import pytest
from request_boards import board
from side_fake import NOW_S, FakeSide, Served, a_board, plan, served
from starlette.testclient import TestClient

from tokenergy.company.serving.plan import LimitsPlan
from tokenergy.company.serving.usage import CostRow, UsageAsked, UsageRow
from tokenergy.serve.admin import admin_app
from tokenergy.serve.health import Reason
from tokenergy.serve.side_app import is_side_path, side_app
from tokenergy.serve.usage_api import decimal_usd

ANN = {"authorization": "Bearer tk-ann"}
DAY_S = 86_400


class Rows:
    """A ledger of one answer, which keeps what it was asked."""

    def __init__(self) -> None:
        self.asked: list[UsageAsked] = []

    def usage(self, asked: UsageAsked) -> tuple[UsageRow, ...]:
        self.asked.append(asked)
        group = tuple({"tenant": "ann", "tier": "batch", "batch": "true"}.get(n) for n in asked.by)
        return (UsageRow(0, group, 100, 20, 50, 2),)

    def costs(self, asked: UsageAsked) -> tuple[CostRow, ...]:
        self.asked.append(asked)
        group = tuple({"line_item": "small, input"}.get(name) for name in asked.by)
        return (CostRow(0, group, 1_234_567_890_123_456_789, 80, "tokens"),)

    def request(self, tenant: str, request_id: str) -> dict[str, Any] | None:
        found = {"site": "north", "output_tokens": 5, "charge_nano_usd": 7}
        return found if (tenant, request_id) == ("ann", "req-1") else None


def browser(side: FakeSide, **more: Any) -> TestClient:
    return TestClient(side_app(side, **more), raise_server_exceptions=False)  # type: ignore[arg-type]


@pytest.fixture
def running(tmp_path: Path) -> Any:
    with served(FakeSide(), tmp_path, usage=Rows(), runs=False) as found:
        yield found


def test_the_sdk_lists_models(running: Served) -> None:
    with running.client() as client:
        names = [one.id for one in client.models.list()]
        assert names == ["auto", "chat-auto", "large", "small"]
        assert client.models.retrieve("chat-auto").owned_by == "Fake"
        with pytest.raises(openai.NotFoundError) as fault:
            client.models.retrieve("gpt-9")
        assert fault.value.code == "model_not_found"
        assert "chat-auto" in str(fault.value)


def test_a_key_of_one_tier_sees_its_models() -> None:
    side = FakeSide()
    held = side.caller
    side.caller = lambda h, *, scope: held(h, scope=scope)._replace(tiers=("batch",))  # type: ignore[method-assign]
    told = browser(side).get("/v1/models", headers=ANN).json()
    assert [one["id"] for one in told["data"]] == ["auto", "small"]


def test_the_sdk_reads_usage(running: Served) -> None:
    with running.client() as client:
        page = client.admin.organization.usage.completions(
            start_time=int(NOW_S), end_time=int(NOW_S) + DAY_S, group_by=["project_id", "batch"]
        )
    assert page.object == "page"
    assert not page.has_more
    [first, second] = page.data  # eight in the morning to the next: two days of the calendar
    assert (first.start_time, second.end_time) == (int(NOW_S), int(NOW_S) + DAY_S)
    assert first.end_time == second.start_time == int(NOW_S) + 16 * 3_600
    result = first.results[0]
    assert result.input_tokens == 100
    assert result.input_cached_tokens == 20
    assert result.num_model_requests == 2
    assert result.project_id == "ann"
    assert result.batch is True
    assert result.model is None


def test_the_sdk_reads_costs_to_the_nano_dollar(running: Served) -> None:
    with running.client() as client:
        page = client.admin.organization.usage.costs(
            start_time=int(NOW_S), end_time=int(NOW_S) + 60, group_by=["line_item"]
        )
        result = page.data[0].results[0]
        assert result.amount is not None
        assert result.amount.currency == "usd"
        assert result.line_item == "small, input"
        text = client.get(f"/organization/costs?start_time={int(NOW_S)}", cast_to=str)
    assert '"value":1234567890.123456789' in text


@pytest.mark.parametrize(
    ("nano_usd", "text"),
    [(0, "0.0"), (1, "0.000000001"), (-1_500_000_000, "-1.5"), (10**18, "1000000000.0")],
)
def test_money_keeps_every_digit(nano_usd: int, text: str) -> None:
    assert decimal_usd(nano_usd) == text


def test_usage_is_paged_and_filtered() -> None:
    rows = Rows()
    client = browser(FakeSide(), usage=rows)
    url = "/v1/organization/usage/completions"
    start = int(NOW_S)
    query = f"start_time={start}&end_time={start + 10 * 3_600}&bucket_width=1h&limit=4"
    told = client.get(f"{url}?{query}&models=small&models[]=large&batch=true", headers=ANN).json()
    assert len(told["data"]) == 4
    assert told["has_more"]
    asked = rows.asked[-1]
    assert (asked.start_s, asked.end_s, asked.bucket_s) == (start, start + 4 * 3_600, 3_600)
    assert dict(asked.only) == {
        "model": ("small", "large"), "tenant": ("ann",), "batch": ("true",),
    }  # fmt: skip
    seen = 4
    while told["has_more"]:
        told = client.get(f"{url}?{query}&page={told['next_page']}", headers=ANN).json()
        seen += len(told["data"])
    assert seen == 10


@pytest.mark.parametrize(
    ("query", "status", "param"),
    [
        ("", 400, "start_time"),
        ("start_time=x", 400, "start_time"),
        ("start_time=5&end_time=5", 400, "end_time"),
        ("start_time=5&bucket_width=2d", 400, "bucket_width"),
        ("start_time=5&group_by=site", 400, "group_by"),
        ("start_time=5&limit=32", 400, "limit"),
        ("start_time=5&page=page_!!", 400, "page"),
        ("start_time=5&batch=maybe", 400, "batch"),
        ("start_time=5&project_ids=bob", 403, None),
        ("start_time=" + "9" * 30, 400, "start_time"),
    ],
)
def test_a_bad_question_about_usage(query: str, status: int, param: str | None) -> None:
    answer = browser(FakeSide(), usage=Rows()).get(
        f"/v1/organization/usage/completions?{query}", headers=ANN
    )
    assert answer.status_code == status
    assert answer.json()["error"]["param"] == param


def test_the_price_is_told_in_parts() -> None:
    told = browser(FakeSide()).get("/v1/tokenergy/price?model=small", headers=ANN).json()
    assert [load["workload"] for load in told["data"]] == ["chat", "bulk"]
    [small] = told["data"][0]["models"]
    north, south = small["now"]
    assert (north["site"], north["usd_per_mtok"], north["share"]) == ("north", 1.0, 0.5)
    assert south["usd_per_mtok"] == 2.0
    assert sum(north["parts_usd_per_mtok"].values()) == 1.0
    assert told["charges"][0]["output_nano_usd_per_mtok"] == 400_000_000
    assert told["interval"] == {"start": "2027-01-15T08:00:00Z", "end": "2027-01-15T09:00:00Z"}
    assert not told["stale"]


def test_a_hidden_site_stays_hidden() -> None:
    side = FakeSide(plan=plan(hide_site=True))
    client = browser(side, usage=Rows())
    body = {"model": "small", "input_tokens": 10}
    texts = [
        client.get("/v1/tokenergy/price", headers=ANN).text,
        client.post("/v1/tokenergy/decide", headers=ANN, json=body).text,
        client.get("/v1/tokenergy/requests/req-1", headers=ANN).text,
    ]
    for text in texts:
        assert "north" not in text
        assert "south" not in text


def test_advice_is_the_decision_and_moves_nothing() -> None:
    """0.01 Mtok cost 0.01 USD at the cheapest place and are worth 0.05."""
    side = FakeSide()
    body = {"model": "small", "input_tokens": 0, "output_tokens": 10_000}
    told = browser(side).post("/v1/tokenergy/decide", headers=ANN, json=body).json()
    assert told["action"] == "serve"
    assert told["model"] == "small"
    assert told["site"] == "north"
    assert told["cost_usd"] == pytest.approx(0.01)
    assert told["value_usd"] == pytest.approx(0.05)
    dear = a_board()
    dear_load = replace(dear.by_name["chat"], value_usd_per_mtok=0.1)
    side.board = board(
        dear_load, dear.by_name["bulk"], made_at_s=NOW_S, start_s=NOW_S, valid_until_s=NOW_S + 3_600
    )
    told = browser(side).post("/v1/tokenergy/decide", headers=ANN, json=body).json()
    assert (told["action"], told["reason"]) == ("refuse", "marginal_cost_exceeds_value")
    assert told["site"] is None


@pytest.mark.parametrize(
    ("body", "status", "param"),
    [
        ("{", 400, None),
        ("[]", 400, None),
        ('{"model": "small"}', 400, "input_tokens"),
        ('{"model": "small", "input_tokens": -1}', 400, "input_tokens"),
        ('{"model": "small", "input_tokens": 1, "prompt": "hush"}', 400, None),
        ('{"model": "none", "input_tokens": 1}', 404, "model"),
        ('{"model": "small", "input_tokens": 1, "tenant": "bob"}', 403, None),
        ('{"model": "small", "input_tokens": 1e400}', 400, "input_tokens"),
    ],
)
def test_bad_advice_is_refused(body: str, status: int, param: str | None) -> None:
    answer = browser(FakeSide()).post("/v1/tokenergy/decide", headers=ANN, content=body)
    assert answer.status_code == status, answer.text
    assert answer.json()["error"]["param"] == param


def test_an_operator_may_ask_for_another_tenant() -> None:
    body = {"model": "small", "input_tokens": 1, "tenant": "bob"}
    root = {"authorization": "Bearer tk-root"}
    assert browser(FakeSide()).post("/v1/tokenergy/decide", headers=root, json=body).json()["site"]


def test_a_request_is_found_by_its_tenant_alone() -> None:
    client = browser(FakeSide(), usage=Rows())
    told = client.get("/v1/tokenergy/requests/req-1", headers=ANN).json()
    assert (told["id"], told["charge_nano_usd"]) == ("req-1", 7)
    other = client.get("/v1/tokenergy/requests/req-1", headers={"authorization": "Bearer tk-bob"})
    assert other.status_code == 404


def test_health_tells_what_is_wrong_to_operators_alone() -> None:
    side = FakeSide()
    client = browser(side)
    assert client.get("/healthz").json() == {"status": "ok"}
    ready = client.get("/readyz")
    assert (ready.status_code, ready.json()["status"]) == (200, "ready")
    side.ahead_s = 4_000.0
    ready = client.get("/readyz")
    assert (ready.status_code, ready.json()["status"]) == (200, "degraded")
    assert "policy" not in ready.text
    side.board = None
    ready = client.get("/readyz")
    assert (ready.status_code, ready.headers["retry-after"]) == (503, "1")
    assert {"name": "board", "status": "failed"} in ready.json()["checks"]


def test_a_full_journal_or_a_dead_store_is_not_ready() -> None:
    side = FakeSide(plan=plan(limits=LimitsPlan(journal_bytes=100)))
    side.journal.bytes_count = 60
    assert browser(side).get("/readyz").json()["status"] == "degraded"
    side.journal.bytes_count = 100
    assert browser(side).get("/readyz").status_code == 503
    side.journal.bytes_count = 0
    bad = Reason("leases", "failed", "disk is gone at /secret")
    answer = browser(side, probes=(lambda: bad,)).get("/readyz")
    assert answer.status_code == 503
    assert "secret" not in answer.text


@pytest.mark.parametrize(
    ("down", "status", "words"),
    [
        ([], 200, "ready"),
        (["small@north"], 200, "ready"),
        (["small@north", "small@south"], 200, "degraded"),
        (["small@north", "small@south", "large@north"], 503, "not_ready"),
    ],
)
def test_each_model_needs_a_server(
    monkeypatch: pytest.MonkeyPatch, down: list[str], status: int, words: str
) -> None:
    side = FakeSide()
    state = side.state
    assert state is not None
    monkeypatch.setattr(FakeSide, "state", state.with_down(down))
    answer = browser(side).get("/readyz")
    assert (answer.status_code, answer.json()["status"]) == (status, words)


def test_the_admin_application_wants_its_own_keys() -> None:
    side = FakeSide()
    app = admin_app(side, metrics=lambda: b"up 1\n", content_type="text/plain; version=0.0.4")
    client = TestClient(app)  # type: ignore[arg-type]
    root = {"authorization": "Bearer tk-root"}
    for path in ("/metrics", "/readyz"):
        assert client.get(path).status_code == 401
        assert client.get(path, headers=ANN).status_code == 403
    assert client.get("/metrics", headers=root).text == "up 1\n"
    side.ahead_s = 4_000.0
    told = client.get("/readyz", headers=root).json()
    assert "stale" in told["checks"][0]["reason"]
    assert told["board_id"] == side.board.board_id  # type: ignore[union-attr]
    assert client.get("/healthz").status_code == 200


def test_what_is_nowhere_is_told_in_the_same_shape() -> None:
    client = browser(FakeSide())
    for method, path, status in (
        ("GET", "/v1/nothing", 404),
        ("DELETE", "/v1/models", 405),
        ("GET", "/v1/files", 404),
        ("GET", "/v1/models/", 404),
    ):
        answer = client.request(method, path, headers=ANN)
        assert answer.status_code == status, path
        assert set(answer.json()["error"]) >= {"message", "type", "param", "code"}


def test_a_fault_of_ours_tells_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    side = FakeSide()

    def tenant(_: object) -> Any:
        raise RuntimeError("secret prompt")

    monkeypatch.setattr(side, "tenant", tenant)
    answer = browser(side).get("/v1/models", headers=ANN)
    assert answer.status_code == 500
    assert answer.json()["error"]["type"] == "server_error"
    assert "secret" not in answer.text


def test_paths_that_are_ours() -> None:
    assert is_side_path("/v1/models")
    assert is_side_path("/v1/models/a")
    assert is_side_path("/readyz")
    assert not is_side_path("/v1/modelsx")
    assert not is_side_path("/v1/audio/speech")


def test_advice_and_prices_are_json(running: Served) -> None:
    with running.client() as client:
        assert json.loads(client.get("/tokenergy/price", cast_to=str))["board_id"]
