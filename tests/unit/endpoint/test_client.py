"""How a batch goes to the endpoint, and over which connections."""

from streamer.endpoint.client import ReportEndpoint
from streamer.endpoint.http import Headers
from streamer.model import Action, Answer, Batch, Exchange
from tests.unit.endpoint.test_requests import ENTITY, batch, report


class RecordingClient:
    def __init__(self) -> None:
        self.calls: list[tuple[str, Headers, bytes]] = []
        self.drops = 0
        self.closed = False

    async def post(self, url: str, headers: Headers, body: bytes) -> Exchange:
        self.calls.append((url, headers, body))
        return Answer(200, b"{}")

    async def drop(self) -> None:
        self.drops += 1

    async def aclose(self) -> None:
        self.closed = True


CANCEL: Batch = batch(report(b"", action=Action.CANCEL, entity=ENTITY, key=""))


async def test_the_token_goes_as_it_is_to_the_documented_address() -> None:
    reports = RecordingClient()
    endpoint = ReportEndpoint("https://endpoint.example/base/", reports, RecordingClient())

    assert await endpoint.send(batch(report()), "tok.en") == Answer(200, b"{}")

    ((url, headers, body),) = reports.calls
    assert url == "https://endpoint.example/base/automations/v1/events/report"
    assert dict(headers)["authorization"] == "tok.en"
    assert dict(headers)["content-type"] == "application/json"
    assert body.startswith(b'{"triggerKey":')


async def test_cancels_have_a_client_of_their_own_which_alone_is_dropped() -> None:
    reports, cancels = RecordingClient(), RecordingClient()
    endpoint = ReportEndpoint("https://endpoint.example", reports, cancels)

    await endpoint.send(CANCEL, "t")
    await endpoint.drop_cancels()

    assert [url for url, _, _ in cancels.calls] == [
        "https://endpoint.example/automations/v1/events/cancel"
    ]
    assert (reports.calls, reports.drops, cancels.drops) == ([], 0, 1)


async def test_closing_closes_both() -> None:
    reports, cancels = RecordingClient(), RecordingClient()

    await ReportEndpoint("https://endpoint.example", reports, cancels).aclose()

    assert reports.closed
    assert cancels.closed
