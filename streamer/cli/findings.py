"""How are findings shown: one a line, coloured on a terminal, plain or JSON otherwise?"""

import json
import sys
from collections.abc import Iterable
from typing import TextIO

from streamer.errors import Finding, Severity


def show(findings: Iterable[Finding], stream: TextIO | None = None) -> None:
    """Writes each finding on a line of its own, to standard error unless told otherwise."""
    stream = sys.stderr if stream is None else stream
    if not stream.isatty():
        for finding in findings:
            print(finding, file=stream)
        return
    # Only here: it takes longer to import than a configuration takes to load.
    from rich.console import Console
    from rich.text import Text

    console = Console(file=stream, highlight=False, soft_wrap=True)
    for finding in findings:
        colour = "red" if finding.severity is Severity.ERROR else "yellow"
        console.print(
            Text.assemble(
                (f"{finding.severity}: ", f"bold {colour}"),
                (f"{finding.where}: ", "bold"),
                finding.found,
                ("; ", "dim"),
                (finding.do, "green"),
            )
        )


def as_json(findings: Iterable[Finding]) -> str:
    """The findings as a JSON list of objects with severity, where, found and do."""
    return json.dumps(
        [
            {"severity": str(f.severity), "where": f.where, "found": f.found, "do": f.do}
            for f in findings
        ],
        indent=2,
    )
