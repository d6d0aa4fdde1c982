"""YAML text, read into plain values with the line of every path, and never a traceback."""

import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import yaml

from tokenergy.company.finding import Finding
from tokenergy.company.noun import nearest_names

MOST_BYTES: Final = 1_000_000
"""A company file is written by hand; series live in files of their own."""
MOST_VALUES: Final = 50_000
"""Values after every alias is written out: a bomb of aliases stops here."""
DEEPEST: Final = 40
MOST_DIGITS: Final = 18

Step = str | int
Place = tuple[Step, ...]
"""Keys and positions from the top of a file to a value."""


@dataclass(frozen=True, slots=True, kw_only=True)
class YamlText:
    """The values of one file, the line of each place, and what was wrong on the way.

    Attributes:
        tree: mappings, lists, strings, numbers, booleans and None; None if unreadable.
        lines: line of each place, from 1.
        findings: what could not be read.
    """

    tree: Any
    lines: Mapping[Place, int]
    findings: tuple[Finding, ...]

    def line_of(self, place: Place) -> int | None:
        """Return the line of a place, or of the nearest place around it that has one."""
        for length in range(len(place), -1, -1):
            if place[:length] in self.lines:
                return self.lines[place[:length]]
        return None


def path_text(place: Place) -> str:
    """Write a place as `sites[2].market.price`."""
    text = ""
    for step in place:
        text += f"[{step}]" if isinstance(step, int) else f".{step}" if text else step
    return text


def place_of(path: str) -> Place:
    """Read `sites[2].market.price` back into a place."""
    steps = re.findall(r"\[(\d+)\]|([^.\[\]]+)", path)
    return tuple(int(number) if number else name for number, name in steps)


class _TooMuch(Exception):
    """The text is nested deeper, or holds more, than any company file."""


class _Loader(yaml.SafeLoader):
    """Composes nodes only; scalars follow YAML 1.2's core schema.

    So `13:00` is a text and not 780, `NO` is a text and not false, and a date is left to the
    field that knows whether it wants one.
    """

    yaml_implicit_resolvers: dict[str, list[tuple[str, re.Pattern[str]]]] = {}  # noqa: RUF012 (PyYAML's own name)

    depth = 0
    nodes_count = 0

    def compose_node(self, parent: yaml.Node | None, index: Any) -> yaml.Node | None:
        self.depth += 1
        self.nodes_count += 1
        if self.depth > DEEPEST or self.nodes_count > MOST_VALUES:
            raise _TooMuch
        node: yaml.Node | None = super().compose_node(parent, index)
        self.depth -= 1
        return node


for _tag, _pattern, _first in (
    ("null", r"~|null|Null|NULL|", ["~", "n", "N", ""]),
    ("bool", r"true|True|TRUE|false|False|FALSE", list("tTfF")),
    ("int", rf"[-+]?[0-9]{{1,{MOST_DIGITS}}}", list("-+0123456789")),
    (
        "float",
        r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?|[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)",
        list("-+.0123456789"),
    ),
    ("merge", "<<", ["<"]),
):
    _Loader.add_implicit_resolver(
        f"tag:yaml.org,2002:{_tag}", re.compile(f"^(?:{_pattern})$"), _first
    )


@dataclass(slots=True)
class _Builder:
    """Turns nodes into values, notes the line of every place, collects findings."""

    lines: dict[Place, int] = field(default_factory=dict)
    findings: list[Finding] = field(default_factory=list)

    def value(self, node: yaml.Node, place: Place) -> Any:
        self.lines.setdefault(place, node.start_mark.line + 1)
        if isinstance(node, yaml.MappingNode):
            return self.mapping(node, place)
        if isinstance(node, yaml.SequenceNode):
            return [self.value(item, (*place, i)) for i, item in enumerate(node.value)]
        return self.scalar(node, place)

    def mapping(self, node: yaml.MappingNode, place: Place) -> dict[str, Any]:
        merged: dict[str, Any] = {}
        own: dict[str, Any] = {}
        for key_node, value_node in node.value:  # first, so that own keys keep their lines
            if key_node.tag.endswith(":merge"):
                self.merge(value_node, place, merged)
        for key_node, value_node in node.value:
            line = key_node.start_mark.line + 1
            if not isinstance(key_node, yaml.ScalarNode):
                self.report("BAD_KEY", place, line, "a key must be one word", "Use a plain key")
                continue
            if key_node.tag.endswith(":merge"):
                continue
            key = _clean(key_node.value)
            here = (*place, key)
            if key in own:
                first = self.lines[here]
                reason = f"the key {key!r} stands here twice, first on line {first}"
                self.report("DUPLICATE_KEY", here, line, reason, "Keep one of the two")
                continue
            self.lines[here] = line
            own[key] = self.value(value_node, here)
        return {**merged, **own}

    def merge(self, node: yaml.Node, place: Place, merged: dict[str, Any]) -> None:
        sources = node.value if isinstance(node, yaml.SequenceNode) else [node]
        for source in sources:
            if isinstance(source, yaml.MappingNode):
                merged.update({**self.mapping(source, place), **merged})
            else:
                line = source.start_mark.line + 1
                reason = "'<<' takes a mapping, or a list of mappings"
                self.report("BAD_KEY", place, line, reason, "Name a mapping by its anchor")

    def scalar(self, node: yaml.Node, place: Place) -> Any:
        text = _clean(node.value)
        kind = node.tag.rpartition(":")[2]
        match kind:
            case "str":
                return text
            case "null":
                return None
            case "bool" if text.lower() in ("true", "false"):
                return text.lower() == "true"
            case "int" if re.fullmatch(rf"[-+]?\d{{1,{MOST_DIGITS}}}", text):
                return int(text)
            case "float" if (number := _number(text)) is not None:
                return number
        reason = f"{_short(text)!r} under the tag {_short(node.tag)!r} is no value we read"
        self.report("YAML_TAG", place, node.start_mark.line + 1, reason, "Leave the tag out")
        return None

    def report(self, code: str, place: Place, line: int, reason: str, remedy: str) -> None:
        path = path_text(place) or "(file)"
        self.findings.append(Finding(code=code, path=path, reason=reason, remedy=remedy, line=line))


def read_yaml(path: Path) -> YamlText:
    """Read a YAML file that a person wrote; every fault is a finding without a file name."""
    text = _text_of(path)
    if isinstance(text, Finding):
        return YamlText(tree=None, lines={}, findings=(text,))
    return parse_yaml(text)


def parse_yaml(text: str) -> YamlText:
    """Read YAML text; see `read_yaml`."""
    node = _composed(text)
    if isinstance(node, Finding):
        return YamlText(tree=None, lines={}, findings=(node,))
    if node is None or (isinstance(node, yaml.ScalarNode) and not node.value.strip()):
        finding = _file_finding(
            "FILE_EMPTY", "the file says nothing", "Start from what `tokenergy init` writes"
        )
        return YamlText(tree=None, lines={}, findings=(finding,))
    builder = _Builder()
    tree = builder.value(node, ())
    return YamlText(tree=tree, lines=builder.lines, findings=tuple(builder.findings))


def _text_of(path: Path) -> str | Finding:
    try:
        if not path.exists():
            return _file_finding("FILE_MISSING", "there is no such file", _where_else(path))
        if not path.is_file():
            return _file_finding("FILE_NOT_A_FILE", "this is not a file", "Name a YAML file")
        with path.open("rb") as stream:
            raw = stream.read(MOST_BYTES + 1)
        size_bytes = max(path.stat().st_size, len(raw))
    except (OSError, ValueError) as error:
        reason = f"the file cannot be read: {getattr(error, 'strerror', None) or error}"
        return _file_finding("FILE_UNREADABLE", reason, "Check the path and its permissions")
    if len(raw) > MOST_BYTES:
        return _file_finding(
            "FILE_TOO_LARGE",
            "no company file is that large",
            "Put series into files of their own and name them here",
            value=f"{size_bytes / 1e6:.1f}",
            limit=f"{MOST_BYTES / 1e6:g}",
            unit="MB",
        )
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        reason = f"byte {error.start} is not UTF-8: this is no text, or in another encoding"
        return _file_finding("FILE_NOT_TEXT", reason, "Save the file as UTF-8 text", line=line)


def _where_else(path: Path) -> str:
    """Say what to do about a file that is not there: often a name that is nearly right."""
    beside = (p.name for ending in ("*.yaml", "*.yml") for p in path.parent.glob(ending))
    near = nearest_names(path.name, beside, count=1)
    meant = f": did you mean {path.with_name(near[0])}?" if near else ""
    return f"Check the path{meant}"


def _composed(text: str) -> yaml.Node | Finding | None:
    try:
        node: yaml.Node | None = _Loader(text).get_single_node()
    except yaml.reader.ReaderError as error:
        reason = f"character {error.position} is a control character: this is no text"
        return _file_finding("FILE_NOT_TEXT", reason, "Save the file as UTF-8 text")
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        reason = "; ".join(part for part in (error.context, error.problem) if part)
        line = mark.line + 1 if mark else None
        remedy = "Mend the indentation, brackets or quotes there"
        return _file_finding("YAML_SYNTAX", _short(reason, 200), remedy, line=line)
    except (_TooMuch, yaml.YAMLError, ValueError):
        return _too_much()
    return node if node is None or _fits(node) else _too_much()


def _too_much() -> Finding:
    reason = (
        "the file is nested deeper, or says more once its aliases are written out, than we read"
    )
    return _file_finding(
        "YAML_TOO_LARGE",
        reason,
        "Split the file, or use fewer aliases",
        limit=f"{MOST_VALUES:,} values, {DEEPEST} levels",
    )


def _fits(root: yaml.Node) -> bool:
    """Tell whether the tree, with every alias written out, stays within both limits."""
    sizes: dict[int, int] = {}
    depths: dict[int, int] = {}
    open_nodes: set[int] = set()

    def measure(node: yaml.Node) -> bool:
        key = id(node)
        if key in open_nodes:
            return False  # an alias inside its own anchor
        if key in sizes:
            return True
        open_nodes.add(key)
        children = list(_children(node))
        if not all(measure(child) for child in children):
            return False
        sizes[key] = 1 + sum(sizes[id(child)] for child in children)
        depths[key] = 1 + max((depths[id(child)] for child in children), default=0)
        open_nodes.discard(key)
        return sizes[key] <= MOST_VALUES and depths[key] <= DEEPEST

    return measure(root)


def _children(node: yaml.Node) -> Iterator[yaml.Node]:
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            yield key
            yield value
    elif isinstance(node, yaml.SequenceNode):
        yield from node.value


def _number(text: str) -> float | None:
    named = {".inf": math.inf, "+.inf": math.inf, "-.inf": -math.inf, ".nan": math.nan}
    if text.lower() in named:
        return named[text.lower()]
    try:
        return float(text)
    except ValueError:
        return None


def _clean(text: str) -> str:
    """Replace half characters, which an escape can make and no terminal can print."""
    return text.encode("utf-8", "replace").decode("utf-8")


def _short(text: str, most: int = 60) -> str:
    return text if len(text) <= most else text[: most - 1] + "…"


def _file_finding(
    code: str,
    reason: str,
    remedy: str,
    *,
    line: int | None = None,
    value: str = "",
    limit: str = "",
    unit: str = "",
) -> Finding:
    return Finding(
        code=code,
        path="(file)",
        reason=reason,
        remedy=remedy,
        line=line,
        value=value,
        limit=limit,
        unit=unit,
    )
