"""Must-serve work that was refused, in the words of the company file."""

from dataclasses import replace

import numpy as np
from simulate.played import Optimal, Refuser
from worlds import api, api_route, deployment, fleet, plain, route, workload, world

from tokenergy.simulate.findings import must_serve_findings
from tokenergy.simulate.replay import replay


def found(made, policy=Optimal):
    return must_serve_findings(made, replay(made, policy(made)))


def test_the_connection_that_is_too_small_is_named() -> None:
    """412 Mtok x 0.1 MWh x PUE 1 = 41.2 MW against 40 MW; the hour before asks for less."""
    made = plain([[50.0, 50.0]], [[300.0, 412.0]], import_limit=40.0)
    (finding,) = found(made)
    assert finding.reason.startswith(
        "site s0 would need 41.2 MW at 2026-03-02T01:00Z for chat; its import limit is 40 MW"
    )
    assert "12 Mtok of chat were refused by clairvoyant in 1 interval" in finding.reason
    assert (finding.code, finding.path) == ("MUST_SERVE_REFUSED", "sites[0].import_limit_mw")
    assert (finding.value, finding.limit, finding.unit) == ("41.2", "40", "MW")
    assert finding.severity == "warning"


def test_a_need_just_above_the_limit_is_told_from_it() -> None:
    made = plain([[50.0]], [[400.001]], import_limit=40.0)
    assert "would need 40.0001 MW" in found(made)[0].reason


def test_the_fleet_that_is_too_small_is_named() -> None:
    """52,000 Mtok at 10 Mtok an hour and GPU: 5,200 GPUs; there are 4,800."""
    made = plain([[50.0]], [[52_000.0]], import_limit=1e5)
    made = replace(made, fleets=(fleet(0, gpus=4800.0),))
    (finding,) = found(made)
    assert "fleet f0 at site s0 would need 5,200 GPUs" in finding.reason
    assert "it has 4,800" in finding.reason
    assert finding.path == "fleets[0].gpu_count"


def test_the_place_that_lacks_least_is_named() -> None:
    """60 Mtok left over: 46 MW at s0, whose limit is 40; 16 MW at s1, whose limit is 10."""
    made = plain([[50.0], [50.0]], [[560.0]], import_limit=[[40.0], [10.0]])
    (finding,) = found(made)
    assert finding.path == "sites[0].import_limit_mw"
    assert "would need 46 MW" in finding.reason


def test_what_need_not_be_served_is_no_finding() -> None:
    made = plain([[50.0]], [[412.0]], import_limit=40.0)
    assert not found(replace(made, workloads=(workload(must_serve=False),)))


def test_a_choice_is_not_blamed_on_a_limit() -> None:
    (finding,) = found(plain([[50.0]], [[5.0]]), Refuser)
    assert "had room at" in finding.reason
    assert finding.path == "workloads[0].tier"


def test_a_workload_out_of_reach_says_why() -> None:
    made = plain([[50.0]], [[5.0]])
    lost = workload("lost")
    made = replace(
        made,
        workloads=(*made.workloads, lost),
        arrivals_mtok=np.array([[5.0], [3.0]]),
        unreachable=(("lost", "m@f0", "first token after 9 s exceeds the tier's 1 s"),),
    )
    (finding,) = found(made)
    assert "no deployment is in reach of lost (first token after 9 s" in finding.reason
    assert finding.path == "workloads[1]"


def test_an_api_at_its_rate_limit_is_named() -> None:
    made = world(
        [[50.0]],
        [[8.0]],
        routes=(api_route(0, 1, usd_per_mtok=3.0),),
        deployments=(deployment(0), api(limit=5.0)),
        fleets=(fleet(0),),
        workloads=(workload(),),
    )
    (finding,) = found(made)
    assert "external API api would need 8 Mtok/h" in finding.reason
    assert "its limit is 5 Mtok/h" in finding.reason


def test_a_place_without_connection_or_gpus_does_not_divide_by_nothing() -> None:
    made = world(
        [[50.0]],
        [[8.0]],
        routes=(route(0, 0),),
        deployments=(deployment(0),),
        fleets=(fleet(0, gpus=0.0),),
        workloads=(workload(),),
        import_limit=0.0,
    )
    assert "would need" in found(made)[0].reason
