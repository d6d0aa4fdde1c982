"""The verb `simulate`: policies on a horizon, or on requests one by one."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from tokenergy.cli.completing import listed
from tokenergy.cli.given import default_ledger, moment, names
from tokenergy.cli.options import (
    POLICIES,
    POLICIES_HELP,
    Company,
    Days,
    From,
    Json,
    Split,
)
from tokenergy.cli.told import how_to_resume, print_json
from tokenergy.errors import InputError

if TYPE_CHECKING:
    from tokenergy.api.opened import OpenCompany

Policies = Annotated[
    str | None,
    typer.Option(
        "--policies",
        metavar="NAMES",
        autocompletion=listed(*POLICIES, "all"),
        help=f"{POLICIES_HELP}; with --requests greedy_battery,mpc.",
    ),
]
Seed = Annotated[
    int | None,
    typer.Option("--seed", metavar="SEED", help="Another seed of the synthetic series."),
]
Outages = Annotated[
    list[str] | None,
    typer.Option(
        "--outage",
        metavar="WHAT",
        help="Break something: site|feed|fleet:NAME@START+HOURSh[,left=SHARE][,notice=HOURSh].",
    ),
]
Whole = Annotated[
    bool, typer.Option("--whole-replicas", help="Also run each policy with whole replicas.")
]
Ledger = Annotated[
    Path | None,
    typer.Option(
        "--ledger",
        metavar="FILE",
        help="SQLite file; default .tokenergy/<company>.sqlite, with --requests none is written.",
    ),
]
Resume = Annotated[
    bool, typer.Option("--resume", help="Go on with runs that were stopped, from the ledger.")
]
Requests = Annotated[
    str | None,
    typer.Option(
        "--requests",
        metavar="FILE|generated",
        help="Decide requests one by one and play them on replicas: those of a file (Azure, "
        "Mooncake, usage CSV, a ledger), or generated.",
    ),
]
Hours = Annotated[
    float | None,
    typer.Option(
        "--hours",
        metavar="HOURS",
        help="With --requests: hours to replay. Default: 24, or as long as the file lasts.",
    ),
]
Sample = Annotated[
    int | None,
    typer.Option(
        "--sample",
        metavar="COUNT",
        help="With --requests generated: requests to draw. Default: 120000.",
    ),
]
Workload = Annotated[
    str | None,
    typer.Option(
        "--workload",
        metavar="NAME",
        help="With --requests FILE: the workload that they are of.",
    ),
]
Zone = Annotated[
    str | None,
    typer.Option(
        "--zone",
        metavar="ZONE",
        help="With --requests FILE: the time zone of stamps that have none.",
    ),
]
GENERATED_HOURS = 24.0


def simulate(
    company: Company,
    days: Days = None,
    start: From = None,
    policies: Policies = None,
    split: Split = False,
    seed: Seed = None,
    outage: Outages = None,
    whole_replicas: Whole = False,
    requests: Requests = None,
    hours: Hours = None,
    sample: Sample = None,
    workload: Workload = None,
    zone: Zone = None,
    ledger: Ledger = None,
    resume: Resume = False,
    as_json: Json = False,
) -> None:
    """Show what each policy would have done: the scorecard.

    Examples:
        # a week under six policies; the runs are kept in a ledger
        tokenergy simulate examples/meridian.yaml
        # one day under two
        tokenergy simulate examples/startup.yaml --days 1 --policies greedy,mpc
        # a site goes dark for six hours
        tokenergy simulate mine.yaml --outage site:texas@2026-03-03T18:00Z+6h
        # requests one by one, on whole replicas
        tokenergy simulate examples/requests.yaml --requests generated --hours 1
    """
    from tokenergy.cli.opening import opened_company
    from tokenergy.cli.progress import progress
    from tokenergy.company.outage import parse_outage

    if requests is None:
        _refuse("with", hours=hours, sample=sample, workload=workload, zone=zone)
    else:
        _refuse("without", split=split, whole_replicas=whole_replicas, resume=resume)
    with progress() as told:
        opened = opened_company(company, told, start=moment(start), days=days, seed=seed)
    if outage:
        opened = opened.with_outages([parse_outage(text) for text in outage])
    if requests is not None:
        _replay(
            opened, requests, hours=hours, policies=policies, sample=sample, seed=seed,
            ledger=ledger, workload=workload, zone=zone, as_json=as_json,
        )  # fmt: skip
        return
    from tokenergy.api import simulate as run
    from tokenergy.cli import show

    with progress() as told, how_to_resume():
        result = run(
            opened, policies=names(policies), split=split, resume=resume, on_progress=told,
            ledger=ledger or default_ledger(company), whole_replicas=whole_replicas,
        )  # fmt: skip
    if as_json:
        print_json(result.to_dict())
    else:
        show.scorecard(result)


def _refuse(word: str, **given: object) -> None:
    """Refuse options that mean nothing here: what is said and not done misleads.

    Raises:
        InputError: naming every one that was given.
    """
    used = [name for name, value in given.items() if value not in (None, False)]
    said = [f"--{name.replace('_', '-')}" for name in used]
    if said:
        raise InputError(f"{', '.join(said)}: only {word} --requests")


def _replay(
    opened: "OpenCompany",
    requests: str,
    *,
    hours: float | None,
    policies: str | None,
    sample: int | None,
    seed: int | None,
    ledger: Path | None,
    workload: str | None,
    zone: str | None,
    as_json: bool,
) -> None:
    """Replay requests and tell what came of it."""
    from tokenergy.api.replaying import GENERATED, replay
    from tokenergy.cli import show_requests
    from tokenergy.cli.progress import progress

    if hours is None and requests == GENERATED:
        horizon = opened.company.horizon
        hours = min(GENERATED_HOURS, horizon.intervals_count * horizon.step_h)
    with progress() as told:
        result = replay(
            opened,
            requests,
            hours=hours,
            policies=names(policies),
            sample=sample,
            seed=seed,
            ledger=ledger,
            workload=workload,
            zone=zone,
            on_progress=told,
        )
    if as_json:
        print_json(result.to_dict())
    else:
        show_requests.requests(result)
