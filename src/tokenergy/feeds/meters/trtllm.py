"""What TensorRT-LLM's server says of its boards: joules since it began, under /energy_metrics.

It answers `{"total_energy_j": ..., "query_time": ...}` with its own monotonic clock if it was
started with `enable_energy_metrics: true`, and 503 otherwise (NVIDIA/TensorRT-LLM,
tensorrt_llm/serve/openai_server.py, since pull request 11855 of March 2026).
"""

import math
from typing import Any, Final
from urllib.parse import urlsplit, urlunsplit

from tokenergy.company.observe import Engine, TrtllmMeter
from tokenergy.errors import FindingsError
from tokenergy.feeds.engine_scrape import USER_AGENT, without_credentials
from tokenergy.feeds.http import Http
from tokenergy.metering.counter import STILL_S
from tokenergy.metering.meter import DeviceCount, MeterRule
from tokenergy.units import MICROJOULES_PER_J

LEAST_SPAN_S: Final = 1.0
PATH: Final = "/energy_metrics"
NOTE: Final = (
    "as TensorRT-LLM says of its boards; of boards on other hosts it assumes the same as of its own"
)
DEVICE: Final = "TensorRT-LLM"


class TrtllmEnergy:
    """The boards of one TensorRT-LLM server, added up by itself."""

    def __init__(
        self, meter: TrtllmMeter, engine: Engine, http: Http, *, every_s: float | None = None
    ) -> None:
        """Ask nothing yet."""
        url = meter.url or _beside(engine.metrics_url)
        self._http = http
        self._url, self._secret, self._shown = without_credentials(url)
        self.claims = frozenset({f"trtllm:{self._shown}"})
        self.rule = MeterRule(
            tier="measured",
            boundary="gpu",
            note=NOTE,
            least_span_s=LEAST_SPAN_S,
            every_s=every_s,
        )

    def counts(self) -> tuple[DeviceCount, ...]:
        """Return the joules since the server began."""
        try:
            answer = self._http.get(
                self._url, headers={"User-Agent": USER_AGENT}, secret=self._secret
            )
            if answer.from_cache:
                return _silent("the answer is an old copy: counters must be read anew")
            told = answer.json()
        except FindingsError as error:
            reasons = "; ".join(finding.reason for finding in error.findings)
            return _silent(f"{reasons}; it answers only with enable_energy_metrics: true")
        energy_j = _number(told, "total_energy_j")
        if energy_j is None:
            return _silent(f"no total_energy_j in its answer: {str(told)[:80]}")
        return (
            DeviceCount(
                device=DEVICE,
                energy_microjoules=round(energy_j * MICROJOULES_PER_J),
                renewed_s=_number(told, "query_time"),
                still_s=STILL_S,
            ),
        )

    def close(self) -> None:
        """The connections belong to whoever made `http`."""


def _silent(reason: str) -> tuple[DeviceCount, ...]:
    return (DeviceCount(device=DEVICE, reason=f"{DEVICE}: {reason}"),)


def _beside(url: str) -> str:
    """Return the address of the energy beside an engine's metrics."""
    return urlunsplit(urlsplit(url)._replace(path=PATH, query="", fragment=""))


def _number(told: Any, name: str) -> float | None:
    """Return a number that is none below 0; None for anything else."""
    figure = told.get(name) if isinstance(told, dict) else None
    if isinstance(figure, bool) or not isinstance(figure, int | float):
        return None
    return float(figure) if math.isfinite(figure) and figure >= 0.0 else None
