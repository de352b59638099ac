"""Into which Python code is a checked expression compiled?

Twice: plainly and carefully (`careful.py` says why). In the plain code `event.a.b` is
`event["a"]["b"]`, an operator is Python's own where it cannot do harm, and otherwise a call of a
guard. The code sees two variables, `event` and `_scope_`, and the guards; no builtins.
"""

import ast

from streamer.routing.language.careful_code import CarefulCode
from streamer.routing.language.plain_code import PlainCode
from streamer.routing.language.translation import SCOPE


def compiled(tree: ast.expr, *, careful: bool) -> ast.Expression:
    """A function of `event` and `_scope_` that gives the expression's value."""
    body = (CarefulCode() if careful else PlainCode()).of(tree)
    function = ast.Lambda(
        args=ast.arguments(
            posonlyargs=[],
            args=[ast.arg(arg="event"), ast.arg(arg=SCOPE)],
            kwonlyargs=[],
            kw_defaults=[],
            defaults=[],
        ),
        body=body,
    )
    return ast.fix_missing_locations(ast.Expression(function))
