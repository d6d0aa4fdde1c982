"""A YAML text with some values changed, and every comment that still holds where it was."""

import math

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from tokenergy.files.yaml_edit import CannotKeep, edited, written
from tokenergy.files.yaml_text import parse_yaml

TEXT = """\
# a company
name: acme # who
sites: # where
  # the windy one
  - name: west # far out
    mw: 30 # a guess
    price: {file: west.csv, column: usd}

  # the one by the sea
  - name: coast
    mw: 20
    pue: [1.1, 1.2]
fleets:
  - {name: a, site: west, count: 10} # old
  - {name: b, site: coast, count: 20}
  - {name: c, site: coast, count: 30}
served: [west, coast]
plan: # drop me
  budget: 3
  sites:
    - {name: west, most: 40}

# the end
"""


def tree() -> dict:
    found = parse_yaml(TEXT).tree
    assert isinstance(found, dict)
    return found


def test_a_value_changes_and_its_comment_stays() -> None:
    now = tree()
    now["sites"][0]["mw"] = 12.25
    assert edited(TEXT, tree(), now) == TEXT.replace("mw: 30 # a guess", "mw: 12.25 # a guess")


def test_what_is_gone_takes_its_comment_along_and_nothing_else() -> None:
    now = tree()
    del now["sites"][0]
    now["fleets"] = now["fleets"][1:]
    now["served"] = ["coast"]
    now["plan"] = None
    assert (
        edited(TEXT, tree(), now)
        == """\
# a company
name: acme # who
sites: # where

  # the one by the sea
  - name: coast
    mw: 20
    pue: [1.1, 1.2]
fleets:
  - {name: b, site: coast, count: 20}
  - {name: c, site: coast, count: 30}
served: [coast]

# the end
"""
    )


def test_a_key_is_added_beside_the_name() -> None:
    was, now = tree(), tree()
    was["sites"][1]["open"] = None
    now["sites"][1]["open"] = "2027-06-01"
    now["fleets"][2]["share"] = 0.5
    was["fleets"][2]["share"] = 1.0
    made = edited(TEXT, was, now)
    assert '  - name: coast\n    open: "2027-06-01"\n    mw: 20\n' in made
    assert "{name: c, share: 0.5, site: coast, count: 30}" in made


def test_a_list_in_which_all_are_gone_goes_whole() -> None:
    now = tree()
    now["fleets"] = []
    made = edited(TEXT, tree(), now)
    assert "fleets" not in made
    assert "# old" not in made
    assert parse_yaml(made).tree == {key: value for key, value in now.items() if key != "fleets"}


def test_a_list_that_is_another_is_replaced_even_where_it_hung_below_its_key() -> None:
    now = tree()
    now["sites"] = [{"name": "north", "mw": 1}]
    made = edited(TEXT, tree(), now)
    assert parse_yaml(made).tree == now
    assert made.endswith("# the end\n")


def test_an_anchor_that_others_share_is_not_touched() -> None:
    text = "base: &base {mw: 1}\nsites:\n  - {name: a, at: *base}\n  - {name: b, at: *base}\n"
    was = parse_yaml(text).tree
    now = parse_yaml(text).tree
    assert isinstance(now, dict)
    now["sites"][0]["at"] = {"mw": 2}
    with pytest.raises(CannotKeep, match="anchor"):
        edited(text, was, now)


def test_a_merged_key_is_overridden_where_it_is_merged() -> None:
    text = "base: &base {mw: 1, pue: 2}\nsites:\n  - {name: a, <<: *base}\n"
    now = parse_yaml(text).tree
    assert isinstance(now, dict)
    now["sites"][0]["mw"] = 5
    assert parse_yaml(edited(text, parse_yaml(text).tree, now)).tree == now


def test_a_key_that_shares_its_line_cannot_go() -> None:
    text = "rows:\n  - b: 1\n    name: x\n"
    with pytest.raises(CannotKeep, match="line"):
        edited(text, {"rows": [{"b": 1, "name": "x"}]}, {"rows": [{"b": None, "name": "x"}]})


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_a_float_reads_back_exactly_for_us_and_for_others(value: float) -> None:
    text = f"x: {written(value)}\n"
    for read in (parse_yaml(text).tree, yaml.safe_load(text)):
        assert math.copysign(1.0, float(read["x"])) == math.copysign(1.0, value) or value == 0.0
        assert float(read["x"]) == value


@given(st.text(alphabet=st.characters(codec="utf-8", exclude_characters="\x85\u2028\u2029\ufeff"
                                      "\x7f", min_codepoint=32), max_size=30))  # fmt: skip
def test_a_text_reads_back_exactly(value: str) -> None:
    if any(0x7F <= ord(sign) < 0xA0 for sign in value):
        return  # control characters are no text for YAML
    assert parse_yaml(f"x: {written(value)}\n").tree == {"x": value}


VALUES = st.one_of(st.integers(-999, 999), st.booleans(), st.sampled_from(["a", "no", "1:30", "-"]))


@given(
    st.lists(
        st.tuples(st.sampled_from("abcdefgh"), VALUES, st.booleans()),
        unique_by=lambda item: item[0],
        min_size=1,
        max_size=6,
    ),
    st.data(),
)
def test_items_that_go_or_change_leave_what_was_wanted(
    items: list[tuple[str, object, bool]], data: st.DataObject
) -> None:
    """Blocks, flows and comments in any mixture: what is read is what was to be written."""
    lines = ["top: 1", "rows: # all of them"]
    was: list[dict] = []
    for name, value, flow in items:
        was.append({"name": name, "x": value})
        if flow:
            lines += [f"  - {{name: {name}, x: {written(value)}}} # {name}"]
        else:
            lines += [f"  # {name}", f"  - name: {name}", f"    x: {written(value)}"]
    text = "\n".join([*lines, "last: 2", ""])
    now = [item | {"x": data.draw(VALUES)} for item in was if data.draw(st.booleans())]
    made = edited(text, {"top": 1, "rows": was, "last": 2}, {"top": 1, "rows": now, "last": 2})
    wanted = {"top": 1, "rows": now, "last": 2}
    assert parse_yaml(made).tree == {key: held for key, held in wanted.items() if held != []}
