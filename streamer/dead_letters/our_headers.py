"""What do the headers of a letter say, and which of them cannot be read?"""

from collections.abc import Sequence
from contextlib import suppress

from streamer.dead_letters.history import Earlier, history_of
from streamer.model import Reason

PREFIX = "streamer-"
LONGEST_TEXT = 4096
"""Characters of one of our texts. An instance or entity of an event may be of any length."""

_LAST_MS = 253_370_764_800_000
"""The year 9999: no later moment can be told in every zone."""
_KAFKA_MOST = (1 << 63) - 1
"""Kafka's offsets and timestamps have 64 bits, its partitions 32."""
PARTITION_MOST = (1 << 31) - 1
_KEY_MOST = 80
"""Characters of an idempotency key (report-api.md)."""
_TOLD = ("reason", "route", "trigger", "action", "instance", "origin-topic", "origin-partition")
"""What is told of a letter that cannot be read whole."""


class BadHeader(ValueError):
    """Says which header of ours is missing or wrong."""


class OurHeaders:
    """Our headers by name, without the prefix."""

    def __init__(self, headers: Sequence[tuple[str, bytes | None]]) -> None:
        self._values = {name: value for name, value in headers if value is not None}

    def text(self, name: str) -> str:
        try:
            return self._values.get(PREFIX + name, b"").decode("utf-8", "surrogatepass")
        except UnicodeDecodeError:
            raise BadHeader(f"the header {PREFIX}{name} is not UTF-8") from None

    def number(self, name: str, least: int = 0, most: int = _KAFKA_MOST) -> int | None:
        text = self.text(name)
        # 20 characters hold every 64-bit number; int() of a longer one takes its time.
        if not text:
            return None
        if len(text) > 20 or not text.removeprefix("-").isdecimal() or not text.isascii():
            raise BadHeader(f"the header {PREFIX}{name} is not a number")
        number = int(text)
        if not least <= number <= most:
            raise BadHeader(f"the header {PREFIX}{name} is not between {least} and {most}")
        return number

    def moment(self, name: str) -> int | None:
        return self.number(name, 0, _LAST_MS)

    def key(self) -> str:
        """The idempotency key, one that can be sent."""
        text = self.text("idempotency-key")
        if len(text) > _KEY_MOST or not _is_unicode(text):
            raise BadHeader(f"the header {PREFIX}idempotency-key is none that can be sent")
        return text

    def told(self) -> dict[str, str]:
        """Those headers of a letter that are texts."""
        texts = {}
        for name in _TOLD:
            with suppress(BadHeader):
                texts[name] = self.text(name)[:LONGEST_TEXT]
        return {name: text for name, text in texts.items() if text}

    def group(self) -> str:
        with suppress(BadHeader):
            return self.text("group")
        return ""

    def needed(self, name: str, least: int = 0, most: int = _KAFKA_MOST) -> int:
        number = self.number(name, least, most)
        if number is None:
            raise BadHeader(f"the header {PREFIX}{name} is missing")
        return number

    def reason(self) -> Reason:
        try:
            return Reason(self.text("reason"))
        except ValueError:
            raise BadHeader(f"the header {PREFIX}reason names no reason") from None

    def history(self) -> tuple[Earlier, ...]:
        try:
            return history_of(self.text("history"))
        except ValueError:
            raise BadHeader(f"the header {PREFIX}history is no history") from None


def _is_unicode(text: str) -> bool:
    """Whether it holds no half of a surrogate pair."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
