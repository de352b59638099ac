"""How does a batch reach the endpoint?"""

from streamer.endpoint.http import DroppableClient, HttpClient
from streamer.endpoint.requests import compose
from streamer.model import Action, Batch, Exchange

_FIXED_HEADERS = (
    ("content-type", "application/json"),
    ("accept", "application/json"),
    ("user-agent", "streamer"),
)


class ReportEndpoint:
    """One endpoint entry: where its calls go, and over which connections.

    Cancels have a client of their own, so that letting go of them leaves reports alone.
    """

    def __init__(self, base_url: str, reports: HttpClient, cancels: DroppableClient) -> None:
        """The clients are closed by `aclose`; they may not be shared with another entry."""
        self._base_url = base_url.rstrip("/")
        self._reports = reports
        self._cancels = cancels

    async def send(self, batch: Batch, token: str) -> Exchange:
        """Makes the batch's call; the token goes into `Authorization` as it is."""
        request = compose(batch)
        client = self._cancels if batch.action is Action.CANCEL else self._reports
        headers = (("authorization", token), *_FIXED_HEADERS)
        return await client.post(self._base_url + request.path, headers, request.body)

    async def drop_cancels(self) -> None:
        """Lets go of all cancels in flight: each has ended as `NoAnswer(DROPPED)` when this
        returns, and none of them sends anything any more."""
        await self._cancels.drop()

    async def aclose(self) -> None:
        await self._reports.aclose()
        await self._cancels.aclose()
