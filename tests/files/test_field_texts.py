"""Texts below fields: of a noun and its parents, and in the schema as pydantic would put them."""

from pydantic import ConfigDict, Field

from tokenergy.company.noun import Noun
from tokenergy.files.field_texts import field_texts, with_field_texts


class Parent(Noun):
    """A noun."""

    mw: float
    """What it draws,
    in MW."""

    silent: int = 0
    plain: int = 0


class Child(Parent):
    """One that says more of a field of its parent."""

    plain: int = 1
    """Said below."""
    told: int = Field(default=0, description="Said within.")
    """Said twice: what stands within counts."""
    one: Parent | None = None
    """Another noun."""


class AtOnce(Child):
    """The same, read by pydantic while the class is made."""

    model_config = ConfigDict(use_attribute_docstrings=True)

    plain: int = 1
    """Said below."""
    one: Parent | None = None
    """Another noun."""


def test_texts_of_a_noun_and_of_its_parents() -> None:
    assert field_texts(Parent) == {"mw": "What it draws,\nin MW."}
    said = field_texts(Child)
    assert list(said) == ["mw", "plain", "told", "one"]
    assert (said["plain"], said["one"]) == ("Said below.", "Another noun.")


def test_a_noun_without_source_has_no_texts() -> None:
    made = type("Made", (Noun,), {"__annotations__": {"mw": float}, "__module__": "nowhere"})
    assert field_texts(made) == {}


def test_the_schema_has_them_where_pydantic_puts_them() -> None:
    told = with_field_texts(Child.model_json_schema(), Child)
    theirs = AtOnce.model_json_schema()
    for name in ("plain", "one", "told"):
        assert list(told["properties"][name].items()) == list(theirs["properties"][name].items())
    assert told["properties"]["mw"]["description"] == "What it draws,\nin MW."
    assert told["$defs"]["Parent"]["properties"]["mw"]["description"] == "What it draws,\nin MW."
    assert "description" not in told["properties"]["silent"]
