"""The series that a company file names, read and laid on one grid of time."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from tokenergy.company.operating_row import OperatingRow

FloatArray = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Lengths:
    """Mean tokens of one request of a workload.

    `digest` differs where the rows of a trace do that they are the means of; "" where only the
    means are stated.
    """

    input_tokens: float
    output_tokens: float
    digest: str = ""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Inputs:
    """Every series of a company, one value per interval, from the history to the end.

    All arrays have `history_count + horizon intervals` values; index `history_count` is the
    first interval of the horizon.

    Attributes:
        start: first moment of index 0, in UTC.
        step_h: length of an interval in hours.
        history_count: intervals before the horizon.
        price_usd_per_mwh: spot price by site.
        outdoor_c: temperature by site, where its PUE depends on it.
        profile_share: output over nameplate by as-produced contract.
        requests_per_s: mean arrivals in the interval by workload.
        lengths: mean tokens by workload (language models only).
        synthetic: names of the series that come from the synthetic feed.
        sources: where each series comes from, by its path in the company file.
        series: every other series, by `<owner>.<field>`: the owner is a contract's id, a site's
            name, or `<tariff>.<item>`; numbers in the file are spread over time.
        operating_rows: what one replica does for a workload, of the table that the company
            names; None: it names none, and dispatch computes it from the catalogue.
    """

    start: datetime
    step_h: float
    history_count: int
    price_usd_per_mwh: Mapping[str, FloatArray]
    outdoor_c: Mapping[str, FloatArray]
    profile_share: Mapping[str, FloatArray]
    requests_per_s: Mapping[str, FloatArray]
    lengths: Mapping[str, Lengths]
    synthetic: tuple[str, ...]
    sources: Mapping[str, str]
    series: Mapping[str, FloatArray] = field(default_factory=dict)
    operating_rows: tuple["OperatingRow", ...] | None = None
