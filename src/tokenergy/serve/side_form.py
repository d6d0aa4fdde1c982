"""A form of a request: its fields at once, its file into whatever takes it."""

from collections.abc import Awaitable, Callable
from typing import Final, NamedTuple

from starlette.requests import Request

from tokenergy.company.serving.plan import LimitsPlan
from tokenergy.serve.multipart import Multipart, Part, boundary_of
from tokenergy.serve.openai_error import invalid
from tokenergy.serve.side_http import chunks

FIELD_BYTES: Final = 65_536
OVERHEAD_BYTES: Final = 65_536
"""Of a form, beside its file."""


class Form(NamedTuple):
    """What a form held.

    Attributes:
        fields: by name; of a name that came twice the last one.
        file_name: of the file; None: there was none.
    """

    fields: dict[str, str]
    file_name: str | None


async def read_form(
    request: Request,
    *,
    limits: LimitsPlan,
    file_field: str,
    most_bytes: int,
    take: Callable[[bytes], Awaitable[None]],
) -> Form:
    """Read a form, and give its file's bytes to `take` as they come.

    Raises:
        ApiError: 400 for what is no such form, 408, 413.
    """
    form = Multipart(boundary_of(request.headers.get("content-type", "")))
    fields: dict[str, bytes] = {}
    file_name: str | None = None
    part: Part | None = None
    async for chunk in chunks(request, limits=limits, most_bytes=most_bytes + OVERHEAD_BYTES):
        for found in form.feed(chunk):
            if isinstance(found, Part):
                part = found
                if part.name == file_field and part.file_name is not None:
                    if file_name is not None:
                        raise invalid("Send one file only.", param=file_field)
                    file_name = part.file_name
                elif part.file_name is not None:
                    raise invalid(f"No file is expected in '{part.name}'.", param=part.name)
                else:
                    fields[part.name] = b""
            elif part is not None and part.file_name is not None:
                await take(found)
            elif part is not None:
                fields[part.name] += found
                if len(fields[part.name]) > FIELD_BYTES:
                    raise invalid(f"'{part.name}' is too long.", param=part.name)
    form.close()
    try:
        return Form({name: text.decode() for name, text in fields.items()}, file_name)
    except UnicodeDecodeError:
        raise invalid("A field of the form is no UTF-8.", code="invalid_form") from None
