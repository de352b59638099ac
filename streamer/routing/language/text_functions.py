"""Which functions over text and bytes may an expression call?

Methods are not callable, since what a method does is the object's affair; each of these does one
thing within the budget. There are no regular expressions: one that backtracks cannot be stopped.
"""

import base64
import hashlib
from collections.abc import Callable
from typing import Any
from uuid import UUID

from streamer.routing.language.arguments import need, need_bounded, need_items, need_text
from streamer.routing.language.budget import STEPS, Budget
from streamer.routing.language.failures import Failure, Kind, null, wrong_type
from streamer.routing.language.texts import NAMESPACE, version_5, written


class TextFunctions:
    def __init__(self, budget: Budget) -> None:
        self._budget = budget

    def table(self) -> dict[str, tuple[Callable[..., Any], int, int]]:
        """Name to the function and how few and how many arguments it takes."""
        return {
            "str": (self.str_, 1, 1),
            "lower": (self.lower, 1, 1),
            "upper": (self.upper, 1, 1),
            "strip": (self.strip, 1, 2),
            "startswith": (self.startswith, 2, 2),
            "endswith": (self.endswith, 2, 2),
            "replace": (self.replace, 3, 3),
            "split": (self.split, 1, 3),
            "join": (self.join, 2, 2),
            "text": (self.text, 1, 1),
            "hex": (self.hex_, 1, 1),
            "base64": (self.base64, 1, 1),
            "bytes": (self.bytes_, 1, 1),
            "uuid5": (self.uuid5, 1, 2),
            "sha256": (self.sha256, 1, 1),
        }

    def _taken(self, value: Any) -> str:
        text = need_text(value)
        self._budget.spend_text(len(text))
        return text

    def str_(self, value: Any) -> str:
        made = written(value)
        self._budget.spend_text(len(made))
        return made

    def lower(self, value: Any) -> str:
        return self._taken(value).lower()

    def upper(self, value: Any) -> str:
        return self._taken(value).upper()

    def strip(self, value: Any, characters: Any = None) -> str:
        text = self._taken(value)
        return text.strip() if characters is None else text.strip(self._taken(characters))

    def startswith(self, value: Any, beginning: Any) -> bool:
        return self._taken(value).startswith(need_text(beginning))

    def endswith(self, value: Any, end: Any) -> bool:
        return self._taken(value).endswith(need_text(end))

    def replace(self, value: Any, old: Any, new: Any) -> str:
        text, before, after = self._taken(value), self._taken(old), self._taken(new)
        # Counted first, so that what is too large is never made.
        growth = text.count(before) * (len(after) - len(before))
        self._budget.spend_text(len(text) + max(growth, 0))
        return text.replace(before, after)

    def split(self, value: Any, separator: Any = None, at_most: Any = -1) -> list[str]:
        text = self._taken(value)
        sign = None if separator is None else need_text(separator)
        if sign == "":
            raise Failure(Kind.VALUE, "the separator is empty", "write the text to split at")
        # No more parts than this can come, each an object of its own.
        self._budget.spend(text.count(sign) if sign else len(text) // 2)
        return text.split(sign, need_bounded(at_most, STEPS, "the number of parts"))

    def join(self, items: Any, separator: Any) -> str:
        sign = need_text(separator)
        values = need_items(items)
        self._budget.spend(len(values))
        for item in values:
            if item is None:
                raise null("an item")
            if not isinstance(item, str):
                raise wrong_type("an item", item, "text", "write join([str(x) for x in ...], sign)")
        self._budget.spend_text(sum(map(len, values)) + len(sign) * len(values))
        return sign.join(values)

    def text(self, value: Any) -> str:
        """Bytes as UTF-8."""
        content = self._content(value, "write str(x) for what is not bytes")
        try:
            return content.decode()
        except UnicodeDecodeError:
            raise Failure(
                Kind.VALUE, "the bytes are no UTF-8", "choose base64(x) or hex(x)"
            ) from None

    def _content(self, value: Any, do: str = "") -> bytes:
        content = need(value, bytes, "bytes", do)
        self._budget.spend_text(len(content))
        return content

    def hex_(self, value: Any) -> str:
        return self._content(value).hex()

    def base64(self, value: Any) -> str:
        return base64.b64encode(self._content(value, "write base64(bytes(x)) for text")).decode()

    def bytes_(self, value: Any) -> bytes:
        """Text as UTF-8."""
        return self._taken(value).encode()

    def uuid5(self, value: Any, namespace: Any = None) -> str:
        """A version 5 UUID of the text, in the namespace of entity ids where none is given."""
        space = NAMESPACE
        if namespace is not None:
            space = namespace if isinstance(namespace, UUID) else UUID(need_text(namespace))
        return version_5(space.bytes, self.str_(value))

    def sha256(self, value: Any) -> str:
        """64 hexadecimal digits, of bytes or of the text's UTF-8."""
        content = self._content(value) if isinstance(value, bytes) else self.str_(value).encode()
        return hashlib.sha256(content).hexdigest()
