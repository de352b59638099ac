"""What did an operator mean who wrote another language's expression?"""

import re
from keyword import kwlist

_TEXT = re.compile(r"\"(?:\\.|[^\"\\])*\"|'(?:\\.|[^'\\])*'", re.DOTALL)

_KEYWORD = re.compile(rf"\.\s*({'|'.join(kwlist)})\b")
"""A field whose name Python keeps for itself."""

_SIGNS: tuple[tuple[re.Pattern[str], str], ...] = tuple(
    (re.compile(pattern), hint)
    for pattern, hint in (
        (r"&&", "write `and` instead of `&&`"),
        (r"\|\|", "write `or` instead of `||`"),
        (r"!==", "write `!=` instead of `!==`"),
        (r"===", "write `==` instead of `===`"),
        (r"<>", "write `!=` instead of `<>`"),
        (r"\?\?", "write `default(a, b)` instead of `a ?? b`"),
        (r"\?[.\[]", "write `default(a.b, c)` instead of `a?.b`"),
        (r"\?", "write `b if a else c` instead of `a ? b : c`"),
        (r"!(?!=)", "write `not` instead of `!`"),
        (r"=>|\blambda\b", "write a loop, such as [x.sku for x in event.lines]"),
        (r"\$\{|`", 'write an f-string, such as f"{event.name}!"'),
        (r"\bAND\b", "write `and` instead of `AND`"),
        (r"\bOR\b", "write `or` instead of `OR`"),
        (r"\bNOT\b", "write `not` instead of `NOT`"),
        (r"(?<![=<>!])=(?!=)", "write `==` to compare, instead of `=`"),
        (r"^\s*\.", "write `event.` before the field's name"),
        (r"^\s*(if|for|while|import|def|return)\b", "write an expression, not a statement"),
    )
)


def for_syntax(text: str) -> str:
    """What to write instead of text that is no expression."""
    bare = _TEXT.sub(lambda found: " " * len(found[0]), text)
    keyword = _KEYWORD.search(bare)
    if keyword:
        return f'reach the field {keyword[1]} by index: event["{keyword[1]}"]'
    for pattern, hint in _SIGNS:
        if pattern.search(bare):
            return hint
    if bare.count("(") != bare.count(")"):
        return "close each parenthesis that is opened"
    if '"' in bare or "'" in bare:
        return "close the text with the quote that it began with"
    return "write one expression in the subset of Python that docs/expressions.md shows"


NAMES = {
    "null": "None",
    "nil": "None",
    "undefined": "None",
    "NULL": "None",
    "none": "None",
    "true": "True",
    "TRUE": "True",
    "false": "False",
    "FALSE": "False",
    "value": "event",
    "payload": "event",
    "record": "event",
    "this": "event",
    "concat": "`a + b` or an f-string",
    "coalesce": "default(a, b)",
    "ifnull": "default(a, b)",
    "size": "len(x)",
    "length": "len(x)",
    "count": "len(x)",
    "substring": "a slice: x[0:10]",
    "contains": "`part in x`",
    "map": "a loop: [f.sku for f in event.lines]",
    "filter": "a loop: [f for f in event.lines if f.qty > 0]",
    "list": "a loop: [x for x in event.lines]",
    "dict": "{key: value}",
    "now": "`timestamp`, the time of the message, since a retry must give the same report",
    "today": "`date(timestamp)`, since a retry must give the same report",
    "uuid4": "uuid5(event.event_id), since a retry must give the same report",
    "format": 'an f-string, such as f"{event.total:.2f}"',
    "matches": "startswith, endswith or `part in x`: there are no regular expressions",
    "re": "startswith, endswith or `part in x`: there are no regular expressions",
}
"""Names of other languages, and of Python, to what is written here."""

METHODS = {
    "lower": "lower(x)",
    "toLowerCase": "lower(x)",
    "casefold": "lower(x)",
    "upper": "upper(x)",
    "toUpperCase": "upper(x)",
    "trim": "strip(x)",
    "startsWith": 'startswith(x, "a")',
    "endsWith": 'endswith(x, "a")',
    "includes": "`part in x`",
    "contains": "`part in x`",
    "indexOf": "`part in x`",
    "toString": "str(x)",
    "size": "len(x)",
    "length": "len(x)",
    "get": "default(x.field, y)",
    "isoformat": "iso(x)",
    "strftime": 'format_date(x, "%Y-%m-%d")',
    "decode": "text(x)",
    "encode": "bytes(x)",
    "format": 'an f-string, such as f"{event.total:.2f}"',
    "map": "a loop: [f.sku for f in event.lines]",
    "filter": "a loop: [f for f in event.lines if f.qty > 0]",
    "join": 'join(items, ", ")',
}
"""Methods to the function that does the same."""
