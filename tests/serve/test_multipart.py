"""Forms, cut anywhere."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tokenergy.serve.multipart import Multipart, Part, boundary_of
from tokenergy.serve.openai_error import ApiError

PARTS = st.lists(
    st.tuples(
        st.text('abc[]-_ "ü', min_size=1, max_size=8),
        st.one_of(st.none(), st.text('abc."é /', max_size=8)),
        st.binary(max_size=80),
    ),
    min_size=1,
    max_size=4,
)


def written(parts: list[tuple[str, str | None, bytes]], boundary: bytes) -> bytes:
    """Return a form as browsers write one."""
    text = b""
    for name, file_name, content in parts:
        head = f'Content-Disposition: form-data; name="{quoted(name)}"'
        if file_name is not None:
            head += f'; filename="{quoted(file_name)}"\r\nContent-Type: text/plain'
        text += b"--" + boundary + b"\r\n" + head.encode() + b"\r\n\r\n" + content + b"\r\n"
    return text + b"--" + boundary + b"--\r\n"


def quoted(name: str) -> str:
    return name.replace("\\", "\\\\").replace('"', "%22")


def read(form: Multipart, text: bytes, cuts: list[int]) -> list[tuple[str, str | None, bytes]]:
    found: list[tuple[str, str | None, bytes]] = []
    at = 0
    for cut in [*sorted(cut for cut in cuts if cut < len(text)), len(text)]:
        for each in form.feed(text[at:cut]):
            if isinstance(each, Part):
                found.append((each.name, each.file_name, b""))
            else:
                name, file_name, content = found[-1]
                found[-1] = (name, file_name, content + each)
        at = cut
    return found


@given(PARTS, st.lists(st.integers(0, 1_000), max_size=20))
def test_a_form_comes_whole_however_it_is_cut(
    parts: list[tuple[str, str | None, bytes]], cuts: list[int]
) -> None:
    form = Multipart(b"XX-boundary-XX")
    assert read(form, written(parts, b"XX-boundary-XX"), cuts) == parts
    form.close()


def test_content_that_looks_like_a_boundary_is_content() -> None:
    content = b"\r\n--B\r\r\n--\r\n-B\r\n--"
    form = Multipart(b"Bound")
    parts: list[tuple[str, str | None, bytes]] = [("file", "a", content)]
    text = written(parts, b"Bound")
    assert read(form, text, list(range(len(text)))) == parts


@given(st.binary(max_size=300), st.lists(st.integers(0, 300), max_size=5))
def test_what_is_no_form_is_refused(text: bytes, cuts: list[int]) -> None:
    form = Multipart(b"b")
    with pytest.raises(ApiError) as fault:
        read(form, text, cuts)
        form.close()
    assert fault.value.status == 400


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (b"--b\r\nContent-Type: a\r\n\r\nx\r\n--b--", "which field"),
        (b"--bc\r\n", "behind a boundary"),
        (b"--b\r\n" + b"x" * 9_000, "headers are more"),
        (b"x" * 9_000, "does not begin"),
        (b"--b\r\nContent-Disposition: form-data; name=a\r\n\r\nx", "end is missing"),
        (b'--b\r\nContent-Disposition: form-data; name="a"\r\n\r\n\r\n' * 65, "more than 64"),
    ],
)
def test_a_broken_form_says_how(text: bytes, words: str) -> None:
    form = Multipart(b"b")
    with pytest.raises(ApiError, match=words):
        read(form, text, [])
        form.close()


def test_a_boundary_is_asked_for() -> None:
    assert boundary_of('multipart/form-data; boundary="a b"') == b"a b"
    assert boundary_of("multipart/form-data; charset=x; boundary=ab") == b"ab"
    for wrong in ("", "application/json", "multipart/form-data", "multipart/form-data; boundary="):
        with pytest.raises(ApiError):
            boundary_of(wrong)
    with pytest.raises(ApiError):
        boundary_of("multipart/form-data; boundary=" + "x" * 300)


def test_a_wide_file_name_is_read() -> None:
    head = b"Content-Disposition: form-data; name=file; filename=\"x\"; filename*=UTF-8''%C3%BC"
    form = Multipart(b"b")
    assert read(form, b"--b\r\n" + head + b"\r\n\r\nc\r\n--b--", []) == [("file", "ü", b"c")]
