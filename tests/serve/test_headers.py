import pytest
from hypothesis import given
from hypothesis import strategies as st

from tokenergy.company.serving.plan import LimitsPlan
from tokenergy.serve.headers import (
    Head,
    Header,
    Wishes,
    answer_headers,
    header_text,
    our_header,
    read_head,
    require_json,
    retry_after_s,
)
from tokenergy.serve.openai_error import ApiError

LIMITS = LimitsPlan()
SDK: list[Header] = [
    (b"host", b"127.0.0.1:8088"),
    (b"content-type", b"application/json; charset=utf-8"),
    (b"authorization", b"Bearer tk-secret"),
    (b"content-length", b"989"),
    (b"cookie", b"a=b"),
    (b"x-forwarded-for", b"10.0.0.1"),
    (b"x-stainless-lang", b"python"),
    (b"traceparent", b"00-1-2-01"),
]


def head(*more: Header) -> Head:
    return read_head([*SDK, *more], LIMITS)


def refused(*headers: Header, limits: LimitsPlan = LIMITS) -> ApiError:
    with pytest.raises(ApiError) as caught:
        read_head(headers, limits)
    return caught.value


def test_the_sdks_headers_are_read_and_only_traces_go_on() -> None:
    read = head((b"idempotency-key", b"once"))
    assert read == Head(
        key=b"tk-secret",
        content_length=989,
        content_type="application/json",
        idempotency_key="once",
        inwards=((b"traceparent", b"00-1-2-01"),),
    )
    assert read_head([], LIMITS) == Head()
    assert read_head([(b"authorization", b"Basic abc")], LIMITS).key == b""
    assert read_head([(b"authorization", b"bearer  tk-1 ")], LIMITS).key == b"tk-1"


def test_documented_wishes_are_read_and_others_are_not() -> None:
    read = head(
        (b"x-tokenergy-value-usd", b"0.002"),
        (b"x-tokenergy-downgrade", b"Never"),
        (b"x-tokenergy-cap", b"allowed"),
        (b"x-tokenergy-region", b"us-east"),
        (b"x-tokenergy-session", b"s1"),
        (b"x-tokenergy-detail", b"1"),
        (b"x-tokenergy-deadline-s", b"90"),
        (b"x-tokenergy-reason", b"because"),
    )
    assert read.wishes == Wishes(0.002, False, True, "us-east", b"s1", True, 90.0)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        (b"x-tokenergy-value-usd", b"nan"),
        (b"x-tokenergy-value-usd", b"-1"),
        (b"x-tokenergy-value-usd", b"much"),
        (b"x-tokenergy-deadline-s", b"inf"),
        (b"x-tokenergy-downgrade", b"maybe"),
        (b"x-tokenergy-detail", b"2"),
        (b"x-tokenergy-region", b"x" * 257),
        (b"idempotency-key", b"x" * 257),
        (b"content-length", b"-1"),
        (b"content-length", b"1e3"),
        (b"content-length", b"+5"),
        (b"content-length", b"9" * 30),
        (b"transfer-encoding", b"gzip, chunked"),
        (b"authorization", b"Bearer a\r\n b"),
        (b"host", b"a\0b"),
    ],
)
def test_a_value_that_cannot_be_read_is_named(name: bytes, value: bytes) -> None:
    error = refused((name, value))
    assert (error.status, error.param) == (400, name.decode())
    assert "Bearer" not in error.message


@pytest.mark.parametrize(
    "name",
    [b"host", b"content-length", b"authorization", b"content-type", b"x-tokenergy-value-usd"],
)
def test_who_governs_speaks_once(name: bytes) -> None:
    assert refused((name, b"1"), (name, b"1")).status == 400


def test_others_may_repeat() -> None:
    read_head([(b"accept", b"a"), (b"accept", b"b")], LIMITS)


def test_length_beside_chunks_is_refused() -> None:
    assert refused((b"content-length", b"5"), (b"transfer-encoding", b"chunked")).status == 400
    assert read_head([(b"transfer-encoding", b"Chunked")], LIMITS).content_length is None


def test_a_body_announced_over_its_limit_is_not_read() -> None:
    limits = LimitsPlan(body_bytes=10)
    assert read_head([(b"content-length", b"10")], limits).content_length == 10
    assert refused((b"content-length", b"11"), limits=limits).status == 413


def test_packed_bodies_and_other_types_are_refused() -> None:
    assert refused((b"content-encoding", b"gzip")).status == 415
    assert read_head([(b"content-encoding", b"identity")], LIMITS) == Head()
    require_json(Head(content_type="application/json"))
    require_json(Head())
    with pytest.raises(ApiError) as caught:
        require_json(Head(content_type="multipart/form-data"))
    assert caught.value.status == 415


def test_a_flood_of_headers_is_refused() -> None:
    many = [(b"x-%d" % n, b"v") for n in range(101)]
    assert refused(*many).status == 431
    read_head(many[:100], LIMITS)
    assert refused((b"x", b"v" * 40_000)).status == 431


@given(
    st.lists(
        st.tuples(
            st.sampled_from([name for name, _ in SDK])
            | st.sampled_from([b"x-tokenergy-cap", b"x-tokenergy-session", b"transfer-encoding"])
            | st.binary(max_size=8),
            st.binary(max_size=12),
        ),
        max_size=6,
    )
)
def test_any_headers_raise_nothing_but_an_api_error(headers: list[Header]) -> None:
    try:
        read_head(headers, LIMITS)
    except ApiError as error:
        assert error.status in (400, 413, 415, 431)


def test_of_a_servers_headers_few_go_out() -> None:
    sent = [
        (b"content-type", b"text/event-stream"),
        (b"set-cookie", b"a=b"),
        (b"server", b"uvicorn"),
        (b"transfer-encoding", b"chunked"),
        (b"x-tokenergy-site", b"forged"),
        (b"openai-processing-ms", b"7"),
    ]
    assert answer_headers(sent) == [sent[0], sent[5]]
    assert retry_after_s([(b"retry-after", b"30")]) == 30.0
    assert retry_after_s([(b"retry-after", b"Fri, 31 Dec 1999 23:59:59 GMT")]) is None


@given(st.text())
def test_no_text_of_ours_breaks_a_header(text: str) -> None:
    value = header_text(text)
    assert all(32 <= byte < 127 for byte in value)
    assert our_header("site", text) == (b"x-tokenergy-site", value)
