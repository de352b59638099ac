"""What can be told of a record that another tool put into the dead letter topic?

Kafka Connect's headers are read (KIP-298: `__connect.errors.*`, values as text); of others the
names of the headers are all that can be said.
"""

from msgspec import Struct

from streamer.model import Headers

_CONNECT = "__connect.errors."
_TEXT_MOST = 1000
_NAMES_MOST = 10


class Foreign(Struct, frozen=True):
    """A record that `streamer` did not write, as far as it can be read."""

    tool: str
    """`Kafka Connect`, or `unknown`."""
    detail: str
    topic: str = ""
    """Where its message came from, if that is told."""
    partition: int | None = None
    offset: int | None = None
    error: str = ""
    """What the tool calls the error: a class."""
    stage: str = ""
    by: str = ""
    """The connector and its task."""


def read_foreign(headers: Headers) -> Foreign:
    """Never raises, whatever the headers hold."""
    texts = {
        name.removeprefix(_CONNECT): value.decode("utf-8", "replace")[:_TEXT_MOST]
        for name, value in headers
        if name.startswith(_CONNECT) and value is not None
    }
    if not texts:
        names = ", ".join(dict.fromkeys(name for name, _ in headers[:_NAMES_MOST]))
        return Foreign("unknown", f"headers: {names}" if names else "it has no headers")
    connector, task = texts.get("connector.name", ""), texts.get("task.id", "")
    return Foreign(
        "Kafka Connect",
        texts.get("exception.message", ""),
        topic=texts.get("topic", ""),
        partition=_number(texts.get("partition", "")),
        offset=_number(texts.get("offset", "")),
        error=texts.get("exception.class.name", ""),
        stage=texts.get("stage", ""),
        by=f"{connector}, task {task}" if connector else "",
    )


def _number(text: str) -> int | None:
    is_number = text.isascii() and text.isdecimal() and len(text) <= 20
    return int(text) if is_number else None
