"""Write netCDF: named arrays with dimensions and attributes, in the classic 64-bit offset form.

The form is public and old (Unidata, netCDF classic format specification); every netCDF library
reads it. Texts become arrays of characters, yes and no become bytes that say what they are, as
xarray decodes both.
"""

import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path
from typing import Any, Final

import numpy as np

from tokenergy.files.whole_file import write_whole_bytes

BYTE, CHAR, INT, DOUBLE = 1, 2, 4, 6
"""Types of the format."""
DIMENSION, VARIABLE, ATTRIBUTE = 10, 11, 12
"""Tags of the header's lists."""
MOST_BYTES: Final = 2**32 - 4
"""What one array of the form may hold."""

Attribute = str | int | float


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Variable:
    """One named array.

    Attributes:
        name: of the array.
        dimensions: names of its axes.
        values: floats, whole numbers, booleans or texts.
        attributes: what is said of it.
    """

    name: str
    dimensions: tuple[str, ...]
    values: np.ndarray[Any, Any]
    attributes: Mapping[str, Attribute] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Laid:
    name: str
    axes: tuple[int, ...]
    code: int
    data: bytes
    attributes: Mapping[str, Attribute]


def write_netcdf(
    path: Path, variables: Sequence[Variable], attributes: Mapping[str, Attribute]
) -> None:
    """Write a file of arrays, whole or not at all.

    Raises:
        ValueError: if two arrays disagree on the length of an axis, or one is too large.
        OSError: if the file cannot be written; an old one stands then.
    """
    lengths: dict[str, int] = {}
    laid = [_laid(variable, lengths) for variable in variables]
    head = _head(laid, lengths, attributes, begins=[0] * len(laid))
    begins, at = [], len(head)
    for each in laid:
        begins.append(at)
        at += len(each.data)
    head = _head(laid, lengths, attributes, begins=begins)
    write_whole_bytes(path, chain((head,), (each.data for each in laid)))


def _laid(variable: Variable, lengths: dict[str, int]) -> _Laid:
    values, dimensions = np.asarray(variable.values), variable.dimensions
    attributes: dict[str, Attribute] = dict(variable.attributes)
    if values.dtype.kind in "UO":
        encoded = np.char.encode(values.astype(str), "utf-8")
        width = max(1, encoded.dtype.itemsize)
        values = np.frombuffer(encoded.astype(f"S{width}").tobytes(), "S1")
        values = values.reshape(*encoded.shape, width)
        dimensions = (*dimensions, f"string{width}")
        attributes["_Encoding"] = "utf-8"
        code, form = CHAR, "S1"
    elif values.dtype.kind == "b":
        code, form = BYTE, ">i1"
        attributes["dtype"] = "bool"
    elif values.dtype.kind == "i":
        code, form = INT, ">i4"
    else:
        code, form = DOUBLE, ">f8"
    for name, length in zip(dimensions, values.shape, strict=True):
        if lengths.setdefault(name, length) != length:
            raise ValueError(f"axis {name!r} has {lengths[name]} places and {length}")
    data = values.astype(form).tobytes()
    if len(data) > MOST_BYTES:
        raise ValueError(f"array {variable.name!r}: {len(data)} bytes, the form holds {MOST_BYTES}")
    return _Laid(
        name=variable.name,
        axes=tuple(list(lengths).index(name) for name in dimensions),
        code=code,
        data=data + b"\0" * (-len(data) % 4),
        attributes=attributes,
    )


def _head(
    laid: Sequence[_Laid],
    lengths: Mapping[str, int],
    attributes: Mapping[str, Attribute],
    *,
    begins: Sequence[int],
) -> bytes:
    parts = [b"CDF\x02", struct.pack(">i", 0), _list(DIMENSION, len(lengths))]
    parts += [_text(name) + struct.pack(">i", length) for name, length in lengths.items()]
    parts.append(_attributes(attributes))
    parts.append(_list(VARIABLE, len(laid)))
    for each, begin in zip(laid, begins, strict=True):
        parts.append(_text(each.name) + struct.pack(">i", len(each.axes)))
        parts += [struct.pack(">i", axis) for axis in each.axes]
        size = min(len(each.data), MOST_BYTES)
        parts.append(_attributes(each.attributes))
        parts.append(struct.pack(">iIq", each.code, size, begin))
    return b"".join(parts)


def _list(tag: int, count: int) -> bytes:
    return struct.pack(">ii", tag if count else 0, count)


def _text(text: str) -> bytes:
    data = text.encode()
    return struct.pack(">i", len(data)) + data + b"\0" * (-len(data) % 4)


def _attributes(attributes: Mapping[str, Attribute]) -> bytes:
    parts = [_list(ATTRIBUTE, len(attributes))]
    for name, value in attributes.items():
        parts.append(_text(name))
        if isinstance(value, str):
            parts.append(struct.pack(">i", CHAR) + _text(value))
        elif isinstance(value, int):
            parts.append(struct.pack(">iii", INT, 1, value))
        else:
            parts.append(struct.pack(">iid", DOUBLE, 1, value))
    return b"".join(parts)
