"""The event path: steps in their order by hand, every limit kept on random worlds, 3 h held."""

from dataclasses import replace
from datetime import timedelta

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from worlds import START, battery, deployment, fleet, random_case, route, workload, world

from tokenergy.company.outage import Outage
from tokenergy.dispatch.event_path import EventPath, mender
from tokenergy.dispatch.lp_policies import Mpc
from tokenergy.dispatch.merit import Greedy
from tokenergy.dispatch.outages import apply_outages, limits_at
from tokenergy.dispatch.world import Action, State
from tokenergy.errors import InfeasibleProgram
from tokenergy.simulate.interval import Mechanics
from tokenergy.simulate.replay import replay


def by_hand(*, waits=0, power=2.0, stored=True, other_gpus=5.0, other_mw=10.0):
    """Site s0 (10 MW) serves three loads of 20 Mtok at 0.1 MWh each: 2 + 2 + 2 = 6 MW.

    `chat` is worth 80 and must be served, `batch` 30 (it may wait `waits` hours), `free` 4. Site
    s1 has `other_gpus` GPUs (10 Mtok/h each, the same energy) and reaches `chat` and `batch`; a
    small model on a fleet of its own at s0 needs 0.02 MWh, and answers `free` alone, at 0.7.
    """
    small = replace(deployment(0, fleet=2), name="small@f0", model="small")
    loads = (
        workload("chat", value=80.0),
        workload("batch", value=30.0, defer=waits, tier_index=1, must_serve=False),
        workload("free", value=4.0, tier_index=2, must_serve=False),
    )
    routes = (
        route(0, 0),
        route(1, 0),
        route(2, 0),
        route(0, 1),
        route(1, 1),
        route(2, 2, marginal=0.02, quality=0.7),
    )
    made = world(
        np.full((2, 6), 10.0),
        np.full((3, 6), 20.0),
        routes=routes,
        deployments=(deployment(0), deployment(1), small),
        fleets=(fleet(0), fleet(1, gpus=other_gpus), replace(fleet(0, gpus=50.0), name="f0s")),
        workloads=loads,
        batteries=(battery(power=power, capacity=8.0, efficiency=1.0),) if stored else (),
        battery_site=(0,) if stored else (),
        import_limit=np.array([[10.0], [other_mw]]),
        floors=(0.0, 0.0, 0.0),
    )
    planned = Action(
        serve_mtok=np.array([20.0, 20.0, 20.0, 0.0, 0.0, 0.0]),
        refused_mtok=np.zeros(3),
        awake=np.array([6.0, 0.0, 0.0]),
        take_mw=np.zeros(0),
        charge_mw=np.zeros(int(stored)),
        discharge_mw=np.zeros(int(stored)),
        source="planned",
    )
    return made, planned


def limited(made, mw):
    """Return what is there when s0 may draw `mw`."""
    there = limits_at(made, 0)
    return replace(there, import_limit_mw=np.array([mw, there.import_limit_mw[1]]))


def done(made, planned, mw):
    """Respond to s0's new limit in hour 0, and let the world's mechanics do it."""
    start = State.initial(made)
    response = EventPath(made).respond(0, start, planned, limited(made, mw))
    held = replace(made, import_limit_mw=made.import_limit_mw.copy())
    held.import_limit_mw[0, 0] = mw
    return response, Mechanics(held).execute(0, start, response.action)


def steps_of(response):
    return {step.name: step for step in response.steps}


def test_what_fits_stays_as_it_was():
    made, planned = by_hand()
    response, _ = done(made, planned, 6.0)
    assert response.steps == () and response.lost_value_usd == 0.0
    assert np.array_equal(response.action.serve_mtok, planned.serve_mtok)
    assert response.action.source == "event_path"


def test_the_battery_comes_first_and_gives_no_more_than_is_missing():
    """6 MW planned, 4.5 allowed: the battery (2 MW) gives 1.5 and no token moves."""
    made, planned = by_hand()
    response, step = done(made, planned, 4.5)
    assert [each.name for each in response.steps] == ["battery"]
    assert response.steps[0].mw.tolist() == pytest.approx([1.5, 0.0])
    assert step.discharge_mwh[0] == pytest.approx(1.5)
    assert response.before_mw[0] == pytest.approx(6.0)
    assert response.after_mw[0] == pytest.approx(4.5) == step.import_mwh[0]


def test_a_battery_that_charged_stops_before_it_gives():
    made, planned = by_hand()
    response, _ = done(made, replace(planned, charge_mw=np.array([1.0])), 6.5)
    assert response.action.charge_mw[0] == pytest.approx(0.5)
    assert response.action.discharge_mw[0] == 0.0


def test_then_work_waits_that_may():
    """6 planned, 3 allowed, the battery gives 2: 1 MW of batch (10 Mtok) waits, nothing is lost."""
    made, planned = by_hand(waits=3)
    response, step = done(made, planned, 3.0)
    assert [each.name for each in response.steps] == ["battery", "defer"]
    assert steps_of(response)["defer"].mw.tolist() == pytest.approx([1.0, 0.0])
    assert steps_of(response)["defer"].mtok.tolist() == pytest.approx([0.0, 10.0, 0.0])
    assert step.backlog_mtok.tolist() == pytest.approx([0.0, 10.0, 0.0])
    assert response.lost_value_usd == 0.0 and step.refused_mtok.max() == 0.0


def test_what_cannot_move_is_answered_by_a_lesser_model():
    """Work of the highest rank keeps its place: of three, free is the first without room.

    As above, but batch may not wait, and 1 MW has to go. Free cannot move to s1; the small model
    answers it, as far as its power goes.
    """
    made, planned = by_hand()
    response, _ = done(made, planned, 3.0)
    found = steps_of(response)
    assert list(found) == ["battery", "downgrade"]
    assert found["downgrade"].mw.sum() == pytest.approx(1.0)


def test_chat_and_batch_move_when_they_find_no_room():
    """1.5 MW are allowed, 2 come from the battery: chat 2, batch 1.5, and nothing for free.

    0.5 MW of batch (5 Mtok) move to s1; free finds no power even for the small model and is
    refused: 20 x 4 USD.
    """
    made, planned = by_hand()
    response, step = done(made, planned, 1.5)
    found = steps_of(response)
    assert list(found) == ["battery", "reroute", "refuse"]
    assert found["reroute"].mtok.tolist() == pytest.approx([0.0, 5.0, 0.0])
    assert found["reroute"].mw.tolist() == pytest.approx([0.5, -0.5])
    assert step.serve_mtok.tolist() == pytest.approx([20.0, 15.0, 0.0, 0.0, 5.0, 0.0])
    assert response.refused_mtok.tolist() == pytest.approx([0.0, 0.0, 20.0])
    assert response.lost_value_usd == pytest.approx(80.0)


def test_a_lesser_model_loses_the_worth_of_its_quality():
    """All but chat (2 MW) and batch (2 MW) may have 0.2 MW: 10 Mtok of free on the small model."""
    made, planned = by_hand()
    response, _ = done(made, planned, 2.2)
    found = steps_of(response)
    assert list(found) == ["battery", "downgrade", "refuse"]
    assert found["downgrade"].mtok[2] == pytest.approx(10.0)
    assert response.lost_value_usd == pytest.approx(10.0 * 4.0 * 0.3 + 10.0 * 4.0)


def test_the_least_valuable_is_refused_first_and_what_must_be_served_last():
    """No battery, no GPUs elsewhere, 2.5 MW: chat 2, batch 0.5, free nothing."""
    made, planned = by_hand(stored=False, other_gpus=0.0)
    response, step = done(made, planned, 2.5)
    assert step.serve_mtok.tolist() == pytest.approx([20.0, 5.0, 0.0, 0.0, 0.0, 0.0])
    assert response.refused_mtok.tolist() == pytest.approx([0.0, 15.0, 20.0])
    assert response.lost_value_usd == pytest.approx(15.0 * 30.0 + 20.0 * 4.0)


def test_dear_work_takes_the_room_of_lesser_work_at_another_site():
    """s0 has nothing left; s1 (2 MW, 20 Mtok) is full of batch: chat takes its place."""
    made, planned = by_hand(stored=False, other_gpus=2.0, other_mw=2.0)
    full = replace(
        planned,
        serve_mtok=np.array([20.0, 0.0, 0.0, 0.0, 20.0, 0.0]),
        refused_mtok=np.array([0.0, 0.0, 20.0]),
        awake=np.array([2.0, 2.0, 0.0]),
    )
    _, step = done(made, full, 0.0)
    assert step.serve_mtok.tolist() == pytest.approx([0.0, 0.0, 0.0, 20.0, 0.0, 0.0])
    assert step.refused_mtok.tolist() == pytest.approx([0.0, 20.0, 20.0])


def test_the_battery_of_the_other_site_makes_room_before_anything_is_refused():
    """s1 may draw 1 MW and has GPUs for 20 Mtok; its battery gives the other MW."""
    made, planned = by_hand(other_gpus=2.0, other_mw=1.0)
    moved = replace(made, battery_site=(1,))
    chat = replace(
        planned,
        serve_mtok=np.array([20.0, 0.0, 0.0, 0.0, 0.0, 0.0]),
        refused_mtok=np.array([0.0, 20.0, 20.0]),
    )
    response, step = done(moved, chat, 0.0)
    assert step.serve_mtok[3] == pytest.approx(20.0)
    assert step.discharge_mwh[0] == pytest.approx(1.0)
    assert response.refused_mtok.tolist() == [0.0, 0.0, 0.0]


def test_standing_load_beyond_what_is_left_is_the_companys_own_fault():
    made, planned = by_hand(stored=False)
    heavy = replace(made, fixed_mw=np.array([3.0, 0.0]))
    with pytest.raises(InfeasibleProgram, match="cannot carry its standing load"):
        EventPath(heavy).respond(0, State.initial(heavy), planned, limited(heavy, 1.0))


def surprised(seed, hour=3):
    """A world whose sites all lose something in that hour, and a plan that does not know."""
    rng = np.random.default_rng(seed)
    made, state = random_case(seed, hours=8)
    begin = START + timedelta(hours=hour)
    out = [
        Outage(what="feed", name=f"s{s}", start=begin, length_h=2.0, left_share=rng.uniform(0, 1))
        for s in range(3)
    ]
    out.append(Outage(what="fleet", name="f1", start=begin, length_h=2.0, left_share=0.5))
    if seed % 3 == 0:
        out.append(Outage(what="site", name="s2", start=begin, length_h=1.0))
    planned = Greedy(made).decide(hour, state)
    return apply_outages(made, out), state, planned


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 5_000))
def test_on_random_worlds_every_limit_is_kept_and_nothing_is_done_twice(seed):
    made, state, planned = surprised(seed)
    response = EventPath(made).respond(3, state, planned)
    step = Mechanics(made).execute(3, state, response.action)  # raises what is broken
    total = sum((each.mw for each in response.steps), np.zeros(3))
    assert total == pytest.approx(response.before_mw - response.after_mw, abs=1e-6)
    assert step.import_mwh - step.export_mwh == pytest.approx(response.after_mw, abs=1e-6)
    load_of = [r.workload for r in made.routes]
    served = np.bincount(load_of, step.serve_mtok, minlength=3)
    meant = np.bincount(load_of, planned.serve_mtok, minlength=3)
    assert np.all(served <= meant + 1e-6)
    refused = step.refused_mtok - planned.refused_mtok
    assert response.refused_mtok == pytest.approx(np.maximum(0.0, refused), abs=1e-6)


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 5_000))
def test_more_megawatts_never_lose_more_of_the_dearest_work(seed):
    made, state, planned = surprised(seed)
    path, there = EventPath(made), limits_at(made, 3)
    lost = []
    for more_mw in (0.0, 0.5, 5.0):
        wider = replace(there, import_limit_mw=there.import_limit_mw + more_mw)
        lost.append(float(path.respond(3, state, planned, wider).refused_mtok[0]))
    assert lost[0] >= lost[1] - 1e-6 and lost[1] >= lost[2] - 1e-6


def test_only_what_was_not_announced_is_mended():
    made, state, planned = surprised(3)
    path = EventPath(made)
    assert path.mended(3, state, planned).source == "event_path"
    assert path.mended(2, state, planned) is planned
    assert path.mended(4, state, planned) is planned  # known by then: the policy's own affair
    quiet = apply_outages(
        random_case(3, hours=8)[0],
        [Outage(what="feed", name="s0", start=START + timedelta(hours=3), length_h=2.0,
                left_share=0.1, notice_h=1.0)],
    )  # fmt: skip
    assert mender(quiet)(3, state, planned) is planned


# ---- the flexibility figure: -30 % everywhere, at once, for three hours -------------------------


def five_minutes(step_h, *, hours):
    """Three sites with room for 120 Mtok/h each at 0.1 MWh, asked for 96: chat, batch and free.

    Batch may wait 8 h. A battery of 1 MW / 2 MWh each, half full. Everything is reachable from
    everywhere; cheap sites fill up first, so they draw 12.5, 12.5 and 5.3 MW, 0.5 of it fixed.
    """
    count = round(hours / step_h)
    loads = (
        workload("chat", value=30.0),
        workload("batch", value=12.0, defer=round(8.0 / step_h), tier_index=1, must_serve=False),
        workload("free", value=6.0, tier_index=2, must_serve=False),
    )
    return world(
        np.array([[30.0], [40.0], [50.0]]) + np.zeros((3, count)),
        np.full((3, count), 96.0 * step_h),
        routes=tuple(route(w, s) for w in range(3) for s in range(3)),
        deployments=tuple(deployment(s) for s in range(3)),
        fleets=tuple(fleet(s, gpus=12.0) for s in range(3)),
        workloads=loads,
        batteries=tuple(battery(f"b{s}", power=1.0, capacity=2.0) for s in range(3)),
        battery_site=(0, 1, 2),
        import_limit=20.0,
        fixed=0.5,
        step_h=step_h,
        floors=(0.0, 0.0, 0.0),
    )


def test_three_tenths_less_at_all_sites_at_once_and_held_for_three_hours():
    """-30 % of what each site drew, from the event's own interval of 5 min on, and 35 more.

    The event path answers the interval of the event, `mpc` the rest. Asked are 9.1 of 30.3 MW;
    9.6 MW of them are batch, which waits and is made up for within its 8 h: nothing is lost.
    """
    step_h, event, after = 1.0 / 12.0, 12, 48
    made = five_minutes(step_h, hours=11.0)
    steady = replay(made, Mpc(made, window_h=10.0))
    before_mw = np.array([12.5, 12.5, 5.3])  # work alone; what charges its batteries comes on top
    assert steady.import_mwh[:, event - 1].sum() / step_h > before_mw.sum()
    called = apply_outages(made, _call(before_mw))
    run = replay(called, Mpc(called, window_h=10.0))
    assert [at for at, source in enumerate(run.sources) if source == "event_path"] == [event]
    drawn_mw = run.import_mwh / step_h
    assert np.all(drawn_mw[:, event:after] <= 0.7 * before_mw[:, None] + 1e-6)
    assert run.refused_mtok[0].max() <= 1e-9  # the priority tier is served in full
    value = np.array([load.value_usd_per_mtok for load in made.workloads])
    lost_usd = float((value @ (run.refused_mtok - steady.refused_mtok)).sum())
    all_usd = float((value @ made.arrivals_mtok).sum())
    print(f"lost {lost_usd:.2f} of {all_usd:,.0f} USD")
    assert lost_usd == pytest.approx(0.0, abs=1e-6 * all_usd)


def _call(before_mw):
    """Return a call of three hours at 1:00, without notice, for 70 % of what each site draws."""
    return [
        Outage(
            what="feed",
            name=f"s{site}",
            start=START + timedelta(hours=1),
            length_h=3.0,
            left_share=0.7 * mw / 20.0,
        )
        for site, mw in enumerate(before_mw)
    ]


def test_the_first_half_minute_complies():
    """In steps of 30 s the interval that ends 30 s after the event draws 30 % less, and all after.

    The path alone holds it for ten minutes: batteries, and batch that waits.
    """
    step_h = 1.0 / 120.0
    made = five_minutes(step_h, hours=1.5)
    policy, mechanics, path, state = Greedy(made), Mechanics(made), EventPath(made), None
    state = State.initial(made)
    for at in range(120, 140):
        action = policy.decide(at, state)
        if at == 120:
            before_mw = path.respond(at, state, action).after_mw
            assert before_mw == pytest.approx([12.5, 12.5, 5.3])
            called = replace(limits_at(made, at), import_limit_mw=0.7 * before_mw)
        response = path.respond(at, state, action, called)
        step = mechanics.execute(at, state, response.action)
        assert np.all(step.import_mwh / step_h <= 0.7 * before_mw + 1e-9)
        assert step.refused_mtok[0] == 0.0
        assert {each.name for each in response.steps} <= {"battery", "defer", "reroute"}
        state = step.after


def test_where_nothing_may_wait_the_least_valuable_pays_for_the_call():
    """The same without deferral: 9.1 MW less for 3 h; batteries give 3 x 0.975 MWh of 27.3.

    The rest is free work at 0.1 MWh and 6 USD a Mtok: (27.27 - 2.85) / 0.1 x 6 = 1,465 USD: the
    batteries are half full, 1 MWh each, of which 0.95 come out.
    """
    step_h = 1.0 / 12.0
    made = five_minutes(step_h, hours=5.0)
    loads = tuple(replace(load, defer_count=0) for load in made.workloads)
    made = replace(made, workloads=loads)
    policy, mechanics, path = Greedy(made), Mechanics(made), EventPath(made)
    state, refused = State.initial(made), np.zeros(3)
    called = replace(limits_at(made, 12), import_limit_mw=0.7 * np.array([12.5, 12.5, 5.3]))
    for at in range(made.last):
        action = policy.decide(at, state)
        if 12 <= at < 48:
            action = path.respond(at, state, action, called).action
        step = mechanics.execute(at, state, action)
        refused, state = refused + step.refused_mtok, step.after
    assert refused[:2].tolist() == pytest.approx([0.0, 0.0], abs=1e-9)
    assert refused[2] * 6.0 == pytest.approx((27.27 - 2.85) / 0.1 * 6.0, rel=1e-6)
