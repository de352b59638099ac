"""How is one ready token asked for? By reading it: it may be a file that someone rotates."""

from collections.abc import Callable

from streamer.endpoint.token_client import TokenAnswer, TokenGranted, TokenUnavailable
from streamer.errors import StreamerError

LIFE_S = 10 * 365 * 86_400.0
"""A ready token says nothing of its life: the endpoint's 401 ends it."""


class ReadyToken:
    """A `TokenPort` for `endpoint.token`."""

    def __init__(self, read: Callable[[], str], setting: str = "endpoint.token") -> None:
        """`setting` names in errors where the token comes from."""
        self._read = read
        self._setting = setting

    async def ask(self, scope: str) -> TokenAnswer:
        try:
            return TokenGranted(self._read(), LIFE_S)
        except StreamerError as error:
            return TokenUnavailable(f"{self._setting}: {error}")
