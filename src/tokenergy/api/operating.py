"""What one replica does within each tier's limits, from simulated requests: `operating_points`."""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from tokenergy.api.opened import OpenCompany, Progress
from tokenergy.api.output import refuse_unwritable
from tokenergy.api.table import to_html, to_polars
from tokenergy.api.threads import over_threads
from tokenergy.company.finding import Finding
from tokenergy.company.noun import nearest_names
from tokenergy.company.operating_row import OperatingRow
from tokenergy.dispatch.points import operating_point
from tokenergy.energy.operating_point import OperatingPoint
from tokenergy.errors import DoesNotFit, InputError, SloUnreachable
from tokenergy.files.operating_table import BEGINNING, write_operating_rows
from tokenergy.files.series import trace_columns
from tokenergy.files.tables import Tables
from tokenergy.simulate.operating_points import MixError, operating_table
from tokenergy.simulate.operating_sample import Effort
from tokenergy.simulate.request_mix import LengthPairs
from tokenergy.units import J_PER_MWH, S_PER_H, TOKENS_PER_MTOK, W_PER_MW

if TYPE_CHECKING:
    import polars as pl

QUICK: Final = Effort(requests_count=4_000, seeds_count=1)
"""For a first look: 15 times fewer requests than a table that dispatch should stand on."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Analytic:
    """The point that dispatch computes from the catalogue where no table is named.

    Attributes:
        rate_per_s: requests per second; 0 where the limits are missed at any load.
        power_w, base_w, marginal_j_per_token: its line, boards and host.
        bound: what keeps the batch from growing, or why there is no point.
    """

    rate_per_s: float
    power_w: float | None
    base_w: float | None
    marginal_j_per_token: float | None
    bound: str

    def to_dict(self) -> dict[str, Any]:
        """Return the point as a JSON-ready mapping."""
        return {part.name: getattr(self, part.name) for part in fields(self)}

    @classmethod
    def none(cls) -> dict[str, None]:
        """Return the mapping of no point at all."""
        return {part.name: None for part in fields(cls)}


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class OperatingPoints:
    """The table of operating points of a company, beside what dispatch takes without it.

    Attributes:
        heading: whose numbers these are.
        effort: how many requests and seeds a simulation has.
        rows: one for each workload on each deployment that its model fits.
        analytic: of each row, the point from the catalogue; None for a mix of two workloads.
        mixes: even mixes of two workloads against their own search.
        findings: warnings.
        written: the file, where one was asked for.
    """

    heading: dict[str, Any]
    effort: Effort
    rows: tuple[OperatingRow, ...]
    analytic: tuple[Analytic | None, ...]
    mixes: tuple[MixError, ...]
    findings: tuple[Finding, ...]
    written: Path | None = None

    def to_dict(self) -> dict[str, Any]:
        """Return everything as a JSON-ready mapping whose keys carry units."""
        return {
            **self.heading,
            "requests_count": self.effort.requests_count,
            "seeds_count": self.effort.seeds_count,
            "rows": [
                row.to_dict() | {"analytic": None if point is None else point.to_dict()}
                for row, point in zip(self.rows, self.analytic, strict=True)
            ],
            "mixes": [
                {
                    "fleet": mix.fleet,
                    "model": mix.model,
                    "workload": mix.workload,
                    "also": mix.also,
                    "promised_per_s": mix.promised_per_s,
                    "found_per_s": mix.found_per_s,
                    "error_share": mix.error_share if mix.found_per_s > 0.0 else None,
                }
                for mix in self.mixes
            ],
            "findings": [finding.to_dict() for finding in self.findings],
            "written": None if self.written is None else str(self.written),
        }

    def to_polars(self) -> "pl.DataFrame":
        """Return the rows as a polars frame, the points from the catalogue beside them."""
        return to_polars(self._rows())

    def _repr_html_(self) -> str:
        names = ("workload", "model", "fleet", "rate_per_s", "bound", "power_w", "base_w",
                 "marginal_j_per_token", "analytic_rate_per_s")  # fmt: skip
        rows = [{name: row[name] for name in names} for row in self._rows()]
        return to_html(rows, f"{self.heading['company']}: one replica within its tier's limits")

    def _rows(self) -> list[dict[str, Any]]:
        """Return the rows flat."""
        flat = []
        for row, point in zip(self.rows, self.analytic, strict=True):
            known = Analytic.none() if point is None else point.to_dict()
            told = row.to_dict() | {"notes": "; ".join(row.notes)}
            flat.append(told | {f"analytic_{name}": value for name, value in known.items()})
        return flat


def operating_points(
    opened: OpenCompany,
    *,
    workloads: Sequence[str] | None = None,
    quick: bool = False,
    out: Path | None = None,
    on_progress: Progress | None = None,
) -> OperatingPoints:
    """Simulate every workload on every deployment up to the limits of its tier.

    Args:
        opened: the company.
        workloads: names; None: all that are no media.
        quick: fewer requests and one seed, for a first look.
        out: a CSV to write, which the company file can name as `operating_points`; an older
            table is replaced.
        on_progress: told (what, done, of).

    Raises:
        InputError: if a workload is unknown, or `out` cannot be written.
    """
    company = opened.company
    names = [workload.name for workload in company.workloads]
    for name in workloads or ():
        if name not in names:
            near = ", ".join(map(repr, nearest_names(name, names) or names))
            raise InputError(f"there is no workload {name!r}; did you mean {near}?")
    if out is not None:
        refuse_unwritable(out, replaces=BEGINNING)
    effort = QUICK if quick else Effort()
    table = operating_table(
        company,
        opened.inputs,
        opened.catalogue,
        effort=effort,
        workloads=workloads,
        traces=_traces(opened),
        spread=over_threads,
        on_progress=on_progress,
    )
    if out is not None:
        write_operating_rows(out, table.rows)
    return OperatingPoints(
        heading=opened.heading(),
        effort=effort,
        rows=table.rows,
        analytic=tuple(_analytic(opened, row) for row in table.rows),
        mixes=table.mixes,
        findings=table.findings,
        written=out,
    )


def _traces(opened: OpenCompany) -> dict[str, LengthPairs]:
    """Return the rows of the traces that workloads name for their lengths.

    A cell of 0 stands for a request that failed or was cut: 1 token is the least there is.
    """
    tables = Tables(folder=opened.path.parent)
    traces = {}
    for at, workload in enumerate(opened.company.workloads):
        if workload.lengths is not None:
            columns = trace_columns(f"workloads[{at}].lengths", workload.lengths, tables)
            inputs, outputs = (np.maximum(1, np.rint(one)).astype(np.int64) for one in columns)
            traces[workload.name] = LengthPairs(input_tokens=inputs, output_tokens=outputs)
    return traces


def _analytic(opened: OpenCompany, row: OperatingRow) -> Analytic | None:
    """Return what dispatch would take for the same pair without a table."""
    terms = row.terms
    if terms.also:
        return None
    company = opened.company
    fleet = next(fleet for fleet in company.fleets if fleet.name == terms.fleet)
    workload = next(one for one in company.workloads if one.name == terms.workload)
    try:
        point = operating_point(
            opened.catalogue,
            tier=next(tier for tier in company.tiers if tier.name == workload.tier),
            model=next(model for model in company.models if model.name == terms.model),
            fleet=fleet,
            site=next(site for site in company.sites if site.name == fleet.site),
            lengths=opened.inputs.lengths[terms.workload],
        )
    except (DoesNotFit, SloUnreachable) as error:
        return Analytic(
            rate_per_s=0.0, power_w=None, base_w=None, marginal_j_per_token=None, bound=str(error)
        )
    return _of_point(point, output_tokens=terms.output_tokens)


def _of_point(point: OperatingPoint, *, output_tokens: float) -> Analytic:
    marginal_j = point.marginal_mwh_per_mtok * J_PER_MWH / TOKENS_PER_MTOK
    tokens_per_s = point.rate_mtok_per_h * TOKENS_PER_MTOK / S_PER_H
    base_w = point.base_mw * W_PER_MW
    return Analytic(
        rate_per_s=tokens_per_s / output_tokens,
        power_w=base_w + marginal_j * tokens_per_s,
        base_w=base_w,
        marginal_j_per_token=marginal_j,
        bound=point.bound,
    )
