"""The rules of the house, read off the syntax tree; docs/design.md says why each is one."""

import ast
import re
import socket
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

from tokenergy.units import SUFFIXES

ROOT = Path(__file__).resolve().parents[2]
SRC = ROOT / "src" / "tokenergy"
CONFIG = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
CONTRACTS = {entry["id"]: entry for entry in CONFIG["tool"]["importlinter"]["contracts"]}

MOST_LINES_OF_A_FILE = 400
MOST_LINES_OF_A_FUNCTION = 60

EXCEPTIONS: dict[str, str] = {
    "float without its unit: lp/highs.py::shift": "a program's rows have any unit, each its own",
    "float without its unit: lp/highs.py::value": "a coefficient has the unit of row over column",
    "float without its unit: plan/candidates.py::least": "its unit stands in the field beside it",
    "float without its unit: plan/candidates.py::most": "its unit stands in the field beside it",
    "float without its unit: plan/candidates.py::nominal": "its unit stands in the field beside it",
    "float without its unit: plan/candidates.py::step": "its unit stands in the field beside it",
    "float without its unit: plan/laid_out.py::years": "it is the unit, as hours are below",
    "float without its unit: plan/program.py::hours": "it is the unit, as in every verb's option",
    "float without its unit: thesis/result.py::number": "its unit stands in the field beside it",
}
"""What may break a rule, keyed by rule, file under src/tokenergy and name, with the reason."""

FOLDERS_WITHOUT_A_ROOM: dict[str, str] = {
    "house": "tests the house itself: this file",
    "docs": "runs every fenced example of docs/ and README.md",
    "examples": "runs every company file of examples/",
    "real": "runs a company on real series, end to end",
}
"""Folders of tests/ that mirror no room, with the reason."""

WORLD_CALLS = {"open", "print", "input"}
WORLD_METHODS = {"open", "read_text", "read_bytes", "write_text", "write_bytes"}
CLOCK_METHODS = {"now", "utcnow", "today"}


# ---- the rules: each takes a tree and yields what breaks it, as "rule: name (line n)" ----


def world_breaches(tree: ast.Module) -> Iterator[tuple[str, int]]:
    """Find calls that reach for a file, a terminal or a clock."""
    for call in (node for node in ast.walk(tree) if isinstance(node, ast.Call)):
        match call.func:
            case ast.Name(id=name) if name in WORLD_CALLS:
                yield f"touches the world: {name}()", call.lineno
            case ast.Attribute(attr=name) if name in WORLD_METHODS:
                yield f"touches the world: .{name}()", call.lineno
            case ast.Attribute(attr=name, value=value) if name in CLOCK_METHODS and re.search(
                r"\b(datetime|date|Timestamp)$", ast.unparse(value)
            ):
                yield f"reads a clock: {ast.unparse(value)}.{name}()", call.lineno


def unit_breaches(
    tree: ast.Module, *, suffixes: frozenset[str], float_aliases: frozenset[str] = frozenset()
) -> Iterator[tuple[str, int]]:
    """Find fields, parameters and properties that are floats and do not say of what."""
    aliases = float_aliases | _float_aliases(tree)
    for name, annotation, line in _declared(tree):
        if _is_float(annotation, aliases) and not _names_its_unit(name, suffixes):
            yield f"float without its unit: {name}", line


def size_breaches(source: str) -> Iterator[tuple[str, int]]:
    """Find a file or a function that is too long to be read."""
    lines_count = len(source.splitlines())
    if lines_count > MOST_LINES_OF_A_FILE:
        yield f"file over {MOST_LINES_OF_A_FILE} lines: {lines_count}", lines_count
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            length = (node.end_lineno or node.lineno) - node.lineno + 1
            if length > MOST_LINES_OF_A_FUNCTION:
                yield (
                    f"function over {MOST_LINES_OF_A_FUNCTION} lines: {node.name}",
                    node.lineno,
                )


def _names_its_unit(name: str, suffixes: frozenset[str]) -> bool:
    words = name.lstrip("_")
    return words in suffixes or any(words.endswith("_" + suffix) for suffix in suffixes)


def _declared(tree: ast.Module) -> Iterator[tuple[str, ast.expr, int]]:
    """Yield name, annotation and line of each field, parameter and property."""
    for node in ast.walk(tree):
        if isinstance(node, ast.ClassDef):
            for field in node.body:
                if isinstance(field, ast.AnnAssign) and isinstance(field.target, ast.Name):
                    yield f"{field.target.id}", field.annotation, field.lineno
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            every = node.args
            for arg in (*every.posonlyargs, *every.args, *every.kwonlyargs, every.vararg):
                if arg is not None and arg.annotation is not None:
                    yield arg.arg, arg.annotation, arg.lineno
            if node.returns is not None and any(
                ast.unparse(mark).endswith("property") for mark in node.decorator_list
            ):
                yield node.name, node.returns, node.lineno


def _is_float(annotation: ast.expr, aliases: frozenset[str]) -> bool:
    """Tell whether a value so annotated is a float, may be one, or is a sequence of them."""
    match annotation:
        case ast.Name(id=name):
            return name == "float" or name in aliases
        case ast.Attribute(attr=name):
            return name in aliases
        case ast.Constant(value=str(text)):
            return _is_float(ast.parse(text, mode="eval").body, aliases)
        case ast.BinOp(op=ast.BitOr(), left=left, right=right):
            # `float | None` is a float; `float | FileSeries` is a thing of its own
            sides = [side for side in (left, right) if ast.unparse(side) not in ("None", "int")]
            return bool(sides) and all(_is_float(side, aliases) for side in sides)
        case ast.Subscript(value=outer, slice=inner):
            args = list(inner.elts) if isinstance(inner, ast.Tuple) else [inner]
            match ast.unparse(outer).rpartition(".")[2]:
                case "Annotated" | "Optional" | "Final" | "ClassVar" | "InitVar":
                    return _is_float(args[0], aliases)
                case "tuple" | "list" | "Sequence" | "Iterable" | "Iterator":
                    items = [arg for arg in args if ast.unparse(arg) != "..."]
                    return len(items) == 1 and _is_float(items[0], aliases)
    return False


def _float_aliases(tree: ast.Module) -> frozenset[str]:
    """Return the names that a module gives to kinds of floats, such as `Share`."""
    names: set[str] = set()
    for node in tree.body:
        match node:
            case ast.Assign(targets=[ast.Name(id=name)], value=ast.Subscript() as value):
                if ast.unparse(value).startswith("Annotated") and _is_float(
                    value, frozenset(names)
                ):
                    names.add(name)
    return frozenset(names)


# ---- the house as it stands --------------------------------------------------------------


def _layers() -> list[list[str]]:
    """Return the floors of the layers contract from the top, as lists of rooms."""
    return [re.findall(r"[a-z_]+", floor) for floor in CONTRACTS["floors"]["layers"]]


def _effects() -> set[str]:
    """Return the rooms above `thesis`: the effects floor, the public API, the command line."""
    floors = _layers()
    return {room for floor in floors[: floors.index(["thesis"])] for room in floor}


def _core() -> set[str]:
    return {room for floor in _layers() for room in floor} - _effects()


def _room(path: Path) -> str:
    return path.relative_to(SRC).parts[0].removesuffix(".py")


def _files() -> list[Path]:
    return sorted(SRC.rglob("*.py"))


def _core_files() -> list[Path]:
    return [path for path in _files() if _room(path) in _core() | {"__init__"}]


def _unexcused(path: Path, breaches: Iterator[tuple[str, int]]) -> list[str]:
    place = path.relative_to(ROOT).as_posix()
    return [
        f"{place}:{line}: {text}" for text, line in breaches if _key(path, text) not in EXCEPTIONS
    ]


def _key(path: Path, text: str) -> str:
    place = path.relative_to(SRC).as_posix()
    rule, _, name = text.partition(": ")
    return f"{rule}: {place}" if rule.startswith("file over") else f"{rule}: {place}::{name}"


def _tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


@cache
def _every_breach() -> tuple[tuple[Path, str, int], ...]:
    """Return what breaks any rule: one walk through the house answers every test."""
    trees = {path: _tree(path) for path in _core_files()}
    aliases = frozenset[str]().union(*map(_float_aliases, trees.values()))
    found = []
    for path, tree in trees.items():
        found += [(path, *breach) for breach in world_breaches(tree)]
        units = unit_breaches(tree, suffixes=SUFFIXES, float_aliases=aliases)
        found += [(path, *breach) for breach in units]
    for path in _files():
        found += [(path, *breach) for breach in size_breaches(path.read_text(encoding="utf-8"))]
    return tuple(found)


@pytest.mark.parametrize(
    "rule", ["touches the world", "reads a clock", "float without its unit", "file", "function"]
)
def test_nothing_breaks_the_rule(rule: str) -> None:
    found = [
        line
        for path, text, number in _every_breach()
        if text.startswith(rule)
        for line in _unexcused(path, iter([(text, number)]))
    ]
    assert not found, "\n" + "\n".join(found)


def test_every_exception_is_still_needed_and_has_a_reason() -> None:
    seen = {_key(path, text) for path, text, _ in _every_breach()}
    assert set(EXCEPTIONS) <= seen
    assert all(len(reason.split()) >= 4 for reason in EXCEPTIONS.values())


def test_every_room_is_on_a_floor() -> None:
    rooms = {_room(path) for path in _files()} - {"__init__", "__main__"}
    assert rooms <= _core() | _effects()
    assert not list((SRC / "catalogue").glob("*.py")), "catalogue/ holds data, no Python"


def test_only_the_effects_floor_and_above_may_touch_the_world() -> None:
    excused = {line.split(" -> ")[0] for line in CONTRACTS["core"]["ignore_imports"]}
    rooms = {name.removeprefix("tokenergy.").removesuffix(".**") for name in excused}
    assert rooms == _effects() | {"__main__"}
    assert CONTRACTS["core"]["source_modules"] == ["tokenergy"]  # so every core room is in it
    assert CONTRACTS["solver"]["ignore_imports"] == ["tokenergy.lp.highs -> highspy"]


def test_every_test_folder_mirrors_a_room() -> None:
    tests = ROOT / "tests"
    folders = {path.relative_to(tests).parts[0] for path in tests.rglob("test_*.py")}
    rooms = {_room(path) for path in _files()}
    strays = {
        name
        for name in folders - set(FOLDERS_WITHOUT_A_ROOM)
        if name not in rooms and name.removeprefix("test_").removesuffix(".py") not in rooms
    }
    assert not strays, f"no room for {sorted(strays)}"


# ---- the rules can fail ------------------------------------------------------------------


@pytest.mark.parametrize(
    "source",
    [
        "open('x')",
        "path.read_text()",
        "print(1)",
        "datetime.now(UTC)",
        "datetime.datetime.utcnow()",
        "date.today()",
    ],
)
def test_a_call_to_the_world_is_found(source: str) -> None:
    assert len(list(world_breaches(ast.parse(f"def f():\n    return {source}\n")))) == 1


def test_a_call_that_only_looks_like_the_world_is_not() -> None:
    source = "opened(1)\nmarket.is_open(2)\nself.now(3)\nclock.now()\n"
    assert not list(world_breaches(ast.parse(source)))


@pytest.mark.parametrize(
    "source",
    [
        "class A:\n    power: float",
        "class A:\n    power: 'float | None' = None",
        "class A:\n    power: Annotated[float, Field(gt=0)]",
        "class A:\n    powers: tuple[float, ...]",
        "Some = Annotated[float, Field(ge=0)]\nclass A:\n    part: Some | None",
        "class A:\n    @property\n    def power(self) -> float: ...",
        "def f(power: float): ...",
        "def f(*, power: float = 1.0): ...",
        "async def f(power: Optional[float]): ...",
        "class A:\n    def f(self, hmw: float): ...",
    ],
)
def test_a_float_without_its_unit_is_found(source: str) -> None:
    assert len(list(unit_breaches(ast.parse(source), suffixes=frozenset({"mw"})))) == 1


@pytest.mark.parametrize(
    "source",
    [
        "class A:\n    power_mw: float",
        "class A:\n    mw: float | None",
        "def f(_power_mw: float, count: int, name: str): ...",
        "def f(price: float | FileSeries): ...",
        "def f(each: Callable[[float], float], pairs: tuple[float, str]): ...",
    ],
)
def test_a_float_with_its_unit_passes(source: str) -> None:
    assert not list(unit_breaches(ast.parse(source), suffixes=frozenset({"mw"})))


def test_long_things_are_found() -> None:
    long = "def f():\n" + "    x = 1\n" * MOST_LINES_OF_A_FUNCTION
    assert [text for text, _ in size_breaches(long)] == ["function over 60 lines: f"]
    assert not list(size_breaches(long.removesuffix("    x = 1\n")))
    assert [text for text, _ in size_breaches("x = 1\n" * 401)] == ["file over 400 lines: 401"]


@pytest.mark.parametrize(
    ("files", "contract"),
    [
        ({"company/site.py": "import os"}, "The core touches no world"),
        ({"brand_new.py": "import logging"}, "The core touches no world"),
        ({"dispatch/solve.py": "import highspy"}, "Only lp.highs knows highspy"),
        ({"serve/app.py": "import highspy"}, "Only lp.highs knows highspy"),
        ({"lp/highs.py": "import tokenergy.plan", "plan.py": ""}, "Imports go downwards only"),
        ({"plan.py": "import tokenergy.simulate", "simulate.py": ""}, "Imports go downwards"),
        ({"brand_new.py": ""}, "Imports go downwards only"),
    ],
)
def test_a_bad_import_breaks_its_contract(
    tmp_path: Path, files: dict[str, str], contract: str
) -> None:
    answer = _lint(tmp_path, files)
    assert answer.returncode == 1
    assert re.search(rf"^{contract}.* BROKEN$", answer.stdout, re.MULTILINE), answer.stdout


def test_good_imports_keep_every_contract(tmp_path: Path) -> None:
    files = {
        "lp/highs.py": "import highspy\nimport numpy",
        "dispatch/solve.py": "import tokenergy.lp.highs",
        "serve/app.py": "import asyncio\nimport tokenergy.dispatch.solve",
        "cli.py": "import os\nimport tokenergy.serve.app",
    }
    answer = _lint(tmp_path, files)
    assert answer.returncode == 0, answer.stdout + answer.stderr


def _lint(folder: Path, files: dict[str, str]) -> subprocess.CompletedProcess[str]:
    """Hold a package made of `files` against this project's own contracts."""
    package = folder / "tokenergy"
    for name, source in files.items():
        path = package / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(source, encoding="utf-8")
    for room in (package, *(path for path in package.iterdir() if path.is_dir())):
        (room / "__init__.py").touch()
    command = "import sys; from importlinter.cli import lint_imports_command as run; run()"
    options = ["--no-cache", "--no-logo", str(ROOT / "pyproject.toml")]
    return subprocess.run(
        [sys.executable, "-c", command, *options],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )


def test_the_network_is_off_and_loopback_is_on() -> None:
    with pytest.raises(RuntimeError, match="network is off"):
        socket.create_connection(("192.0.2.1", 80), timeout=1)
    with pytest.raises(RuntimeError, match="network is off"):
        socket.getaddrinfo("example.invalid", 80)
    with socket.create_server(("127.0.0.1", 0)) as server:
        socket.create_connection(server.getsockname(), timeout=1).close()
