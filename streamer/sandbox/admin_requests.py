"""What does a call of the sandbox's own ask?"""

from dataclasses import dataclass

import msgspec

PAGE_LIMIT_MAX = 50_000  # about 25 MB of answer with payloads of 300 bytes


class AdminError(Exception):
    """The call is wrong: a sentence that says what was found and what to send."""

    def __init__(self, message: str, status: int = 400) -> None:
        super().__init__(message)
        self.status = status


class Query(dict[str, str]):
    """The words after the question mark, by name."""

    def check_names(self, *known: str) -> None:
        """Raises AdminError where there is another."""
        for name in self:
            if name not in known:
                raise AdminError(f"{name[:40]!r} is unknown here; use {', '.join(known)}")

    def whole_number(self, name: str, default: int) -> int:
        """Raises AdminError where it is none."""
        text = self.get(name)
        if text is None:
            return default
        if not (text.isascii() and text.isdigit()) or len(text) > 18:
            raise AdminError(f"{name} is a whole number; found {text[:40]!r}")
        return int(text)

    def limit(self, default: int, most: int = PAGE_LIMIT_MAX) -> int:
        """How many entries a page may have. Raises AdminError."""
        limit = self.whole_number("limit", default)
        if not 1 <= limit <= most:
            raise AdminError(f"limit is from 1 to {most}; found {limit}")
        return limit


@dataclass(frozen=True, slots=True)
class AdminRequest:
    method: str
    path: str
    query: Query
    content_type: str
    body: bytes


def json_of(request: AdminRequest) -> object:
    """The body. Raises AdminError."""
    # Only as JSON, so that no page in a browser can send it across sites without being asked.
    if request.content_type != "application/json":
        raise AdminError("send JSON with Content-Type: application/json", 415)
    try:
        return msgspec.json.decode(request.body)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError):
        raise AdminError("the body is not JSON") from None
