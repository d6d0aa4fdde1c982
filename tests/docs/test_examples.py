"""Every fenced example of README.md, docs/ and CONTRIBUTING.md, run as it stands there.

`docs/fenced.py` says what the words after a fence mean. A page is one test: its examples run in
order, in one folder with `examples` beside it and one Python namespace. Where some are marked
`long` the page is two tests, one without them and a slow one that runs all. Examples marked `slow`,
`real` or `live` are tests of their own. Where figures have moved, `docs/make_outputs.py` writes
them again.
"""

import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import nullcontext
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from typing import Any

import pytest
import yaml
from live_pair import being_asked, running_pair
from price_stand_in import price_stand_in
from pydantic import TypeAdapter
from serve_example import serving_example
from small_llm import RunningLlm

import tokenergy as te
from tokenergy.company.company import Company

ROOT = Path(__file__).resolve().parents[2]
PAGES = [
    ROOT / "README.md",
    ROOT / "CONTRIBUTING.md",
    *sorted((ROOT / "docs").glob("*.md")),
]
LANGUAGES = {"python", "console", "yaml", "text"}
LISTS = ("regions", "sites", "contracts", "batteries", "fleets", "external_apis", "models",
         "tiers", "workloads")  # fmt: skip


def _fenced() -> Any:
    spec = spec_from_file_location("docs_fenced", ROOT / "docs" / "fenced.py")
    assert spec is not None and spec.loader is not None
    module = module_from_spec(spec)
    sys.modules["docs_fenced"] = module
    spec.loader.exec_module(module)
    return module


fenced = _fenced()
ALONE = {"slow", "real", "live"}
"""Words of examples that are run apart, as those beside a gateway are."""
BLOCKS = {page: fenced.blocks(page) for page in PAGES}


def _is_alone(block: Any) -> bool:
    return bool(ALONE & set(block.words)) or block.word("serve") is not None


def _takes_long(block: Any) -> bool:
    return bool({"slow", "live"} & set(block.words)) or block.word("serve") is not None


APART = [
    pytest.param(
        block,
        id=f"{block.page.name}:{block.line}",
        # whole horizons with each policy, or windows that have to pass
        marks=[pytest.mark.slow] if _takes_long(block) else [],
    )
    for found in BLOCKS.values()
    for block in found
    if _is_alone(block)
]


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a folder that looks like the checkout to a reader's commands, and stand in it."""
    folder = tmp_path / "desk"
    folder.mkdir()
    for name in ("examples", "tests", "docs"):
        (folder / name).symlink_to(ROOT / name)
    (tmp_path / "shared").symlink_to(ROOT.parent / "shared")
    monkeypatch.chdir(folder)
    monkeypatch.setenv("PATH", f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.delenv("COLUMNS", raising=False)
    return folder


@pytest.fixture(scope="module")
def pair() -> Iterator[tuple[RunningLlm, ...]]:
    """Two small LLMs where examples/observe.yaml looks for them."""
    with running_pair() as running:
        yield running


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_the_examples_of_a_page_run(page: Path, desk: Path) -> None:
    _run_in_order(page, desk, [block for block in BLOCKS[page] if "long" not in block.words])


@pytest.mark.slow  # each runs whole companies over days, for minutes on the whole
@pytest.mark.parametrize(
    "page",
    [page for page, found in BLOCKS.items() if any("long" in block.words for block in found)],
    ids=lambda page: page.name,
)
def test_the_examples_of_a_page_run_with_the_long_ones(page: Path, desk: Path) -> None:
    _run_in_order(page, desk, BLOCKS[page])


def _run_in_order(page: Path, desk: Path, found: list[Any]) -> None:
    names: dict[str, Any] = {"__name__": page.stem}
    for block in found:
        assert block.language in LANGUAGES, f"{page.name}:{block.line}: which language is this?"
        if not _is_alone(block):
            _run(block, desk, names)


@pytest.mark.parametrize("block", APART)
def test_an_example_runs_apart(block: Any, desk: Path, request: pytest.FixtureRequest) -> None:
    if "real" in block.words:
        request.getfixturevalue("shared_data")
    work: Any = nullcontext()
    if "live" in block.words:
        pair = request.getfixturevalue("pair")
        work = nullcontext() if block.word("serve") else being_asked(pair)
    name = block.word("serve")
    with work, serving_example(name, desk) if name else nullcontext():
        _run(block, desk, {})


def _run(block: Any, desk: Path, names: dict[str, Any]) -> None:
    where = f"{block.page.name}:{block.line}"
    if block.language == "python":
        exec(compile("\n" * block.line + block.text, str(block.page), "exec"), names)
    elif block.language == "yaml":
        _check_yaml(block, desk, where)
    elif block.language == "console":
        if "feeds" in block.words:
            with price_stand_in() as url:
                _run_console(block, url)
        else:
            _run_console(block)


# ---- console ---------------------------------------------------------------------------


def _run_console(block: Any, feed_url: str = "") -> None:
    """Run each command and hold what it printed against the page; live figures may be any."""
    status = int(block.word("status") or 0)
    for command in fenced.commands(block):
        place = f"{block.page.name}:{command.line}"
        shows = any(line.strip() for line in command.shown)
        text = fenced.at_stand_in(command.text, feed_url) if feed_url else command.text
        said = _said(text, status, place, shows=shows)
        if said is None or not shows:
            continue
        try:
            fenced.aligned(command.shown, said.splitlines(), loose=fenced.is_loose(block))
        except LookupError as error:
            pytest.fail(f"{place}: {command.text}\n{error}\nall that was printed:\n{said}")


def _said(text: str, status: int, where: str, *, shows: bool) -> str | None:
    """Run a command and return what it printed; None where running it here makes no sense."""
    words = shlex.split(text, comments=True)
    if words[0] == "make":
        ran = _made(words[1:], where)
        if ran is None or not shows:
            return None
        text = ran
    needed = [tool for tool in ("jq", "sqlite3", "curl") if re.search(rf"(^|\W){tool} ", text)]
    if any(shutil.which(tool) is None for tool in needed):
        return None
    run = subprocess.run(
        ["bash", "-o", "pipefail", "-c", text],
        env=dict(os.environ),  # not inherited: readline puts COLUMNS there behind Python's back
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    assert run.returncode == status, f"{where}: {text}\n{run.stdout}"
    return run.stdout


def _made(words: list[str], where: str) -> str | None:
    """Hold a make target against the Makefile; return what `make demo` runs."""
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    targets = {word for word in words if "=" not in word}
    known = set(re.findall(r"^([a-z-]+%?):", makefile, re.MULTILINE))
    for target in targets:
        pattern = "bench-%" if target.startswith("bench-") else target
        assert pattern in known, f"{where}: the Makefile has no target {target!r}"
    if targets != {"demo"}:
        return None
    ran = re.search(r"/bin/(tokenergy demo .*)$", makefile, re.MULTILINE)
    assert ran is not None
    return ran[1]


# ---- yaml ------------------------------------------------------------------------------


def _check_yaml(block: Any, desk: Path, where: str) -> None:
    tree = yaml.safe_load(block.text)
    base = block.word("merge")
    if "fragment" in block.words:
        unknown = set(tree) - set(Company.model_fields)
        assert not unknown, f"{where}: no section {unknown}"
        for name, value in tree.items():
            TypeAdapter(Company.model_fields[name].annotation).validate_python(value)
    elif base is not None:
        whole = yaml.safe_load((desk / base).read_text(encoding="utf-8"))
        _assert_checks_clean(merged(whole, tree), desk, where)
    else:
        assert "company" in block.words, f"{where}: company, fragment or merge=FILE?"
        _assert_checks_clean(tree, desk, where)


def _assert_checks_clean(tree: dict[str, Any], desk: Path, where: str) -> None:
    file = desk / "example-of-a-page.yaml"
    file.write_text(yaml.safe_dump(tree, sort_keys=False), encoding="utf-8")
    errors = te.check(file).errors
    assert not errors, f"{where}: " + "\n".join(str(finding) for finding in errors)


def merged(whole: dict[str, Any], change: dict[str, Any]) -> dict[str, Any]:
    """Return a company with changes: items by their name or id, everything else by its key."""
    made = dict(whole)
    for key, value in change.items():
        if key in LISTS:
            items = {_name(item): item for item in made.get(key, ())}
            for item in value:
                items[_name(item)] = items.get(_name(item), {}) | item
            made[key] = list(items.values())
        elif isinstance(value, dict):
            made[key] = made.get(key, {}) | value
        else:
            made[key] = value
    return made


def _name(item: dict[str, Any]) -> str:
    return str(item.get("id") or item.get("name"))


# ---- the reader of fences itself -------------------------------------------------------


@pytest.mark.parametrize(
    ("shown", "said", "agree"),
    [
        ("mpc 470,982 USD (10.4%)", "mpc 470,990 USD (10.5%)", True),
        ("mpc 470,982 USD (10.4%)", "mpc 510,990 USD (10.5%)", False),
        ("mpc 470,982 USD", "greedy 470,982 USD", False),
        ("rent 0.05192", "rent 0.05193", True),
        ("rent 0.000", "rent -0.000", True),
        ("─────", "───────", True),
    ],
)
def test_figures_may_move_a_little_and_words_not_at_all(shown: str, said: str, agree: bool) -> None:
    assert fenced.same(shown, said, loose=False) is agree


def test_live_figures_may_be_any_and_words_none_other() -> None:
    assert fenced.same("paris 192 2.870", "paris 1,344 0.1", loose=True)
    assert not fenced.same("paris 192 2.870", "paris - 0.1", loose=True)


def test_a_fetch_of_a_page_asks_the_stand_in() -> None:
    text = fenced.at_stand_in("tokenergy fetch aemo --zone NSW1", "http://127.0.0.1:1")
    assert text == "tokenergy fetch aemo --base-url http://127.0.0.1:1 --zone NSW1"
    assert fenced.at_stand_in("tokenergy check a.yaml", "x") == "tokenergy check a.yaml"


def test_an_elision_stands_for_any_lines_and_the_rest_for_itself() -> None:
    said = ["one", "two 2", "", "three", "four"]
    assert fenced.aligned(("...", "two 2", "..."), said) == ["...", "two 2", "..."]
    with pytest.raises(LookupError, match="does not show"):
        fenced.aligned(("one", "two 2"), said)
    with pytest.raises(LookupError, match="five"):
        fenced.aligned(("...", "five"), said)
