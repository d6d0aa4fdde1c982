"""Dispatch takes the rows of a table of operating points; where none fits, it says so."""

from dataclasses import replace

import pytest
from operating_rows import made_row
from worlds import company_of, inputs_of

from tokenergy.company.operating_row import operating_terms
from tokenergy.dispatch.reach import build_routes
from tokenergy.dispatch.row_findings import pairs_of, row_findings
from tokenergy.files.catalogue import load_catalogue

CATALOGUE = load_catalogue()


def rows_of(company, inputs, **changes):
    return tuple(
        made_row(
            operating_terms(
                company, CATALOGUE, workload=pair.workload, model=pair.model, fleet=pair.fleet,
                lengths=pair.lengths,
            ),
            **changes,
        )
        for pair in pairs_of(company, inputs)
    )  # fmt: skip


def built(company, rows):
    return build_routes(company, replace(inputs_of(company), operating_rows=rows), CATALOGUE)


def findings_of(company, rows):
    inputs = replace(inputs_of(company), operating_rows=rows)
    return list(row_findings(company, inputs, CATALOGUE))


def test_a_route_takes_rate_base_and_slope_from_its_row():
    """5 requests/s of 250 tokens are 4.5 Mtok/h; 0.15 J a token are 0.15e6 / 3.6e9 MWh a Mtok."""
    company = company_of()
    routes = built(company, rows_of(company, inputs_of(company)))
    (route,), (deployment,) = routes.routes, routes.deployments
    assert route.rate_mtok_per_h == pytest.approx(4.5)
    assert deployment.base_mw == pytest.approx(650e-6)
    assert route.marginal_mwh_per_mtok == pytest.approx(0.15e6 / 3.6e9)
    assert route.energy_tier == "modelled"
    assert "simulated: roofline 1" in route.energy_notes[0]
    assert not any("instead" in note for note in route.energy_notes)


def test_without_a_table_nothing_changes():
    company = company_of()
    plain = build_routes(company, inputs_of(company), CATALOGUE)
    assert built(company, None) == plain
    assert findings_of(company, None) == []


def test_a_stale_row_leaves_the_point_of_the_catalogue_and_says_so():
    company = company_of()
    other = company_of(models=[{"name": "small", "catalogue": "llama-3.1-8b", "quality_share": 0.8,
                                "batch_limit": 128}])  # fmt: skip
    rows = rows_of(other, inputs_of(other))
    plain = build_routes(company, inputs_of(company), CATALOGUE)
    routes = built(company, rows)
    (route,), (was,) = routes.routes, plain.routes
    assert route.rate_mtok_per_h == was.rate_mtok_per_h
    assert routes.deployments == plain.deployments
    (note,) = set(route.energy_notes) - set(was.energy_notes)
    assert "batch_limit_count 128 instead of 256" in note
    assert "computed from the catalogue instead" in note
    (finding,) = findings_of(company, rows)
    assert (finding.code, finding.severity) == ("OPERATING_ROW_STALE", "warning")
    assert "batch_limit_count 128 instead of 256" in finding.reason


def test_an_empty_table_misses_every_row():
    company = company_of()
    (finding,) = findings_of(company, ())
    assert finding.code == "OPERATING_ROW_MISSING"
    (route,) = built(company, ()).routes
    assert any("has no row" in note for note in route.energy_notes)


def test_a_row_that_no_load_reaches_closes_the_route():
    company = company_of()
    rows = rows_of(company, inputs_of(company), rate_per_s=0.0, notes=("too slow by far",))
    routes = built(company, rows)
    assert routes.routes == ()
    ((workload, where, why),) = routes.unreachable
    assert (workload, where) == ("chat-us", "small@h100")
    assert "too slow by far" in why
    assert findings_of(company, rows) == []


def test_a_measured_replica_wins_over_its_row():
    """1,000 tokens/s are 3.6 Mtok/h, whatever the row says."""
    measured = {"fleet": "h100", "output_tokens_per_s": 1000.0, "full_w": 600.0, "base_w": 400.0,
                "note": "load test"}  # fmt: skip
    own = company_of(models=[{"name": "small", "catalogue": "llama-3.1-8b", "quality_share": 0.8,
                              "measured": [measured]}])  # fmt: skip
    plain = company_of()
    rows = rows_of(plain, inputs_of(plain))
    (route,) = built(own, rows).routes
    assert route.rate_mtok_per_h == pytest.approx(3.6)
    assert findings_of(own, ()) == []


def test_many_fleets_with_one_fault_are_one_finding():
    fleets = [
        {"name": f"h{at}", "site": "texas", "accelerator": "H100", "gpu_count": 8,
         "owned": {"usd_per_gpu": 1.0}}
        for at in range(5)
    ]  # fmt: skip
    (finding,) = findings_of(company_of(fleets=fleets), ())
    assert "on h0, h1, h2 and 2 more" in finding.reason
