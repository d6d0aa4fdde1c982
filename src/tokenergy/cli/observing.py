"""The verb `observe`: once, or until it is stopped, with a page."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from tokenergy.cli.exits import Exit
from tokenergy.cli.given import default_ledger
from tokenergy.cli.options import Company, Ledger
from tokenergy.cli.told import leave_now, print_json
from tokenergy.company.finding import errors_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tokenergy.api.observed.observation import Observation
    from tokenergy.api.observing import Ask


Metrics = Annotated[
    list[str] | None,
    typer.Option(
        "--metrics",
        metavar="[NAME=]URL",
        help="An engine's /metrics, or a Prometheus server's address: NAME is an engine of the "
        "file, or FLEET/MODEL. May be repeated. Default: all engines of the file.",
    ),
]
Usage = Annotated[
    Path | None,
    typer.Option(
        "--usage",
        metavar="FILE",
        help="Usage of the last weeks, by tenant (see `tokenergy import`).",
    ),
]
Invoices = Annotated[
    Path | None,
    typer.Option("--invoices", metavar="FILE", help="Invoices to reconcile with the usage."),
]
TimeZone = Annotated[
    str | None,
    typer.Option(
        "--time-zone", metavar="ZONE", help="Zone of stamps that carry none, e.g. Europe/Berlin."
    ),
]
Once = Annotated[bool, typer.Option("--once", help="Watch for one window, print it, and end.")]
Window = Annotated[
    float | None,
    typer.Option(
        "--window", metavar="SECONDS", help="Of a window. Default: as the file says, or 60."
    ),
]
Port = Annotated[
    int,
    typer.Option("--port", metavar="PORT", help="Of the page and its /metrics, on this machine."),
]
Otlp = Annotated[
    str | None,
    typer.Option(
        "--otlp", metavar="URL", help="Also send each window to an OpenTelemetry collector."
    ),
]
NoSaving = Annotated[
    bool, typer.Option("--no-saving", help="Leave out what dispatch would have saved.")
]
Json = Annotated[
    bool, typer.Option("--json", help="Print one JSON object a window; keys carry units.")
]


def observe(
    company: Company,
    metrics: Metrics = None,
    usage: Usage = None,
    invoices: Invoices = None,
    time_zone: TimeZone = None,
    once: Once = False,
    window: Window = None,
    port: Port = 9477,
    otlp: Otlp = None,
    no_saving: NoSaving = False,
    ledger: Ledger = None,
    as_json: Json = False,
) -> None:
    """Show what your running fleet's tokens cost now, read-only.

    Examples:
        # one window of a minute, printed
        tokenergy observe examples/observe.yaml --once
        # until Ctrl-C, with a page and metrics on this machine
        tokenergy observe examples/observe.yaml --port 9477
        # a JSON object a window, for a script
        tokenergy observe examples/observe.yaml --json
    """
    from tokenergy.api.observing import Ask

    ask = Ask(
        company=company,
        metrics=tuple(metrics or ()),
        usage=usage,
        invoices=invoices,
        time_zone=time_zone,
        window_s=window,
        ledger=ledger or default_ledger(company),
        saving=not no_saving,
    )
    if once:
        _once(ask, as_json=as_json)
    else:
        _until_stopped(ask, port=port, otlp=otlp, as_json=as_json)


def _once(ask: "Ask", *, as_json: bool) -> None:
    """Watch for one window, and print it."""
    from tokenergy.api.observing import watch_once as run
    from tokenergy.cli import show_observe
    from tokenergy.cli.progress import progress

    with progress() as told:
        seen = run(ask, on_progress=told)
    if as_json:
        print_json(seen.to_dict())
    else:
        show_observe.observation(seen)
    silent = all(model.tokens.output is None for _, model in seen.models())
    if silent or errors_of(seen.findings):
        raise typer.Exit(Exit.INPUT)


def _until_stopped(ask: "Ask", *, port: int, otlp: str | None, as_json: bool) -> None:
    """Watch with a page: a JSON object a window on stdout, or a line a window on stderr."""
    from tokenergy.api.watching_live import watch_live

    def tell(text: str) -> None:
        typer.echo(text, err=True)

    def window(seen: "Observation") -> None:
        if as_json:
            typer.echo(json.dumps(seen.to_dict(), allow_nan=False, separators=(",", ":")))
        else:
            tell(_line(seen))

    ended = watch_live(
        ask,
        port=port,
        otlp=otlp,
        on_address=lambda address: tell(
            f"page {address}   metrics {address}metrics   Ctrl-C ends it"
        ),
        on_window=window,
        on_fault=lambda fault: tell(f"this window could not be told, the next one is:\n{fault}"),
    )
    if not ended:  # a solver is still at work, and would keep the process until it is done
        leave_now(Exit.DONE)


def _line(seen: "Observation") -> str:
    """Say a window in one line: over all models the lowest and the highest figure."""
    models = [model for _, model in seen.models()]
    currency = str(seen.heading["currency"])
    output = sum(model.tokens.output or 0 for model in models)
    silent = sum(model.tokens.output is None for model in models)
    said = [
        f"{seen.end:%H:%M:%S}",
        f"{output:,} tokens out" + (f" ({silent} of {len(models)} silent)" if silent else ""),
        f"full (allocation) {_ends([model.usd_per_mtok_full for model in models])} {currency}/Mtok",
        f"marginal {_ends([model.usd_per_mtok_marginal for model in models])} {currency}/Mtok",
        f"{_ends([model.j_per_token for model in models])} J/token",
    ]
    if seen.findings:
        said.append(f"findings {len(seen.findings)}: {seen.findings[0].code}")
    return "   ".join(said)


def _ends(values: "Sequence[float | None]") -> str:
    known = [value for value in values if value is not None]
    if not known:
        return "-"
    low, high = f"{min(known):.4g}", f"{max(known):.4g}"
    return low if low == high else f"{low} to {high}"
