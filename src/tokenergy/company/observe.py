"""What `observe` reads: engines and their meters, and feeds of prices."""

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from tokenergy.company.noun import Name, NonNegative, Noun, Positive

Url = Annotated[str, Field(pattern=r"^https?://[^\s/]+(/\S*)?$")]
"""An address that the company file or the command line names; no other is ever asked."""

Gives = Literal["j", "mj", "uj", "w"]
"""What a number of an exporter is: a counter in J, mJ or uJ, or a power in W."""


class NvmlMeter(Noun):
    """NVIDIA boards of this machine: their energy counter, else samples of their power."""

    kind: Literal["nvml"]
    devices: tuple[str, ...] = Field(min_length=1)
    """Index or UUID of each board of the engine."""


class AmdMeter(Noun):
    """AMD boards of this machine, by their energy accumulator."""

    kind: Literal["amd_smi"]
    devices: tuple[str, ...] = Field(min_length=1)
    """Index or UUID of each board of the engine."""


class RaplMeter(Noun):
    """Processor packages of this machine; never a package and a part of it together."""

    kind: Literal["rapl"]
    zones: tuple[str, ...] = Field(min_length=1)
    """Names of zones, e.g. `package-0` or `dram`."""
    root: str = "/sys/class/powercap"
    """Folder of the kernel's zones."""


class CpuSecondsMeter(Noun):
    """CPU seconds of a process of this machine times stated watts: modelled, never measured."""

    kind: Literal["cpu_seconds"]
    w_per_core: Positive
    """Power of one busy core."""
    pid: int | None = Field(default=None, gt=0)
    """The process; null: the one that listens on the port of the engine's URL."""


class PrometheusMeter(Noun):
    """A counter of energy, or a gauge of power, that a Prometheus server keeps (DCGM, Kepler)."""

    kind: Literal["prometheus"]
    url: Url
    """Base address of the server, without `/api/v1`."""
    query: str = Field(min_length=1)
    """PromQL; each series is a board with a past of its own, and they are added up."""
    gives: Gives
    """Whether that number is a counter in joules, millijoules or microjoules, or watts."""
    updates_s: Positive | None = None
    """Seconds between two looks at the boards: the scrape's, or the exporter's own if that is
    longer. A shorter window has no figure. null: unknown; a number that stands still is none."""


class ExporterMeter(Noun):
    """A page of an exporter of boards, without a Prometheus server (DCGM, Kepler)."""

    kind: Literal["exporter"]
    url: Url
    """Of the page, e.g. `http://127.0.0.1:9400/metrics`."""
    metric: str = Field(default="DCGM_FI_DEV_TOTAL_ENERGY_CONSUMPTION", min_length=1)
    """Name of the counter or gauge; each of its series is a board, and they are added up."""
    labels: dict[str, str] = Field(default_factory=dict)
    """Labels that pick the engine's boards; none: every board of the page."""
    gives: Gives = "mj"
    """Whether that number is a counter in joules, millijoules or microjoules, or watts."""
    updates_s: Positive = 30.0
    """Seconds between two looks of the exporter at its boards (DCGM's own default); a shorter
    window has no figure."""


class TrtllmMeter(Noun):
    """What TensorRT-LLM's server says of its boards, with `enable_energy_metrics: true`."""

    kind: Literal["trtllm"]
    url: Url | None = None
    """Its `/energy_metrics`; null: that path on the host of the engine's `metrics_url`."""


Meter = Annotated[
    NvmlMeter
    | AmdMeter
    | RaplMeter
    | CpuSecondsMeter
    | PrometheusMeter
    | ExporterMeter
    | TrtllmMeter,
    Field(discriminator="kind"),
]


class Engine(Noun):
    """One serving engine: where its counters are, and what of the company it is."""

    name: Name
    metrics_url: Url
    """Its `/metrics`; or the base address of a Prometheus server, with a `selector`."""
    selector: str | None = None
    """Labels that pick this engine on a Prometheus server, e.g. `job="vllm", site="paris"`."""
    fleet: Name
    """The fleet it runs on: site and accelerator."""
    model: Name
    """The company's name of the model it serves."""
    served_model: str | None = None
    """The engine's own name of the model, where it serves several; null: the only one."""
    workload: Name | None = None
    """Whose requests it answers; null: the only workload whose ladder has the model."""
    replicas_count: int = Field(default=1, gt=0)
    """Replicas behind these counters."""
    meter: Meter | None = None
    """Where its joules are read; null: they are modelled."""
    idle_w: NonNegative | None = None
    """What its meter shows while it is awake and no request runs; null: the accelerator's idle
    power, for each of its GPUs."""


class PriceFeed(Noun):
    """A live price for a site; the series of its market stands behind it."""

    site: Name
    feed: str
    """Name of a feed, e.g. `energy-charts`."""
    zone: str
    """The zone in the feed's own words."""
    base_url: Url | None = None
    """Another address than the service's own, e.g. of a proxy."""
    usd_per_unit: Positive = 1.0
    """USD per unit of the feed's currency."""
    rate_note: str = ""
    """Where `usd_per_unit` comes from, with its date."""
    stale_after_h: NonNegative = 2.0
    """Age of the newest known interval from which the price counts as stale."""


class Observe(Noun):
    """What is watched while it runs; nothing is ever sent but reads."""

    engines: tuple[Engine, ...] = ()
    price_feeds: tuple[PriceFeed, ...] = ()
    every_s: Annotated[float, Field(ge=1.0, le=3600.0)] = 5.0
    """Seconds between two readings of an engine."""
    window_s: Annotated[float, Field(ge=1.0, le=3600.0)] = 60.0
    """Seconds of one window of the ledger."""

    @model_validator(mode="after")
    def _a_window_holds_readings(self) -> Self:
        if self.window_s < self.every_s:
            raise ValueError(f"window_s {self.window_s:g} is shorter than every_s {self.every_s:g}")
        return self
