"""Is every value of a YAML text found with its line, and is nothing in it dangerous?"""

import contextlib
import tempfile
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from streamer.config import connections
from streamer.config import routes as route_keys
from streamer.config import settings as keys
from streamer.config.loading import Loaded, load
from streamer.config.nodes import MAX_DEPTH
from streamer.config.section import Section
from streamer.config.tree import read_yaml
from streamer.errors import ConfigurationError, Finding
from tests.effort import examples
from tests.unit.config_samples import ISSUE_EXAMPLE, MINIMAL

ALL_SECTIONS = [
    value
    for module in (keys, connections, route_keys)
    for value in vars(module).values()
    if isinstance(value, type) and issubclass(value, Section)
]


def read(text: str) -> tuple[object, list[str]]:
    tree = read_yaml(text, "f.yaml", {})
    return tree.value, [str(finding) for finding in tree.findings]


def test_every_value_has_its_line_and_field() -> None:
    tree = read_yaml("a:\n  - b: 1\n    c:\n      - x\n      - y\n", "f.yaml", {})

    assert tree.value == {"a": [{"b": 1, "c": ["x", "y"]}]}
    assert str(tree.mark(("a", 0, "c", 1))) == "f.yaml:5: a[0].c[1]"
    assert str(tree.mark(("a", 0, "missing"))) == "f.yaml:2: a[0].missing"


def test_aliases_and_merged_maps_are_taken_in() -> None:
    value, found = read(
        "a: &a {x: 1, y: 2}\nb: {<<: *a, y: 3}\nc: *a\nd: {<<: [*a, {y: 9, z: 4}]}\n"
    )

    assert found == []
    assert value == {
        "a": {"x": 1, "y": 2},
        "b": {"x": 1, "y": 3},
        "c": {"x": 1, "y": 2},
        "d": {"x": 1, "y": 2, "z": 4},
    }


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a: [1", "f.yaml:2:1: this is not YAML"),
        ("a: 1\n\tb: 2", "f.yaml:2:1: this is not YAML"),
        ("a: b: c", "f.yaml:1:5: this is not YAML"),
        ("a: @x", "this is not YAML"),
        ("a: 1\na: 2", "f.yaml:2: a: the key `a` stands here a second time"),
        ("a: !!python/object:os.system x", "has no meaning here"),
        ("a: !!binary aGFsbG8=", "has no meaning here"),
        ("a: !x {b: 1}", "the tag !x has no meaning here"),
        ("a: *x", "the alias *x names no anchor"),
        ("a: &a [*a]", "the alias *a names no anchor that ended before it"),
        ("a: 1\n---\nb: 2", "a second document begins here"),
        ("? [a]\n: 1", "a key is a list or a map"),
        ("a: {<<: 5}", "`<<` merges what is no map"),
        ("a: \x01", "this is not YAML"),
        ("[" * 500, "f.yaml:1"),
        ("[" * 50 + "]" * 50, f"deeper than {MAX_DEPTH} levels"),
    ],
)
def test_what_cannot_be_taken_in_is_told_with_its_place(text: str, expected: str) -> None:
    _, found = read(text)

    assert len(found) == 1
    assert expected in found[0]


def test_aliases_of_aliases_do_not_fill_the_memory() -> None:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 12)]

    _, found = read("\n".join(lines))

    assert len(found) == 1
    assert "aliases expand to more than" in found[0]


@pytest.mark.parametrize("form", ["[*a{0}]", "{{<<: *a{0}}}", "{{x: *a{0}}}"])
def test_a_chain_of_aliases_does_not_exhaust_the_stack(form: str) -> None:
    lines = ["a0: &a0 {x: 1}"]
    lines += [f"a{n}: &a{n} " + form.format(n - 1) for n in range(1, 5_000)]

    value, found = read("\n".join(lines))

    assert value is None
    assert "aliases expand to more than" in found[0]


def test_a_few_aliases_nested_too_deeply_are_refused() -> None:
    lines = ["a0: &a0 {x: 1}"]
    lines += [f"a{n}: &a{n} [*a{n - 1}]" for n in range(1, MAX_DEPTH + 5)]

    _, found = read("\n".join(lines))

    assert f"or {MAX_DEPTH} levels" in found[0]


def outcome(text: str) -> Loaded | tuple[Finding, ...]:
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "streamer.yaml"
        with contextlib.suppress(UnicodeEncodeError):
            file.write_bytes(text.encode())
        try:
            return load(file, {"A": "1"})
        except ConfigurationError as error:
            return error.findings


_SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.text(max_size=20),
    st.sampled_from(["${A}", "${B}", "5s", "64MiB", "none", "event.x", "^x", "file:x", "<map>"]),
)
_NAMES = sorted({name for section in ALL_SECTIONS for name in section.model_fields})
_KEYS = st.sampled_from([*_NAMES, "billing", "<text>", "<map>", "[key]"])
_TREES = st.recursive(
    _SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_KEYS | st.text(max_size=5), inner),
    max_leaves=25,
)


@given(st.text())
@example("a: 1\x00")
@example("routes: [!!str]")
@settings(max_examples=examples(150))
def test_any_text_is_loaded_or_refused_with_findings(text: str) -> None:
    assert outcome(text)


@given(st.integers(0, 10_000), st.text(max_size=8))
@settings(max_examples=examples(150))
def test_a_broken_configuration_is_loaded_or_refused_with_findings(at: int, put: str) -> None:
    text = ISSUE_EXAMPLE
    at %= len(text)

    assert outcome(text[:at] + put + text[at + len(put) :])


@given(_TREES)
@settings(max_examples=examples(200))
def test_any_values_are_loaded_or_refused_with_findings(tree: object) -> None:
    import yaml

    assert outcome(yaml.safe_dump(tree, allow_unicode=True))


@given(st.dictionaries(_KEYS, _TREES, max_size=4))
@settings(max_examples=examples(200))
def test_any_values_beside_good_ones_are_loaded_or_refused(tree: dict[str, object]) -> None:
    import yaml

    good = yaml.safe_load(MINIMAL)

    assert outcome(yaml.safe_dump(good | tree, allow_unicode=True))


@given(st.dictionaries(_KEYS, _TREES, max_size=3), st.dictionaries(_KEYS, _TREES, max_size=3))
@settings(max_examples=examples(200))
def test_any_values_of_endpoints_and_of_a_route_are_loaded_or_refused(
    endpoints: dict[str, object], route: dict[str, object]
) -> None:
    import yaml

    good = yaml.safe_load(MINIMAL)
    good["endpoints"] = {"default": good.pop("endpoint"), **endpoints}
    good["routes"][0] |= route

    assert outcome(yaml.safe_dump(good, allow_unicode=True))
