"""What stands in the configuration's file and in the route files that it names?"""

import glob
import os
from collections.abc import Mapping
from pathlib import Path as FilePath
from typing import Any

from streamer.config.tree import Mark, Path, Tree, read_yaml
from streamer.errors import Finding

MAX_FILE_BYTES = 16 << 20  # a table of 10,000 routes has 3 MB


def read_file(file: FilePath, name: str, env: Mapping[str, str]) -> Tree:
    """The file's values; a file that cannot be read gives the finding that says why.

    `name` is what findings call the file.
    """
    try:
        with file.open("rb") as stream:
            raw = stream.read(MAX_FILE_BYTES + 1)
        if len(raw) <= MAX_FILE_BYTES:
            return read_yaml(raw.decode("utf-8-sig"), name, env)
        fault = (f"the file is longer than {MAX_FILE_BYTES >> 20} MiB", "split the routes off")
    except FileNotFoundError:
        fault = ("there is no such file", "name the configuration's file with `--config FILE`")
    except UnicodeDecodeError as error:
        line = error.object[: error.start].count(b"\n") + 1
        fault = (f"the file is not UTF-8 (line {line})", "save it as UTF-8")
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or "this is no path"
        fault = (f"the file cannot be read: {reason}", "name a file that this process may read")
    return Tree(None, {(): Mark(name, None, "")}, [Finding(name, *fault)])


def with_route_files(tree: Tree, base: FilePath, env: Mapping[str, str]) -> Tree:
    """The tree with the routes of the files in place of the files' names under `routes`."""
    listed = tree.value.get("routes")
    if not isinstance(listed, list):
        return tree
    table = _Table(base, env, tree.findings)
    for index, item in enumerate(listed):
        path: Path = ("routes", index)
        if not isinstance(item, str):
            table.add(item, tree, path)
        elif not tree.is_faulty(path):
            table.add_files(item, str(tree.mark(path)))
    return Tree(
        {**tree.value, "routes": table.routes},
        tree.marks,
        tree.findings,
        {path for path in tree.faulty if path[:1] != ("routes",) or len(path) == 1},
        table.grafts,
    )


_TOP: Path = ()


class _Table:
    """Gathers the routes of the table, each with the tree that it came from."""

    def __init__(self, base: FilePath, env: Mapping[str, str], findings: list[Finding]) -> None:
        self.routes: list[Any] = []
        self.grafts: dict[Path, tuple[Tree, Path]] = {}
        self._base = base
        self._env = env
        self._findings = findings
        self._read: set[str] = set()

    def add(self, route: Any, tree: Tree, path: Path) -> None:
        """A route, with where it stands."""
        self.grafts[("routes", len(self.routes))] = (tree, path)
        self.routes.append(route)

    def add_files(self, pattern: str, where: str) -> None:
        """The routes of all files that the pattern names, in the order of the files' names.

        A file that two patterns name is read once. A pattern that names none is a fault: without
        its routes, their events would be skipped in silence.
        """
        try:
            names = sorted(glob.glob(str(self._base / pattern), recursive=True))
        except (ValueError, OSError):
            names = []
        names = [name for name in names if not os.path.isdir(name)]
        if not names:
            self._findings.append(
                Finding(
                    where,
                    "names files with routes, and there is no such file",
                    "mend the path (it starts from the folder of this file) or take it out",
                )
            )
        for name in names:
            if name not in self._read:
                self._read.add(name)
                self._add_file(name)

    def _add_file(self, name: str) -> None:
        tree = read_file(FilePath(name), name, self._env)
        self._findings += tree.findings
        listed, start = tree.value, _TOP
        if isinstance(listed, dict) and list(listed) == ["routes"]:
            listed, start = listed["routes"], ("routes",)
        else:
            tree.marks = {path: mark.under("routes") for path, mark in tree.marks.items()}
        if not isinstance(listed, list):
            if not tree.findings:
                do = "write a list, and begin each route with `- name: ...`"
                self._findings.append(Finding(name, "the file holds no list of routes", do))
            return
        for index, route in enumerate(listed):
            self.add(route, tree, (*start, index))
