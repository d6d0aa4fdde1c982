"""Budgets: each is for somebody, once, and its window ends within a simulation."""

from collections.abc import Iterator
from datetime import timedelta

from tokenergy.company.budget import Budget
from tokenergy.company.check.terms import span_text
from tokenergy.company.finding import Finding
from tokenergy.company.horizon import Horizon
from tokenergy.company.parts import Parts


def check_budgets(parts: Parts) -> Iterator[Finding]:
    """Yield budgets that stand twice, pay for nobody, or never become whole in the horizon."""
    first: dict[tuple[str | None, str | None, str, str], str] = {}
    for path, budget in parts.placed("budgets"):
        key = (budget.tier, budget.tenant, budget.unit, budget.window)
        if key in first:
            yield _twice(path, budget, first[key])
        first.setdefault(key, path)
        yield from _for_nobody(path, budget, parts)
        if parts.horizon is not None:
            yield from _endless(path, budget, parts.horizon)


def _twice(path: str, budget: Budget, first: str) -> Finding:
    kind = "energy" if budget.unit == "j" else "money"
    return Finding(
        code="BUDGET_TWICE",
        path=path,
        value=f"{_whose(budget)}, {kind} per {budget.window}",
        reason=f"{first} limits the same {kind} of the same requests in the same window already: "
        "only the smaller of the two would ever bind",
        remedy="Keep the smaller one, or give one of them another tier or another window",
    )


def _for_nobody(path: str, budget: Budget, parts: Parts) -> Iterator[Finding]:
    """Say that no workload belongs to the tier that a budget pays for."""
    if budget.tier is None or parts.find("tiers", budget.tier) is None:
        return
    if parts.lost("workloads") or "workloads" in parts.unread:
        return
    if not any(workload.tier == budget.tier for workload in parts.workloads):
        yield Finding(
            code="BUDGET_FOR_NOBODY",
            path=f"{path}.tier",
            value=budget.tier,
            reason=f"budget {budget.name!r} pays for tier {budget.tier!r}, and no workload is of "
            "that tier: nothing would ever be spent",
            remedy="Correct the tier, or leave it out for a budget of the whole company",
            severity="warning",
        )


def _endless(path: str, budget: Budget, horizon: Horizon) -> Iterator[Finding]:
    """Say that a simulation would see a part of the first window only."""
    start, end = budget.window_at(horizon.start)
    if end - start <= timedelta(days=horizon.days):
        return
    yield Finding(
        code="BUDGET_BEYOND_HORIZON",
        path=f"{path}.window",
        value=budget.window,
        limit=span_text(horizon),
        reason=f"one {budget.window} of budget {budget.name!r} is longer than the horizon: a "
        "simulation sees only a part of it",
        remedy="Lengthen the horizon, or state the budget for a shorter window",
        severity="warning",
    )


def _whose(budget: Budget) -> str:
    stated = {"tier": budget.tier, "tenant": budget.tenant}
    named = [f"{word} {name}" for word, name in stated.items() if name is not None]
    return " and ".join(named) or "whole company"
