"""docs/openapi.yaml: it names what the gateway answers, and a fuzzer that reads it finds no fault.

schemathesis makes requests by the document, right ones and wrong ones, and asks a real gateway: no
5xx of ours, refusals in OpenAI's shape, as the document says, and the gateway is well afterwards.
"""

import os
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import yaml
from faulty_upstream import faulty_upstream
from hypothesis import HealthCheck, given, settings
from hypothesis.errors import Unsatisfiable
from serve_company import company_text
from serve_process import Gateway, serving
from starlette.routing import Route

from tokenergy.serve.asked import ENDPOINT_PATHS
from tokenergy.serve.batches_api import BatchesApi
from tokenergy.serve.files_api import FilesApi
from tokenergy.serve.health import health_routes
from tokenergy.serve.live_api import LiveApi
from tokenergy.serve.models_api import ModelsApi
from tokenergy.serve.price_api import PriceApi
from tokenergy.serve.usage_api import UsageApi
from tokenergy.serve.video_api import VideoApi

DOCUMENT = Path(__file__).parents[2] / "docs" / "openapi.yaml"
METHODS = {"get", "post", "put", "patch", "delete"}
ANY: Any = SimpleNamespace(now_s=lambda: 0.0, files=None)
ELSEWHERE = {502, 503, 504}
"""What the gateway may say of others: a server that fails, a ledger that is not there yet."""
fuzz = settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))


def _document() -> dict[str, Any]:
    read: dict[str, Any] = yaml.safe_load(DOCUMENT.read_text(encoding="utf-8"))
    return read


def test_the_document_names_every_route_and_no_other() -> None:
    side: list[Route] = [
        *health_routes(ANY, ()),
        *ModelsApi(ANY).routes(),
        *PriceApi(ANY, None).routes(),
        *FilesApi(ANY, ANY).routes(),
        *BatchesApi(ANY, ANY, wake=lambda: None).routes(),
        *UsageApi(ANY, ANY).routes(),
        *LiveApi(ANY, ANY).routes(),
        *VideoApi(ANY, ANY, ANY).routes(),
    ]
    served = {("POST", path) for path in ENDPOINT_PATHS}
    for route in side:
        path = route.path.replace("{model:path}", "{model}")
        served |= {(method, path) for method in (route.methods or set()) - {"HEAD"}}
    told = {
        (method.upper(), path)
        for path, item in _document()["paths"].items()
        for method in item.keys() & METHODS
    }
    assert told == served


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    folder = tmp_path_factory.mktemp("openapi")
    with faulty_upstream() as near, faulty_upstream() as far:
        file = folder / "crowd.yaml"
        file.write_text(company_text([near.url, far.url], served_model="m"), encoding="utf-8")
        with serving(file, folder=folder, tenants=("acme",)) as running:
            yield running


@pytest.mark.slow  # some thousands of requests to a real gateway: a minute
def test_what_a_fuzzer_makes_of_the_document_finds_no_fault(gateway: Gateway) -> None:
    if not os.environ.get("TOKENERGY_FUZZ_MUST_RUN"):
        pytest.importorskip("schemathesis", reason="see tests/fuzz-requirements.txt")
    import schemathesis
    from schemathesis.specs.openapi.checks import response_schema_conformance

    schema = schemathesis.openapi.from_dict(_document())
    head = {"authorization": f"Bearer {gateway.key('acme')}"}
    statuses: Counter[int] = Counter()

    def ask(case: Any) -> None:
        answer = case.call(base_url=gateway.url, headers=head, timeout=20)
        statuses[answer.status_code] += 1
        assert answer.status_code < 500 or answer.status_code in ELSEWHERE, (case, answer.text)
        case.validate_response(answer, checks=[response_schema_conformance])

    for made in schema.get_all_operations():
        for mode in schemathesis.GenerationMode:
            try:
                strategy = made.ok().as_strategy(generation_mode=mode)
                fuzz(given(case=strategy)(ask))()
            except Unsatisfiable:  # nothing can be wrong with what takes no input
                continue
    assert sum(statuses.values()) > 1_000
    assert {200, 400, 404} <= statuses.keys()
    good = {"model": "small", "messages": [{"role": "user", "content": "hello"}]}
    assert gateway.ask(gateway.key("acme"), good).status == 200
    assert "Traceback" not in gateway.log_text()
