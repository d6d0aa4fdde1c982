import math

import pytest
from engine_server import llama_page, vllm_page
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client.parser import text_string_to_metric_families

from tokenergy.errors import FindingsError
from tokenergy.feeds.engine_text import looks_like_metrics, names_on, read_page

NAMES = ("vllm:prompt_tokens_total", "vllm:prompt_tokens", "a_total", "ab", "_x:y")


def by_oracle(text: str, name: str) -> dict[tuple[tuple[str, str], ...], float]:
    return {
        tuple(sorted(one.labels.items())): one.value
        for family in text_string_to_metric_families(text)
        for one in family.samples
        if one.name == name
    }


def by_us(text: str, name: str) -> dict[tuple[tuple[str, str], ...], float | None]:
    found = read_page(text.encode(), [name]).series.get(name, ())
    return {one.labels: one.value for one in found}


def same(ours: float | None, theirs: float) -> bool:
    return ours is None if not math.isfinite(theirs) else ours == float(theirs)


label_values = st.text(
    st.characters(blacklist_categories=("Cs",), blacklist_characters="\r\x85"), max_size=8
)
values = st.one_of(
    st.integers(-(10**17), 10**17).map(str),
    st.floats().map(repr).map(lambda text: text.replace("nan", "NaN").replace("inf", "Inf")),
    st.sampled_from(["+Inf", "-Inf", "NaN", "1e5", "1.5E+3", ".5", "5.", "+3", "0"]),
)


def escaped(value: str) -> str:
    return value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")


@st.composite
def pages(draw: st.DrawFn) -> str:
    """Valid pages: comments, labels with escapes, blanks, time stamps, CRLF; series once each."""
    lines, seen = [], set()
    blank = st.sampled_from([" ", "  ", "\t"])
    for name in draw(st.lists(st.sampled_from(NAMES), max_size=6)):
        if draw(st.booleans()):
            lines.append(f"# HELP {name} told of {name} 5")
        if draw(st.booleans()):
            lines.append(f"# TYPE {name} untyped")
        keys = draw(st.lists(st.sampled_from(["le", "model_name", "engine"]), unique=True))
        labels = {key: draw(label_values) for key in keys}
        if (name, tuple(sorted(labels.items()))) in seen:
            continue
        seen.add((name, tuple(sorted(labels.items()))))
        inner = draw(st.sampled_from([",", ", "])).join(
            f'{key}="{escaped(value)}"' for key, value in labels.items()
        )
        if inner and draw(st.booleans()):
            inner += ","
        shown = f"{{{inner}}}" if inner or draw(st.booleans()) else ""
        stamp = draw(st.sampled_from(["", " 1395066363000"]))
        before = draw(st.sampled_from(["", " ", "\t"]))
        lines.append(f"{before}{name}{shown}{draw(blank)}{draw(values)}{stamp}")
    end = draw(st.sampled_from(["\n", "\r\n"]))
    return "".join(line + end for line in lines)


@given(text=pages(), name=st.sampled_from(NAMES))
def test_we_read_what_prometheus_own_parser_reads(text: str, name: str) -> None:
    ours, theirs = by_us(text, name), by_oracle(text, name)
    assert set(ours) == set(theirs)
    assert all(same(ours[labels], value) for labels, value in theirs.items())


@given(text=pages(), cut=st.integers(0, 400), name=st.sampled_from(NAMES))
def test_a_page_cut_anywhere_gives_no_wrong_figure(text: str, cut: int, name: str) -> None:
    """What a cut page tells stands on the whole one; an unended line is left out."""
    whole = by_us(text, name)
    page = read_page(text.encode()[:cut], [name])
    for one in page.series.get(name, ()):
        assert one.labels in whole
        assert one.value == whole[one.labels]
    if cut < len(text.encode()) and text.encode()[:cut][-1:] not in (b"\n", b""):
        assert not page.whole or text.encode()[:cut].rstrip(b" \t\r")[-1:] in (b"\n", b"")


@pytest.mark.parametrize("engines", [1, 3])
def test_the_pages_of_the_stand_ins_agree_with_the_oracle(engines: int) -> None:
    text = vllm_page(engines=engines).decode()
    for name in ("vllm:prompt_tokens_total", "vllm:request_success_total"):
        ours, theirs = by_us(text, name), by_oracle(text, name)
        assert ours == theirs
        assert len(ours) == engines * (3 if "request" in name else 1)


def test_a_name_that_begins_like_another_or_stands_in_a_label_is_not_it() -> None:
    text = (
        '# HELP other a_total 5\nother{why="a_total 7"} 1\na_totals 2\nba_total 3\na_total{} 4\n'
        "a_total_created 9\na 8\n"
    )
    assert by_us(text, "a_total") == {(): 4.0}


def test_help_and_type_are_kept_with_and_without_total() -> None:
    page = read_page(
        b"# HELP a in terms of blocks\n# TYPE a counter\na_total 1\n# EOF\n", ["a_total", "b"]
    )
    assert page.helps == {"a_total": "in terms of blocks"}
    assert page.declared == {"a_total"}
    assert page.closed
    assert page.whole


def test_exemplars_and_stamps_of_openmetrics_are_passed_over() -> None:
    page = read_page(b'a_total{b="c"} 17 1520.5 # {trace="x y"} 0.67\n# EOF', ["a_total"])
    assert page.series["a_total"][0].value == 17.0
    assert page.whole


def test_nan_and_inf_are_no_figures() -> None:
    assert by_us("ab NaN\n", "ab") == {(): None}
    assert by_us("ab +Inf\n", "ab") == {(): None}
    assert by_us(llama_page().decode(), "llamacpp:predicted_tokens_seconds") == {(): None}


@pytest.mark.parametrize(
    "line",
    [
        "ab one",
        "ab 1_000",
        "ab",
        "ab 1 2 3",
        "ab 0x10",
        'ab{le="1" 3',
        "ab{le=1} 3",
        'ab{le="1",le="2"} 3',
        'ab{le="1"x="2"} 3',
        "ab 1\nab 2",
        'ab{a="1",b="2"} 1\nab{b="2",a="1"} 1',
    ],
)
def test_a_wanted_line_that_cannot_be_read_is_refused(line: str) -> None:
    if line == "ab":
        assert by_us("ab\n", "ab") == {}  # no blank follows: it is no sample of that name
        return
    with pytest.raises(FindingsError) as caught:
        read_page(f"# c\n{line}\n".encode(), ["ab"], path="http://there/metrics")
    assert caught.value.findings[0].code == "METRICS_BAD_LINE"
    assert caught.value.findings[0].path == "http://there/metrics"


def test_a_line_of_no_interest_may_be_anything() -> None:
    assert by_us("broken{ 5 5 5\nab 1\n", "ab") == {(): 1.0}


def test_labels_that_are_no_utf8_are_refused() -> None:
    with pytest.raises(FindingsError, match="METRICS_BAD_LINE"):
        read_page(b'ab{c="\xff"} 1\n', ["ab"])


def test_what_looks_like_metrics() -> None:
    assert looks_like_metrics(b"# HELP a b\na 1\n")
    assert looks_like_metrics(b'x{a="}"} NaN\n')
    assert not looks_like_metrics(b"<html>\n<p>hello there</p>\n")
    assert not looks_like_metrics(b"OK\n")
    assert names_on(b"# TYPE a counter\na 1\n\nb{} 2\n# other\n") == ("a", "b")
