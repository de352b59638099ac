"""How do the browser's tests call the sandbox, and look at its page?"""

import re
from pathlib import Path
from typing import Any

import httpx
from playwright.sync_api import Locator, Page, Request, expect

from tests.unit.sandbox.calling import BULK_CANCEL, BULK_REPORT, CANCEL, REPORT, TOKEN, TRIGGER

SHOTS = Path(__file__).parents[2] / ".cache" / "browser"
"""Pictures of the page for a person to look at; written by every run."""

# The page asks once a second, and the machine may be busy.
expect.set_options(timeout=15_000)


class App:
    """An app that calls the platform for the instance site-1."""

    def __init__(self, url: str) -> None:
        self.url = url
        self._client = httpx.Client(base_url=url, trust_env=False, verify=False, timeout=30)
        self.token = self.ask_token().json()["access_token"]

    def close(self) -> None:
        self._client.close()

    def ask_token(self, instance: str = "site-1", secret: str = "secret-1") -> httpx.Response:
        body = {
            "grant_type": "client_credentials",
            "client_id": "app-1",
            "client_secret": secret,
            "instance_id": instance,
        }
        return self._client.post(TOKEN, json=body)

    def send(self, path: str, body: bytes | dict[str, Any]) -> httpx.Response:
        headers = {"Authorization": self.token, "Content-Type": "application/json"}
        if isinstance(body, bytes):
            return self._client.post(path, content=body, headers=headers)
        return self._client.post(path, json=body, headers=headers)

    def report(self, trigger: str = TRIGGER, **fields: Any) -> httpx.Response:
        return self.send(REPORT, {"triggerKey": trigger, "payload": {"amount": 12}, **fields})

    def cancel(self, entity: str) -> httpx.Response:
        return self.send(CANCEL, {"triggerKey": TRIGGER, "externalEntityId": entity})

    def bulk_report(self, *events: dict[str, Any]) -> httpx.Response:
        return self.send(BULK_REPORT, {"triggerKey": TRIGGER, "eventsInfo": events})

    def bulk_cancel(self, *entities: str) -> httpx.Response:
        return self.send(BULK_CANCEL, {"triggerKey": TRIGGER, "externalEntityIds": entities})

    def summary(self) -> Any:
        return self._client.get("/sandbox/summary").json()

    def admin(self, call: str, body: object) -> Any:
        answer = self._client.post(f"/sandbox/{call}", json=body)
        assert answer.status_code == 200, answer.text
        return answer.json()


class View:
    """The page in a browser, and what went wrong in it."""

    def __init__(self, page: Page, url: str) -> None:
        self.page = page
        self.url = url
        self.complaints: list[str] = []
        self.lives = 0
        """How often it asked what to show."""
        page.on("pageerror", lambda error: self.complaints.append(f"error: {error}"))
        page.on("console", lambda said: self.complaints.append(f"console: {said.text}"))
        page.on("request", self._note_request)
        # Before any script of the page: what a payload that ran would call.
        page.add_init_script("window.ran = 0")

    def _note_request(self, request: Request) -> None:
        path = request.url.removeprefix(self.url)
        self.lives += path.startswith("/sandbox/live")
        if not re.match(r"/($|sandbox/)", path):
            self.complaints.append(f"asked for {request.url}")

    def open(self) -> None:
        self.page.goto(f"{self.url}/")
        expect(self.state).to_have_text("Live")

    @property
    def state(self) -> Locator:
        return self.page.locator("#state")

    @property
    def rows(self) -> Locator:
        return self.page.locator("#row-list tr")

    def row(self, number: int) -> Locator:
        return self.page.locator(f'#row-list tr[data-number="{number}"]')

    @property
    def detail(self) -> Locator:
        return self.page.locator("#detail")

    @property
    def on_now(self) -> Locator:
        return self.page.locator("#now-list li")

    def button(self, name: str) -> Locator:
        return self.page.get_by_role("button", name=name, exact=True)

    def count(self, label: str) -> Locator:
        """The number under a label of the counts."""
        return self.page.locator("#counts div", has_text=label).locator("dd")

    def fits_its_width(self) -> bool:
        """Nothing has to be scrolled to from side to side."""
        fits: bool = self.page.evaluate(
            "document.documentElement.scrollWidth <= document.documentElement.clientWidth"
        )
        return fits

    def picture(self, name: str, *, whole: bool = True) -> None:
        SHOTS.mkdir(parents=True, exist_ok=True)
        self.page.screenshot(path=SHOTS / f"{name}.png", full_page=whole)
