"""The table of operating points, for people."""

from tokenergy.api.operating import Analytic, OperatingPoints
from tokenergy.cli.columns import counted, figure, percent, put, say
from tokenergy.cli.show import banner
from tokenergy.company.operating_row import OperatingRow


def operating_points(result: OperatingPoints) -> None:
    """Print the load within the limits beside what dispatch takes without a table."""
    banner(result.heading)
    pairs = list(zip(result.rows, result.analytic, strict=True))
    alone = [(row, point) for row, point in pairs if not row.terms.also]
    if not alone:
        say("no workload of a language model on a deployment that it fits: there is no row")
        return
    put(
        "One awake replica within its tier's limits: requests/s, and watts with the host",
        [_cells(row, point) for row, point in alone],
        left=("workload", "model, fleet"),
        right=("req/s", "bound", "batch", "W", "base W", "J/tok more", "now req/s", "now W"),
    )
    _told(result)
    _mixes(result)
    for finding in result.findings:
        say(f"warning {finding.code} {finding.path}: {finding.reason}", style="yellow", as_is=True)
    if result.written is not None:
        say(f"table: {result.written}; name it in the company file as operating_points")


def _cells(row: OperatingRow, point: Analytic | None) -> list[str]:
    terms = row.terms
    now = ["-", "-"]
    if point is not None and point.power_w is not None:
        now = [figure(point.rate_per_s, 2), figure(point.power_w, 0)]
    where = [terms.workload, f"{terms.model}, {terms.fleet}"]
    if not row.reachable:
        return [*where, "none", row.bound, "-", "-", "-", "-", *now]
    return [
        *where,
        figure(row.rate_per_s, 2),
        row.bound,
        figure(row.mean_batch_count, 0),
        figure(row.power_w, 0),
        figure(row.base_w, 0),
        figure(row.marginal_j_per_token, 3),
        *now,
    ]


def _told(result: OperatingPoints) -> None:
    """Say what the columns are, how sure they are, and what they are made from."""
    say(
        "bound: what a little more load breaks; batch: sequences in a step; J/tok more: slope of "
        "the power at the point; now: what dispatch computes from the catalogue"
    )
    held = [row for row in result.rows if row.reachable]
    if not held:
        return
    spread = max(row.rate_spread_share for row in held)
    half = max(abs(row.half_load_error_share) for row in held)
    measured = sum(row.tier == "measured" for row in held)
    say(
        f"{result.effort.requests_count:,} requests and "
        f"{counted(result.effort.seeds_count, 'seed')} a load, "
        f"the worst seed counts: the best is at most {percent(spread)} above it. At half the load "
        f"the line is off by at most {percent(half)}. {measured} of {len(held)} rows stand on a "
        "measured law of the step, the others are modelled from data sheets."
    )
    say(f"Lengths: {held[0].lengths}.")


def _mixes(result: OperatingPoints) -> None:
    if not result.mixes:
        return
    worst = max(result.mixes, key=lambda mix: abs(mix.error_share))
    say(
        f"{len(result.mixes)} even mixes of two workloads were tried: shares of a replica promise "
        f"at worst {worst.error_share:+.0%} of what keeps both limits ({worst.workload} and "
        f"{worst.also} on {worst.model})."
    )
