"""A netCDF file, read by scipy's own reader of the classic form."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.io import netcdf_file

from tokenergy.files.netcdf3 import Variable, write_netcdf


def read(path):
    with netcdf_file(path, mmap=False) as file:
        return (
            {name: (held.dimensions, held[:].copy()) for name, held in file.variables.items()},
            dict(file._attributes),
        )


def test_every_type_comes_back(tmp_path):
    path = tmp_path / "a.nc"
    write_netcdf(
        path,
        [
            Variable(name="t", dimensions=("t",), values=np.arange(3.0), attributes={"units": "h"}),
            Variable(name="x", dimensions=("t", "k"), values=np.arange(6.0).reshape(3, 2) / 7),
            Variable(name="n", dimensions=("k",), values=np.array([1, -2])),
            Variable(name="b", dimensions=("k",), values=np.array([True, False])),
            Variable(name="s", dimensions=("k",), values=np.array(["é", "abc"])),
        ],
        {"name": "Ä", "count": 7, "share": 0.25},
    )
    held, attributes = read(path)
    assert np.array_equal(held["x"][1], np.arange(6.0).reshape(3, 2) / 7)
    assert held["n"][1].tolist() == [1, -2]
    assert held["b"][1].tolist() == [1, 0]
    texts = [b"".join(row).rstrip(b"\0").decode() for row in held["s"][1]]
    assert texts == ["é", "abc"]
    assert attributes["name"].decode() == "Ä"
    assert (attributes["count"], attributes["share"]) == (7, 0.25)


@settings(max_examples=25, deadline=None)
@given(st.lists(st.text("abcé", max_size=5), min_size=1, max_size=4), st.integers(1, 5))
def test_texts_and_numbers_of_any_length(tmp_path_factory, texts, count):
    path = tmp_path_factory.mktemp("nc") / "a.nc"
    numbers = np.linspace(-1.0, 1.0, count * len(texts)).reshape(count, -1)
    write_netcdf(
        path,
        [
            Variable(name="names", dimensions=("k",), values=np.array(texts)),
            Variable(name="x", dimensions=("t", "k"), values=numbers),
        ],
        {},
    )
    held, _ = read(path)
    assert [b"".join(row).rstrip(b"\0").decode() for row in held["names"][1]] == texts
    assert np.array_equal(held["x"][1], numbers)


def test_an_axis_has_one_length(tmp_path):
    two = [
        Variable(name="a", dimensions=("t",), values=np.zeros(2)),
        Variable(name="b", dimensions=("t",), values=np.zeros(3)),
    ]
    with pytest.raises(ValueError, match="axis 't' has 2 places and 3"):
        write_netcdf(tmp_path / "a.nc", two, {})
    assert not list(tmp_path.iterdir())
