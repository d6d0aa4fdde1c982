"""The verb `price`: what one Mtok more costs."""

from tokenergy.cli.given import moment
from tokenergy.cli.options import At, Company, Hours, Json
from tokenergy.cli.told import print_json


def price(company: Company, at: At = None, hours: Hours = 48.0, as_json: Json = False) -> None:
    """Show what one Mtok more costs at each site, in parts.

    Low and high: what the last one cost, and what the next one costs.

    Examples:
        # now, and the range of the next two days
        tokenergy price examples/meridian.yaml
        # an evening when the grid is short
        tokenergy price examples/meridian.yaml --at 2026-03-02T18:00Z --hours 6
        # the same for a script
        tokenergy price examples/startup.yaml --hours 6 --json
    """
    from tokenergy.api import price as run
    from tokenergy.cli import show
    from tokenergy.cli.opening import opened_company
    from tokenergy.cli.progress import progress

    with progress() as told:
        board = run(opened_company(company, told), at=moment(at), hours=hours, on_progress=told)
    if as_json:
        print_json(board.to_dict())
    else:
        show.board(board)
