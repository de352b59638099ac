"""A sandbox in a process of its own, a browser that looks at its page, and an app that calls it."""

from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

import pytest
from playwright.sync_api import Browser, sync_playwright

from tests.browser.fetch import chromium
from tests.browser.looking import App, View
from tests.servers.sandbox_process import SandboxProcess


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium())
        yield browser
        browser.close()


@pytest.fixture(scope="session")
def sandbox(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SandboxProcess]:
    """With the documented quota."""
    folder = tmp_path_factory.mktemp("sandbox")
    process = SandboxProcess(folder, ("--quota", "200/min", "--seed", "1")).start()
    yield process
    process.stop()


@pytest.fixture
def app(sandbox: SandboxProcess) -> Iterator[App]:
    """An app to which nothing has happened yet, with a token of site-1."""
    sandbox.reset()
    app = App(sandbox.url)
    yield app
    app.close()


@pytest.fixture
def view(browser: Browser, app: App) -> Iterator[View]:
    """The page, open. At the end nothing may have run or gone wrong in it."""
    context = browser.new_context(viewport={"width": 1360, "height": 900})
    view = View(context.new_page(), app.url)
    view.open()
    yield view
    context.close()
    assert view.complaints == []


class _EmptyPage(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "text/html")
        self.end_headers()
        self.wfile.write(b"<!doctype html><title>Another</title>")

    def log_message(self, *_: object) -> None:
        """Silent."""


@pytest.fixture
def other_server() -> Iterator[int]:
    """The port of a server with a page of its own, on 127.0.0.1."""
    with ThreadingHTTPServer(("127.0.0.1", 0), _EmptyPage) as server:
        thread = Thread(target=server.serve_forever)
        thread.start()
        yield server.server_port
        server.shutdown()
        thread.join()
