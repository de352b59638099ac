"""Is a text an expression of the language, and what is said where it is none?"""

import pytest

from streamer.routing.language.syntax import Checked, check
from streamer.routing.language.whitelist import Problem


def problems(text: str) -> list[Problem]:
    outcome = check(text)
    assert isinstance(outcome, list), f"{text} was taken"
    return outcome


@pytest.mark.parametrize(
    ("text", "do"),
    [
        ("event.a && event.b", "`and` instead of `&&`"),
        ("event.a || event.b", "`or` instead of `||`"),
        ("!event.a", "`not` instead of `!`"),
        ("event.a === 1", "`==` instead of `===`"),
        ("event.a !== 1", "`!=` instead of `!==`"),
        ("event.a = 1", "`==` to compare"),
        ("event.a <> 1", "`!=` instead of `<>`"),
        ("event.a ? 1 : 2", "b if a else c"),
        ("event?.a", "default(a.b, c)"),
        ("event.a ?? 1", "default(a, b)"),
        ("`${event.a}`", "f-string"),
        ("event.a AND event.b", "`and` instead of `AND`"),
        ("event.a == null", "write None"),
        ("event.a == true", "write True"),
        ("event.a.length()", "len(event.a)"),
        ("event.a.toLowerCase()", "lower(event.a)"),
        ("event.a.strip()", "strip(event.a)"),
        ("evnt.a", "write event"),
        ("days_overdue > 7", "write event.days_overdue"),
        ("lowr(event.a)", "write lower(x)"),
        ("now()", "timestamp"),
        ("len", "call it: len(x)"),
        ("lambda: 1", "a loop"),
        ("(x := 1)", "write `==`"),
        ("[*event.a]", "a + b"),
        ("{**event.a}", "a | b"),
        ("{1, 2}", "write a list"),
        ("event.a is 1", "write == or !="),
        ("event.class == 1", 'event["class"]'),
        ("event._a", 'event["_a"]'),
        ("event.__class__", 'event["__class__"]'),
        ("round(1.5, ndigits=1)", "by their place"),
        ("default(event.a)", "give it 2"),
        ("f'{event.a!r}'", "leave it out"),
        ("f'{event.a:{event.b}}'", "write one such as"),
        ("f'{event.a:999999}'", "write one such as"),
        ("(event.a", "close each parenthesis"),
        ("'abc", "close the text"),
        ("import os", "not a statement"),
        ("", "write an expression"),
        ("...", "plain value"),
        ("1j", "plain value"),
        ("(x for x in event.a)", "in brackets"),
        ("event.a @ event.b", "use + - *"),
        ("[event for event in event.a]", "choose another name"),
        ("[_x for _x in event.a]", "choose another name"),
        ("[x for x.y in event.a]", "for x in"),
        ("event.a[1, 2]", "x[a][b]"),
        ("__import__('os')", "docs/expressions.md"),
        ("event.a()", "docs/expressions.md"),
        ("await event.a", ""),
        ("'\\ud800'", "whole character"),
    ],
)
def test_a_mistake_is_answered_with_what_to_write(text: str, do: str) -> None:
    assert any(do in problem.do for problem in problems(text)), problems(text)


def test_a_problem_names_its_line_and_column() -> None:
    assert problems("event.a + nope")[0].place == "column 11"
    assert problems("event.a\n  + nope\n")[0].place == "line 2, column 5"
    assert problems("event.a\n&& event.b")[0].place == "line 2, column 2"


def test_all_problems_are_told_at_once() -> None:
    assert [problem.column for problem in problems("nope + event.x.lower() + (lambda: 1)")] == [
        1,
        8,
        27,
    ]


def test_an_expression_may_run_over_lines_and_have_comments() -> None:
    assert isinstance(check("event.a > 7  # a week\n  and event.b\n"), Checked)


def test_an_expression_tells_which_names_it_reads() -> None:
    checked = check("[event.a for x in headers]")
    assert isinstance(checked, Checked)
    assert checked.names == {"event", "headers"}


@pytest.mark.parametrize(
    "text",
    ["(" * 500 + "1" + ")" * 500, "-" * 5000 + "1", "1" + "+1" * 3000, "event" + ".a" * 300,
     "9" * 6000, "1" * 1300, "\0", "event.a" * 10_000, "[" * 9000, "not " * 2000 + "1"],
)  # fmt: skip
def test_a_hostile_text_is_a_problem_and_never_an_error(text: str) -> None:
    assert problems(text)


def test_chains_of_comparisons_do_not_stand_in_each_other() -> None:
    nested = "1"
    for _ in range(20):
        nested = f"(0 < {nested} < 2)"
    assert any("chain" in problem.found for problem in problems(nested))
