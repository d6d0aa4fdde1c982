"""The pages agree with the product and with each other."""

import re
import sys
import xml.etree.ElementTree as ET
from collections.abc import Iterator
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from typing import Any

import pytest

import tokenergy as te

ROOT = Path(__file__).resolve().parents[2]
DOCS = ROOT / "docs"
PAGES = [*sorted(ROOT.glob("*.md")), *sorted(DOCS.glob("*.md"))]
PICTURES = sorted((DOCS / "pictures").glob("*.svg"))
PICTURE_LIMIT_BYTES = 200_000
WEB_PAGES = {"keepachangelog.com", "semver.org"}
"""Whom a page may link to; everything else is in the checkout."""
OWN_MACHINE = "127.0.0.1"
"""Whom the examples of a page may ask beside them."""
MACHINE_PATH = re.compile(r"(?<![\w.)\]])/(?:home|root|work|tmp|mnt|opt|srv|Users)/\w")
LINK = re.compile(r"!?\[[^\]]*\]\(([^)\s]+)\)|<img[^>]*src=\"([^\"]+)\"")


def _script(name: str) -> Any:
    spec = spec_from_file_location(f"docs_{name}", DOCS / f"{name}.py")
    assert spec is not None and spec.loader is not None
    module = module_from_spec(spec)
    sys.modules[f"docs_{name}"] = module
    spec.loader.exec_module(module)
    return module


reference = _script("make_reference")
peers = _script("make_peers")


def test_the_command_line_reference_is_current() -> None:
    """`make docs` would change nothing."""
    page = (DOCS / "reference.md").read_text(encoding="utf-8")
    assert page == reference.reference_text()


def test_the_tables_of_fields_are_current() -> None:
    """`make docs` would change nothing."""
    page = (DOCS / "company-file.md").read_text(encoding="utf-8")
    assert page == reference.with_tables(page)


def test_the_table_of_peers_is_what_the_benchmarks_measured() -> None:
    """`make docs` would change nothing, and each row's command is a benchmark that is here."""
    page = (ROOT / "README.md").read_text(encoding="utf-8")
    assert page == peers.with_peers(page)
    assert len(peers.ROWS) > 5 and all(row.measured() in page for row in peers.ROWS)
    for row in peers.ROWS:
        assert (ROOT / "benchmarks" / f"{row.command.replace('-', '_')}.py").is_file()


def test_every_noun_of_the_schema_has_its_table() -> None:
    page = (DOCS / "company-file.md").read_text(encoding="utf-8")
    assert sorted(reference.table_names(page)) == sorted([*te.schema()["$defs"], "Company"])


def _links(page: Path) -> Iterator[str]:
    text = re.sub(r"^```.*?^```$", "", page.read_text(encoding="utf-8"), flags=re.M | re.S)
    for found in LINK.finditer(text):
        yield found[1] or found[2]


def _anchors(page: Path) -> set[str]:
    headings = re.findall(r"^#+ (.+)$", page.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", h.replace("`", "").lower()).replace(" ", "-") for h in headings}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page: Path) -> None:
    lost = []
    for link in _links(page):
        if link.startswith(("http:", "https:")):
            if link.split("/")[2] not in WEB_PAGES:
                lost.append(link)
            continue
        name, _, anchor = link.partition("#")
        target = (page.parent / name).resolve() if name else page
        if not target.exists() or (anchor and anchor not in _anchors(target)):
            lost.append(link)
    assert not lost


@pytest.mark.parametrize("page", [*PAGES, *sorted(DOCS.glob("*.py"))], ids=lambda page: page.name)
def test_no_page_names_a_machine(page: Path) -> None:
    """Neither a path of somebody's disk nor a web address that is not a page we cite."""
    text = page.read_text(encoding="utf-8")
    assert not MACHINE_PATH.findall(text)
    hosts = set(re.findall(r"https?://([^/\s\"')]+)", text))
    assert {host for host in hosts if host.partition(":")[0] != OWN_MACHINE} <= WEB_PAGES


def test_shares_in_the_readmes_text_stand_in_an_output_below_their_command() -> None:
    """`0.21 %` in a sentence is `0.21%` in a console example, which is run and compared."""
    page = (ROOT / "README.md").read_text(encoding="utf-8")
    outputs = "".join(re.findall(r"^```console.*?^```$", page, flags=re.M | re.S))
    prose = re.sub(r"^```.*?^```$", "", peers.TABLE.sub("", page), flags=re.M | re.S)
    shares = re.findall(r"(\d+\.\d+) %", prose)
    assert shares
    assert [share for share in shares if f"{share}%" not in outputs] == []


@pytest.mark.parametrize("name", ["thesis.md", "economics.md"])
def test_figures_in_the_text_stand_in_an_output_of_their_page(name: str) -> None:
    """`11.7 %` in a sentence is 0.1169 or 11.7% in an example, which is run and compared."""
    page = (DOCS / name).read_text(encoding="utf-8")
    outputs = "".join(re.findall(r"^```console.*?^```$", page, flags=re.M | re.S))
    prose = re.sub(r"^```.*?^```$|`[^`\n]*`", "", page, flags=re.M | re.S)
    texts = re.findall(r"\d[\d,]*(?:\.\d+)?", outputs)
    printed = [float(text.replace(",", "")) for text in texts]
    printed += [
        figure * scale for figure in printed for scale in (100.0, 1e-6)
    ]  # per cent, millions
    told = re.findall(r"(?<![\d.])\d[\d,]*\.\d+", prose)
    assert told
    lost = [text for text in told if not any(_rounds_to(text, each) for each in printed)]
    assert lost == []


def _rounds_to(text: str, figure: float) -> bool:
    """Tell whether a figure, written with as many digits as a text, is that text."""
    decimals = len(text.partition(".")[2])
    return abs(float(text.replace(",", "")) - figure) <= 0.6 * 10.0**-decimals


def test_every_page_of_docs_is_reached_from_the_readme() -> None:
    reached = {link.partition("#")[0] for link in _links(ROOT / "README.md")}
    assert {f"docs/{page.name}" for page in DOCS.glob("*.md")} <= reached


@pytest.mark.parametrize(
    ("page", "prefix", "folders"),
    [
        ("feeds.md", "FEED", ("feeds",)),
        ("observe.md", "METRICS|METER|ENGINES?|PROMETHEUS|MEASURED|COUNTERS?|PRICE|USAGE|HISTORY",
         ("feeds", "company/check", "api")),
        ("exports.md", "FOCUS|COMMITMENT|CLOUDEVENTS", ("files", "api")),
    ],
)  # fmt: skip
def test_every_code_of_a_finding_stands_on_its_page(
    page: str, prefix: str, folders: tuple[str, ...]
) -> None:
    text = (DOCS / page).read_text(encoding="utf-8")
    code = re.compile(rf'"((?:{prefix})_[A-Z_]+)"')
    source = ROOT / "src" / "tokenergy"
    told = {
        found[1]
        for folder in folders
        for file in (source / folder).rglob("*.py")
        for found in code.finditer(file.read_text(encoding="utf-8"))
    }
    assert told
    told -= {"HISTORY_DAYS", "PRICE_STATUS"}  # a constant's name, and a column of AEMO's
    told -= {"PRICE_SERIES_SYNTHETIC"}  # of a bill, and told with it
    assert sorted(name for name in told if f"`{name}`" not in text) == []


def test_there_are_pictures() -> None:
    assert PICTURES


@pytest.mark.parametrize("picture", PICTURES, ids=lambda picture: picture.name)
def test_a_picture_is_small_whole_and_says_that_it_is_synthetic(picture: Path) -> None:
    assert picture.stat().st_size < PICTURE_LIMIT_BYTES
    words = " ".join(ET.fromstring(picture.read_text(encoding="utf-8")).itertext())
    assert "synthetic" in words
    assert "USD" in words
    assert not re.search(r"undefined|\bNaN\b|\bnull\b", words)


@pytest.mark.slow  # a board, the economics and a day of requests of whole companies: 15 s
def test_the_pictures_are_those_that_the_script_draws(tmp_path: Path) -> None:
    """Same names, same words; axes and bars may differ in the last digit between machines."""
    made = {file.name: file for file in _script("make_pictures").write_pictures(tmp_path)}
    assert sorted(made) == [picture.name for picture in PICTURES]
    for picture in PICTURES:
        titles = [_titles(file) for file in (picture, made[picture.name])]
        assert titles[0] == titles[1], "make docs draws it again"


def _titles(picture: Path) -> list[str]:
    """Return the words of a picture that are no figures."""
    words = ET.fromstring(picture.read_text(encoding="utf-8")).itertext()
    return [word for word in words if re.search(r"[a-z]{3}", word)]
