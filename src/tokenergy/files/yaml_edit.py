"""Verb: change values of a YAML text and leave the rest as a person wrote it, comments too.

Two trees say what changes: as the text reads, and as it is to read. Where they differ, the text is
edited in place: a value is replaced, an item or a key goes with the comment above it, a key is
added. What cannot be edited so (an anchor that others share) is refused, never guessed.
"""

import json
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from itertools import pairwise
from typing import Any, Final

import yaml

IDENTITY: Final = ("name", "id")
"""Keys that say which item of a list is which."""
PLAIN: Final = re.compile(r"[A-Za-z][A-Za-z0-9_./-]*")
NOT_PLAIN: Final = frozenset({"true", "false", "null", "yes", "no", "on", "off", "y", "n"})
"""Words that some reader of YAML takes for something other than a text."""
WHOLE_BELOW: Final = 1e15
"""Whole floats below this are written without their point."""


class CannotKeep(Exception):
    """The text is written in a way that no edit in place can change safely."""


@dataclass(frozen=True, slots=True, order=True)
class _Edit:
    """Characters `begin` to `end` become `text`."""

    begin: int
    end: int
    text: str


def edited(text: str, was: Mapping[str, Any], now: Mapping[str, Any]) -> str:
    """Return a YAML text that reads as `now` where it read as `was`.

    Args:
        text: what a person wrote.
        was: what it says, defaults included.
        now: what it is to say; a list holds items of `was` in their order, fewer or changed.

    Raises:
        CannotKeep: if an edit in place would not do.
    """
    root = yaml.compose(text, Loader=yaml.SafeLoader)
    if not isinstance(root, yaml.MappingNode):
        raise CannotKeep("the text is no mapping")
    editor = _Editor(text=text, shared=_shared(root))
    editor.mapping(root, was, now)
    made, end = text, len(text) + 1
    for edit in sorted(editor.edits, reverse=True):
        if edit.end > end:
            raise CannotKeep("two changes overlap")
        made, end = made[: edit.begin] + edit.text + made[edit.end :], edit.begin
    return made


def written(value: Any) -> str:
    """Return a value on one line, so that it reads back as exactly the same.

    Raises:
        CannotKeep: for a kind of value that no company file holds.
    """
    match value:
        case None:
            return "null"
        case bool():
            return "true" if value else "false"
        case int():
            return str(value)
        case float():
            return _number(value)
        case str():
            plain = PLAIN.fullmatch(value) and value.lower() not in NOT_PLAIN
            return value if plain else json.dumps(value, ensure_ascii=False)
        case datetime():
            return json.dumps(value.isoformat().replace("+00:00", "Z"))
        case date():
            return value.isoformat()
        case Mapping():
            parts = (f"{written(key)}: {written(held)}" for key, held in value.items())
            return "{" + ", ".join(parts) + "}"
        case tuple() | list():
            return "[" + ", ".join(written(item) for item in value) + "]"
    raise CannotKeep(f"{value!r} is nothing that a company file holds")


def _number(value: float) -> str:
    if value.is_integer() and abs(value) < WHOLE_BELOW:
        return str(int(value))
    text = repr(value)
    mantissa, sign, exponent = text.partition("e")
    return text if "." in mantissa or not sign else f"{mantissa}.0e{exponent}"


def _shared(root: yaml.Node) -> frozenset[int]:
    """Return the nodes that stand in more than one place, and what is in them."""
    seen: Counter[int] = Counter()

    def visit(node: yaml.Node) -> None:
        seen[id(node)] += 1
        for child in _children(node):
            visit(child)

    visit(root)
    return frozenset(key for key, count in seen.items() if count > 1)


def _children(node: yaml.Node) -> Iterator[yaml.Node]:
    if isinstance(node, yaml.MappingNode):
        for pair in node.value:
            yield from pair
    elif isinstance(node, yaml.SequenceNode):
        yield from node.value


@dataclass(slots=True)
class _Editor:
    """Walks the nodes of a text beside both trees and notes what has to change."""

    text: str
    shared: frozenset[int]
    edits: list[_Edit] = field(default_factory=list)

    def value(self, node: yaml.Node, was: Any, now: Any) -> None:
        """Change one value into another."""
        if id(node) in self.shared:
            raise CannotKeep("an anchor is shared by what changes and by what does not")
        if isinstance(was, Mapping) and isinstance(now, Mapping):
            if isinstance(node, yaml.MappingNode):
                self.mapping(node, was, now)
                return
        elif _is_list(was) and _is_list(now) and isinstance(node, yaml.SequenceNode):
            kept = _kept(was, now)
            if kept is not None and len(node.value) == len(was):
                self.sequence(node, was, now, kept)
                return
        self.replace(node, now)

    def mapping(
        self, node: yaml.MappingNode, was: Mapping[str, Any], now: Mapping[str, Any]
    ) -> None:
        """Change, add and drop keys."""
        own = {key.value: at for at, (key, _) in enumerate(node.value) if key.value != "<<"}
        gone = [
            own[key]
            for key in own
            if key in was and key in now and was[key] != now[key] and _nothing(now[key])
        ]
        if gone:
            self.drop(node, [pair[0] for pair in node.value], gone)
        for key in now:
            if key in was and was[key] == now[key]:
                continue
            if key in own:
                if own[key] not in gone:
                    self.value(node.value[own[key]][1], was.get(key), now[key])
            elif not _nothing(now[key]):
                self.add(node, key, now[key])

    def sequence(
        self, node: yaml.SequenceNode, was: Sequence[Any], now: Sequence[Any], kept: list[int]
    ) -> None:
        """Drop the items that are gone, change those that stay."""
        gone = [at for at in range(len(was)) if at not in kept]
        if gone:
            self.drop(node, node.value, gone)
        for at, item in zip(kept, now, strict=True):
            if was[at] != item:
                self.value(node.value[at], was[at], item)

    def replace(self, node: yaml.Node, now: Any) -> None:
        """Write a value in the place of another."""
        begin, end = node.start_mark.index, self.end(node)
        # `key:` with nothing behind it needs a space, and a list may stand no deeper than its key
        block = isinstance(node, yaml.CollectionNode) and not node.flow_style
        space = " " if begin == end or block else ""
        self.edits.append(_Edit(begin, end, space + written(now)))

    def add(self, node: yaml.MappingNode, key: str, now: Any) -> None:
        """Add a key behind the one that names the item, or as the first one."""
        if not node.value:
            raise CannotKeep("a key cannot be added to an empty mapping")
        said, indent = f"{key}: {written(now)}", " " * node.start_mark.column
        for name, value in node.value:
            if name.value not in IDENTITY or id(value) in self.shared:
                continue
            at = self.end(value)
            if node.flow_style:
                self.edits.append(_Edit(at, at, f", {said}"))
            else:
                at = self.line_end(at)
                self.edits.append(_Edit(at, at, f"\n{indent}{said}"))
            return
        at = node.value[0][0].start_mark.index
        self.edits.append(_Edit(at, at, f"{said}, " if node.flow_style else f"{said}\n{indent}"))

    def drop(self, node: yaml.CollectionNode, heads: Sequence[yaml.Node], gone: list[int]) -> None:
        """Drop the items or keys at these places; `heads` are where each begins."""
        tails = [pair[1] for pair in node.value] if isinstance(node, yaml.MappingNode) else heads
        if node.flow_style:
            self._drop_from_flow(heads, tails, gone)
            return
        for at in gone:
            begin = self._with_comment(self._line_of(heads[at], node))
            end = min(self.line_end(self.end(tails[at])) + 1, len(self.text))
            if self.text[:begin].endswith("\n\n") and self.text[end : end + 1] == "\n":
                end += 1  # one empty line stays where there were two
            self.edits.append(_Edit(begin, end, ""))

    def _drop_from_flow(
        self, heads: Sequence[yaml.Node], tails: Sequence[yaml.Node], gone: list[int]
    ) -> None:
        """Drop from `[a, b]` or `{a: 1, b: 2}`, with the comma that goes with it."""
        kept = [at for at in range(len(heads)) if at not in gone]
        if not kept:
            begin, end = heads[0].start_mark.index, self.end(tails[-1])
            self.edits.append(_Edit(begin, end, ""))
            return
        if kept[0] > 0:
            begin, end = heads[0].start_mark.index, heads[kept[0]].start_mark.index
            self.edits.append(_Edit(begin, end, ""))
        for before, after in pairwise([*kept, len(heads)]):
            if after - before > 1:
                begin, end = self.end(tails[before]), self.end(tails[after - 1])
                self.edits.append(_Edit(begin, end, ""))

    def _line_of(self, head: yaml.Node, node: yaml.CollectionNode) -> int:
        """Return where the line begins that an item of a block begins on."""
        begin = self.line_begin(head.start_mark.index)
        lead = self.text[begin : head.start_mark.index]
        wanted = "-" if isinstance(node, yaml.SequenceNode) else ""
        if lead.strip() != wanted:
            raise CannotKeep("what is to go shares its line with what stays")
        return begin

    def _with_comment(self, begin: int) -> int:
        """Return where the comment begins that stands right above a line."""
        while begin > 0:
            above = self.line_begin(begin - 1)
            if not self.text[above:begin].lstrip().startswith("#"):
                break
            begin = above
        return begin

    def end(self, node: yaml.Node) -> int:
        """Return where what a node says ends; a block ends with the last thing in it."""
        if id(node) in self.shared:
            raise CannotKeep("an anchor stands where something is to change")
        if isinstance(node, yaml.CollectionNode) and not node.flow_style and node.value:
            last = node.value[-1]
            return self.end(last[1] if isinstance(last, tuple) else last)
        return max(node.start_mark.index, len(self.text[: node.end_mark.index].rstrip()))

    def line_begin(self, at: int) -> int:
        """Return where the line of a character begins."""
        return self.text.rfind("\n", 0, at) + 1

    def line_end(self, at: int) -> int:
        """Return where the line of a character ends, its break not included."""
        end = self.text.find("\n", at)
        return len(self.text) if end < 0 else end


def _is_list(value: Any) -> bool:
    return isinstance(value, tuple | list)


def _nothing(value: Any) -> bool:
    """Tell whether a key with this value is better left out."""
    return value is None or (_is_list(value) and not value)


def _kept(was: Sequence[Any], now: Sequence[Any]) -> list[int] | None:
    """Return where the items of `now` stand in `was`, in order; None: they are not all there."""
    kept, at = [], 0
    for item in now:
        mark = _mark(item)
        while at < len(was) and _mark(was[at]) != mark:
            at += 1
        if at == len(was):
            return None
        kept.append(at)
        at += 1
    return kept


def _mark(item: Any) -> Any:
    """Return what tells an item of a list from the others."""
    if isinstance(item, Mapping):
        for key in IDENTITY:
            if key in item:
                return key, item[key]
    return "", item
