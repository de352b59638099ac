"""What is the dead letter topic of a topic called, and could a topic be one?"""

import re
from functools import lru_cache

PLACE = "{topic}"
"""Stands for the source topic's name in `dead_letters.topic`."""

_LONGEST = 249  # Kafka's limit for a topic's name
_NAME = re.compile(r"[A-Za-z0-9._-]+")


def topic_for(template: str, source_topic: str) -> str:
    """The dead letter topic of this source topic."""
    return template.replace(PLACE, source_topic)


def can_name(template: str, topic: str) -> bool:
    """Whether `topic` could be a dead letter topic, of whatever source topic.

    A subscription by pattern leaves such topics out: its own dead letters must not come back.
    """
    return _pattern(template).fullmatch(topic) is not None


def source_of(template: str, topic: str) -> str | None:
    """The source topic whose dead letter topic this is; empty where it is that of all, None where
    it is of none."""
    found = _pattern(template).fullmatch(topic)
    if found is None:
        return None
    return found[1] if found.re.groups else ""


def template_fault(template: str) -> str | None:
    """What is wrong with the template, as a sentence without a full stop; None if nothing is."""
    if template == PLACE:
        return "the dead letter topic would be the source topic itself"
    rest = template.replace(PLACE, "")
    if template != rest and not rest.strip("."):
        return "the dead letter topic's name differs from the source topic's by full stops only"
    if not _NAME.fullmatch(template.replace(PLACE, "x")):
        return f"{template!r} holds characters that a Kafka topic's name cannot have"
    if len(rest) >= _LONGEST:
        return f"{template!r} is longer than the {_LONGEST} characters of a Kafka topic's name"
    return None


@lru_cache(maxsize=16)
def _pattern(template: str) -> re.Pattern[str]:
    first, *more = (re.escape(piece) for piece in template.split(PLACE))
    if not more:
        return re.compile(first)
    # Each further place stands for the same name as the first.
    return re.compile(first + "(.+)" + r"\1".join(more), re.DOTALL)
