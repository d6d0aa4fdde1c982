"""Addresses of the command line, and the engines that they mean."""

import pytest
from observed import NOWHERE, company_file

import tokenergy as te
from tokenergy.api.observed.engines import named_engines
from tokenergy.errors import FindingsError

AT = "http://127.0.0.1:9/metrics"


@pytest.fixture(scope="module")
def company(tmp_path_factory):
    return te.load(company_file(tmp_path_factory.mktemp("little"), NOWHERE)).company


def names(company, *words):
    return {engine.name: engine.metrics_url for engine in named_engines(company, words)}


def refused(company, *words):
    with pytest.raises(FindingsError) as error:
        named_engines(company, words)
    return error.value.findings


def test_without_words_the_file_says_it(company):
    assert list(names(company)) == ["paris-1", "oslo-1"]


def test_named_ones_alone_are_watched(company):
    assert names(company, f"paris-1={AT}") == {"paris-1": AT}


def test_a_fleet_and_a_model_make_an_engine(company):
    (engine,) = named_engines(company, (f"paris-h100/small={AT}",))
    assert (engine.fleet, engine.model, engine.workload) == ("paris-h100", "small", "chat")


def test_replicas_of_one_model_are_named_in_their_order(company):
    """Three pods of one deployment: three engines, and none takes the name of another."""
    words = [f"paris-h100/small={AT}/{at}" for at in range(3)]
    assert list(names(company, *words)) == [
        "paris-h100-small",
        "paris-h100-small-2",
        "paris-h100-small-3",
    ]


def test_one_page_is_never_counted_twice(company):
    (finding,) = refused(company, f"paris-h100/small={AT}", f"paris-h100/small={AT}")
    assert "every token would count twice" in finding.reason
    (finding,) = refused(company, f"paris-1={AT}", f"paris-1={AT}/2")
    assert "has an address" in finding.reason


def test_everything_wrong_is_told_at_once(company):
    found = refused(company, "nobody=http://x/metrics", "paris-1=ftp://x", f"mars/small={AT}")
    assert [finding.path for finding in found] == ["--metrics[0]", "--metrics[1]", "--metrics[2]"]
    assert {finding.code for finding in found} == {"METRICS_UNPLACED"}


def test_an_engine_fits_its_fleet(company):
    (big,) = (model.model_copy(update={"gpus_per_replica": 8}) for model in company.models)
    larger = company.model_copy(update={"models": (big,)})
    (finding,) = refused(larger, f"paris-h100/small={AT}")
    assert "needs 8 GPUs and 'paris-h100' has 4" in finding.reason
    (elsewhere,) = (model.model_copy(update={"fleets": ("oslo-h100",)}) for model in company.models)
    other = company.model_copy(update={"models": (elsewhere,)})
    (finding,) = refused(other, f"paris-h100/small={AT}")
    assert "leave 'paris-h100' out" in finding.reason


def test_nothing_named_is_nothing_to_observe(company):
    bare = company.model_copy(update={"observe": None})
    (finding,) = refused(bare)
    assert finding.code == "NOTHING_TO_OBSERVE"


def test_a_url_alone_with_an_equals_sign_is_a_url(company):
    (only,) = company.observe.engines[:1]
    observe = company.observe.model_copy(update={"engines": (only,)})
    one = company.model_copy(update={"observe": observe})
    assert names(one, f"{AT}?a=b") == {"paris-1": f"{AT}?a=b"}


def test_a_password_is_never_shown(company):
    (finding,) = refused(company, "http://me:secret@127.0.0.1:9/metrics")
    assert "secret" not in str(finding)
