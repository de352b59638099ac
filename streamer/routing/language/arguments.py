"""Is a function's argument what the function takes?"""

from typing import Any, TypeVar

from streamer.routing.language.failures import Failure, Kind, null, wrong_type

T = TypeVar("T")


def need(value: Any, kind: type[T], wanted: str, do: str = "") -> T:
    """The value if it is of the kind; a boolean is no number here."""
    if isinstance(value, kind) and not isinstance(value, bool):
        return value
    if value is None:
        raise null("an argument", wanted)
    raise wrong_type("an argument", value, wanted, do)


def need_text(value: Any) -> str:
    return need(value, str, "text", "write str(x); for bytes choose text(x), hex(x) or base64(x)")


def need_items(value: Any) -> list[Any] | tuple[Any, ...]:
    if isinstance(value, list | tuple):
        return value
    if isinstance(value, dict):
        raise wrong_type("an argument", value, "a list", "write keys(x), values(x) or items(x)")
    return need(value, list, "a list")


def need_bounded(value: Any, bound: int, what: str) -> int:
    """An integer between minus and plus the bound."""
    number = need(value, int, "an integer")
    if abs(number) > bound:
        raise Failure(Kind.LIMIT, f"{what} passes the bound of {bound:,}", "take a smaller one")
    return number
