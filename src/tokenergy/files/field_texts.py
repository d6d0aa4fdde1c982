"""What the source says below each field of a noun, read when somebody asks.

pydantic can do that while a class is made (`use_attribute_docstrings`), and would do it for every
noun at the start of every command: a sixth of a second, for texts that only the schema and the
remedy of a missing field show.
"""

import ast
import inspect
import textwrap
from functools import cache
from typing import Any

from tokenergy.company.noun import Noun


@cache
def field_texts(kind: type[Noun]) -> dict[str, str]:
    """Return the texts of a noun's fields by name, those of its parents included.

    A field without a text is left out, and so is everything where there is no source.
    """
    texts: dict[str, str] = {}
    for parent in reversed(kind.__mro__):
        if issubclass(parent, Noun) and parent is not Noun:
            texts |= _own_texts(parent)
    return {name: texts[name] for name in kind.model_fields if name in texts}


def with_field_texts(schema: dict[str, Any], top: type[Noun]) -> dict[str, Any]:
    """Return a JSON schema of `top` with the description of every field that has a text."""
    kinds = {kind.__name__: kind for kind in _all_nouns()}
    told = {
        name: _described(each, kinds[name]) if name in kinds else each
        for name, each in schema["$defs"].items()
    }
    return _described(schema, top) | {"$defs": told}


def _described(schema: dict[str, Any], kind: type[Noun]) -> dict[str, Any]:
    texts = field_texts(kind)
    fields = {
        name: dict(sorted(({"description": texts[name]} | each).items())) if name in texts else each
        for name, each in schema.get("properties", {}).items()
    }
    return schema | ({"properties": fields} if fields else {})


def _own_texts(kind: type[Noun]) -> dict[str, str]:
    """Return the texts below the fields that the class itself declares."""
    try:
        source = textwrap.dedent(inspect.getsource(kind))
    except (OSError, TypeError):
        return {}
    (declared,) = ast.parse(source).body
    assert isinstance(declared, ast.ClassDef)
    texts: dict[str, str] = {}
    for field, below in zip(declared.body, declared.body[1:], strict=False):
        match field, below:
            case (
                ast.AnnAssign(target=ast.Name(id=name)),
                ast.Expr(value=ast.Constant(value=str(text))),
            ):
                texts[name] = inspect.cleandoc(text)
    return texts


def _all_nouns() -> list[type[Noun]]:
    found: list[type[Noun]] = []
    waiting = list(Noun.__subclasses__())
    while waiting:
        kind = waiting.pop()
        found.append(kind)
        waiting += kind.__subclasses__()
    return found
