"""Which topics does a route's `topic` mean?"""

import re


def is_pattern(topic: str) -> bool:
    """A regular expression begins with `^`, which no topic's name can."""
    return topic.startswith("^")


def matches(topic_or_pattern: str, topic: str) -> bool:
    """Whether it is the topic's name, or a regular expression for the whole of the name."""
    if is_pattern(topic_or_pattern):
        return re.fullmatch(topic_or_pattern, topic) is not None
    return topic_or_pattern == topic


def pattern_problem(topic: str) -> str | None:
    """Why it is no regular expression; None where it is one, or a name."""
    if not is_pattern(topic):
        return None
    try:
        re.compile(topic)
    except (re.error, OverflowError, RecursionError) as error:
        return str(error)
    return None
