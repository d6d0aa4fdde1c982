"""The fenced examples of a Markdown page, and whether their output is still what is printed.

`tests/docs` runs them, `make_outputs.py` writes their output again. The first word after the
fence is the language; the words after it say how the example is run:

    ```python                 run, in order, in one namespace per page
    ```console                each `$ command` is run; what stands below it is its output
    ```console status=2       ... and ends with that exit status
    ```console long           longer than about 5 s: run with its page by `make test-slow`, left
                              out by `make test`, as is (mark it too) what reads what it wrote
    ```console slow           likewise, but run apart, in a folder of its own
    ```console real           needs ../shared/data beside the checkout: run apart, too
    ```console live           beside two small LLMs at work on 127.0.0.1:18080 and :18081: run
                              apart, too; its figures may be any
    ```console serve=NAME     beside `tokenergy serve examples/NAME.yaml --port 8088 --admin-port
                              9088`: run apart, too; its figures may be any
    ```console feeds          `tokenergy fetch` asks a stand-in of its feed on this machine
    ```yaml company           a whole company file: it must check clean
    ```yaml fragment          sections of a company file, complete by themselves
    ```yaml merge=mine.yaml   changes to that file by name; the whole must check clean

A line `...` in an output stands for any lines.
"""

import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

FENCE = re.compile(r"^```(\w*) ?(.*)$")
NUMBER = re.compile(r"-?\d[\d,]*(?:\.\d+)?")
FETCH = re.compile(r"tokenergy fetch (\S+)")
ELISION = "..."
TOLERANCE_SHARE = 0.02
"""How far a printed figure may move before its page must be written again."""
TOLERANCE_LAST_DIGITS = 1.5


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """One fenced example: where it stands, its language, how it is run, its lines."""

    page: Path
    line: int
    language: str
    words: tuple[str, ...]
    lines: tuple[str, ...]

    @property
    def text(self) -> str:
        """The lines as one text."""
        return "\n".join(self.lines) + "\n"

    def word(self, key: str) -> str | None:
        """Return the value of `key=value` among the words, or None."""
        values = [word.partition("=")[2] for word in self.words if word.startswith(f"{key}=")]
        return values[0] if values else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """One `$ command` of a console example, and the lines that stand below it.

    Attributes:
        line: the line of the page that it begins on.
        end: the last line of its output, counted from 1.
    """

    line: int
    end: int
    text: str
    shown: tuple[str, ...]


def blocks(page: Path) -> list[Block]:
    """Return the fenced blocks of a page, in order.

    Raises:
        ValueError: if a fence is not closed.
    """
    found: list[Block] = []
    begun: tuple[int, str, tuple[str, ...], list[str]] | None = None
    for number, line in enumerate(page.read_text(encoding="utf-8").splitlines(), start=1):
        if begun is None:
            fence = FENCE.match(line)
            if fence:
                begun = (number, fence[1], tuple(fence[2].split()), [])
        elif line == "```":
            at, language, words, lines = begun
            found.append(
                Block(page=page, line=at, language=language, words=words, lines=tuple(lines))
            )
            begun = None
        else:
            begun[3].append(line)
    if begun is not None:
        raise ValueError(f"{page.name}:{begun[0]}: the fence is not closed")
    return found


def commands(block: Block) -> Iterator[Command]:
    """Yield the commands of a block; a backslash or an open quote goes on in the next line."""
    at = 0
    lines = block.lines
    while at < len(lines):
        first = at
        if not lines[at].startswith("$ "):
            raise ValueError(f"{block.page.name}:{block.line + at + 1}: no command stands here")
        text = lines[at][2:]
        while text.endswith("\\") or _quote_is_open(text):
            at += 1
            text = text.removesuffix("\\").rstrip() + " " + lines[at].strip()
        at += 1
        begin = at
        while at < len(lines) and not lines[at].startswith("$ "):
            at += 1
        yield Command(
            line=block.line + first + 1, end=block.line + at, text=text, shown=lines[begin:at]
        )


def is_loose(block: Block) -> bool:
    """Tell whether the figures of a block may be any: they are of a moment, or of a machine."""
    return "live" in block.words or block.word("serve") is not None


def at_stand_in(text: str, url: str) -> str:
    """Return a command whose `tokenergy fetch` asks another address than the real service's."""
    return FETCH.sub(rf"tokenergy fetch \1 --base-url {url}", text)


def _quote_is_open(text: str) -> bool:
    try:
        shlex.split(text, comments=True)
    except ValueError:
        return True
    return False


def aligned(shown: tuple[str, ...], said: list[str], *, loose: bool = False) -> list[str]:
    """Return the shown output with each line as it was printed now; blank lines do not count.

    Args:
        shown: the lines of the page; `...` stands for any lines.
        said: the lines that were printed.
        loose: figures may be any; else they must lie within the tolerance.

    Raises:
        LookupError: naming the first line that is not printed any more.
    """
    rest = [line.rstrip() for line in said if line.strip()]
    made: list[str] = []
    skipping = False
    for line in shown:
        if line.strip() == ELISION or not line.strip():
            skipping = skipping or line.strip() == ELISION
            made.append(line)
            continue
        while rest and skipping and not same(line, rest[0], loose=loose):
            rest.pop(0)
        if not rest or not same(line, rest[0], loose=loose):
            raise LookupError(
                f"the page shows\n  {line}\nprinted is\n  {rest[0] if rest else '(the end)'}"
            )
        made.append(rest.pop(0))
        skipping = False
    if shown and rest and not skipping:
        raise LookupError(f"the page does not show\n  {rest[0]}")
    return made


def same(shown: str, said: str, *, loose: bool) -> bool:
    """Tell whether two lines say the same words and, unless `loose`, nearly the same figures."""
    if _words(shown) != _words(said):
        return False
    return loose or all(map(_near, NUMBER.findall(shown), NUMBER.findall(said)))


def _words(line: str) -> list[str]:
    words = (word for word in NUMBER.sub("#", line).split() if set(word) - {"─"})
    return [word.lstrip("-") if word.lstrip("-").startswith("#") else word for word in words]


def _near(shown: str, said: str) -> bool:
    one, other = (float(text.replace(",", "")) for text in (shown, said))
    last_digit = 10.0 ** -len(shown.partition(".")[2])
    allowed = TOLERANCE_SHARE * max(abs(one), abs(other)) + TOLERANCE_LAST_DIGITS * last_digit
    return abs(one - other) <= allowed
