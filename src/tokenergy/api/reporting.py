"""One HTML file with everything: the day, the plan, whether it pays, the claims, the scorecard."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path

from tokenergy.api.earning import Economics
from tokenergy.api.gathered import Gathered
from tokenergy.api.opened import OpenCompany, Progress
from tokenergy.api.output import REPORT, refuse_unwritable
from tokenergy.api.own_ledger import refuse_foreign_requests
from tokenergy.api.planning import Planned
from tokenergy.api.pricing import Board
from tokenergy.api.simulating import Simulation
from tokenergy.errors import FindingsError, InfeasibleProgram, InputError, UnexpectedError

FAILS = (FindingsError, InfeasibleProgram, UnexpectedError)
"""What makes a run fail; other errors say that the command was wrong, and nothing ran."""


def report(
    company: OpenCompany,
    *,
    out: str | Path,
    policies: Sequence[str] | None = None,
    board: Board | None = None,
    simulation: Simulation | None = None,
    pays: Economics | None = None,
    planned: Planned | None = None,
    usage_ledger: str | Path | None = None,
    with_plan: bool = False,
    with_thesis: bool = False,
    charts: str | Path | None = None,
    formats: Sequence[str] = ("svg", "png"),
    made_at: datetime | None = None,
    on_progress: Progress | None = None,
) -> Path:
    """Write the report of a company; what has been computed already is not computed again.

    Where the run fails, the report says what failed, with the findings and what was computed
    until then, and the error is raised all the same, with a note of where the report is.

    Args:
        company: an opened company.
        out: the HTML file to write; it may replace an older report and nothing else.
        policies: whom to simulate, as in `simulate`.
        board, simulation, pays, planned: what has been made of it already.
        usage_ledger: a ledger whose requests tell tokens by user, and what was decided of them.
        with_plan: also plan, where no plan is given.
        with_thesis: also run the essay's claims; that takes minutes.
        charts: a folder for every chart as a picture; it may replace an older one of ours.
        formats: of the pictures: svg, png.
        made_at: when the report is made, to stand in it (aware, UTC); None: it does not say.
        on_progress: told of what is done.

    Raises:
        FindingsError: if no dispatch satisfies the company's own limits.
        InputError: if the file cannot be written, or the ledger cannot be read or holds requests
            of another company only.
        UnexpectedError: if a cost per Mtok does not say which cost it is: a fault of ours.
    """
    from tokenergy.page.gallery import write_gallery
    from tokenergy.page.report import write_report

    target = Path(out)
    refuse_unwritable(target, replaces=REPORT)
    _refuse_no_pictures(target, charts, formats)
    refuse_foreign_requests(usage_ledger, company.company.company)
    gathered = Gathered(
        company, simulation=simulation, board=board, pays=pays, planned=planned, made_at=made_at
    )
    with _failing(gathered, target):
        gathered.make(policies, usage_ledger, plans=with_plan, tests=with_thesis, told=on_progress)
        data = gathered.data()
    written = write_report(data, target)
    if charts is not None:
        write_gallery(data, Path(charts), formats, on_progress=on_progress)
    return written


def _refuse_no_pictures(target: Path, charts: str | Path | None, formats: Sequence[str]) -> None:
    """Refuse, before any work, a folder of pictures that holds anything else, the report too."""
    from tokenergy.page.gallery import refuse_no_gallery

    if charts is not None:
        refuse_no_gallery(Path(charts), formats)
        if Path(charts).resolve() in target.resolve().parents:
            raise InputError(
                f"{target} lies in {charts}, which is for pictures: name another folder"
            )


@contextmanager
def _failing(gathered: Gathered, target: Path) -> Iterator[None]:
    """Write a report that says what failed, where something does, and note where it is."""
    from tokenergy.page.report import write_report

    try:
        yield
    except FAILS as error:
        written = write_report(gathered.data(failed=error), target)
        error.add_note(f"what failed stands in the report, too: {written}")
        raise
