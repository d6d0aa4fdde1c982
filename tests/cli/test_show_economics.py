"""The nine panels as their reader sees them."""

import re
from pathlib import Path

from commands import ROOT, SMALL

SORA = ROOT / "examples" / "sora_like.yaml"


def test_the_panels_are_numbered_and_the_answer_comes_first(sora_shown: str) -> None:
    lines = sora_shown.splitlines()
    heads = [line[0] for line in lines if re.match(r"\d  [A-Z]", line)]
    assert heads == [str(number) for number in range(1, 10)]
    assert lines.index("Does it pay?") < next(i for i, t in enumerate(lines) if t[:3] == "1  ")
    for word in (
        "SYNTHETIC",
        "Tonight, by cash",
        "restrained",
        "Allocated 100.0% of invoices",
        "   Along the path of growth",
        "   The same path with restraint",
        "are burnt in a year, ",
        "How full a pool of slots may run",
        "33.0% 3.0x",
    ):
        assert word in sora_shown


def test_in_json_nothing_else_is_printed(inside) -> None:
    told = inside("economics", SMALL, "--json").json()
    assert told["company"]
    assert told["answer"]


def test_a_ledger_that_is_not_there_is_named(inside, tmp_path: Path) -> None:
    done = inside("economics", SMALL, "--ledger", tmp_path / "none.sqlite")
    assert (done.status, "none.sqlite" in done.err) == (2, True)


def test_an_unknown_and_an_unverified_preset_are_refused(inside, tmp_path: Path) -> None:
    text = SORA.read_text(encoding="utf-8")
    assert "sora_cantor, sora_wsj" in text
    mine = tmp_path / "mine.yaml"
    mine.write_text(text.replace("sora_cantor, sora_wsj", "sora_kantor, sora_wsj"))
    done = inside("economics", mine)
    assert done.status == 2
    assert "sora_cantor" in done.err
    mine.write_text(text.replace("[sora_cantor, sora_wsj, sora_conflict]", "[chatgpt_prompt]"))
    assert inside("economics", mine).status == 2
