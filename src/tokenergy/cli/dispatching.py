"""The verb `dispatch`: what to do in this window."""

from tokenergy.cli.given import moment
from tokenergy.cli.options import At, Company, Hours, Json
from tokenergy.cli.told import print_json


def dispatch(company: Company, at: At = None, hours: Hours = 48.0, as_json: Json = False) -> None:
    """Show what to do in this window: run, store, wait, refuse.

    Examples:
        # where each workload runs now, and what waits
        tokenergy dispatch examples/meridian.yaml --hours 24
        # power and work of each hour, for a script
        tokenergy dispatch examples/startup.yaml --hours 6 --json
    """
    from tokenergy.api import dispatch as run
    from tokenergy.cli import show
    from tokenergy.cli.opening import opened_company
    from tokenergy.cli.progress import progress

    with progress() as told:
        opened = opened_company(company, told)
        told("dispatching", 0, 1)
        plan = run(opened, at=moment(at), hours=hours)
    if as_json:
        print_json(plan.to_dict())
    else:
        show.plan(plan)
