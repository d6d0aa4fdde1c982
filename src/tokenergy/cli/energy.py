"""The verb `energy`."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from tokenergy.cli.completing import accelerators, models
from tokenergy.cli.options import Json
from tokenergy.cli.told import print_json


class Within(StrEnum):
    """What the figures include."""

    gpu = "gpu"
    it = "it"
    facility = "facility"


Model = Annotated[
    str,
    typer.Argument(
        help="Id or hub id, e.g. Qwen/Qwen3-32B.", metavar="MODEL", autocompletion=models
    ),
]
Sku = Annotated[
    str,
    typer.Option(
        "--accelerator",
        metavar="NAME",
        autocompletion=accelerators,
        help="Of the catalogue, e.g. H100.",
    ),
]
Count = Annotated[int, typer.Option("--accelerators", metavar="COUNT", help="Of one replica.")]
Batch = Annotated[
    list[float] | None,
    typer.Option(
        "--batch",
        metavar="COUNT",
        help="Mean sequences in a step (media: items made together). May be repeated: a sweep.",
    ),
]
OutputTokens = Annotated[
    int | None, typer.Option("--output-tokens", metavar="COUNT", help="Of one request.")
]
InputTokens = Annotated[
    int | None,
    typer.Option(
        "--input-tokens",
        metavar="COUNT",
        help="Of one request. Default: the chat mix of the data, 0.39 a token.",
    ),
]
Cached = Annotated[
    int | None,
    typer.Option("--cached-input-tokens", metavar="COUNT", help="Of them, out of a prefix cache."),
]
Precision = Annotated[
    float | None,
    typer.Option(
        "--bytes-per-weight", metavar="BYTES", help="2 BF16, 1 FP8. Default: as published."
    ),
]
Seconds = Annotated[
    list[float] | None,
    typer.Option(
        "--seconds", metavar="SECONDS", help="Length of a clip. May be repeated: a sweep."
    ),
]
Frames = Annotated[
    int | None, typer.Option("--frames", metavar="COUNT", help="Of a clip, instead of seconds.")
]
Height = Annotated[
    int | None, typer.Option("--height", metavar="PIXELS", help="Pixels. Default: as measured.")
]
Width = Annotated[
    int | None, typer.Option("--width", metavar="PIXELS", help="Pixels. Default: as measured.")
]
Steps = Annotated[int | None, typer.Option("--steps", metavar="COUNT", help="Of the diffusion.")]
Items = Annotated[
    int | None, typer.Option("--items", metavar="COUNT", help="Images or clips asked for.")
]
Stack = Annotated[
    str | None,
    typer.Option("--stack", metavar="NAME", help="Engine and version, e.g. 'vllm 0.11.1'."),
]
Boundary = Annotated[
    Within,
    typer.Option(
        "--boundary",
        metavar="gpu|it|facility",
        help="Boards; with hosts and idle boards; the facility.",
    ),
]
Pue = Annotated[
    float | None, typer.Option("--pue", metavar="RATIO", help="Facility over rack, at least 1.")
]
HostShare = Annotated[
    float | None, typer.Option("--host-share", metavar="SHARE", help="Host over boards.")
]
HostW = Annotated[
    float | None,
    typer.Option("--host-w", metavar="WATTS", help="Host in watts a GPU, instead of a share."),
]
IdleShare = Annotated[
    float | None,
    typer.Option("--idle-share", metavar="SHARE", help="Idle boards over boards at work."),
]
Curve = Annotated[
    bool, typer.Option("--curve", help="Sweep the batches that fit (video: lengths of a clip).")
]
Explain = Annotated[bool, typer.Option("--explain", help="Show the rows that sum to it.")]
Points = Annotated[
    Path | None,
    typer.Option("--points", metavar="FILE", help="A file of measured points to calibrate with."),
]
Company = Annotated[
    Path | None,
    typer.Option("--company", metavar="COMPANY", help="Use the points that a company file names."),
]


def energy(
    model: Model,
    accelerator: Sku,
    accelerators: Count = 1,
    batch: Batch = None,
    input_tokens: InputTokens = None,
    cached_input_tokens: Cached = None,
    output_tokens: OutputTokens = None,
    bytes_per_weight: Precision = None,
    seconds: Seconds = None,
    frames: Frames = None,
    height: Height = None,
    width: Width = None,
    steps: Steps = None,
    items: Items = None,
    stack: Stack = None,
    boundary: Boundary = Within.facility,
    pue: Pue = None,
    host_share: HostShare = None,
    host_w: HostW = None,
    idle_share: IdleShare = None,
    curve: Curve = False,
    explain: Explain = False,
    points: Points = None,
    company: Company = None,
    as_json: Json = False,
) -> None:
    """Show the joules of a request, an image or a video.

    With the band that measurements lie in, and the rows that sum to it.

    Examples:
        # a chat request on one replica of eight GPUs, and the rows that sum to it
        tokenergy energy qwen3-32b --accelerator H100 --batch 32 --explain
        # how joules a token fall with the batch
        tokenergy energy gpt-oss-120b --accelerator B200 --curve
        # a clip of five seconds
        tokenergy energy wan2.1-14b --accelerator H100 --seconds 5
    """
    from tokenergy.api import load
    from tokenergy.api.predicting import energy as run
    from tokenergy.cli import show_energy

    answer = run(
        model, accelerator=accelerator, accelerators=accelerators, batch=batch or None,
        input_tokens=input_tokens, cached_input_tokens=cached_input_tokens,
        output_tokens=output_tokens, bytes_per_weight=bytes_per_weight, seconds=seconds or None,
        frames=frames, height=height, width=width, steps=steps, items=items, stack=stack,
        boundary=boundary.value, pue=pue, host_share=host_share, host_w_per_gpu=host_w,
        idle_share=idle_share, curve=curve, explain=explain, points=points,
        catalogue=None if company is None else load(company).catalogue,
    )  # fmt: skip
    if as_json:
        print_json(answer.to_dict())
    else:
        show_energy.energy(answer)
