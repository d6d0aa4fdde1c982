"""A small company with two engines, and a clock that a test moves: for tests of `observe`."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from engine_server import Reply, vllm_page

from tokenergy.api.observed.company import ObservedCompany, open_observed
from tokenergy.api.observed.joules import EngineJoules, engine_joules
from tokenergy.api.observed.seen import One
from tokenergy.api.observed.watching import Watched
from tokenergy.api.observed.world import Placed, placed
from tokenergy.dispatch.world import World
from tokenergy.metering.reading import Reading
from tokenergy.metering.sample import EngineWindow

NOON = datetime(2026, 11, 24, 12, 10, tzinfo=UTC)

COMPANY = """\
company: Little
horizon: {{start: 2026-03-02T00:00:00Z, days: 2}}
money: {{staff_usd_per_year: 87600}}
regions: [{{name: europe, latitude_deg: 48.9, longitude_deg: 2.4}}]
sites:
  - name: paris
    latitude_deg: 48.9
    longitude_deg: 2.4
    market: {{zone: FR, time_zone: Europe/Paris, price: {paris_price}, day_ahead_at: "12:57"}}
    import_limit_mw: 0.05
    pue: 1.2
    host_w_per_gpu: 150
    facility_usd_per_kw: 10000
  - name: oslo
    latitude_deg: 59.9
    longitude_deg: 10.7
    market: {{zone: NO1, time_zone: Europe/Oslo, price: {oslo_price}, day_ahead_at: "12:57"}}
    import_limit_mw: 0.05
    pue: 1.1
    host_w_per_gpu: 150
    facility_usd_per_kw: 10000
contracts:
  - {{kind: spot, id: paris-spot, site: paris, adder_usd_per_mwh: 20}}
  - {{kind: spot, id: oslo-spot, site: oslo}}
fleets:
  - {{name: paris-h100, site: paris, accelerator: H100, gpu_count: 4,
     lease: {{kind: reserved, usd_per_gpu_hour: 2}}}}
  - {{name: oslo-h100, site: oslo, accelerator: H100, gpu_count: 4,
     lease: {{kind: reserved, usd_per_gpu_hour: 1.5}}}}
models: [{{name: small, catalogue: llama-3.1-8b, quality_share: 1}}]
tiers:
  - {{name: chat, service_tier: default, ttft_limit_s: 3, tpot_limit_s: 0.1,
     must_serve: true, price_usd_per_mtok: 5, value: from_price}}
workloads:
  - {{name: chat, tier: chat, origin: europe, ladder: [small], input_tokens: 300,
     output_tokens: 200, arrivals: {{mean_requests_per_s: 5}}}}
observe:
  every_s: 60
  window_s: 60
  engines:
    - {{name: paris-1, metrics_url: "{url}/paris/metrics", fleet: paris-h100, model: small}}
    - {{name: oslo-1, metrics_url: "{url}/oslo/metrics", fleet: oslo-h100, model: small}}
{more}"""


def company_file(
    folder: Path,
    url: str,
    *,
    paris_price: str = "80",
    oslo_price: str = "40",
    more: str = "",
    change: tuple[str, str] | None = None,
) -> Path:
    """Write the company beside a test's other files; `change` replaces one text by another."""
    path = folder / "little.yaml"
    text = COMPANY.format(url=url, paris_price=paris_price, oslo_price=oslo_price, more=more)
    if change is not None:
        assert change[0] in text
        text = text.replace(*change)
    path.write_text(text, encoding="utf-8")
    return path


@dataclass(slots=True)
class Moved:
    """A clock that goes only when a test sleeps, with what happens meanwhile."""

    now: datetime = NOON
    ticks_s: float = 1000.0
    on_sleep: Callable[[float], None] | None = None

    def clock(self) -> datetime:
        return self.now

    def ticks(self) -> float:
        return self.ticks_s

    def sleep(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)
        self.ticks_s += seconds
        if self.on_sleep is not None:
            self.on_sleep(seconds)


@dataclass(slots=True)
class Engines:
    """Two vLLM engines whose counters grow by so many tokens a second."""

    output_per_s: dict[str, int] = field(default_factory=lambda: {"paris": 300, "oslo": 100})
    seconds: float = 0.0
    replies: dict[str, Reply] = field(default_factory=dict)

    def run(self, seconds: float) -> None:
        self.seconds += seconds

    def answer(self, path: str, _query: dict[str, list[str]]) -> Reply:
        site = path.strip("/").partition("/")[0]
        if site in self.replies:
            return self.replies[site]
        made = round(self.output_per_s[site] * self.seconds)
        return Reply(
            vllm_page(
                prompt=1000 + 2 * made,
                cached=100 + made,
                output=500 + made,
                requests=10 + made // 100,
                running=4.0,
                waiting=0.0,
            )
        )


NOWHERE = "http://127.0.0.1:9"
"""Where nobody listens: of engines that a test never reads."""


def held_company(folder: Path, *, at: datetime = NOON, past_count: int = 48, **more: Any) -> (
    ObservedCompany
):  # fmt: skip
    """Open the small company for the present, with 48 intervals before it."""
    return open_observed(company_file(folder, NOWHERE, **more), at=at, past_count=past_count)


def places_of(held: ObservedCompany, world: World) -> tuple[Placed, ...]:
    """Return where the engines of the file stand."""
    return placed(world, held.observe.engines)[0]


def window_of(
    output: int | None, *, span_s: float = 60.0, start: datetime = NOON, **more: Any
) -> EngineWindow:
    """Return a window with so much output; twice as much went in, half of that cached."""
    told = {
        "prompt_tokens": None if output is None else 2 * output,
        "cached_tokens": output,
        "output_tokens": output,
        "requests": None if output is None else output // 100,
        "running_count": 4.0,
        "waiting_count": 0.0,
    }
    end = start + timedelta(seconds=span_s)
    return EngineWindow(start=start, end=end, span_s=span_s, **told | more)


def watched_of(place: Placed, done: EngineWindow | None, reading: Reading | None = None) -> Watched:
    """Return what a watcher says of an engine."""
    return Watched(engine=place.engine, done=done, reading=reading, model_names=(), findings=())


def ones_of(held: ObservedCompany, *outputs: int | None, span_s: float = 60.0) -> list[One]:
    """Return the engines of the file with so much output each; None did not answer."""
    world = held.structure.world
    ones = []
    for place, output in zip(places_of(held, world), outputs, strict=True):
        done = None if output is None else window_of(output, span_s=span_s)
        watched = watched_of(place, done)
        joules: EngineJoules = engine_joules(world, place, watched, pue=1.2)
        ones.append(One(place=place, watched=watched, joules=joules))
    return ones
