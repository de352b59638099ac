"""Which keys does the environment set (`STREAMER__KAFKA__GROUP_ID`)?"""

import re
from collections.abc import Mapping
from typing import Any, get_origin

from streamer.config.scalars import MAKE_IT_UTF8, Loose, is_unicode
from streamer.config.section import leaves, takes_text
from streamer.config.shape import annotation_at, known_keys, nearest
from streamer.config.tree import Mark, Path, Tree, join, read_yaml
from streamer.errors import Finding

PREFIX = "STREAMER__"

_ITEM = re.compile(r"[0-9]{1,9}")
"""The place of a list's item: no list has more, and Python makes no number of 5,000 digits."""


def override(tree: Tree, env: Mapping[str, str]) -> None:
    """Puts each variable's value into the tree, where it takes the place of the file's.

    Two underscores part the steps of a key; in `kafka.properties` one underscore is a dot. A value
    for a key that is a map or a list is YAML.
    """
    for variable in sorted(name for name in env if name.startswith(PREFIX)):
        if not is_unicode(variable):
            name = variable.encode(errors="backslashreplace").decode()
            tree.findings.append(
                Finding(f"environment variable {name}", "its name is not UTF-8", "unset it")
            )
            continue
        steps = variable.removeprefix(PREFIX).lower().split("__")
        path = _path(steps)
        mark = Mark(f"environment variable {variable}", None, _name(path))
        if annotation_at(path) is None or not all(steps):
            tree.findings.append(_unknown(path, mark))
        else:
            _put(tree, path, mark, env[variable])


def _path(steps: list[str]) -> Path:
    if steps[:2] == ["kafka", "properties"] and len(steps) > 2:
        return ("kafka", "properties", ".".join(steps[2:]).replace("_", "."))
    return tuple(int(step) if _ITEM.fullmatch(step) else step for step in steps)


def _name(path: Path) -> str:
    name = ""
    for step in path:
        name = join(name, step)
    return name


def _unknown(path: Path, mark: Mark) -> Finding:
    """Says at which step the path leaves what is known."""
    length = next(n for n in range(len(path) + 1) if n == len(path) or not _is_known(path[: n + 1]))
    if length == len(path):
        return Finding(str(mark), "names no key", f"write {PREFIX}SECTION__KEY")
    known = known_keys(path[:length])
    meant = nearest(str(path[length]), known)
    if meant is not None:
        right = "__".join(str(step) for step in (*path[:length], meant, *path[length + 1 :]))
        do = f"did you mean {PREFIX}{right.upper()}?"
    else:
        do = "unset it" + ("; known there: " + ", ".join(known) if known else "")
    return Finding(str(mark), f"`{path[length]}` is no known key", do)


def _is_known(path: Path) -> bool:
    return annotation_at(path) is not None


def _put(tree: Tree, path: Path, mark: Mark, text: str) -> None:
    parent = _parent(tree, path, mark)
    if parent is None:
        return
    _forget(tree, path)
    if not is_unicode(text):
        tree.marks[path] = mark
        tree.fault(path, "the variable is not UTF-8", MAKE_IT_UTF8)
        return
    parent[path[-1]] = _value(tree, path, mark, text)


def _parent(tree: Tree, path: Path, mark: Mark) -> Any | None:
    """The map or list to put the value into; maps that are missing are made."""
    if not isinstance(tree.value, dict):
        tree.value = {}
    here: Any = tree.value
    for length, step in enumerate(path):
        if isinstance(here, list) and isinstance(step, int):
            if step >= len(here):
                found = f"there is no item {step} in the file's list of {len(here)}"
                tree.findings.append(Finding(str(mark), found, "count from 0, or set the list"))
                return None
        elif not isinstance(here, dict):
            above = _name(path[:length])
            found = f"{above} in the file is no map, so that no key can be set in it"
            do = f"write {above} as a map, or unset the variable and mend the file"
            if path[0] == "routes":
                do = "set a key of a route that stands in the file itself, not in a file of routes"
            tree.findings.append(Finding(str(mark), found, do))
            return None
        if length == len(path) - 1:
            return here
        if isinstance(here, dict) and here.get(step) is None:
            here[step] = {}
            tree.marks[path[: length + 1]] = Mark(mark.file, None, _name(path[: length + 1]))
        here = here[step]
    return None


def _forget(tree: Tree, path: Path) -> None:
    """What the file says of the path does not count any more, nor what is wrong with it."""
    old = [known for known in tree.marks if known[: len(path)] == path]
    places = {str(tree.marks[known]) for known in old}
    for known in old:
        del tree.marks[known]
    tree.findings[:] = [finding for finding in tree.findings if finding.where not in places]
    tree.faulty = {fault for fault in tree.faulty if fault[: len(path)] != path}


def _value(tree: Tree, path: Path, mark: Mark, text: str) -> Any:
    tree.marks[path] = mark
    annotation = annotation_at(path)
    is_structure = any(get_origin(leaf) in (list, dict) for leaf in leaves(annotation)) or bool(
        known_keys(path)
    )
    if not is_structure or (takes_text(annotation) and not text.lstrip().startswith("{")):
        return Loose(text)
    inner = read_yaml(text, mark.file, {}, mark.field, loose=True)
    tree.findings += inner.findings
    tree.faulty |= {(*path, *fault) for fault in inner.faulty}
    if inner.findings:
        tree.faulty.add(path)
    tree.marks |= {
        (*path, *below): Mark(mark.file, None, place.field) for below, place in inner.marks.items()
    }
    return inner.value
