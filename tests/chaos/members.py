"""How does a process of the group look in both protocols, dynamic and static?"""

from collections.abc import Mapping, Sequence
from typing import Any

from msgspec import Struct

from tests.chaos.job import Job

SESSION_MS = 6000
"""The broker's least by default, so that it misses a killed process soon."""


class Kind(Struct, frozen=True):
    """How a group's members join."""

    protocol: str
    static: bool

    @property
    def says(self) -> str:
        return f"{self.protocol} protocol, {'static' if self.static else 'dynamic'} members"

    def properties(self, name: str) -> Mapping[str, Any]:
        """Of the member of this name."""
        properties: dict[str, Any] = {"group.protocol": self.protocol}
        if self.protocol == "classic":
            properties["session.timeout.ms"] = SESSION_MS
        if self.static:
            properties["group.instance.id"] = name
        return properties

    def config(
        self,
        job: Job,
        name: str,
        *,
        properties: Mapping[str, Any] | None = None,
        **more: Mapping[str, Any],
    ) -> Mapping[str, Any]:
        """`properties` come on top of those of the kind; `more` as in `Bridge.config`."""
        every = {**self.properties(name), **(properties or {})}
        kafka = {**more.pop("kafka", {}), "properties": every}
        return job.config(kafka=kafka, **more)


KINDS: Sequence[Kind] = (
    Kind("classic", static=False),
    Kind("consumer", static=False),
    Kind("classic", static=True),
    Kind("consumer", static=True),
)
