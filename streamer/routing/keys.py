"""Which idempotency key, entity and instance does a report have?

All three are pure functions of the event: a redelivered event has byte for byte the same.
"""

import hashlib
import re
from typing import Any
from uuid import UUID

from msgspec import Struct

from streamer.model import Message
from streamer.routing.language.failures import Failure, type_words
from streamer.routing.language.texts import NAMESPACE, version_5, written

LONGEST_KEY = 80
"""Characters of an idempotency key that the endpoint takes."""

LONGEST_INSTANCE = 200
"""Characters of an app instance's id, which is a GUID of 36: a text by mistake ends here."""

_GUID = re.compile(r"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")


class Unusable(Struct, frozen=True):
    """Why a value is no key, entity or instance."""

    found: str
    do: str


def is_guid(text: str) -> bool:
    return _GUID.fullmatch(text) is not None


def hashed_key(instance: str, route: str, value: str) -> str:
    """The key of a report whose route names an idempotency value: 64 hexadecimal digits."""
    return _digest("value", instance, route, value)


def message_key(instance: str, route: str, message: Message) -> str:
    """The key of a report by where its message stands: 64 hexadecimal digits.

    The timestamp is in it because a topic that is deleted and made again starts at offset 0.
    """
    topic, number = message.partition
    return _digest(
        "message", instance, route, f"{topic}\0{number}\0{message.offset}\0{message.timestamp_ms}"
    )


def _digest(kind: str, instance: str, route: str, value: str) -> str:
    # The lengths keep apart what would otherwise run together.
    text = f"{kind}:{len(instance)}:{instance}:{len(route)}:{route}:{value}"
    return hashlib.sha256(text.encode()).hexdigest()


def key_text(value: Any) -> str | Unusable:
    """An idempotency value as text, for hashing."""
    return _text(value, "idempotency")


def own_key(value: Any) -> str | Unusable:
    """The value itself as the key, where a route says `as_is`: a text, or a UUID's."""
    if isinstance(value, UUID):
        return str(value)
    if value is None or value == "":
        return _text(value, "idempotency")
    if not isinstance(value, str):
        return Unusable(
            f"idempotency is {type_words(value)}, and as_is sends text only", "write str(x)"
        )
    if len(value) > LONGEST_KEY:
        return Unusable(
            f"idempotency has over {LONGEST_KEY} characters",
            "leave out as_is, so that its hash is sent, or write sha256(x)",
        )
    return value


def entity_id(value: Any) -> str | Unusable:
    """A GUID in lower case as it is; a version 5 UUID of any other text, in `NAMESPACE`."""
    text = _text(value, "entity")
    if isinstance(text, Unusable):
        return text
    return text.lower() if is_guid(text) else version_5(NAMESPACE.bytes, text)


def instance_id(value: Any) -> str | Unusable:
    """An app instance's id."""
    if type(value) is not str and value is not None and not isinstance(value, UUID):
        return Unusable(f"instance is {type_words(value)}, not an id in text", "write str(x)")
    text = _text(value, "instance")
    if isinstance(text, str) and len(text) > LONGEST_INSTANCE:
        return Unusable(
            f"instance has over {LONGEST_INSTANCE} characters", "name the field with the id"
        )
    return text


def _text(value: Any, what: str) -> str | Unusable:
    if type(value) is str and value:
        return value
    if value is None or value == "":
        found = "null" if value is None else "empty text"
        return Unusable(f"{what} is {found}", "look at the field, or name one that is always set")
    try:
        return written(value)
    except Failure as failure:
        found = failure.found.replace("an argument", what, 1)
        return Unusable(found, failure.do)
