"""A sandbox in this process, a clock that only the test moves, and a caller with a token."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack

import httpx
import pytest

from streamer.sandbox.server import Sandbox, SandboxOptions
from tests.unit.sandbox.calling import App, Clock

StartApp = Callable[..., Awaitable[App]]


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def start_app(clock: Clock) -> AsyncIterator[StartApp]:
    """Starts a sandbox with these options, and an app that calls it with a token."""
    async with AsyncExitStack() as stack:

        async def start(options: SandboxOptions | None = None) -> App:
            sandbox = Sandbox(options, clock)
            url = await sandbox.start()
            stack.push_async_callback(sandbox.stop)
            client = await stack.enter_async_context(
                # Plain HTTP: reading the machine's certificates takes longer than most tests.
                httpx.AsyncClient(base_url=url, trust_env=False, verify=False, timeout=10)
            )
            app = App(sandbox, client)
            app.token = await app.ask_token()
            return app

        yield start
