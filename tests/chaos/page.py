"""How does `docs/proof.md` read? It is made of the last full runs, and of nothing else.

`python -m tests.chaos.page` makes it again; each full run of a campaign does so too.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path

from tests.chaos.record import Kept, Told, read

PAGE = Path(__file__).parents[2] / "docs" / "proof.md"

HEAD = """# Proof by real faults

<!-- made by `make chaos`, do not edit -->

The account of the last full run of each campaign: real brokers, a real registry, real processes of
`streamer`, and the sandbox in the place of the platform. Each part drives one fault and then
compares three ledgers: what was produced (each event numbered within its key, the bad ones byte for
byte), what the sandbox accepted, and what stands in the dead letter topic. It is clean when

- nothing is lost: each good event was accepted, each bad one is a dead letter, unchanged;
- nothing is doubled: no event was accepted twice, whatever was sent again under its key;
- nothing is out of order: of a key each event was accepted after the one before, and its call began
  after that one's was answered (but where a part says that it may be: of a topic that is made anew
  under a process, the first messages may come again);
- all is committed, and what the part itself checks holds (its figures are below it).

Sent again is what came twice under one idempotency key and was ignored by the sandbox: allowed, and
as little as [the guarantees](guarantees.md) say.

    make chaos                                # all of it; the soak alone takes an hour
    make chaos ARGS='kill rebalance'          # some
    make chaos ARGS='--quick'                 # all of it, small; nothing of it is kept here
    make chaos ARGS='network --part cut'      # the parts with these words
    make chaos ARGS='--list'

"""


def write() -> None:
    PAGE.write_text(page(list(read().values())), encoding="utf-8")


def page(campaigns: Sequence[Kept]) -> str:
    return HEAD + "\n".join([_summary(campaigns), *map(_campaign, campaigns)])


def _summary(campaigns: Sequence[Kept]) -> str:
    rows = ["| campaign | asks | clean | last run | took |", "|---|---|---|---|---|"]
    for it in campaigns:
        clean = sum(not told.outcome.faults for told in it.parts)
        rows.append(
            f"| [{it.campaign}](#{it.campaign}) | {it.question} | {clean} of {len(it.parts)} parts"
            f" | {it.date} | {_span(it.took_s)} |"
        )
    return "\n".join([*rows, ""])


def _campaign(it: Kept) -> str:
    rows = [
        "| part | produced | accepted | dead letters | lost | doubled | out of order | sent again |"
        " took |",
        "|---|--:|--:|--:|--:|--:|--:|--:|--:|",
        *map(_row, it.parts),
    ]
    versions = ", ".join(f"{name} {version}" for name, version in it.versions.items())
    return "\n".join(
        [
            f"## {it.campaign}",
            "",
            it.question,
            "",
            *rows,
            "",
            *_remarks(it.parts),
            f"`make chaos ARGS='{it.campaign} --seed {it.seed}'` on {it.date}, {versions}.",
            "",
        ]
    )


def _row(told: Told) -> str:
    counts = told.outcome.counts
    numbers = (
        *(counts.produced, counts.accepted, counts.dead_letters, counts.lost, counts.doubled),
        *(counts.out_of_order, counts.sent_again),
    )
    cells = " | ".join(f"{number:,}" for number in numbers)
    return f"| {told.says} | {cells} | {_span(told.took_s)} |"


def _remarks(parts: Sequence[Told]) -> list[str]:
    lines = []
    for told in parts:
        figures = _figures(told.outcome.figures)
        faults = "".join(f" **Not clean**: {fault}." for fault in told.outcome.faults)
        if figures or faults:
            lines.append(f"- {told.says}: {figures}.{faults}" if figures else f"-{faults}")
    return [*lines, ""] if lines else []


def _figures(figures: Mapping[str, str]) -> str:
    return "; ".join(f"{name}: {value}" for name, value in figures.items())


def _span(seconds: float) -> str:
    return f"{seconds / 60:.0f} min" if seconds >= 600 else f"{seconds:.0f} s"


if __name__ == "__main__":
    write()
