"""A company file as a whole: clean, broken in many places, and nothing like one."""

import json
import re
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import BaseModel

from tokenergy.company.company import Company
from tokenergy.company.parts import Parts
from tokenergy.errors import FindingsError
from tokenergy.files.company_file import (
    check_file,
    company_schema,
    init_text,
    load,
    read_company,
)
from tokenergy.files.yaml_text import parse_yaml

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"
Write = Callable[[Any], Path]


def test_a_clean_file_loads(clean: dict[str, Any], write: Write) -> None:
    company, inputs, catalogue, warnings = load(write(clean))
    assert company.company == "Test"
    assert inputs.history_count == 7 * 24
    assert inputs.price_usd_per_mwh["virginia"].shape == (9 * 24,)
    assert catalogue.accelerator("H100").memory_gb == 80
    assert warnings == ()


def test_another_start_and_length_stand_in_for_the_files(
    clean: dict[str, Any], write: Write
) -> None:
    start = datetime(2026, 5, 1, tzinfo=UTC)
    company, inputs, _, _ = load(write(clean), start=start, days=3)
    assert (company.horizon.start, company.horizon.days) == (start, 3)
    assert inputs.price_usd_per_mwh["virginia"].shape == (10 * 24,)


def test_another_start_is_checked_like_the_files(clean: dict[str, Any], write: Write) -> None:
    checked = check_file(write(clean), start=datetime(2026, 5, 1))
    assert [finding.code for finding in checked.findings] == ["NAIVE_TIMESTAMP"]
    clean["contracts"][0]["end"] = "2026-04-01"
    checked = check_file(write(clean), start=datetime(2026, 5, 1, tzinfo=UTC))
    assert [finding.code for finding in checked.findings] == ["CONTRACT_OUTSIDE_HORIZON"]


def test_load_raises_every_error_of_file_and_series(clean: dict[str, Any], write: Write) -> None:
    clean["sites"][0]["market"]["price"] = {"file": "none.csv", "column": "a"}
    clean["fleets"][0]["accelerator"] = "H1000"
    clean["workloads"][0]["tier"] = "chatt"
    with pytest.raises(FindingsError) as caught:
        load(write(clean))
    codes = [finding.code for finding in caught.value.findings]
    assert codes == ["SERIES_FILE_MISSING", "UNKNOWN_ACCELERATOR", "UNKNOWN_NAME"]
    assert "Did you mean 'H100'" in str(caught.value)


def test_findings_name_the_file_and_come_in_its_order(clean: dict[str, Any], write: Write) -> None:
    clean["workloads"][0]["origin"] = "nowhere"
    clean["horizon"]["days"] = -1
    path = write(clean)
    _, findings = read_company(path)
    assert [finding.code for finding in findings] == ["OUT_OF_RANGE", "UNKNOWN_NAME"]
    lines = path.read_text(encoding="utf-8").splitlines()
    assert [lines[(finding.line or 0) - 1].split(":")[0].strip() for finding in findings] == [
        "days",
        "origin",
    ]
    assert {finding.file for finding in findings} == {str(path)}


def test_a_broken_item_makes_no_noise_elsewhere(clean: dict[str, Any], write: Write) -> None:
    """The site cannot be read; contract, fleet and workload that need it say nothing."""
    clean["sites"][0]["pue"] = 0.1
    clean["models"][0]["quality_share"] = 2
    clean["tiers"][0]["ttft_limit_s"] = 0
    _, findings = read_company(write(clean))
    codes = [finding.code for finding in findings]
    assert codes == ["OUT_OF_RANGE", "SHARE_OUT_OF_RANGE", "OUT_OF_RANGE"]


def test_a_broken_spot_contract_is_not_also_missing(clean: dict[str, Any], write: Write) -> None:
    clean["contracts"][0]["loss_share"] = 0.9
    _, findings = read_company(write(clean))
    assert [finding.code for finding in findings] == ["SHARE_OUT_OF_RANGE"]
    assert findings[0].remedy == "State a share within its limit"


def test_a_broken_item_still_says_what_it_refers_to(clean: dict[str, Any], write: Write) -> None:
    clean["fleets"][0].update({"gpu_count": 0, "site": "virgina", "accelerator": "H10"})
    _, findings = read_company(write(clean))
    assert sorted(finding.code for finding in findings) == [
        "OUT_OF_RANGE",
        "UNKNOWN_ACCELERATOR",
        "UNKNOWN_NAME",
    ]


def test_a_missing_section_makes_no_noise_elsewhere(clean: dict[str, Any], write: Write) -> None:
    del clean["sites"]
    _, findings = read_company(write(clean))
    assert [(finding.code, finding.path) for finding in findings] == [("MISSING_FIELD", "sites")]


def test_without_a_horizon_the_rest_is_still_checked(clean: dict[str, Any], write: Write) -> None:
    del clean["horizon"]
    clean["models"][0]["catalogue"] = "llama-3.1-9b"
    checked = check_file(write(clean))
    assert [finding.code for finding in checked.findings] == ["MISSING_FIELD", "UNKNOWN_MODEL"]


@pytest.mark.parametrize("text", ["- a\n- b\n", "just words", "~", "3", "[]"])
def test_a_file_that_is_no_mapping(write: Write, text: str) -> None:
    company, findings = read_company(write(text))
    assert company is None
    assert [finding.code for finding in findings] == ["NOT_A_MAPPING"]


def test_load_of_nothing_raises_its_finding(tmp_path: Path) -> None:
    with pytest.raises(FindingsError, match="FILE_MISSING"):
        load(tmp_path / "none.yaml")


def test_parts_of_a_whole_company_are_all_of_it(clean: dict[str, Any]) -> None:
    company = Company.model_validate(clean)
    parts = Parts.of(company)
    assert [path for path, _ in parts.placed("sites")] == ["sites[0]"]
    assert parts.names("contracts") == ("spot",)
    assert parts.knows_all("sites")
    assert parts.find("tiers", "chat") is company.tiers[0]
    assert parts.find("tiers", "none") is None


# ---- what is shipped -----------------------------------------------------------------------


def test_the_schema_of_the_examples_is_up_to_date() -> None:
    """Write it anew with `tokenergy schema --out examples/company.schema.json`."""
    text = (EXAMPLES / "company.schema.json").read_text(encoding="utf-8")
    assert json.loads(text) == company_schema()


def test_the_schema_is_one_and_takes_what_we_take(clean: dict[str, Any]) -> None:
    schema = company_schema()
    jsonschema.Draft202012Validator.check_schema(schema)
    jsonschema.validate(clean, schema)
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate({**clean, "extra": 1}, schema)


@pytest.mark.parametrize("text", [init_text(), (EXAMPLES / "meridian.yaml").read_text("utf-8")])
def test_our_own_files_satisfy_the_schema_and_any_yaml_reader(text: str) -> None:
    ours = parse_yaml(text)
    assert not ours.findings
    jsonschema.validate(ours.tree, company_schema(), format_checker=jsonschema.FormatChecker())
    # PyYAML reads moments and days as objects; everything else must be the same.
    theirs = json.loads(json.dumps(yaml.safe_load(text), default=str))
    theirs["horizon"]["start"] = ours.tree["horizon"]["start"]
    assert theirs == ours.tree


def test_the_starter_checks_clean(write: Write) -> None:
    company, inputs, _, warnings = load(write(init_text()))
    assert warnings == ()
    assert len(company.sites) == 2
    assert inputs.synthetic


def test_the_starter_explains_every_key() -> None:
    text = init_text()
    nouns = {"Company": Company, **_nouns(Company)}
    unsaid = [
        f"{noun}.{key}"
        for noun, kind in nouns.items()
        for key in kind.model_fields
        if not re.search(rf"\b{key}\b", text)
    ]
    assert not unsaid


def _nouns(kind: type[BaseModel]) -> dict[str, type[BaseModel]]:
    names = set(kind.model_json_schema()["$defs"])
    found = {}
    waiting: list[type[BaseModel]] = list(BaseModel.__subclasses__())
    while waiting:
        one = waiting.pop()
        waiting.extend(one.__subclasses__())
        if one.__name__ in names and one.__module__.startswith("tokenergy."):
            found[one.__name__] = one
    return found


# ---- whatever is written, it is findings ---------------------------------------------------

TREES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=8)
    | st.sampled_from(["2026-03-02", "spot", "texas", "H100", "2026-03-02T00:00Z"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                [*Company.model_fields, "name", "id", "kind", "site", "market", "price", "pue"]
            ),
            inner,
            max_size=5,
        )
    ),
    max_leaves=20,
)


@given(tree=TREES)
def test_no_tree_is_a_traceback(tree: Any, tmp_path_factory: pytest.TempPathFactory) -> None:
    path = tmp_path_factory.getbasetemp() / "tree.yaml"
    path.write_text(yaml.safe_dump(tree), encoding="utf-8")
    checked = check_file(path)
    assert checked.errors
    for finding in checked.findings:
        str(finding).encode("utf-8")


@settings(max_examples=40)
@given(data=st.data())
def test_no_change_to_a_clean_file_is_a_traceback(
    data: st.DataObject, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Put anything in the place of any one value."""
    tree = parse_yaml(init_text()).tree
    at: Any = tree
    while True:
        keys = list(at) if isinstance(at, dict) else list(range(len(at)))
        key = data.draw(st.sampled_from(keys))
        inner = at[key]
        deeper = isinstance(inner, dict | list) and inner and data.draw(st.booleans())
        if not deeper:
            at[key] = data.draw(TREES)
            break
        at = inner
    path = tmp_path_factory.getbasetemp() / "changed.yaml"
    path.write_text(yaml.safe_dump(tree), encoding="utf-8")
    company, findings = read_company(path)
    assert company is not None or findings
