"""Run the console examples of the pages again, and write their output as it is printed now.

    .venv/bin/python docs/make_outputs.py [README.md docs/getting-started.md ...]

An output that is shown whole is replaced; of one with `...` the figures are, and where the words
of its lines have changed the page needs a person, and is named. Examples on real prices are run
where ../shared/data is there, those beside small LLMs where tests/llm-requirements.txt is
installed.
"""

import os
import shlex
import subprocess
import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path

from fenced import ELISION, Block, Command, aligned, at_stand_in, blocks, commands

ROOT = Path(__file__).resolve().parents[1]
sys.path.append(str(ROOT / "tests"))  # where the stand-ins of feeds and the small LLMs are
from live_pair import being_asked, running_pair  # noqa: E402
from price_stand_in import price_stand_in  # noqa: E402
from serve_example import serving_example  # noqa: E402
from small_llm import missing_llm  # noqa: E402

SHARED = ROOT.parent / "shared"
PAGES = (
    "README.md", "docs/getting-started.md", "docs/concepts.md", "docs/recipes.md",
    "docs/requests.md", "docs/economics.md", "docs/thesis.md", "docs/observe.md", "docs/feeds.md",
    "docs/exports.md", "docs/serve.md", "docs/energy.md", "docs/contracts.md",
    "docs/plan.md",
)  # fmt: skip
TARGETS = {"make demo": "tokenergy demo examples/meridian.yaml"}


def main(names: list[str]) -> int:
    """Write the pages again; return how many examples need a person."""
    lost = 0
    for name in names or PAGES:
        page = ROOT / name
        lines = page.read_text(encoding="utf-8").splitlines()
        made: list[tuple[Command, list[str]]] = []
        with tempfile.TemporaryDirectory() as folder:
            desk = _desk(Path(folder) / "desk")
            if SHARED.is_dir():
                (desk.parent / "shared").symlink_to(SHARED)
            for block in blocks(page):
                alone = block.word("serve") is not None  # a gateway has keys and a ledger
                made += _again(block, _desk(desk.parent / str(block.line)) if alone else desk)
        for command, output in reversed(made):
            if not output:
                lost += 1
                continue
            end = command.end
            lines[end - len(command.shown) : end] = output
        page.write_text("\n".join(lines) + "\n", encoding="utf-8")
        sys.stdout.write(f"wrote {name}\n")
    return lost


def _desk(folder: Path) -> Path:
    """Make a folder that looks like the checkout to a reader's commands."""
    folder.mkdir()
    for linked in ("examples", "tests"):
        (folder / linked).symlink_to(ROOT / linked)
    return folder


def _again(block: Block, folder: Path) -> list[tuple[Command, list[str]]]:
    """Run one block; return each command that shows output, with its output now (or nothing)."""
    if block.language == "python":
        _said(f"python -c {shlex.quote(block.text)}", folder)
    real = "real" in block.words and not (SHARED / "data").is_dir()
    live = "live" in block.words
    if block.language != "console" or real:
        return []
    if live and (reason := missing_llm()):
        sys.stderr.write(f"{block.page.name}:{block.line}: left as it is: {reason}\n")
        return []
    with ExitStack() as stack:
        if live:
            pair = stack.enter_context(running_pair())
            if not block.word("serve"):
                stack.enter_context(being_asked(pair))
        if name := block.word("serve"):
            stack.enter_context(serving_example(name, folder))
        url = stack.enter_context(price_stand_in()) if "feeds" in block.words else ""
        return _console_again(block, folder, url)


def _console_again(block: Block, folder: Path, feed_url: str) -> list[tuple[Command, list[str]]]:
    made = []
    for command in commands(block):
        shows = any(line.strip() for line in command.shown)
        text = TARGETS.get(command.text, command.text) if shows else command.text
        if text.startswith("make"):
            continue
        if feed_url:
            text = at_stand_in(text, feed_url)
        said = _said(text, folder)
        if shows:
            made.append((command, _output(block, command, said)))
    return made


def _output(block: Block, command: Command, said: list[str]) -> list[str]:
    """Return the lines to show; nothing where a person has to choose them."""
    if not any(line.strip() == ELISION for line in command.shown):
        return "\n".join(line.rstrip() for line in said).strip("\n").splitlines()
    try:
        return aligned(command.shown, said, loose=True)
    except LookupError as error:
        sys.stderr.write(f"{block.page.name}:{command.line}: {command.text}: {error}\n")
        return []


def _said(text: str, folder: Path) -> list[str]:
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    run = subprocess.run(
        ["bash", "-c", text],
        cwd=folder,
        env=os.environ | {"PATH": path},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    return run.stdout.splitlines()


if __name__ == "__main__":
    sys.exit(min(1, main(sys.argv[1:])))
