"""What a gateway says when it starts: lines that a person wants to read."""

from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from tokenergy.company.board import Board
from tokenergy.company.serving.plan import WorkerPlan
from tokenergy.serve.board_watch import MakerTold

MOST_NAMES_COUNT: Final = 6


def start_facts(
    plan: WorkerPlan, address: str, admin: str | None, *, data: Path, ledger: Path
) -> dict[str, str | None]:
    """Return where it listens and what it keeps where, for a script that started it."""
    return {
        "company": plan.company,
        "api": f"{address}/v1",
        "page": f"{address}/",
        "metrics": None if admin is None else f"{admin}/metrics",
        "data": str(data),
        "ledger": str(ledger),
    }


def start_lines(
    plan: WorkerPlan,
    *,
    address: str,
    admin: str | None,
    company: Path,
    data: Path,
    ledger: Path,
    workers_count: int,
    keys_count: int,
) -> Iterator[str]:
    """Yield where it listens, who answers, who may ask, and where it is booked."""
    models = sorted({upstream.model for upstream in plan.upstreams})
    sites = sorted({upstream.site for upstream in plan.upstreams if upstream.site})
    yield f"{plan.company} at {address}/v1   Ctrl-C ends it"
    yield (
        f"  models     {_some(models)}"
        f"{'; ' + _some([alias.name for alias in plan.aliases]) if plan.aliases else ''}"
        f" at {_some(sites)}"
    )
    yield f"  page       {address}/   {_page(plan, company)}"
    yield f"  upstreams  {_upstreams(plan)}"
    yield f"  tenants    {_tenants(plan, company, keys_count=keys_count)}"
    if plan.clock_offset_s:
        yield "  clock      NOT THE PRESENT: a recorded horizon is played (--at)"
    yield f"  processes  {_counted(workers_count, 'worker')} and a board maker; data in {data}"
    yield f"  ledger     {ledger}   (tokenergy ledger {company} --by tenant,model,site)"
    if admin is not None:
        yield f"  admin      {admin}/metrics"


def board_line(board: Board, maker: MakerTold | None, *, now_s: float) -> str:
    """Return what the first board says: how it was made, and what the next token costs."""
    took = "" if maker is None or maker.board_id != board.board_id else f" in {maker.took_s:.1f} s"
    until = datetime.fromtimestamp(board.valid_until_s, tz=UTC)
    if board.is_stale(now_s):
        head = f"board {board.board_id} of an earlier start, stale: policy reserve until a new one"
    else:
        head = f"board {board.board_id} by {board.policy}{took}, for prices until {until:%H:%M} UTC"
    prices = []
    for load in board.workloads:
        offers = [one for rung in load.rungs[:1] for one in rung.candidates]
        if offers:
            least = offers[0]
            prices.append(
                f"{load.name} {least.high_usd_per_mtok:.4g} USD/Mtok at {least.deployment}"
            )
    rest = len(prices) - MOST_NAMES_COUNT
    more = [f"and {rest} more"] if rest > 0 else []
    return "\n".join(
        (head, *(f"  next token {line}" for line in (*prices[:MOST_NAMES_COUNT], *more)))
    )


def _upstreams(plan: WorkerPlan) -> str:
    kinds = Counter(upstream.kind for upstream in plan.upstreams)
    said = []
    if kinds["openai"]:
        said.append(_counted(kinds["openai"], "server"))
    if kinds["simulated"]:
        said.append(f"{kinds['simulated']} SIMULATED: made-up answers, labelled in each of them")
    return ", ".join(said) or "none"


def _tenants(plan: WorkerPlan, company: Path, *, keys_count: int) -> str:
    names = [tenant.name for tenant in plan.tenants]
    first = names[0] if names else "TENANT"
    how = f"tokenergy keys {company} create --tenant {first}"
    if plan.open_door:
        return f"{_some(names)}; without a key a request is {first}'s, until a key is made: {how}"
    if not keys_count:
        return f"{_some(names)}; there is NO KEY yet, so nobody is let in: {how}"
    return f"{_some(names)}; {_counted(keys_count, 'key')}   ({how})"


def _page(plan: WorkerPlan, company: Path) -> str:
    """Return who may see the live page."""
    if plan.open_door:
        return "prices, decisions and alarms, for this machine until a key is made"
    first = plan.tenants[0].name if plan.tenants else "TENANT"
    how = f"tokenergy keys {company} create --tenant {first} --scopes admin"
    return f"prices, decisions and alarms, for a key with scope admin: {how}"


def _some(names: list[str]) -> str:
    """Name a few, and say how many more there are."""
    if len(names) <= MOST_NAMES_COUNT:
        return ", ".join(names) or "none"
    return f"{', '.join(names[:MOST_NAMES_COUNT])} and {len(names) - MOST_NAMES_COUNT} more"


def _counted(count: int, noun: str) -> str:
    return f"{count} {noun}" + ("" if count == 1 else "s")
