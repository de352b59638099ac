"""Which campaigns are there? The most telling first."""

from collections.abc import Iterator, Mapping
from typing import Protocol

from tests.chaos.campaigns import (
    brokers,
    cancels,
    cut_off,
    endpoint,
    kill,
    letters,
    metadata,
    network,
    patterns,
    rebalance,
    registry,
    rollout,
    security,
    soak,
    stall,
    topics,
)
from tests.chaos.outcome import Part, Size
from tests.chaos.stage import Stage


class Campaign(Protocol):
    """A module: its question is the first line of its docstring."""

    __doc__: str | None

    def parts(self, stage: Stage, size: Size) -> Iterator[Part]:
        """Its parts in order. `stage` is of the whole campaign; each part gets its own."""
        ...


CAMPAIGNS: Mapping[str, Campaign] = {
    "kill": kill,
    "cancels": cancels,
    "cut-off": cut_off,
    "rebalance": rebalance,
    "rollout": rollout,
    "brokers": brokers,
    "network": network,
    "endpoint": endpoint,
    "registry": registry,
    "stall": stall,
    "letters": letters,
    "metadata": metadata,
    "topics": topics,
    "security": security,
    "patterns": patterns,
    "soak": soak,
}


def question(name: str) -> str:
    return (CAMPAIGNS[name].__doc__ or "").partition("\n")[0]
