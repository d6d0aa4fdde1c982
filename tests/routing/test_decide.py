"""The decision against a search through every action, and what must hold whatever the prices."""

import dataclasses
import math
import random
from typing import Any, NamedTuple

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from request_boards import HOUR_S, board, candidate, request, rung, workload

from tokenergy.company.board import Board, Candidate, Rung
from tokenergy.company.decision import Decision
from tokenergy.company.request import Request
from tokenergy.errors import UnexpectedError
from tokenergy.routing.affinity import LastPlace
from tokenergy.routing.decide import decide
from tokenergy.routing.pacing import Pacing, opened
from tokenergy.routing.state import State

CASES = settings(max_examples=200, deadline=None)
MANY = settings(max_examples=1_000, deadline=None)
MONEY, JOULES = "money", "joules"


def pacer(unit: str, price: float) -> Any:
    """Return a pacer whose shadow price is `price` now."""
    law = Pacing(
        budget=MONEY if unit == "usd" else JOULES,
        unit="usd" if unit == "usd" else "j",
        start_s=0.0,
        end_s=24 * HOUR_S,
        budget_quantity=1.0,
        requests_count=100.0,
        mean_use_quantity=0.01,
        dual_usd_per_unit=price,
        worth_usd_per_unit=1.0,
    )
    return opened(law)


class Case(NamedTuple):
    """A request, the board and the state it meets."""

    request: Request
    board: Board
    state: State


class Draws:
    """Seeded draws: boards have too many numbers for a search that shrinks each of them."""

    def __init__(self, seed: int) -> None:
        self._draw = random.Random(seed)
        self.chance = self._draw.random
        self.whole = self._draw.randint
        self.within = self._draw.uniform
        self.one_of = self._draw.choice

    def price(self) -> float:
        """Return a price: sometimes below 0, sometimes equal to another or within 1 % of it."""
        if self.chance() < 0.5:
            return self.within(-1.0 if self.chance() < 0.2 else 0.0, 6.0)
        return self.one_of([0.0, 1.0, 1.005, 2.0, 4.0])

    def rung(self, index: int, hours: int, planned: bool) -> Rung:
        cap = self.one_of([None, None, 200, 600]) if index else None
        kappa = self.within(0.0, 0.5)
        same = self.chance() < 0.5
        members = [
            candidate(
                f"m{index}@s{site}",
                self.price(),
                share=self.one_of([0.0, 0.5]) if planned and cap is None else 0.0,
                kappa_ratio=kappa if same else self.within(0.0, 0.5),
                marginal_j_per_token=self.within(0.0, 5.0),
                awake_count=self.one_of([0.0, 1.0, 1.0, 2.0, 2.0]),
                rtt_s=3.0 if self.chance() < 0.1 else 0.05,
                context_limit_tokens=self.one_of([100_000, 100_000, 1_200]),
                features=frozenset(f for f in ("tools", "vision") if self.chance() < 0.8),
            )
            for site in range(self.whole(1, 5))
        ]
        return rung(
            members,
            quality_share=1.0 - 0.3 * index,
            cap_tokens=cap,
            ahead_usd_per_mtok=[self.ahead(members) for _ in range(hours)],
        )

    def ahead(self, members: list[Candidate]) -> float:
        """Return a price ahead: any, or a little below that of a place now."""
        if self.chance() < 0.5:
            return self.price()
        return self.one_of(members).high_usd_per_mtok * self.within(0.85, 1.0)

    def board(self) -> Board:
        hours = self.whole(1, 8)
        planned = self.chance() < 0.6
        per_request = self.chance() < 0.5
        places = self.chance() < 0.5
        return board(
            workload(
                [self.rung(index, hours, planned) for index in range(self.whole(1, 3))],
                service_tier=self.one_of(["priority", "default", "flex", "flex"]),
                must_serve=self.chance() < 0.2,
                value_usd_per_mtok=None if per_request else self.within(0.0, 8.0),
                value_usd_per_request=self.within(0.0, 0.006) if per_request else None,
                rho_ratio=self.within(0.0, 2.0),
                wait_usd_per_h=self.one_of([0.0, 2e-4, 1e-3]),
                release_mtok_per_h=[self.one_of([0.0, 0.0005, 0.01]) for _ in range(hours)]
                if places
                else (),
            )
        )

    def request(self, made: Board) -> Request:
        needs = ["tools", "vision"][self.whole(0, 1)] if self.chance() < 0.2 else None
        return request(
            input_tokens=self.whole(1, 3_000) if self.chance() < 0.7 else 10,
            output_tokens=self.whole(1, 1_500),
            deadline_s=self.within(0.0, 8 * HOUR_S) if self.chance() < 0.6 else None,
            session="s" if self.chance() < 0.5 else None,
            cached_tokens=self.whole(0, 1_000) if self.chance() < 0.3 else None,
            needs=frozenset() if needs is None else frozenset({needs}),
            model=self.one_of([None, None, "m0", "m1"]),
            may_downgrade=self.chance() < 0.7,
            may_cap=self.chance() < 0.7,
            may_defer=self.chance() < 0.9,
            without=frozenset({self.one_of(made.places)}) if self.chance() < 0.1 else frozenset(),
            budgets=self.one_of([(), (MONEY,), (MONEY, JOULES)]),
        )

    def state(self, made: Board) -> State:
        state = State.opened(
            made,
            now_s=self.within(0.0, HOUR_S - 1.0),
            pacers=[
                pacer("usd", self.one_of([0.0, 0.5, 3.0])),
                pacer("j", self.one_of([0.0, 1e-7, 1e-6])),
            ],
        )
        if self.chance() < 0.7:
            last = LastPlace(self.one_of(made.places), self.whole(0, 3_000))
            state = state._replace(sessions=state.sessions.with_last("ann", "s", last))
        if self.chance() < 0.5:
            busy = {name: self.one_of([0, 5, 9, 10, 30]) for name in made.places}
            state = state.with_scraped(busy)
        if self.chance() < 0.2:
            state = state.with_down({self.one_of(made.places)})
        return state


def case_of(seed: int) -> Case:
    draws = Draws(seed)
    made = draws.board()
    return Case(draws.request(made), made, draws.state(made))


cases = st.integers(0, 2**32).map(case_of)


# ---- the search: every rung, place and interval, straight from the sheet -------------------


class Found(NamedTuple):
    """One action of the search; `place` is None where it waits."""

    score: float
    cost: float
    rung: int
    place: Candidate | None
    interval: int


def every_action(case: Case) -> list[Found]:
    """Return the actions that are left, each with score = vq - (1+l)c - sum(l_k u_k) - wait."""
    asked, made, state = case
    load = made.by_name["chat"]
    value = load.value_usd_per_request
    if value is None:
        assert load.value_usd_per_mtok is not None
        value = load.value_usd_per_mtok * asked.output_tokens / 1e6
    price = {name: state.pacers[name].lambda_usd_per_unit for name in asked.budgets}
    money, joules = price.get(MONEY, 0.0), price.get(JOULES, 0.0)
    last = state.sessions.last("ann", "s") if asked.session else None
    cached = 0
    if last is not None:
        known = last.prefix_tokens if asked.cached_tokens is None else asked.cached_tokens
        cached = min(known, asked.input_tokens)
    everywhere = min(asked.input_tokens, asked.cached_tokens or 0) if not asked.session else 0
    found = []
    asked_model = asked.model or load.rungs[0].model
    start = (
        [step.model for step in load.rungs].index(asked_model)
        if (asked_model in [step.model for step in load.rungs])
        else len(load.rungs)
    )
    free = asked.model is None and asked.may_downgrade and asked.may_cap
    for at, step in enumerate(load.rungs):
        if not free:
            swapped, capped = step.model != asked_model, step.cap_tokens is not None
            if at < start or (swapped and not asked.may_downgrade):
                continue
            if capped and not asked.may_cap:
                continue
        out = asked.output_tokens
        if step.cap_tokens is not None:
            out = min(out, step.cap_tokens)
        total = asked.input_tokens - everywhere
        able = [
            one
            for one in step.candidates
            if asked.input_tokens + out <= one.context_limit_tokens and asked.needs <= one.features
        ]
        for one in able:
            if one.place in state.down or one.deployment in asked.without:
                continue
            if one.ttft_s + one.rtt_s > load.ttft_limit_s:
                continue
            if state.counts.busy[one.place] >= one.awake_count * one.batch_slo_count:
                continue
            work = max(0.0, out + one.kappa_ratio * (total - cached - load.rho_ratio * out))
            if last is None or one.deployment != last.deployment:
                work += one.kappa_ratio * cached
            cost = one.high_usd_per_mtok * work / 1e6
            use = (one.base_j_per_token + one.marginal_j_per_token) * work
            score = value * step.quality_share - (1.0 + money) * cost - joules * use
            found.append(Found(score, cost, at, one, 0))
        if not able or asked.deadline_s is None or not asked.may_defer:
            continue
        if load.service_tier == "priority":
            continue
        near = [one for one in step.candidates if one.ttft_s + one.rtt_s <= load.ttft_limit_s]
        usable = near or step.candidates
        service = max(one.ttft_s for one in usable) + out * max(one.tpot_s for one in usable)
        kappa = max(one.kappa_ratio for one in step.candidates)
        cheapest = min(step.candidates, key=lambda one: (one.high_usd_per_mtok, one.deployment))
        open_to = [
            interval
            for interval in range(1, len(step.ahead_usd_per_mtok))
            if interval * HOUR_S <= asked.deadline_s - service
            and not (load.release_mtok_per_h and out > load.release_mtok_per_h[interval] * 1e6)
        ]
        if open_to and not load.wait_usd_per_h:  # the earliest of those that tie
            lowest = min(step.ahead_usd_per_mtok[interval] for interval in open_to)
            edge = lowest + 0.01 * abs(lowest)
            open_to = [next(k for k in open_to if step.ahead_usd_per_mtok[k] <= edge)]
        for interval in open_to:
            starts = interval * HOUR_S
            work = max(0.0, out + kappa * (total - load.rho_ratio * out))
            cost = step.ahead_usd_per_mtok[interval] * work / 1e6
            use = (cheapest.base_j_per_token + cheapest.marginal_j_per_token) * work
            wait = load.wait_usd_per_h * (starts - state.now_s) / HOUR_S
            score = value * step.quality_share - (1.0 + money) * cost - joules * use - wait
            found.append(Found(score, cost, at, None, interval))
    return found


def near(one: float, other: float) -> bool:
    return math.isclose(one, other, rel_tol=1e-9, abs_tol=1e-15)


@MANY
@given(cases)
def test_it_is_the_best_of_all_actions(case: Case) -> None:
    decision = decide(*case)
    load = case.board.by_name["chat"]
    actions = every_action(case)
    now = [each for each in actions if each.place is not None]
    later = [each for each in actions if each.place is None]
    best = max(now, key=lambda each: each.score, default=None)
    wait = max(later, key=lambda each: each.score, default=None)
    if decision.queue_s or (best is None and wait is None):
        # Nothing is open: it waits for room at a full place, or is told why there is none.
        assert best is None
        assert decision.queue_s or decision.action == "refuse"
        return
    serves = best is not None and (load.must_serve or best.score >= 0.0)
    if wait is not None and best is not None and serves:
        # While no more than the plan has been served; here nothing has been.
        edge = 0.05 * abs(best.cost)
        if abs(wait.score - best.score - edge) < 1e-12:
            return  # on the edge of the hysteresis, where rounding decides
        waits = wait.score - best.score > edge
    else:
        waits = wait is not None and (load.must_serve or wait.score >= 0.0)
    if waits:
        assert wait is not None
        assert decision.action == "defer"
        assert near(decision.score_usd, wait.score)
        assert decision.release_s == decision.release_interval * HOUR_S
        assert decision.wait_usd >= 0.0
        return
    if not serves:
        assert decision.action == "refuse"
        assert decision.score_usd == 0.0 and decision.candidate is None
        assert decision.deployment == "" and not decision.tied
        return
    assert best is not None
    _goes_where_it_may(decision, case, best, now)


def _goes_where_it_may(decision: Decision, case: Case, best: Found, now: list[Found]) -> None:
    """Hold a place against the tie: a share, or within 1 % of the lowest price, or the cheapest."""
    assert decision.action in ("serve", "cap", "downgrade")
    load = case.board.by_name["chat"]
    mine = [each for each in now if each.place and each.place.deployment == decision.deployment]
    mine = [each for each in mine if each.rung == decision.rung]
    assert len(mine) == 1, "it goes to a place that was removed"
    chosen = mine[0]
    assert near(decision.score_usd, chosen.score)
    assert near(decision.cost_usd, chosen.cost)
    assert near(sum(decision.parts_usd().values()), decision.cost_usd)
    tops = {each.rung for each in now if near(each.score, best.score)}
    ladder = load.rungs[best.rung]
    if decision.rung not in tops:  # the plan splits the workload over rungs that tie
        assert chosen.place is not None and chosen.place.share > 0.0
        other = max(each.score for each in now if each.rung == decision.rung)
        assert best.score - other <= 0.01 * abs(best.cost) + 1e-15
        assert ladder.cap_tokens is None
    if not load.must_serve and best.score >= 0.0:
        assert chosen.score >= 0.0, "served at a loss though a cheaper place was open"
    assert decision.deployment in decision.tied
    assert near(sum(decision.tied_share), 1.0)
    planned = [each for each in now if each.rung == decision.rung and each.place.share > 0.0]  # type: ignore[union-attr]
    place = chosen.place
    assert place is not None
    if not planned and not near(chosen.score, best.score):
        lowest = min(
            each.place.high_usd_per_mtok
            for each in now
            if each.place is not None and each.rung == decision.rung
        )
        edge = lowest + 0.01 * abs(lowest) + 1e-12
        assert best.place is not None
        assert max(place.high_usd_per_mtok, best.place.high_usd_per_mtok) <= edge
    if planned and place.share == 0.0 and not near(chosen.score, best.score):
        loads = [case.state.counts.busy[e.place.place] / e.place.slots_count for e in planned]  # type: ignore[union-attr]
        assert max(loads) >= 0.9 or len(planned) < len(load.rungs[decision.rung].planned)


@CASES
@given(cases)
def test_the_same_inputs_give_the_same_decision_and_stay_as_they_were(case: Case) -> None:
    kept = repr(case)
    first, second = decide(*case), decide(*case)
    assert first == second
    case.state.admitted(first)
    assert repr(case) == kept, "deciding or admitting changed what it was given"


@CASES
@given(cases, st.floats(0.0, 0.01))
def test_more_value_never_refuses_more(case: Case, more_usd: float) -> None:
    held = case.request.value_usd
    low = msgspec.structs.replace(case.request, value_usd=0.002 if held is None else held)
    high = msgspec.structs.replace(low, value_usd=(low.value_usd or 0.0) + more_usd)
    if decide(low, case.board, case.state).action != "refuse":
        assert decide(high, case.board, case.state).action != "refuse"


@CASES
@given(cases, st.floats(0.0, 3.0))
def test_a_higher_price_never_admits_more(case: Case, more_usd_per_mtok: float) -> None:
    """Every price now and ahead rises by the same; a price below 0 falls away from its zero."""
    load = case.board.by_name["chat"]
    dearer = [
        rung(
            [
                dataclasses.replace(
                    one,
                    high_usd_per_mtok=one.high_usd_per_mtok + more_usd_per_mtok,
                    parts_usd_per_mtok=(
                        one.parts_usd_per_mtok[0] + more_usd_per_mtok,
                        *one.parts_usd_per_mtok[1:],
                    ),
                )
                for one in step.candidates
            ],
            quality_share=step.quality_share,
            cap_tokens=step.cap_tokens,
            ahead_usd_per_mtok=[each + more_usd_per_mtok for each in step.ahead_usd_per_mtok],
        )
        for step in load.rungs
    ]
    other = board(
        workload(
            dearer,
            service_tier=load.service_tier,
            must_serve=load.must_serve,
            value_usd_per_mtok=load.value_usd_per_mtok,
            value_usd_per_request=load.value_usd_per_request,
            rho_ratio=load.rho_ratio,
            wait_usd_per_h=load.wait_usd_per_h,
            release_mtok_per_h=load.release_mtok_per_h,
        )
    )
    if decide(*case).action == "refuse":
        assert decide(case.request, other, case.state).action == "refuse"


@CASES
@given(cases)
def test_without_budgets_caps_and_state_it_is_the_cheapest_place(case: Case) -> None:
    """Greedy: one rung, nobody busy, no session, no deadline, no shares, worth any price."""
    step = case.board.by_name["chat"].rungs[0]
    places = [
        dataclasses.replace(one, share=0.0, awake_count=1.0, rtt_s=0.0) for one in step.candidates
    ]
    made = board(workload([rung(places)], value_usd_per_mtok=1e6))
    asked = request(
        input_tokens=case.request.input_tokens % 100 + 1,
        output_tokens=case.request.output_tokens % 1_000 + 1,
    )
    decision = decide(asked, made, State.opened(made, now_s=0.0))

    def cost(one: Candidate) -> float:
        work = asked.output_tokens + one.kappa_ratio * asked.input_tokens
        return one.high_usd_per_mtok * work / 1e6

    lowest = min(cost(one) for one in places)
    cheapest = min(one.high_usd_per_mtok for one in places)
    assert decision.action == "serve"
    assert decision.candidate is not None
    ties = decision.candidate.high_usd_per_mtok <= cheapest + 0.01 * abs(cheapest)
    assert ties or near(decision.cost_usd, lowest)


def test_another_boards_state_is_a_fault_of_the_caller() -> None:
    one = board(workload([rung([candidate("m@a", 1.0)])]))
    other = board(workload([rung([candidate("m@b", 1.0)])]))
    with pytest.raises(UnexpectedError, match="other places"):
        decide(request(), one, State.opened(other, now_s=0.0))
