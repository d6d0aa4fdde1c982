"""Texts that a person may write, and texts that nobody should: values, lines, findings."""

import math
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tokenergy.files.yaml_text import (
    MOST_BYTES,
    YamlText,
    parse_yaml,
    path_text,
    place_of,
    read_yaml,
)


def codes(text: YamlText) -> list[str]:
    return [finding.code for finding in text.findings]


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("13:30", "13:30"),  # no number of base 60
        ("NO", "NO"),  # a country, no false
        ("on", "on"),
        ("2026-03-02", "2026-03-02"),
        ("2026-03-02T00:00Z", "2026-03-02T00:00Z"),
        ("0x10", "0x10"),
        ("010", 10),
        ("-3", -3),
        ("1e3", 1000.0),
        (".5", 0.5),
        ("-.inf", -math.inf),
        ("true", True),
        ("~", None),
        ("", None),
        ("'7'", "7"),
    ],
)
def test_scalars_follow_the_core_schema_of_yaml_1_2(text: str, value: Any) -> None:
    assert parse_yaml(f"a: {text}").tree == {"a": value}


def test_not_a_number_is_a_float() -> None:
    assert math.isnan(parse_yaml("a: .nan").tree["a"])


def test_every_place_has_its_line() -> None:
    text = parse_yaml("a:\n  - b: 1\n    c: {d: 2}\n  - 3\n")
    assert text.tree == {"a": [{"b": 1, "c": {"d": 2}}, 3]}
    assert text.line_of(("a", 0, "c", "d")) == 3
    assert text.line_of(("a", 1)) == 4
    assert text.line_of(("a", 0, "missing")) == 2  # the place around it


def test_a_merge_key_lends_its_values_and_own_keys_win() -> None:
    text = parse_yaml("b: &b {x: 1, y: 1}\nc:\n  y: 2\n  <<: *b\n")
    assert text.tree["c"] == {"x": 1, "y": 2}
    assert text.line_of(("c", "y")) == 3


def test_a_key_that_stands_twice_is_told_with_both_lines() -> None:
    (finding,) = parse_yaml("a:\n  x: 1\n  y: 2\n  x: 3\n").findings
    assert (finding.code, finding.path, finding.line) == ("DUPLICATE_KEY", "a.x", 4)
    assert "line 2" in finding.reason


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("", "FILE_EMPTY"),
        ("# nothing but a comment\n", "FILE_EMPTY"),
        ("a: [", "YAML_SYNTAX"),
        ("a: 1\n---\nb: 2", "YAML_SYNTAX"),
        ("a: *nobody", "YAML_SYNTAX"),
        ("\ta: 1", "YAML_SYNTAX"),
        ("a: \x00", "FILE_NOT_TEXT"),
        ("a: &a [*a]", "YAML_TOO_LARGE"),
        ("[" * 5000, "YAML_TOO_LARGE"),
        ("- a\n" * 100_000, "YAML_TOO_LARGE"),
        ("? [a]\n: b", "BAD_KEY"),
        ("<<: 3", "BAD_KEY"),
        ("a: !!python/object:os.system x", "YAML_TAG"),
        ("a: !!int b", "YAML_TAG"),
    ],
)
def test_a_broken_text_is_one_finding(text: str, code: str) -> None:
    assert codes(parse_yaml(text)) == [code]


def test_a_syntax_error_names_its_line() -> None:
    (finding,) = parse_yaml("a: 1\nb: [1, 2\nc: 3\n").findings
    assert (finding.code, finding.line) == ("YAML_SYNTAX", 3)


def test_a_bomb_of_aliases_stops_before_it_is_written_out() -> None:
    """Nine levels of ten aliases each: 10^9 values from 400 letters."""
    levels = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    for level in range(1, 9):
        names = ", ".join([f"*a{level - 1}"] * 10)
        levels.append(f"a{level}: &a{level} [{names}]")
    assert codes(parse_yaml("\n".join(levels))) == ["YAML_TOO_LARGE"]


def test_half_a_character_is_replaced() -> None:
    tree = parse_yaml('a: "\\ud800"').tree
    tree["a"].encode("utf-8")


def test_paths_are_read_back() -> None:
    place = ("sites", 2, "market", "price")
    assert path_text(place) == "sites[2].market.price"
    assert place_of("sites[2].market.price") == place
    assert place_of("(file)") == ("(file)",)


class TestFiles:
    """What `read_yaml` says of things on a disk."""

    def test_missing(self, tmp_path: Path) -> None:
        assert codes(read_yaml(tmp_path / "none.yaml")) == ["FILE_MISSING"]

    def test_a_folder(self, tmp_path: Path) -> None:
        assert codes(read_yaml(tmp_path)) == ["FILE_NOT_A_FILE"]

    def test_a_name_that_no_disk_takes(self, tmp_path: Path) -> None:
        (code,) = codes(read_yaml(tmp_path / "a\x00b"))
        assert code in ("FILE_UNREADABLE", "FILE_MISSING")
        (code,) = codes(read_yaml(tmp_path / ("a" * 5000)))
        assert code in ("FILE_UNREADABLE", "FILE_MISSING")

    def test_other_encodings(self, tmp_path: Path) -> None:
        path = tmp_path / "company.yaml"
        path.write_bytes("a: 1\nb: Zürich".encode("latin-1"))
        (finding,) = read_yaml(path).findings
        assert (finding.code, finding.line) == ("FILE_NOT_TEXT", 2)
        path.write_bytes("a: 1".encode("utf-16"))
        assert codes(read_yaml(path)) == ["FILE_NOT_TEXT"]

    def test_a_byte_order_mark_is_no_fault(self, tmp_path: Path) -> None:
        path = tmp_path / "company.yaml"
        path.write_bytes("a: Zürich".encode("utf-8-sig"))
        assert read_yaml(path).tree == {"a": "Zürich"}

    @pytest.mark.parametrize("line", [b"\xff\x00\x17garbage", b"garbage: [x\n", b"a"])
    def test_ten_megabytes_of_garbage(self, tmp_path: Path, line: bytes) -> None:
        path = tmp_path / "company.yaml"
        path.write_bytes(line * (10_000_000 // len(line)))
        (finding,) = read_yaml(path).findings
        assert (finding.code, finding.value, finding.unit) == ("FILE_TOO_LARGE", "10.0", "MB")

    def test_the_largest_garbage_that_is_read(self, tmp_path: Path) -> None:
        path = tmp_path / "company.yaml"
        path.write_bytes(b"a: b\n" * (MOST_BYTES // 5))
        assert codes(read_yaml(path)) == ["YAML_TOO_LARGE"]


@given(st.text(alphabet=st.characters(), max_size=200))
def test_no_text_is_a_traceback(text: str) -> None:
    parse_yaml(text)


@given(st.text(alphabet="ab: -[]{}&*!|>'\"#%@`?,\n\t~<=0.", max_size=60))
def test_no_punctuation_is_a_traceback(text: str) -> None:
    parse_yaml(text)


@given(st.binary(max_size=200))
def test_no_bytes_are_a_traceback(tmp_path_factory: pytest.TempPathFactory, raw: bytes) -> None:
    path = tmp_path_factory.getbasetemp() / "bytes.yaml"
    path.write_bytes(raw)
    read_yaml(path)
