"""Is this text an expression of the language, and if not, what should stand there?

The language is a list of Python's syntax nodes, and what is not on the list is refused: a newer
Python's syntax too. `docs/expressions.md` shows all of it.
"""

import ast
import warnings
from dataclasses import dataclass

from streamer.routing.language import hints
from streamer.routing.language.whitelist import Checker, Problem

_LONGEST = 10_000
"""Characters of an expression; a payload of a hundred fields in one expression has half of it."""

_DEEPEST = 100
"""Levels of an expression: what walks it in Python and in C is recursive."""


@dataclass(frozen=True, slots=True)
class Checked:
    """An expression that is one of the language."""

    text: str
    tree: ast.expr
    names: frozenset[str]
    """Which of `NAMES` it reads."""


def check(text: str) -> Checked | list[Problem]:
    """The expression, or all that is wrong with it. Never raises, whatever the text."""
    parsed = _parse(text)
    if isinstance(parsed, Problem):
        return [parsed]
    if _depth_passes(parsed, _DEEPEST):
        return [Problem(1, 1, "is nested too deeply", f"use at most {_DEEPEST} levels")]
    checker = Checker()
    checker.expression(parsed)
    if checker.problems:
        return sorted(checker.problems, key=lambda problem: (problem.line, problem.column))
    return Checked(text, parsed, frozenset(checker.names))


def _parse(text: str) -> ast.expr | Problem:
    if len(text) > _LONGEST:
        return Problem(1, 1, f"has over {_LONGEST:,} characters", "split the payload into fields")
    if not text.strip():
        return Problem(1, 1, "is empty", "write an expression, such as event.invoice_id")
    source = text.strip()
    # Parentheses let an expression run over lines, as people write them in YAML blocks.
    opening = "(" if "\n" in source else ""
    source = f"(\n{source}\n)" if opening else source
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", SyntaxWarning)
            warnings.simplefilter("ignore", DeprecationWarning)
            tree = ast.parse(source, mode="eval").body
    except SyntaxError as error:
        line = max((error.lineno or 1) - (1 if opening else 0), 1)
        reason = (error.msg or "invalid syntax").split(". Perhaps")[0]
        return Problem(
            line, max(error.offset or 1, 1), f"is no expression ({reason})", hints.for_syntax(text)
        )
    except (ValueError, RecursionError, MemoryError):
        return Problem(1, 1, "cannot be read as an expression", hints.for_syntax(text))
    return ast.increment_lineno(tree, -1) if opening else tree


def _depth_passes(tree: ast.expr, bound: int) -> bool:
    level: list[ast.AST] = [tree]
    depth = 0
    while level:
        depth += 1
        if depth > bound:
            return True
        level = [child for node in level for child in ast.iter_child_nodes(node)]
    return False
