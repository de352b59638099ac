"""What has the sandbox accepted since we last looked?"""

from collections import Counter, deque
from collections.abc import Iterator

import httpx
import msgspec

from streamer.demo.account import Kind, Outcome

PAGE = 5_000


class _Payload(msgspec.Struct):
    eventId: str = ""


class Entry(msgspec.Struct):
    action: str
    trigger: str
    accepted_at_ms: int
    entity: str | None = None
    payload: _Payload | None = None

    @property
    def outcome(self) -> Outcome:
        if self.action == "cancel":
            return Outcome(Kind.CANCEL, self.trigger, self.entity or "")
        return Outcome(Kind.REPORT, self.trigger, self.payload.eventId if self.payload else "")


class _Page(msgspec.Struct):
    entries: list[Entry]
    next: int | None
    last: int


class _Summary(msgspec.Struct):
    ignored_repeats: int
    calls: dict[str, dict[str, int]]


_pages = msgspec.json.Decoder(_Page)


class SandboxLedger:
    """Reads the sandbox's ledger onwards. Raises httpx.HTTPError where it does not answer."""

    def __init__(self, url: str) -> None:
        self._client = httpx.Client(base_url=url, timeout=10, trust_env=False)
        self._after = 0
        self.newest: deque[Entry] = deque(maxlen=6)

    def set_faults(self, faults: tuple[str, ...]) -> None:
        self._client.post("/sandbox/faults", json={"faults": faults}).raise_for_status()

    def read(self) -> Iterator[Entry]:
        """The entries since the last call, in order of acceptance."""
        while True:
            answer = self._client.get(f"/sandbox/reports?after={self._after}&limit={PAGE}")
            page = _pages.decode(answer.raise_for_status().content)
            self.newest.extend(page.entries[-6:])
            yield from page.entries
            if page.next is None:
                self._after = page.last
                return
            self._after = page.next

    def endings(self) -> tuple[Counter[str], int]:
        """How calls ended, by status or fault, and how many repeats a key made harmless."""
        answer = self._client.get("/sandbox/summary").raise_for_status()
        summary = msgspec.json.decode(answer.content, type=_Summary)
        endings: Counter[str] = Counter()
        for call, counts in summary.calls.items():
            if call != "token":
                endings.update(counts)
        return endings, summary.ignored_repeats

    def close(self) -> None:
        self._client.close()
