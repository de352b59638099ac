"""What does the core tell of itself, for metrics? Counting only: nothing here decides."""

from collections.abc import Sequence
from typing import Protocol

from streamer.model import Action, Reason


class Watch(Protocol):
    """Called on the hot path: each method must be cheap and must not raise."""

    def skipped(self, topic: str, route: str, why: str) -> None:
        """A message (route empty) or one route of it made no report."""

    def delivered(self, route: str, action: Action, reports: int, ages_s: Sequence[float]) -> None:
        """So many reports of a call were accepted; `ages_s` since their records' timestamps, of
        those that have one."""

    def nothing_to_cancel(self, route: str) -> None:
        """A cancel was answered 404: accepted, and counted."""

    def dead_lettered(self, topic: str, route: str, reason: Reason) -> None:
        """A dead letter's write was confirmed (route empty: the message did not decode)."""

    def letter_failed(self, topic: str, kind: str) -> None:
        """A dead letter could not be written; it is tried again."""

    def retried(self, route: str, why: str) -> None:
        """An attempt ended without a settlement: `unavailable`, `throttled`, ..."""

    def breaker_opened(self, kind: str) -> None:
        """A breaker (`outage` or `denied`) opened that was closed."""

    def flood(self, name: str, holds: bool) -> None:
        """A route's flood guard began, or ended, to hold it."""

    def committed(self, ok: bool, code: str) -> None:
        """A partition's commit ended; `code` is empty for a success."""

    def stalled(self, gap_s: float) -> None:
        """The process had not run for longer than `delivery.stall_after`."""
