"""What may stand after the colon in an f-string, and what comes of it?

Number formats are Python's with bounded widths, without those that depend on the locale; date
formats are a closed list of signs, since the C library's know widths of any size.
"""

import ast
import re
from datetime import date, datetime, time
from decimal import Decimal
from typing import Any

from streamer.routing.language.budget import MAX_WIDTH
from streamer.routing.language.failures import null, wrong_type
from streamer.routing.language.numbers import check_digits
from streamer.routing.language.texts import written

NUMBER_FORMAT = re.compile(
    r"(?:[^{}]?[<>=^])?[-+ ]?#?0?(?P<width>\d{1,9})?[,_]?(?:\.(?P<precision>\d{1,9}))?"
    r"[bdoxXeEfFgG%s]?"
)
DATE_FORMAT = re.compile(r"(?:%[YmdHMSfzj]|[^%]){1,100}")


def constant_format(spec: ast.expr) -> str | None:
    """The text after the colon of an f-string; None where it holds expressions."""
    parts = spec.values if isinstance(spec, ast.JoinedStr) else [spec]
    texts = [
        part.value
        for part in parts
        if isinstance(part, ast.Constant) and isinstance(part.value, str)
    ]
    return "".join(texts) if len(texts) == len(parts) else None


def format_problem(spec: str) -> str | None:
    """What is wrong with the text after the colon; None where nothing is."""
    number = NUMBER_FORMAT.fullmatch(spec)
    if number is None:
        if "%" in spec and DATE_FORMAT.fullmatch(spec):
            return None
        return "is no format for a number, a text or a date"
    for part in ("width", "precision"):
        if int(number[part] or 0) > MAX_WIDTH:
            return f"has a {part} above {MAX_WIDTH}"
    return None


def formatted(value: Any, spec: str) -> str:
    """The value by a format that `format_problem` found nothing wrong with."""
    if isinstance(value, date | time):
        return format_date(value, spec)
    match value:
        case None:
            raise null("a value", "text")
        case Decimal():
            check_digits(value)
            return format(value, spec)
        case int() | float() | str():
            return format(value, spec)
        case _:
            return format(written(value), spec)


def format_date(value: Any, pattern: str) -> str:
    """A date or moment by a pattern of `DATE_FORMAT`; the year always has four digits."""
    if isinstance(value, datetime | date | time):
        if "%" not in pattern:
            return format(written(value), pattern)
        # C libraries differ in whether they pad the year 987.
        year = "" if isinstance(value, time) else f"{value.year:04d}"
        return value.strftime(pattern.replace("%Y", year) if year else pattern)
    if value is None:
        raise null("an argument", "a timestamp or date")
    raise wrong_type("an argument", value, "a timestamp or date")
