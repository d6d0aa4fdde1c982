"""Bounds that stay apart are always told, with the steps that may be at fault."""

from dataclasses import replace

from planning import planning_file

import tokenergy as te
from tokenergy.api.plan_findings import gap_findings
from tokenergy.plan.candidates import candidates_of


def test_a_gap_beyond_what_was_asked_names_the_steps(tmp_path) -> None:
    candidates = candidates_of(te.load(planning_file(tmp_path)).company)
    assert not list(gap_findings(candidates, gap_share=1e-3, asked_share=1e-3))
    (finding,) = gap_findings(candidates, gap_share=4e-3, asked_share=1e-3)
    assert finding.code == "PLAN_GAP_OPEN"
    assert "virginia, virginia-h100 come in whole steps" in finding.reason
    assert "step_mw" in finding.remedy
    smooth = tuple(replace(each, step=None) for each in candidates)
    (finding,) = gap_findings(smooth, gap_share=4e-3, asked_share=1e-3)
    assert "whole steps" not in finding.reason
    many = tuple(replace(each, step=1.0) for each in candidates)
    (finding,) = gap_findings(many, gap_share=4e-3, asked_share=1e-3)
    assert "and 3 more" in finding.reason
