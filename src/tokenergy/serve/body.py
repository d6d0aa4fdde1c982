"""Verb: decode a request's JSON, every fault in it an `ApiError` that names the field."""

import re
from typing import Final, TypeVar

import msgspec

from tokenergy.serve.governed import CAP_NAMES
from tokenergy.serve.openai_error import ApiError, invalid, missing, too_large

MOST_DEPTH_COUNT: Final = 100
"""Nested objects and arrays; a guess. Parsers of Python servers break somewhat below 1,000."""
MOST_ANSWERS_COUNT: Final = 128
"""OpenAI's bound of `n`."""
MOST_CAP_TOKENS: Final = 2**31 - 1
MOST_MODEL_CHARS_COUNT: Final = 256

_decode_fields = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode
_STRINGS: Final = re.compile(rb'"[^"]*"')
_BRACKETS: Final = bytes.maketrans(b"{}", b"[]")
_OTHERS: Final = bytes(byte for byte in range(256) if byte not in b'"[]{}')
_WHERE: Final = re.compile(r"^(.*?)(?: - at `(?:key in )?\$\.?(.*)`)?$", re.DOTALL)
_MISSING: Final = re.compile(r"missing required field `(.*)`")

Read = TypeVar("Read")


def fields_of(body: bytes, limit_bytes: int) -> dict[str, msgspec.Raw]:
    """Return the top level of a body, key to raw JSON; of a key that stands twice, the last.

    Raises:
        ApiError: 413, or 400 for what is no JSON object in UTF-8 or is nested too deep.
    """
    if len(body) > limit_bytes:
        raise too_large(limit_bytes)
    if not body.isascii():
        try:
            body.decode()
        except UnicodeDecodeError as fault:
            raise invalid(f"The body is not valid UTF-8 (byte {fault.start}).") from None
    try:
        fields = _decode_fields(body)
    except (msgspec.DecodeError, RecursionError) as fault:
        raise fault_of(fault) from None
    if _opens_many(body) and too_deep(body):
        raise _nested()
    return fields


def typed(decoder: "msgspec.json.Decoder[Read]", body: bytes) -> Read:
    """Return a body as a decoder's type.

    Raises:
        ApiError: 400 with the field as `param`.
    """
    try:
        return decoder.decode(body)
    except (msgspec.DecodeError, RecursionError) as fault:
        raise fault_of(fault) from None


def fault_of(fault: Exception) -> ApiError:
    """Return what to tell of a decoder's error; types and places only, never a value."""
    if isinstance(fault, RecursionError):
        return _nested()
    match = _WHERE.match(str(fault))
    text, param = (match[1], match[2]) if match else (str(fault), None)
    if not isinstance(fault, msgspec.ValidationError):
        return invalid(f"We could not parse the JSON body of your request: {text}.")
    lack = _MISSING.search(text)
    if lack:
        return missing(f"{param}.{lack[1]}" if param else lack[1])
    if not param:
        return invalid(f"The body of the request has a wrong type: {text}.", code="invalid_type")
    return invalid(f"Invalid type for '{param}': {text}.", param=param, code="invalid_type")


def _opens_many(body: bytes) -> bool:
    """Tell whether a body has more opening brackets than may be nested, in strings or not.

    Looking for the next one is several times faster in long texts than counting all.
    """
    find, left = body.find, MOST_DEPTH_COUNT
    for bracket in (b"{", b"["):
        at = find(bracket)
        while at >= 0:
            left -= 1
            if left < 0:
                return True
            at = find(bracket, at + 1)
    return False


def too_deep(body: bytes) -> bool:
    """Tell whether valid JSON is nested deeper than allowed; strings do not count."""
    bare = body.replace(b"\\\\", b"").replace(b'\\"', b"")
    left = _STRINGS.sub(b"", bare.translate(_BRACKETS, _OTHERS))
    for _ in range(MOST_DEPTH_COUNT):
        if not left:
            return False
        left = left.replace(b"[]", b"")
    return bool(left)


# ---- values that several endpoints check ---------------------------------------------------


def checked_model(model: str) -> str:
    """Return a model's name.

    Raises:
        ApiError: 400 if it is empty or too long to be one.
    """
    if not model:
        raise missing("model")
    if len(model) > MOST_MODEL_CHARS_COUNT:
        raise invalid(
            f"'model' is longer than {MOST_MODEL_CHARS_COUNT} characters.",
            param="model",
            code="string_above_max_length",
        )
    return model


def cap_of(endpoint: str, *caps: int | None) -> int | None:
    """Return the cap of output tokens; `caps` in the order of the endpoint's names of it.

    Raises:
        ApiError: 400 for a cap below 1, and for two names with two values.
    """
    found: int | None = None
    if not any(caps) and 0 not in caps:
        return None
    for name, cap in zip(CAP_NAMES[endpoint], caps, strict=True):
        if cap is None:
            continue
        if not 1 <= cap <= MOST_CAP_TOKENS:
            raise outside(name, cap, 1, MOST_CAP_TOKENS)
        if found is not None and cap != found:
            raise invalid(
                f"Two caps of the answer were set to two values; '{name}' is one. Set one.",
                param=name,
                code="invalid_parameter_combination",
            )
        found = cap
    return found


def answers_of(name: str, count: int | None) -> int:
    """Return how many answers are wanted.

    Raises:
        ApiError: 400 outside 1..128.
    """
    if count is None:
        return 1
    if not 1 <= count <= MOST_ANSWERS_COUNT:
        raise outside(name, count, 1, MOST_ANSWERS_COUNT)
    return count


def outside(name: str, value: int, low: int, high: int) -> ApiError:
    """Return 400 for a whole number outside its bounds."""
    if value < low:
        text, code = f"below the minimum value {low}", "integer_below_min_value"
    else:
        text, code = f"above the maximum value {high}", "integer_above_max_value"
    shown = str(value) if -(10**18) < value < 10**18 else "a number of many digits"
    return invalid(f"Invalid '{name}': {shown} is {text}.", param=name, code=code)


def _nested() -> ApiError:
    return invalid(
        f"The JSON body is nested deeper than {MOST_DEPTH_COUNT} levels.", code="json_too_deep"
    )
