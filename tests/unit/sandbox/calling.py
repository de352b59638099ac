"""How do the sandbox's tests call it?"""

import asyncio
from collections.abc import Callable, Mapping
from typing import Any

import httpx

from streamer.sandbox.faults import FaultRule
from streamer.sandbox.server import Sandbox

REPORT = "/automations/v1/events/report"
CANCEL = "/automations/v1/events/cancel"
BULK_REPORT = "/automations/v1/events/bulk-report"
BULK_CANCEL = "/automations/v1/events/bulk-cancel"
TOKEN = "/oauth2/token"

ENTITY = "1a2b3c4d-2222-4333-8444-5555555555ef"
OTHER_ENTITY = "9a2b3c4d-2222-4333-8444-5555555555ef"
INSTANCE = "site-1"
TRIGGER = "invoice_overdue"

CREDENTIALS: Mapping[str, str] = {
    "grant_type": "client_credentials",
    "client_id": "app-1",
    "client_secret": "secret-1",
    "instance_id": INSTANCE,
}


class Clock:
    """Milliseconds that only the test moves."""

    def __init__(self) -> None:
        self.now_ms = 1_800_000_000_000

    def __call__(self) -> int:
        return self.now_ms

    def advance(self, seconds: float) -> None:
        self.now_ms += int(seconds * 1000)


def report_body(**changes: Any) -> dict[str, Any]:
    """A good Report Event body with these fields changed; None takes one out."""
    body: dict[str, Any] = {"triggerKey": TRIGGER, "payload": {"amount": 12}}
    body.update(changes)
    return {name: value for name, value in body.items() if value is not None}


def an_event(number: int = 0, **changes: Any) -> dict[str, Any]:
    """A good item of a Bulk Report Event body, another for each number."""
    event: dict[str, Any] = {"payload": {"n": number}, "idempotency": keyed(f"k{number}")}
    event.update(changes)
    return event


def an_entity(number: int) -> str:
    return f"00000000-0000-4000-8000-{number:012d}"


def by_index(bulk_answer: dict[str, Any]) -> list[dict[str, Any]]:
    """The results of a bulk answer in the order of the call's items."""
    results: list[dict[str, Any]] = bulk_answer["results"]
    return sorted(results, key=lambda result: int(result["itemMetadata"]["originalIndex"]))


def keyed(key: str, ttl: str | None = None) -> dict[str, str]:
    return {"key": key} if ttl is None else {"key": key, "ttlInMilliseconds": ttl}


class App:
    """An app that calls the platform."""

    def __init__(self, sandbox: Sandbox, client: httpx.AsyncClient) -> None:
        self.sandbox = sandbox
        self.client = client
        self.token = ""

    async def ask_token(self, **changes: str) -> str:
        answer = await self.client.post(TOKEN, json={**CREDENTIALS, **changes})
        token: str = answer.json().get("access_token", "")
        return token

    async def report(self, **changes: Any) -> httpx.Response:
        return await self.send(REPORT, report_body(**changes))

    async def cancel(self, entity: str = ENTITY) -> httpx.Response:
        body = {"triggerKey": TRIGGER, "externalEntityId": entity}
        return await self.send(CANCEL, body)

    async def bulk_report(self, *events: dict[str, Any], trigger: str = TRIGGER) -> httpx.Response:
        return await self.send(BULK_REPORT, {"triggerKey": trigger, "eventsInfo": events})

    async def bulk_cancel(self, *entities: str, trigger: str = TRIGGER) -> httpx.Response:
        return await self.send(BULK_CANCEL, {"triggerKey": trigger, "externalEntityIds": entities})

    async def admin(self, call: str, body: object = None) -> Any:
        """The JSON of a call of the sandbox's own that succeeds."""
        path = f"/sandbox/{call}"
        if body is None:
            answer = await self.client.get(path)
        else:
            answer = await self.client.post(path, json=body)
        assert answer.status_code == 200, answer.text
        return answer.json()

    async def send(self, path: str, body: object) -> httpx.Response:
        return await self.client.post(path, json=body, headers={"Authorization": self.token})

    async def entries(self, query: str = "") -> list[dict[str, Any]]:
        answer = await self.client.get(f"/sandbox/reports{query}")
        entries: list[dict[str, Any]] = answer.json()["entries"]
        return entries

    async def summary(self) -> dict[str, Any]:
        summary: dict[str, Any] = (await self.client.get("/sandbox/summary")).json()
        return summary

    def set_faults(self, *rules: FaultRule) -> None:
        self.sandbox.set_faults(rules)


async def until(condition: Callable[[], bool], within_s: float = 10.0) -> None:
    """Waits for a condition with a generous bound."""
    async with asyncio.timeout(within_s):
        while not condition():
            await asyncio.sleep(0.002)
