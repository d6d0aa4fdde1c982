"""What `observe` is to watch, held against the rest of the company: one case for each finding."""

from copy import deepcopy

import pytest
from worlds import company_dict

from tokenergy.company.check import check_company
from tokenergy.company.company import Company
from tokenergy.company.parts import Parts
from tokenergy.files.catalogue import load_catalogue

CATALOGUE = load_catalogue()
AT = "http://127.0.0.1:9/metrics"


def tree_of():
    tree = deepcopy(company_dict())
    fleet, model = tree["fleets"][0], tree["models"][0]
    fleet["gpu_count"] = 8
    tree["observe"] = {"engines": [engine("a", fleet, model)]}
    return tree


def engine(name, fleet, model, **more):
    return {
        "name": name, "metrics_url": f"{AT}/{name}", "fleet": fleet["name"], "model": model["name"],
    } | more  # fmt: skip


def codes(tree):
    company = Company.model_validate(tree)
    found = check_company(Parts.of(company), CATALOGUE)
    return {
        finding.code: finding
        for finding in found
        if finding.path.startswith("observe") or "measured" in finding.path
    }


def with_more(*engines, **changes):
    tree = tree_of()
    tree["observe"]["engines"] += engines
    tree["observe"]["engines"][0] |= changes
    return tree


FLEET, MODEL = tree_of()["fleets"][0], tree_of()["models"][0]


def test_one_engine_in_its_place_is_fine():
    assert codes(tree_of()) == {}


@pytest.mark.parametrize(
    ("tree", "code"),
    [
        (with_more(engine("a", FLEET, MODEL, metrics_url=f"{AT}/z")), "DUPLICATE_NAME"),
        (with_more(engine("b", FLEET, MODEL, metrics_url=f"{AT}/a")), "ENGINE_TWICE"),
        (with_more(replicas_count=9), "ENGINE_LARGER_THAN_FLEET"),
        (
            with_more(engine("b", FLEET, MODEL, replicas_count=4), replicas_count=5),
            "ENGINES_LARGER_THAN_FLEET",
        ),
    ],
)
def test_each_fault_has_its_finding(tree, code):
    found = codes(tree)
    assert set(found) == {code}
    assert found[code].severity == "error" and found[code].remedy


def test_engines_that_fill_a_fleet_together_are_fine():
    assert codes(with_more(engine("b", FLEET, MODEL, replicas_count=4), replicas_count=4)) == {}


def test_the_finding_names_the_sum_and_the_limit():
    tree = with_more(engine("b", FLEET, MODEL, replicas_count=4), replicas_count=5)
    finding = codes(tree)["ENGINES_LARGER_THAN_FLEET"]
    assert (finding.value, finding.limit, finding.unit) == ("9", "8", "GPUs")


def test_a_model_of_items_has_no_engine():
    tree = tree_of()
    tree["models"].append(
        {"name": "film", "catalogue": "wan2.1-14b", "quality_share": 0.9,
         "shape": {"height": 480, "width": 832, "frames": 81, "steps": 50, "fps": 16}}
    )  # fmt: skip
    tree["observe"]["engines"][0]["model"] = "film"
    assert "ENGINE_OF_MEDIA" in codes(tree)


def test_two_workloads_need_a_word():
    tree = tree_of()
    tree["workloads"].append(deepcopy(tree["workloads"][0]) | {"name": "again"})
    assert "ENGINE_WORKLOAD_UNSTATED" in codes(tree)
    tree["observe"]["engines"][0]["workload"] = "again"
    assert codes(tree) == {}


def test_a_model_of_no_ladder_has_no_price():
    tree = tree_of()
    tree["models"].append(deepcopy(tree["models"][0]) | {"name": "unasked"})
    tree["observe"]["engines"][0]["model"] = "unasked"
    assert "ENGINE_WITHOUT_WORKLOAD" in codes(tree)
    tree["observe"]["engines"][0]["workload"] = tree["workloads"][0]["name"]
    assert "ENGINE_WORKLOAD_UNSERVED" in codes(tree)


def test_a_fleet_is_measured_once_and_belongs_to_the_model():
    tree = tree_of()
    one = {"fleet": FLEET["name"], "output_tokens_per_s": 1, "full_w": 2, "base_w": 1, "note": "n"}
    tree["models"][0]["measured"] = [one, one]
    assert "MEASURED_TWICE" in codes(tree)


def test_a_site_has_one_live_price():
    tree = tree_of()
    feed = {"site": tree["sites"][0]["name"], "feed": "energy-charts", "zone": "FR"}
    tree["observe"]["price_feeds"] = [feed, feed]
    assert set(codes(tree)) == {"DUPLICATE_NAME"}
