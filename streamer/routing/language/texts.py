"""How is a value written as text: by `str`, in an f-string, in a key or an entity id?

Numbers and moments have the same text as in JSON, so that a value reads the same wherever the
platform shows it; a boolean is written as Python writes it, True or False.
"""

import hashlib
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

from streamer.routing.language.failures import null, wrong_type
from streamer.routing.language.numbers import written_out

NAMESPACE = UUID("3bf1791a-ce1e-4932-ac19-6e8e1a08297e")
"""Namespace of the version 5 UUIDs that entity ids become. Made at random, once; a change of it
would part every running automation from its cancel. `docs/configuration.md` names it."""


def written(value: Any) -> str:
    """The text of a scalar; Failure for a null, bytes, a list, a record or a map."""
    match value:
        case str():
            return value
        case bool() | int() | float() | UUID():
            return str(value)
        case Decimal():
            return written_out(value)
        case datetime():
            return iso_moment(value)
        case date() | time():
            return value.isoformat()
        case timedelta():
            return f"{value.total_seconds():g}s"
        case bytes():
            raise wrong_type(
                "an argument", value, "text", "choose text(x), base64(x) or hex(x) for bytes"
            )
        case None:
            raise null("an argument", "text")
        case _:
            raise wrong_type("an argument", value, "text", "write json(x), or join(x, sign)")


def iso_moment(value: datetime) -> str:
    """ISO 8601; UTC is written Z."""
    text = value.isoformat()
    return text[:-6] + "Z" if text.endswith("+00:00") else text


def version_5(namespace: bytes, text: str) -> str:
    """The version 5 UUID (RFC 9562) of a text, in lower case.

    The same as `str(uuid.uuid5(...))`, which takes four times as long: it is made for each event.
    """
    digest = bytearray(hashlib.sha1(namespace + text.encode(), usedforsecurity=False).digest())
    digest[6] = digest[6] & 0x0F | 0x50
    digest[8] = digest[8] & 0x3F | 0x80
    digits = digest.hex()
    return f"{digits[:8]}-{digits[8:12]}-{digits[12:16]}-{digits[16:20]}-{digits[20:32]}"
