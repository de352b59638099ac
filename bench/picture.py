"""The results as a picture: events a second of each contender, scenario by scenario.

Made of the results page alone, so that both always say the same. Bars of one scenario are drawn to
the longest of them, since a bulk call carries what a hundred single ones do.
"""

import re
from collections.abc import Iterator, Sequence
from xml.sax.saxutils import escape

from msgspec import Struct

_WIDTH, _LEFT, _BAR_MOST = 760, 130, 430
_LINE, _BAR, _GAP = 18, 14, 16
_FONT = "font-family='sans-serif' font-size='12'"
_OURS, _OTHERS = "#1769aa", "#a8b3bd"
_SCENARIOS = {
    "single-0ms": "Single calls, endpoint answers at once",
    "single-50ms": "Single calls, endpoint takes 50 ms (256 in flight allow 5,120 events/s)",
    "bulk-50ms": "Bulk calls of up to 100, endpoint takes 50 ms; only streamer keeps key order",
    "keys-zipf": "Keys as often as words (Zipf), endpoint takes 50 ms, first ten seconds",
    "keys-slow": "One key in a hundred takes 2 s, the others 50 ms",
    "bad-messages": "One message in a hundred does not decode, endpoint takes 50 ms",
}


class _Group(Struct, frozen=True):
    title: str
    bars: Sequence[tuple[str, float, str]]
    """Contender, events a second, and what stands beside the bar."""


def picture(page: str) -> str:
    """An SVG of the scenarios that the results page has."""
    groups = list(_groups(page))
    lines = sum(len(group.bars) + 1 for group in groups)
    height = 40 + lines * _LINE + len(groups) * _GAP
    parts = [
        f"<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 {_WIDTH} {height}' role='img'>",
        "<title>Events a second of streamer and its peers</title>",
        f"<rect width='{_WIDTH}' height='{height}' fill='white'/>",
        f"<text x='10' y='22' {_FONT} font-weight='bold'>Events a second, on one machine and the"
        " same topic (longer is better)</text>",
    ]
    y = 40
    for group in groups:
        y += _LINE
        parts.append(f"<text x='10' y='{y}' {_FONT}>{escape(group.title)}</text>")
        most = max(rate for _, rate, _ in group.bars)
        for name, rate, said in group.bars:
            y += _LINE
            width = max(1.0, _BAR_MOST * rate / most)
            fill = _OURS if name == "streamer" else _OTHERS
            parts += [
                f"<text x='{_LEFT - 8}' y='{y}' {_FONT} text-anchor='end'>{escape(name)}</text>",
                f"<rect x='{_LEFT}' y='{y - _BAR + 3}' width='{width:.1f}' height='{_BAR - 2}'"
                f" fill='{fill}'/>",
                f"<text x='{_LEFT + width + 6:.1f}' y='{y}' {_FONT}>{escape(said)}</text>",
            ]
        y += _GAP
    return "\n".join([*parts, "</svg>"]) + "\n"


def _groups(page: str) -> Iterator[_Group]:
    for name, title in _SCENARIOS.items():
        section = re.search(rf"^## {re.escape(name)}\n(.*?)(?=^## |\Z)", page, re.M | re.S)
        rows = re.findall(r"^\| ([A-Za-z ]+?) \| ([\d,]+) \|", section[1], re.M) if section else []
        rates = [(contender, float(rate.replace(",", ""))) for contender, rate in rows]
        loop = dict(rates).get("plain loop")
        if rates:
            yield _Group(title, [(who, rate, _said(who, rate, loop)) for who, rate in rates])


def _said(contender: str, rate: float, loop: float | None) -> str:
    if contender == "plain loop" or not loop:
        return f"{rate:,.0f}"
    return f"{rate:,.0f} ({rate / loop:.2f} times the plain loop)"
