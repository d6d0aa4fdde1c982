"""What is counted of meters: windows with and without a reading, and the joules in them."""

from collections.abc import Sequence
from pathlib import Path
from typing import Final

from tokenergy.company.serving.plan import MeterPlan
from tokenergy.company.serving.record import Metered
from tokenergy.metering.shared_window import MeteredWindow
from tokenergy.serve.gateway_metrics import Tally
from tokenergy.serve.metrics_files import take_over, write_counts
from tokenergy.units import MICROJOULES_PER_J

NUMBER: Final = "0"
"""Control's own file beside those of the workers, who begin with 1."""


class MeterCounts:
    """Counts of control, which reads the meters; it goes on from those of an earlier life."""

    def __init__(self, folder: Path) -> None:
        """Begin.

        Args:
            folder: of the gateway's counts.
        """
        folder.mkdir(mode=0o700, exist_ok=True)
        self._file, self._tally = folder / NUMBER, Tally()
        take_over(self._file, self._tally)

    def window(self, plan: MeterPlan, window: MeteredWindow) -> None:
        """Count a window; the meter is up if it told anything.

        A meter that stays silent is told of seldom: what stays is that it is down.
        """
        known = window.microjoules is not None
        labels = (plan.site, plan.model, plan.name)
        told = (*labels, "measured" if known else "missing")
        self._tally.add("tokenergy_meter_windows", told)
        self._tally.set("tokenergy_gateway_meter_up", labels, float(known))

    def divided(self, records: Sequence[Metered]) -> None:
        """Count the joules of a window by whether a request took them."""
        for each in records:
            if each.microjoules is not None:
                component = "request" if each.request_id else "idle"
                labels = (each.site, each.model, component)
                joules = each.microjoules / MICROJOULES_PER_J
                self._tally.add("tokenergy_metered_joules", labels, joules)

    def write(self) -> None:
        """Write all of it where whoever merges the counts looks.

        Raises:
            OSError: if the disk refuses it.
        """
        write_counts(self._file, self._tally)
