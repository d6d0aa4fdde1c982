"""Measured points against the models of a company: of none, of one, of one under two stacks."""

from dataclasses import replace
from typing import Any

import yaml
from commands import SMALL

from tokenergy.company.check.calibration import check_calibration
from tokenergy.company.company import Company
from tokenergy.company.curve_point import CurvePoint
from tokenergy.company.finding import Finding
from tokenergy.company.parts import Parts
from tokenergy.files.catalogue import load_catalogue

CLEAN = yaml.safe_load(SMALL.read_text(encoding="utf-8"))


def point(**change: Any) -> CurvePoint:
    facts: dict[str, Any] = {
        "model": "llama-3.1-8b", "accelerator": "H100", "gpus_count": 1, "stack": "vllm 0.11.1",
        "batch_count": 64.0, "j_per_token": 0.1,
    }  # fmt: skip
    return CurvePoint(**(facts | change))


def told(*points: CurvePoint, **model: Any) -> list[Finding]:
    models = [each | model if each["name"] == "small" else each for each in CLEAN["models"]]
    company = Company.model_validate({**CLEAN, "models": models})
    return list(check_calibration(Parts.of(company), replace(load_catalogue(), points=points)))


def test_a_point_of_a_deployment_is_fine_with_or_without_its_stack() -> None:
    assert told(point()) == []
    assert told(point(), stack="vLLM 0.11.1") == []
    assert told(point(gpus_count=4, replicas_count=4)) == []
    assert told(point(bytes_per_weight=1.0), precision="fp8") == []


def test_a_point_of_no_deployment_is_a_warning() -> None:
    for wrong in (
        point(gpus_count=2),
        point(accelerator="B200"),
        point(model="qwen3-8b"),
        point(bytes_per_weight=1.0),
    ):
        (finding,) = told(wrong)
        assert (finding.code, finding.severity) == ("CALIBRATION_UNUSED", "warning")
        assert finding.value == str(wrong.configuration)
    (finding,) = told(point(), stack="vllm 0.5.4")
    assert finding.code == "CALIBRATION_UNUSED"


def test_two_stacks_need_a_word_of_the_model() -> None:
    both = (point(), point(stack="sglang 0.5"))
    assert {finding.code for finding in told(*both)} == {"CALIBRATION_STACKS"}
    (unused,) = told(*both, stack="sglang 0.5")
    assert (unused.code, "vllm 0.11.1" in unused.value) == ("CALIBRATION_UNUSED", True)
