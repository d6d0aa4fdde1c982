from datetime import UTC, datetime
from pathlib import Path

import jsonschema
import pytest
import yaml
from engine_server import Reply, engine_server, llama_page, sglang_page, vllm_page

from tokenergy.api.drafting import draft
from tokenergy.api.opened import check, schema
from tokenergy.errors import FindingsError, InputError

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)
PAGES = {
    "/metrics": Reply(
        vllm_page(prompt=2000, output=500, requests=20, started=NOW.timestamp() - 100.0)
    ),
    "/sglang": Reply(sglang_page(model="acme/secret-sauce-7b")),
    "/b/metrics": Reply(llama_page()),
    "/b/v1/models": Reply(b'{"data": [{"id": "SmolLM2 135M\\n- evil"}]}'),
}


def drafted(paths: list[str], folder: Path) -> tuple[str, Path]:
    with engine_server(lambda path, _: PAGES.get(path, Reply(b"", status=404))) as server:
        text = draft([server.url + path for path in paths], clock=lambda: NOW)
    file = folder / "company.yaml"
    file.write_text(text, encoding="utf-8")
    return text, file


def test_what_is_seen_stands_in_the_file_and_the_rest_is_named_by_check(tmp_path: Path) -> None:
    """2000 tokens in, 500 out, 20 requests in 100 s: 100 in, 25 out, 0.2 a second."""
    text, file = drafted([""], tmp_path)
    tree = yaml.safe_load(text)
    jsonschema.validate(_plain(tree), schema())
    assert tree["models"][0]["catalogue"] == "llama-3.1-8b"
    load = tree["workloads"][0]
    assert (load["input_tokens"], load["output_tokens"]) == (100, 25)
    assert load["arrivals"]["mean_requests_per_s"] == pytest.approx(0.2, rel=1e-3)
    assert tree["observe"]["engines"][0]["metrics_url"].endswith("/metrics")
    assert sorted({finding.code for finding in check(file).errors}) == [
        "FLEET_WITHOUT_OWNER",
        "SERIES_FILE_MISSING",
        "TIER_WITHOUT_PRICE",
        "TIER_WITHOUT_VALUE",
        "UNKNOWN_ACCELERATOR",
    ]


def test_each_todo_has_three_ways_and_check_names_each(tmp_path: Path) -> None:
    text, file = drafted(["/metrics", "/sglang", "/b/metrics"], tmp_path)
    tree = yaml.safe_load(text)
    jsonschema.validate(_plain(tree), schema())
    assert [model["catalogue"] for model in tree["models"]] == ["llama-3.1-8b", "TODO", "TODO"]
    assert [engine["model"] for engine in tree["observe"]["engines"]] == [
        model["name"] for model in tree["models"]
    ]
    assert text.count("Three usual ways:") == text.count("#   3. ") == 4 + 2 + 2 + 2
    paths = {(finding.code, finding.path) for finding in check(file).errors}
    assert {path for code, path in paths if code == "UNKNOWN_MODEL"} == {
        "models[1].catalogue",
        "models[2].catalogue",
    }
    assert ("SERIES_FILE_MISSING", "sites[0].market.price.file") in paths
    missing = {path for code, path in paths if "MISSING" in code}
    for at in (1, 2):
        assert f"workloads[{at}].arrivals.series.file" in missing
        assert any(path.startswith(f"workloads[{at}].lengths") for path in missing)


def test_a_file_whose_todos_are_done_checks_clean(tmp_path: Path) -> None:
    text, file = drafted([""], tmp_path)
    for todo, done in (
        ("price: {file: TODO-price.csv, column: TODO}", "price: 92"),
        (
            "accelerator: TODO",
            "lease: {kind: on_demand, usd_per_gpu_hour: 2}\n    accelerator: H100",
        ),
        (
            "    service_tier: default\n",
            "    service_tier: default\n    price_usd_per_mtok: 5\n    value: from_price\n",
        ),
    ):
        assert todo in text
        text = text.replace(todo, done)
    file.write_text(text, encoding="utf-8")
    assert not check(file).errors


def test_no_key_of_an_address_stands_in_the_file() -> None:
    with engine_server(Reply(vllm_page())) as server:
        url = server.url.replace("//", "//me:s3cret@") + "/metrics?key=hush"
        text = draft([url], clock=lambda: NOW)
    assert "s3cret" not in text
    assert "hush" not in text
    assert "without the user and query" in text


@pytest.mark.parametrize(
    "served", ["7b", "on", "org/", "../..", "a b: c", "\u00e9", "x" * 99, "1e5"]
)
def test_any_name_of_a_model_becomes_a_name(served: str) -> None:
    with engine_server(Reply(vllm_page(model=served))) as server:
        tree = yaml.safe_load(draft([server.url], clock=lambda: NOW))
    jsonschema.validate(_plain(tree), schema())
    assert tree["models"][0]["catalogue"] == "TODO"


def test_every_address_that_fails_is_told_at_once() -> None:
    with (
        engine_server(Reply(b"<html>", content_type="text/html")) as server,
        pytest.raises(FindingsError) as caught,
    ):
        draft([server.url + "/a", server.url + "/b"], clock=lambda: NOW)
    assert [finding.code for finding in caught.value.findings] == ["METRICS_NOT_TEXT"] * 2


def test_no_address_and_no_web_address_are_refused() -> None:
    with pytest.raises(InputError, match="no address"):
        draft([])
    with pytest.raises(InputError, match="no http or https address"):
        draft(["ftp://there/metrics"])


def _plain(tree: object) -> object:
    """YAML's moments as texts, as JSON Schema knows them."""
    if isinstance(tree, dict):
        return {key: _plain(value) for key, value in tree.items()}
    if isinstance(tree, list):
        return [_plain(value) for value in tree]
    return tree.isoformat() if isinstance(tree, datetime) else tree
