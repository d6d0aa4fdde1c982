"""Where a series comes from: a constant, a column of a file, or the synthetic feed."""

from typing import Annotated, Any, Literal

from pydantic import Discriminator, Field, Tag

from tokenergy.company.noun import Noun, Positive, UtcDatetime


class FileSeries(Noun):
    """A column of a CSV or Parquet file, with everything needed to read it right."""

    file: str
    """Path of the file, relative to the company file."""
    column: str
    """Name of the column."""
    time_column: str = "utc"
    """Name of the column of time stamps (or of elapsed seconds, see `elapsed_from`)."""
    time_zone: str = "UTC"
    """IANA zone of stamps that carry none: for those it must be stated, `UTC` too."""
    stamp: Literal["start", "end"] = "start"
    """Whether a stamp names the start or the end of its interval."""
    shift_h: float = 0.0
    """Hours to add to every stamp (a known fault of the source), applied after `stamp`."""
    elapsed_from: UtcDatetime | None = None
    """The moment that second 0 stands for, where the time column counts elapsed seconds."""
    repeat: bool = False
    """Repeat the span of the file to cover the horizon: a day of data is not a week."""
    zero_is_missing: bool = False
    """Whether a 0 in the column means that nothing was recorded."""
    missing_if_zero_column: str | None = None
    """Another column whose 0 marks this one as missing (a total, for example)."""
    missing_limit_share: float = Field(default=0.0, ge=0.0, le=1.0)
    """Share of missing cells up to which the gaps are filled as `fill` says; else a Finding."""
    fill: Literal["none", "previous_week", "zero"] = "none"
    """What stands in for a missing cell, said aloud; `none` makes a gap an error."""
    usd_per_unit: Positive = 1.0
    """USD per unit of the column's currency (prices only): one stated rate."""
    rate_note: str = ""
    """Where `usd_per_unit` comes from, with its date."""
    nameplate_mw: Positive | None = None
    """Divide a column in MW by this to get a share of capacity (wind and solar only)."""


class SyntheticSeries(Noun):
    """A seeded series from the built-in generator; every output that uses it says so."""

    synthetic: str
    """Name of a zone of the synthetic feed, e.g. `texas`."""
    quantity: Literal["price", "wind", "solar", "temperature"] | None = None
    """What to take from the zone; where the place leaves no doubt it may be left out."""


def _kind_of_series(value: Any) -> str:
    if isinstance(value, bool) or value is None:
        return "file"
    if isinstance(value, int | float):
        return "constant"
    if isinstance(value, SyntheticSeries) or (isinstance(value, dict) and "synthetic" in value):
        return "synthetic"
    return "file"


SeriesSource = Annotated[
    Annotated[float, Tag("constant")]
    | Annotated[FileSeries, Tag("file")]
    | Annotated[SyntheticSeries, Tag("synthetic")],
    Discriminator(_kind_of_series),
]
"""A number, `{file, column, ...}` or `{synthetic: zone}`."""


class LengthsFile(Noun):
    """A trace of lengths: dispatch takes its means, `operating-points` draws from its rows."""

    file: str
    """Path of the file, relative to the company file."""
    input_column: str
    """Column of input tokens."""
    output_column: str
    """Column of output tokens."""
