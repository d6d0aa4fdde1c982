"""One HTML file that holds its numbers, its charts and what draws them; it asks nobody."""

from pathlib import Path

from tokenergy.page.data import ReportData

__all__ = ["ReportData", "report_html", "write_report"]


def report_html(data: ReportData) -> str:
    """Return the report as one HTML document, the same for the same data."""
    from tokenergy.page.document import document

    return document(data)


def write_report(data: ReportData, out: Path) -> Path:
    """Write the report, whole or not at all.

    Raises:
        InputError: if the file cannot be written.
    """
    from tokenergy.page.picture import write_whole

    return write_whole(out, report_html(data).encode())
