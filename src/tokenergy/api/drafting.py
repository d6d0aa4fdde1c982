"""A company file drafted from running engines: what their metrics say, and what they cannot."""

import json
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from urllib.parse import urlsplit

from tokenergy.company.catalogue import Catalogue
from tokenergy.company.finding import Finding
from tokenergy.company.model import LanguageModel, MediaModel
from tokenergy.company.noun import NAME_PATTERN, nearest_names
from tokenergy.company.observe import Engine
from tokenergy.errors import FindingsError, InputError, UnknownModel
from tokenergy.feeds.engine_scrape import USER_AGENT, EngineScraper, without_credentials
from tokenergy.feeds.http import Http, utc_now
from tokenergy.files.catalogue import load_catalogue
from tokenergy.metering.sample import EngineSample

TIMEOUT_S = 5.0
TODO = "TODO"
"""What stands where only the company knows; `check` finds each of them."""
LEAST_REQUESTS = 10
"""Fewer requests than this make no mean length."""
LEAST_UP_S = 60.0
_YAML_WORDS = frozenset({"true", "false", "yes", "no", "on", "off", "null", "y", "n"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """One engine as it answered, and what it calls its model."""

    name: str
    url: str
    sample: EngineSample
    served: str

    @property
    def requests_per_s(self) -> float | None:
        """Mean rate since the engine began, where it tells when that was."""
        begun, count = self.sample.started_at, self.sample.requests
        if begun is None or not count:
            return None
        up_s = (self.sample.at - begun).total_seconds()
        return count / up_s if up_s >= LEAST_UP_S else None

    @property
    def lengths(self) -> tuple[int, int] | None:
        """Mean tokens in and out of a request since the engine began."""
        taken, given, count = (
            self.sample.prompt_tokens,
            self.sample.output_tokens,
            self.sample.requests,
        )
        if taken is None or given is None or count is None or count < LEAST_REQUESTS:
            return None
        return max(1, round(taken / count)), max(1, round(given / count))


def draft(
    urls: Sequence[str],
    *,
    http: Http | None = None,
    catalogue: Catalogue | None = None,
    clock: Callable[[], datetime] = utc_now,
) -> str:
    """Return a commented company file for the engines at some metrics addresses.

    An address without a path is asked for `/metrics`. Whatever no engine tells is a TODO that
    `tokenergy check` names; nothing about money is assumed.

    Raises:
        InputError: if there is no address.
        FindingsError: with what is wrong with every address that could not be read.
    """
    if not urls:
        raise InputError("no address: name the /metrics of at least one engine")
    port = http or Http(timeout_s=TIMEOUT_S, tries_count=1, clock=clock)
    try:
        seen: list[Seen] = []
        findings: list[Finding] = []
        for at, url in enumerate(dict.fromkeys(urls)):
            try:
                seen.append(_look(port, url, f"engine-{at + 1}", clock))
            except FindingsError as error:
                findings += error.findings
    finally:
        if http is None:
            port.close()
    if findings:
        raise FindingsError(findings)
    return _text(tuple(seen), catalogue or load_catalogue(), clock())


def _look(http: Http, url: str, name: str, clock: Callable[[], datetime]) -> Seen:
    full = url if urlsplit(url).path not in ("", "/") else url.rstrip("/") + "/metrics"
    try:
        engine = Engine(name=name, metrics_url=full, fleet="fleet-1", model="model")
    except ValueError as error:
        shown = without_credentials(url)[2]
        raise InputError(f"{shown!r} is no http or https address") from error
    sample = EngineScraper(http, engine, clock, time.monotonic).sample()
    served = ", ".join(sample.model_names) or _listed(http, full)
    return Seen(name=name, url=full, sample=sample, served=served)


def _listed(http: Http, url: str) -> str:
    """Ask the engine's own list of models, where its counters carry no name; "" if it has none."""
    bare, secret, _ = without_credentials(url)
    base = bare.rpartition("/")[0]
    try:
        answer = http.get(
            f"{base}/v1/models",
            headers={"User-Agent": USER_AGENT},
            secret=secret,
            accept="application/json",
        )
        return str(answer.json()["data"][0]["id"])
    except (FindingsError, KeyError, IndexError, TypeError):
        return ""


def _text(seen: tuple[Seen, ...], catalogue: Catalogue, now: datetime) -> str:
    names: dict[str, str] = {}
    for one in seen:
        names.setdefault(one.served, _name_of(one.served, taken=frozenset(names.values())))
    return "".join(
        (
            _head(seen, now),
            _PLACE,
            _FLEET,
            "models: # seen at the engines\n",
            *(_model(served, name, catalogue) for served, name in names.items()),
            _TIER,
            _workload(seen, tuple(names.values())),
            _observe(seen, names),
        )
    )


def _head(seen: tuple[Seen, ...], now: datetime) -> str:
    told = "".join(
        f"#   {one.name}: {one.sample.engine} ({one.sample.version}), model "
        f"{_safe(one.served) or 'without a name'}\n"
        for one in seen
    )
    notes = dict.fromkeys(note for one in seen for note in one.sample.notes)
    said = "".join(f"#   note: {_safe(note)}\n" for note in notes)
    return (
        "# yaml-language-server: $schema=company.schema.json\n"
        f"#\n# Drafted by `tokenergy init --from` on {now:%Y-%m-%d} from what engines tell:\n"
        f"{told}{said}"
        "# What they cannot tell is marked TODO, each with three usual ways to find it;\n"
        "# `tokenergy check FILE` names every TODO that is left. What is marked ASSUMED works\n"
        "# as it stands and is yours to correct. Keys carry their units.\n\n"
        "company: My company\n"
        "currency: USD # of all money in this file\n"
        "horizon:\n"
        f"  start: {now:%Y-%m-%d}T00:00:00Z\n"
        "  days: 7\n"
        "  step_h: 1\n\n"
    )


_PLACE = """\
regions: # ASSUMED: requests come from where the site is
  - {name: here, latitude_deg: 0, longitude_deg: 0}

sites: # one for each place with a meter: copy the block if the engines stand in several
  - name: site-1
    latitude_deg: 0 # ASSUMED, like longitude_deg: only distances between places matter
    longitude_deg: 0
    market:
      # TODO the price of power, USD/MWh, and the market's name of its zone. Three usual ways:
      #   1. a live feed: tokenergy fetch energy-charts --zone DE-LU --from ... --to ...
      #   2. the contract or the last invoice: write the figure here, e.g. price: 92
      #   3. ask who houses the machines: a colocation invoice has a price per kWh (x 1000)
      zone: TODO # part of the same TODO, e.g. DE-LU or US-TEX-ERCO
      price: {file: TODO-price.csv, column: TODO}
      time_zone: UTC # ASSUMED: of the market's day, e.g. Europe/Berlin
    import_limit_mw: 1 # ASSUMED: what the connection may draw
    pue: 1.3 # ASSUMED: facility power over IT power; the operator's monthly report has it

contracts: # how power is paid for
  - {kind: spot, id: site-1-spot, site: site-1}

"""

_FLEET = """\
fleets: # one for each kind of GPU
  - name: fleet-1
    site: site-1
    # TODO which GPU, and how many. Three usual ways:
    #   1. on the machine: nvidia-smi -L, or amd-smi list
    #   2. the instance type on the cloud's invoice
    #   3. the engine's log of its start
    accelerator: TODO # e.g. H100, H200, B200, MI300X, L40S
    gpu_count: 1 # part of the same TODO
    # TODO what the GPUs cost: owned or lease, exactly one. Three usual ways:
    #   1. rented: the invoice over GPU hours; lease: {kind: on_demand, usd_per_gpu_hour: ...}
    #   2. a term contract: lease: {kind: reserved, usd_per_gpu_hour: ...}
    #   3. bought: the register of assets; owned: {usd_per_gpu: ...}, the share of node included

"""

_TIER = """
tiers:
  - name: all
    service_tier: default
    ttft_limit_s: 2 # ASSUMED: seconds to the first token that you promise
    tpot_limit_s: 0.1 # ASSUMED: seconds per token
    # TODO what a token is sold for: exactly one price. Three usual ways:
    #   1. the price list; price_usd_per_mtok: ... and value: from_price
    #   2. revenue of a month over its output tokens, in millions
    #   3. nobody pays: price_usd_per_mtok: 0 and what serving is worth, value_usd_per_mtok: ...

"""


def _model(served: str, name: str, catalogue: Catalogue) -> str:
    known = _known(served, catalogue)
    if known is not None:
        return (
            f"  - name: {name}\n"
            f"    catalogue: {known} # the engine says {_safe(served)}\n"
            "    gpus_per_replica: 1 # ASSUMED: tensor parallel size of the engine's start\n"
            "    quality_share: 1\n"
        )
    ids = [name for name, _ in _ids(catalogue)]
    near = ", ".join(nearest_names(served.rpartition("/")[2], ids)) or "none"
    return (
        f"  - name: {name}\n"
        f"    # TODO which model {_safe(served) or 'this'} is. Three usual ways:\n"
        f"    #   1. the nearest names that the catalogue has: {near}\n"
        "    #   2. the engine's start command: --model, --model-path or -m\n"
        "    #   3. the engine's /v1/models: its field root\n"
        f"    catalogue: {TODO}\n"
        "    gpus_per_replica: 1 # ASSUMED: tensor parallel size of the engine's start\n"
        "    quality_share: 1\n"
    )


def _workload(seen: tuple[Seen, ...], models: tuple[str, ...]) -> str:
    text = "workloads:\n"
    for name in models:
        mine = [one for one in seen if _same(one, name, seen, models)]
        text += (
            f"  - name: {name}-requests\n    tier: all\n    origin: here\n    ladder: [{name}]\n"
        )
        lengths = [one.lengths for one in mine if one.lengths is not None]
        if lengths and len(lengths) == len(mine):
            counts = [one.sample.requests or 0 for one in mine]
            taken = _weighted([pair[0] for pair in lengths], counts)
            given = _weighted([pair[1] for pair in lengths], counts)
            text += f"    input_tokens: {taken} # mean of what the engines counted\n"
            text += f"    output_tokens: {given}\n"
        else:
            text += _LENGTHS % name
        rates = [one.requests_per_s for one in mine]
        known = [rate for rate in rates if rate is not None]
        if known and len(known) == len(rates):
            rate = sum(known)
            text += f"    arrivals: {{mean_requests_per_s: {rate:.6g}}} # mean since their start\n"
        else:
            text += _RATE % name
    return text + "\n"


_LENGTHS = """\
    # TODO tokens of a mean request. Three usual ways:
    #   1. tokenergy observe FILE for a day: tokens over requests, where the engine counts both;
    #      input_tokens: ... and output_tokens: ... in place of lengths
    #   2. the gateway's usage log: tokens over requests, likewise
    #   3. a trace with a row for each request, named here
    lengths: {file: TODO-%s-trace.csv, input_column: TODO, output_column: TODO}
"""
_RATE = """\
    # TODO how many requests come: arrivals. Three usual ways:
    #   1. tokenergy observe FILE for a day, then requests over seconds
    #   2. the gateway's log; mean_requests_per_s: ...
    #   3. a column of a file; series: {file: rates.csv, column: rps}
    arrivals: {series: {file: TODO-%s-arrivals.csv, column: TODO}}
"""


def _same(one: Seen, name: str, seen: tuple[Seen, ...], models: tuple[str, ...]) -> bool:
    """Tell whether an engine serves the model of that name: names follow the order seen."""
    order = list(dict.fromkeys(other.served for other in seen))
    return models[order.index(one.served)] == name


def _weighted(values: list[int], weights: list[int]) -> int:
    total = sum(value * weight for value, weight in zip(values, weights, strict=True))
    return max(1, round(total / sum(weights)))


def _observe(seen: tuple[Seen, ...], names: dict[str, str]) -> str:
    text = "observe: # engines that are read, and never written to\n  engines:\n"
    for one in seen:
        # A key in an address stays out of the file: it is asked for again.
        shown = without_credentials(one.url)[2]
        lost = " # ASSUMED: without the user and query that it was read with"
        text += (
            f"    - name: {one.name}\n"
            f"      metrics_url: {json.dumps(shown)}{lost if shown != one.url else ''}\n"
            "      fleet: fleet-1\n"
            f"      model: {names[one.served]}\n"
            '      # meter: {kind: nvml, devices: ["0"]} # reads its joules; without it: modelled\n'
        )
    return text


def _known(served: str, catalogue: Catalogue) -> str | None:
    """Return the catalogue's name of a model, if the engine's own name leaves no doubt."""
    try:
        return catalogue.model(served).model_id
    except UnknownModel:
        pass
    tail = served.rpartition("/")[2].lower()
    return next((name for name, hub_id in _ids(catalogue) if tail and tail in (name, hub_id)), None)


def _ids(catalogue: Catalogue) -> list[tuple[str, str]]:
    """Return each model's name and the end of its hub id, both in small letters."""
    rows: tuple[LanguageModel | MediaModel, ...] = (*catalogue.models, *catalogue.media_models)
    return [(row.model_id, row.hub_id.rpartition("/")[2].lower()) for row in rows]


def _name_of(served: str, *, taken: frozenset[str]) -> str:
    """Return a name for the company's model: letters, digits, `.`, `_`, `-`, and no other's."""
    tail = served.rpartition("/")[2].lower()
    name = "".join(letter if NAME_PATTERN.fullmatch("a" + letter) else "-" for letter in tail)
    name = name.strip("-._")[:40] or "model"
    if not name[0].isalpha() or name in _YAML_WORDS:  # `7b` and `on` would be read as no text
        name = f"model-{name}"
    number = 2
    unique = name
    while unique in taken:
        unique, number = f"{name}-{number}", number + 1
    return unique


def _safe(text: str) -> str:
    """Return a text that cannot end a comment's line."""
    return " ".join(text.split())[:120]
