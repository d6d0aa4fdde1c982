"""Windows, usage and findings in the one ledger, once each."""

from dataclasses import replace
from datetime import timedelta

import pytest
from observed import NOON, held_company, ones_of, places_of, watched_of, window_of

from tokenergy.api.observed.joules import engine_joules
from tokenergy.api.observed.ledger import keep
from tokenergy.api.observed.now import priced_now
from tokenergy.api.observed.observation import Observation
from tokenergy.api.observed.seen import One, sites_seen
from tokenergy.company.finding import Finding
from tokenergy.company.usage import UsageRow
from tokenergy.metering.reading import Reading
from tokenergy.store.sqlite import SqliteLedger


@pytest.fixture(scope="module")
def held(tmp_path_factory):
    return held_company(tmp_path_factory.mktemp("little"), past_count=24)


def window(held, ones):
    now = priced_now(held.now, places_of(held, held.now.world), {"paris-1": 1.0, "oslo-1": 0.3})
    return Observation(
        heading={},
        start=NOON,
        end=NOON + timedelta(seconds=60),
        sites=sites_seen(held, ones, now),
        tenants=(),
        saving=None,
        allocated=None,
        findings=(),
        ledger=None,
    )


def rows(path):
    with SqliteLedger(path, read_only=True) as store:
        return list(store.entries())


def usage(name, at_h=0, output=1_000_000, tenant="acme"):
    start = NOON + timedelta(hours=at_h)
    return UsageRow(start=start, end=start + timedelta(hours=1), model="small", tenant=tenant,
                    input_tokens=0, output_tokens=output, source=name)  # fmt: skip


def test_amounts_are_the_full_cost_to_the_nano_dollar(tmp_path, held):
    ones = ones_of(held, 18_000, 6_000)
    seen = window(held, ones)
    keep(tmp_path / "l.sqlite", held, ones, seen, usage=(), findings=())
    kept = rows(tmp_path / "l.sqlite")
    paid = sum(row.amount_nano_usd for row in kept) / 1e9
    full = sum(model.full_usd_per_h for _, model in seen.models()) / 60
    assert paid == pytest.approx(full, abs=1e-8)
    components = {row.component for row in kept if row.kind == "interval"}
    assert components == {
        "serve", "input", "cached_input", "energy", "gpu_rent", "facility", "staff",
    }  # fmt: skip
    assert {row.run_id for row in kept} == {"Little/observe"}


def test_the_same_window_twice_is_there_once(tmp_path, held):
    ones = ones_of(held, 18_000, 6_000)
    for _ in range(2):
        keep(tmp_path / "l.sqlite", held, ones, window(held, ones), usage=(), findings=())
    kept = rows(tmp_path / "l.sqlite")
    assert len(kept) == len(set(kept)) == 2 * (3 + 4 + 4)


def test_engines_of_one_model_on_one_fleet_have_rows_of_their_own(tmp_path, held):
    (paris, _) = ones_of(held, 18_000, 6_000)
    other = replace(
        paris,
        place=replace(
            paris.place, engine=paris.place.engine.model_copy(update={"name": "paris-2"})
        ),
    )
    ones = [paris, other]
    keep(tmp_path / "l.sqlite", held, ones, window(held, ones), usage=(), findings=())
    served = [row for row in rows(tmp_path / "l.sqlite") if row.component == "serve"]
    assert [(row.part, row.quantity) for row in served] == [("paris-1", 0.018), ("paris-2", 0.018)]


def test_an_unknown_count_leaves_no_row_and_its_joules_and_rent_stand(tmp_path, held):
    """A counter began anew: its tokens are unknown, what the meter counted is not."""
    place = places_of(held, held.structure.world)[0]
    read = Reading(start=NOON, end=NOON + timedelta(seconds=60), energy_j=24_000.0,
                   tier="measured", boundary="gpu")  # fmt: skip
    watched = watched_of(place, window_of(None), read)
    joules = engine_joules(held.structure.world, place, watched, pue=1.2)
    one = One(place=place, watched=watched, joules=joules)
    seen = window(held, [one])
    assert seen.sites[0].models[0].silent == ("paris-1",)
    keep(tmp_path / "l.sqlite", held, [one], seen, usage=(), findings=())
    kept = rows(tmp_path / "l.sqlite")
    assert not {"serve", "input", "cached_input"} & {row.component for row in kept}
    metered = sum(row.energy_microjoules for row in kept)
    assert metered == pytest.approx(39_600e6)
    assert {row.energy_tier for row in kept if row.kind == "meter"} == {"measured"}


def test_an_engine_that_did_not_answer_leaves_nothing(tmp_path, held):
    ones = ones_of(held, None, None)
    keep(tmp_path / "l.sqlite", held, ones, window(held, ones), usage=(), findings=())
    assert rows(tmp_path / "l.sqlite") == []


def test_usage_is_known_again_in_another_file_and_at_another_row(tmp_path, held):
    """Two exports that overlap by a row: 3 rows, not 4; two equal rows of one file are two."""
    ones, path = ones_of(held, 18_000, 6_000), tmp_path / "l.sqlite"
    first = (usage("a.csv:1"), usage("a.csv:2", 1))
    second = (usage("b.csv:1", 1), usage("b.csv:2", 2))
    for table in (first, second):
        keep(path, held, ones, window(held, ones), usage=table, findings=())
    told = [row for row in rows(path) if row.kind == "request"]
    assert sum(row.quantity for row in told) == pytest.approx(3.0)
    assert {row.run_id for row in told} == {"Little/observe/usage"}
    twins = (usage("a.csv:1", 5), usage("a.csv:2", 5))
    keep(path, held, ones, window(held, ones), usage=twins, findings=())
    assert len([row for row in rows(path) if row.kind == "request"]) == 5


def test_findings_stand_beside_the_window(tmp_path, held):
    told = Finding(code="COUNTER_RESET", path="observe.engines.paris-1", reason="r", remedy="m")
    ones = ones_of(held, 18_000, 6_000)
    keep(tmp_path / "l.sqlite", held, ones, window(held, ones), usage=(), findings=(told,))
    (row,) = (row for row in rows(tmp_path / "l.sqlite") if row.kind == "finding")
    assert (row.component, row.reason) == ("COUNTER_RESET", "r")
