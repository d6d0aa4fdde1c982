"""What a token, an image or a second of video costs in joules, on any replica: `energy`."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypedDict, Unpack

from tokenergy.api.table import to_html, to_polars
from tokenergy.company.accelerator import Accelerator
from tokenergy.company.catalogue import Catalogue
from tokenergy.company.energy_words import Boundary
from tokenergy.company.model import LanguageModel, MediaModel
from tokenergy.energy.calibration_error import points_apart
from tokenergy.energy.energy_model import EnergyModel
from tokenergy.energy.estimate import EnergyEstimate
from tokenergy.energy.explain import ExplainRow
from tokenergy.energy.facility import FacilityTerms, Host, HostByPower, HostByShare
from tokenergy.energy.operating_point import sequences_in_memory
from tokenergy.energy.query import EnergyQuery, MediaQuery
from tokenergy.energy.replica_power import ReplicaPower
from tokenergy.errors import InputError
from tokenergy.files.catalogue import load_catalogue
from tokenergy.files.energy_points import MeasuredPoints, read_measured_points

if TYPE_CHECKING:
    import polars as pl

ASSUMED_BATCH_COUNT: Final = 64
ASSUMED_OUTPUT_TOKENS: Final = 400
"""Where nobody says: an engine with some load, a chat answer. The answer names both."""

CURVE_BATCHES: Final = tuple(2**power for power in range(13))
CURVE_SECONDS: Final = (1.0, 2.0, 5.0, 10.0, 20.0)
"""What a sweep goes through: batches that fit in memory, or lengths of a clip."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EnergyAnswer:
    """Estimates of one model on one replica, by batch, or by the length of a clip.

    Attributes:
        estimates: one; or a sweep.
        rows: of each, what adds up to it; empty where they were not asked for.
        steps_j: of each, joules that one more sequence adds to one step; 0 for media.
        lines: of each, the power of an awake replica whose limit is that batch; none for media.
    """

    estimates: tuple[EnergyEstimate, ...]
    rows: tuple[tuple[ExplainRow, ...], ...] = ()
    steps_j: tuple[float, ...] = ()
    lines: tuple[ReplicaPower, ...] = ()

    @property
    def estimate(self) -> EnergyEstimate:
        """Return the first estimate."""
        return self.estimates[0]

    def to_dict(self) -> dict[str, Any]:
        """Return a JSON-ready mapping: of one estimate itself, of a sweep `estimates`."""
        told = [
            estimate.to_dict()
            | ({"replica": _line(self.lines[at], self.steps_j[at])} if self.lines else {})
            | ({"explain": [row.to_dict() for row in self.rows[at]]} if self.rows else {})
            for at, estimate in enumerate(self.estimates)
        ]
        return told[0] if len(told) == 1 else {"estimates": told}

    def to_polars(self) -> "pl.DataFrame":
        """Return the estimates as a polars frame."""
        return to_polars(self._flat())

    def _repr_html_(self) -> str:
        one = self.estimate
        names = ("batch_count", "units_count", "gpu_j", "host_j", "idle_j", "overhead_j", "low_j",
                 "high_j", "tier", "boundary")  # fmt: skip
        caption = f"{one.model} on {one.gpus_count} x {one.accelerator}: joules"
        return to_html([{name: row[name] for name in names} for row in self._flat()], caption)

    def _flat(self) -> list[dict[str, Any]]:
        return [
            estimate.to_dict()
            | {
                "assumed": "; ".join(estimate.assumed),
                "notes": "; ".join(estimate.notes),
                "warnings": "; ".join(estimate.warnings),
            }
            for estimate in self.estimates
        ]


class EnergyOptions(TypedDict, total=False):
    """What may be said of a request, an item, the stack and the site; what is not is named.

    Language models: `batch` (mean sequences in a decode step; several: a sweep), `output_tokens`,
    `input_tokens` (left out: as many as the chat mix of the data), `cached_input_tokens`,
    `bytes_per_weight`. Images and video: `seconds` (of a clip; several: a sweep) or `frames`,
    `height`, `width`, `steps`, `items`, and `batch` (items made together). Both: `accelerators`
    of one replica, `stack`, `boundary`, `pue`, `host_share` or `host_w_per_gpu`, `idle_share`.
    """

    accelerators: int
    batch: float | Sequence[float] | None
    output_tokens: int | None
    input_tokens: int | None
    cached_input_tokens: int | None
    bytes_per_weight: float | None
    seconds: float | Sequence[float] | None
    frames: int | None
    height: int | None
    width: int | None
    steps: int | None
    items: int | None
    stack: str | None
    boundary: Boundary
    pue: float | None
    host_share: float | None
    host_w_per_gpu: float | None
    idle_share: float | None


TOKENS_ONLY: Final = ("output_tokens", "input_tokens", "cached_input_tokens", "bytes_per_weight")
MEDIA_ONLY: Final = ("seconds", "frames", "height", "width", "steps", "items")


def energy(
    model: str,
    *,
    accelerator: str,
    curve: bool = False,
    explain: bool = False,
    points: Path | str | None = None,
    catalogue: Catalogue | None = None,
    **options: Unpack[EnergyOptions],
) -> EnergyAnswer:
    """Return the joules of a request, an image or a clip, and how far to trust them.

    Args:
        model: id or hub id; of a language model, or one that makes images or video.
        accelerator: of the catalogue.
        curve: sweep the batches that fit in memory, or lengths of a clip.
        explain: add the rows that sum to each estimate.
        points: a file of measured points, which correct their own configurations.
        catalogue: another than the one that ships, such as a company's with its points.
        options: see `EnergyOptions`.

    Raises:
        UnknownModel, UnknownAccelerator: naming the nearest entries.
        DoesNotFit: if the weights exceed the memory.
        InputError: with everything else that is wrong.
    """
    known = load_catalogue() if catalogue is None else catalogue
    made = EnergyModel(catalogue=known)
    read = None if points is None else read_measured_points(Path(points), known)
    if read is not None:
        made = made.calibrate(read.points)
    facts = known.model(model)
    sku = known.accelerator(accelerator)
    foreign = MEDIA_ONLY if isinstance(facts, LanguageModel) else TOKENS_ONLY
    given = [name for name in foreign if options.get(name) is not None]
    if given:
        said = ", ".join(given)
        raise InputError(f"{facts.model_id} makes {_plural(facts)}: {said} cannot be asked of it")
    if isinstance(facts, LanguageModel):
        answer = _of_tokens(made, facts, sku, options, curve=curve, explain=explain)
    else:
        answer = _of_media(made, facts, sku, options, curve=curve, explain=explain)
    return answer if read is None else _told(answer, read, known)


def _told(answer: EnergyAnswer, read: MeasuredPoints, known: Catalogue) -> EnergyAnswer:
    """Return the answer with what is wrong with the points, or that none of them is of it."""
    one = answer.estimate
    own = [point for point in read.points if point.model == one.model]
    said = [
        f"{found.path}: {found.reason}"
        for found in (*read.findings, *points_apart(known, own))
        if found.code != "CURVE_FEW_POINTS"  # one point is a calibration too
    ]
    if not any(each.calibration_points_count for each in answer.estimates):
        said.append(
            f"{read.file}: none of its points corrects {one.model} on {one.gpus_count} x "
            f"{one.accelerator} under {one.stack}"
        )
    return replace(
        answer,
        estimates=tuple(each.doubted((*each.warnings, *said)) for each in answer.estimates),
    )


def _of_tokens(
    made: EnergyModel,
    facts: LanguageModel,
    sku: Accelerator,
    options: EnergyOptions,
    *,
    curve: bool,
    explain: bool,
) -> EnergyAnswer:
    batches = _several(options.get("batch"))
    output_tokens = options.get("output_tokens")
    query = EnergyQuery(
        model=facts.model_id,
        accelerator=sku.accelerator,
        gpus_count=options.get("accelerators", 1),
        batch_count=batches[0] if batches else ASSUMED_BATCH_COUNT,
        output_tokens=ASSUMED_OUTPUT_TOKENS if output_tokens is None else output_tokens,
        input_tokens=options.get("input_tokens"),
        cached_input_tokens=options.get("cached_input_tokens") or 0,
        bytes_per_weight=options.get("bytes_per_weight"),
        stack=options.get("stack"),
        boundary=options.get("boundary", "facility"),
        facility=_facility(options),
    )
    if curve and not batches:
        batches = _batches_that_fit(query, facts, sku)
    queries = [replace(query, batch_count=batch) for batch in batches] or [query]
    stand_in: tuple[str, ...] = () if batches else (f"batch {ASSUMED_BATCH_COUNT}",)
    if output_tokens is None:
        stand_in += (f"output {ASSUMED_OUTPUT_TOKENS} tokens, a chat answer",)
    estimates = [made.predict(one) for one in queries]
    replica = made.curve(query)
    return EnergyAnswer(
        estimates=tuple(replace(one, assumed=(*stand_in, *one.assumed)) for one in estimates),
        rows=tuple(made.explain(one) for one in queries) if explain else (),
        steps_j=tuple(replica.step_marginal_j_per_token(one.batch_count) for one in queries),
        lines=tuple(replica.replica_power(one.batch_count) for one in queries),
    )


def _of_media(
    made: EnergyModel,
    facts: MediaModel,
    sku: Accelerator,
    options: EnergyOptions,
    *,
    curve: bool,
    explain: bool,
) -> EnergyAnswer:
    lengths = _several(options.get("seconds"))
    if curve and not lengths and facts.fps is not None and options.get("frames") is None:
        lengths = CURVE_SECONDS
    query = MediaQuery(
        model=facts.model_id,
        accelerator=sku.accelerator,
        gpus_count=options.get("accelerators", 1),
        items_count=_or_one(options.get("items")),
        height=options.get("height"),
        width=options.get("width"),
        frames=options.get("frames"),
        duration_s=lengths[0] if lengths else None,
        steps=options.get("steps"),
        stack=options.get("stack"),
        boundary=options.get("boundary", "facility"),
        facility=_facility(options),
    )
    queries = [
        replace(query, duration_s=duration_s, items_per_batch=_whole(batch))
        for duration_s in lengths or (None,)
        for batch in _several(options.get("batch")) or (1.0,)
    ]
    return EnergyAnswer(
        estimates=tuple(made.predict_media(one) for one in queries),
        rows=tuple(made.explain(one) for one in queries) if explain else (),
    )


def _facility(options: EnergyOptions) -> FacilityTerms:
    host_share, host_w = options.get("host_share"), options.get("host_w_per_gpu")
    if host_share is not None and host_w is not None:
        raise InputError("a host is stated as a share and in watts: state one, or it counts twice")
    host: Host | None = None
    if host_share is not None:
        host = HostByShare(host_share=host_share)
    elif host_w is not None:
        host = HostByPower(host_w=host_w * options.get("accelerators", 1))
    return FacilityTerms(
        host=host, idle_share=options.get("idle_share"), pue_ratio=options.get("pue")
    )


def _batches_that_fit(
    query: EnergyQuery, facts: LanguageModel, sku: Accelerator
) -> tuple[float, ...]:
    """Return powers of two up to what the cache has room for."""
    if query.bytes_per_weight is not None:
        facts = facts.at_precision(query.bytes_per_weight)
    fitting_count = sequences_in_memory(
        facts,
        sku,
        gpus_count=query.gpus_count,
        tokens_count=query.all_input_tokens + query.output_tokens,
    )
    return tuple(float(batch) for batch in CURVE_BATCHES if batch <= fitting_count)


def _several(value: float | Sequence[float] | None) -> tuple[float, ...]:
    if value is None:
        return ()
    return (float(value),) if isinstance(value, int | float) else tuple(map(float, value))


def _or_one(count: int | None) -> int:
    return 1 if count is None else count


def _whole(batch: float) -> int:
    if not (math.isfinite(batch) and batch == int(batch)):
        raise InputError(f"a batch of {batch:g} items: images and clips come whole")
    return int(batch)


def _plural(facts: LanguageModel | MediaModel) -> str:
    return {"token": "tokens", "image": "images", "video_second": "seconds of video"}[facts.kind]


def _line(line: ReplicaPower, step_j: float) -> dict[str, Any]:
    """Return what stands beside an estimate of tokens: the replica's own line."""
    return {
        "base_w": line.base_w,
        "marginal_j_per_token": line.marginal_j_per_token,
        "rate_tokens_per_s": line.rate_tokens_per_s,
        "step_marginal_j_per_token": step_j,
        "how": line.how,
    }
