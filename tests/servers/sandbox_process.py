"""How is the sandbox run as a process of its own, told to fail, and asked what it accepted?"""

import json
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any

from tests.servers.process import ServerProcess, free_port, port_is_open
from tests.servers.streamer_process import COMMAND

READY_WITHIN_S = 20
PAGE = 5_000


class SandboxProcess:
    """`streamer sandbox` on a free port of 127.0.0.1 that it keeps over restarts.

    It has no quota unless the flags say so: most tests send more than 200 calls a minute.
    """

    def __init__(self, folder: Path, flags: Sequence[str] = ()) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.port = free_port()
        self._folder = folder
        self._flags = tuple(flags) if "--quota" in flags else ("--quota", "none", *flags)
        self._process: ServerProcess | None = None

    @property
    def process(self) -> ServerProcess:
        assert self._process is not None, "this sandbox was not started"
        return self._process

    @property
    def url(self) -> str:
        """What `endpoint.base_url` is set to."""
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> "SandboxProcess":
        """Start it and wait until it takes connections. Started again, its ledger is empty."""
        self._process = ServerProcess(
            [COMMAND, "sandbox", "--port", str(self.port), *self._flags],
            self._folder / "log.txt",
            cwd=self._folder,
        )
        self._process.wait_until(
            lambda: port_is_open(self.port), f"a sandbox at {self.url}", READY_WITHIN_S
        )
        return self

    def faults(self, *faults: str) -> None:
        """How it fails from now on, in the words of docs/sandbox.md: `503=5%`, `refuse for=5s`."""
        self._post("/sandbox/faults", {"faults": faults})

    def reset(self) -> None:
        """Empty ledger, no tokens, no faults."""
        self._post("/sandbox/reset", {"tokens": True, "faults": True})

    def summary(self) -> Mapping[str, Any]:
        """Its counts."""
        counts: Mapping[str, Any] = self._get("/sandbox/summary")
        return counts

    def reports(self, after: int | None = 0) -> Iterator[Mapping[str, Any]]:
        """Its ledger from the entry behind this number on, in order of acceptance; payloads'
        numbers exact."""
        while after is not None:
            page = self._get(f"/sandbox/reports?after={after}&limit={PAGE}")
            yield from page["entries"]
            after = page["next"]

    def journal(self) -> Sequence[Mapping[str, Any]]:
        """What came lately, accepted or not, oldest first."""
        rows: Sequence[Mapping[str, Any]] = self._get(f"/sandbox/journal?limit={PAGE}")["rows"]
        return rows

    def stop(self) -> None:
        """End it at once: connections are refused from then on."""
        self.process.kill()

    def _get(self, path: str) -> Any:
        with urllib.request.urlopen(f"{self.url}{path}", timeout=30) as answer:
            return json.load(answer, parse_float=Decimal)

    def _post(self, path: str, body: Mapping[str, Any]) -> None:
        request = urllib.request.Request(
            f"{self.url}{path}",
            data=json.dumps(body).encode(),
            headers={"Content-Type": "application/json"},
            method="POST",
        )
        with urllib.request.urlopen(request, timeout=30) as answer:
            answer.read()
