"""Which properties does the Kafka client not know, and of which does it refuse the value?

The client tells only the first that is wrong. So each is given to it alone, before one that cannot
be right: what it complains of tells whether it took the first, and no client comes of it.
"""

from collections.abc import Iterable, Mapping

from confluent_kafka import Consumer, KafkaException

from streamer.errors import Finding
from streamer.source.properties import OWNED

_NEVER = "streamer.is.no.property"
_LOADS_CODE = "plugin.library.paths"
"""Asking about it would load the libraries that it names."""
_NOT_READ_YET = "file:"
"""How a value begins that stands in a file."""


def refused_properties(properties: Mapping[str, str]) -> list[Finding]:
    """A finding for each, without its value. Connects to nothing."""
    asked = (it for it in properties if it not in OWNED and it != _LOADS_CODE)
    return list(_findings(asked, properties))


def _findings(names: Iterable[str], properties: Mapping[str, str]) -> Iterable[Finding]:
    for name in names:
        value = properties[name]
        said = _complaint(name, value)
        where = f"kafka.properties.{name}"
        if said is None:
            yield Finding(where, "is for programs alone to set", "leave it out: it takes no text")
        elif said.startswith("No such configuration property") and _NEVER not in said:
            do = "correct its name (librdkafka's CONFIGURATION.md has them all), or leave it out"
            yield Finding(where, "is no property of the Kafka client", do)
        elif _NEVER not in said and not value.startswith(_NOT_READ_YET):
            allowed = said.rpartition("outside allowed range ")[2].strip()
            hint = f" from {allowed.replace('..', ' to ')}" if allowed != said.strip() else ""
            do = f"write one{hint} as librdkafka's CONFIGURATION.md has it, or leave it out"
            yield Finding(where, "has a value that the Kafka client refuses", do)


def _complaint(name: str, value: str) -> str | None:
    """What the client says; None where it wants something that is no text."""
    try:
        Consumer({"group.id": "none", name: value, _NEVER: ""})
    except KafkaException as error:
        return str(error.args[0].str())
    except (AttributeError, TypeError):
        return None
    raise AssertionError(f"{_NEVER} was taken")
