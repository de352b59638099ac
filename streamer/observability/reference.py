"""How does the table of all metrics in `docs/metrics.md` read?

Run as a module with the page's path, it puts the table into the page, between the two markers.
"""

import sys
from pathlib import Path

from streamer.observability.catalogue import ALL, Spec

BEGIN = "<!-- reference: made by `python -m streamer.observability.reference`, do not edit -->"
END = "<!-- reference: end -->"


def reference() -> str:
    """One row a metric, in the catalogue's order, as Markdown."""
    lines = ["| metric | type | labels | meaning |", "|---|---|---|---|", *map(_row, ALL)]
    return "\n".join(lines) + "\n"


def put_into(page: str) -> str:
    """The page with its table made anew; ValueError where it has no markers."""
    before, found_begin, rest = page.partition(BEGIN)
    _, found_end, after = rest.partition(END)
    if not found_begin or not found_end:
        raise ValueError(f"the page has no line {BEGIN!r} with a line {END!r} after it")
    return f"{before}{BEGIN}\n\n{reference()}\n{END}{after}"


def _row(spec: Spec) -> str:
    names = ", ".join(f"`{name}`" for name in spec.exposed)
    labels = ", ".join(f"`{label}`" for label in spec.labels)
    meaning = spec.meaning.replace("|", "\\|")
    if spec.buckets:
        meaning += f" Buckets: {', '.join(f'{bound:g}' for bound in spec.buckets)}."
    return f"| {names} | {spec.kind.value} | {labels} | {meaning} |"


if __name__ == "__main__":
    target = Path(sys.argv[1])
    target.write_text(put_into(target.read_text(encoding="utf-8")), encoding="utf-8")
