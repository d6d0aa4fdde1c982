"""A calibration, for people."""

from tokenergy.api.calibrating import CalibratedRow, CalibrationMade
from tokenergy.cli.columns import counted, figure, percent, put, say


def calibration(made: CalibrationMade) -> None:
    """Print what the points make of each configuration, and what is still to be done."""
    left_out = sum(made.refused_counts.values())
    taken = counted(made.points_count, "point")
    own = counted(made.configurations_count, "configuration")
    say(
        f"{made.file}: {taken} of {own} ({made.kind})"
        + (f", {left_out} rows left out" if left_out else ""),
        style="bold",
    )
    how = (
        f"held against {made.held_against}"
        if made.held_against
        else "each point from those at other batches, where there are three or more"
    )
    put(
        f"Mean error of the joules of an output token before and after: {how}",
        [_cells(row) for row in made.rows],
        left=("model", "on", "stack"),
        right=("points", "batches", "factor", "band", "tested", "before", "after"),
    )
    _total(made)
    for finding in made.findings:
        say(f"warning {finding.code} {finding.path}: {finding.reason}", style="yellow", as_is=True)
    if made.wrote:
        say(f"wrote {made.wrote}; name it in the company file: calibration: {made.wrote}")
    else:
        say("Nothing was written: --out FILE writes what a company file can name as calibration.")


def _total(made: CalibrationMade) -> None:
    if made.before_mape_share is None:
        say(
            "No configuration has three points, so no error after calibration can be told: the "
            "band says what to expect."
        )
        return
    say(
        f"Over {counted(made.tested_count, 'point')}: {percent(made.before_mape_share, 1)} before, "
        f"{percent(made.after_mape_share, 1)} after."
    )


def _cells(row: CalibratedRow) -> list[str]:
    own = row.configuration
    precision = "" if own.bytes_per_weight is None else f", {own.bytes_per_weight:g} B a weight"
    where = [own.model, f"{own.gpus_count} x {own.accelerator}{precision}", own.stack or "-"]
    if not row.points_count:
        return [
            *where, "0", "-", "1", "-", f"{row.tested_count}", percent(row.before_mape_share, 1),
            "unchanged",
        ]  # fmt: skip
    return [
        *where,
        f"{row.points_count}",
        _span(row.lowest_batch_count, row.highest_batch_count, 0),
        _span(row.factor_low_ratio, row.factor_high_ratio, 2),
        _span(row.low_share, row.high_share, 2),
        f"{row.tested_count}",
        percent(row.before_mape_share, 1),
        percent(row.after_mape_share, 1),
    ]


def _span(low: float | None, high: float | None, decimals: int) -> str:
    first, last = figure(low, decimals), figure(high, decimals)
    return first if first == last else f"{first} to {last}"
