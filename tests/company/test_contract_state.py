"""A contract's state survives the way to JSON and back, to the bit."""

import json
from dataclasses import fields

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tokenergy.company.contract_state import ContractState

FLOATS = st.floats(allow_nan=False, allow_infinity=False)
WORDS = st.text(max_size=12)
STATES = st.builds(
    ContractState,
    **{each.name: FLOATS for each in fields(ContractState) if each.type is float},
    period=WORDS,
    on=st.booleans(),
    events_count=st.integers(0, 10**6),
    past_peaks=st.lists(st.tuples(WORDS, FLOATS), max_size=4).map(tuple),
    system_peaks=st.lists(st.tuples(WORDS, FLOATS, FLOATS), max_size=4).map(tuple),
)


@given(STATES)
def test_there_and_back(state: ContractState) -> None:
    text = json.dumps(state.to_dict())
    read = ContractState.from_dict(json.loads(text))
    assert read == state
    assert json.dumps(read.to_dict()) == text


def test_a_missing_field_is_an_error() -> None:
    words = ContractState().to_dict()
    del words["billed_mw"]
    with pytest.raises(KeyError, match="billed_mw"):
        ContractState.from_dict(words)


def test_the_round_trip_above_tries_every_number() -> None:
    assert sum(each.type is float for each in fields(ContractState)) >= 13
