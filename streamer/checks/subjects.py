"""Under which subjects does a registry keep the schemas of an event, and what are the latest?"""

from collections.abc import AsyncIterator, Iterable
from contextlib import AsyncExitStack
from urllib.parse import quote

import httpx
import msgspec

from streamer.checks.registry import registry_client
from streamer.config.settings import RegistrySettings
from streamer.decoding.fetched import SchemaText
from streamer.decoding.registry import RegistryAccess, RegistryClient
from streamer.decoding.schema import Schema, SchemaRejected
from streamer.decoding.schema_text import parse_schema
from streamer.errors import ConfigurationError
from streamer.model import SchemaRef


class _Latest(msgspec.Struct):
    id: int


async def latest_schemas(
    settings: RegistrySettings, events: Iterable[tuple[str, str]]
) -> AsyncIterator[Schema]:
    """The latest schemas of these pairs of topic and full name, each once, as they come.

    Subjects are looked for by the three usual strategies: by topic, by name, and by both. What
    the registry does not have or does not answer is left out.
    """
    async with AsyncExitStack() as stack:
        try:
            http = await stack.enter_async_context(registry_client(settings))
            client = await stack.enter_async_context(RegistryClient(_access(settings)))
        except ConfigurationError:
            return
        ids: dict[str, int | None] = {}
        seen: set[int] = set()
        for topic, event in events:
            for subject in (f"{topic}-value", event, f"{topic}-{event}"):
                if subject not in ids:
                    ids[subject] = await _latest_id(http, settings.url, subject)
                number = ids[subject]
                if number is None or number in seen:
                    continue
                seen.add(number)
                schema = await _schema(client, number)
                if schema is not None:
                    yield schema


def _access(settings: RegistrySettings) -> RegistryAccess:
    basic, bearer, tls = settings.basic, settings.bearer, settings.tls
    return RegistryAccess(
        url=settings.url,
        username=basic.username if basic else None,
        password=basic.password.reveal if basic else None,
        bearer=bearer.reveal if bearer else None,
        ca=tls.ca,
        cert=tls.cert,
        key=tls.key,
    )


async def _latest_id(http: httpx.AsyncClient, url: str, subject: str) -> int | None:
    try:
        answer = await http.get(f"{url}/subjects/{quote(subject, safe='')}/versions/latest")
        return msgspec.json.decode(answer.content, type=_Latest).id if answer.is_success else None
    except (httpx.HTTPError, msgspec.DecodeError):
        return None


async def _schema(client: RegistryClient, number: int) -> Schema | None:
    fetched = await client.fetch(SchemaRef("id", str(number)))
    if not isinstance(fetched, SchemaText):
        return None
    try:
        return parse_schema(fetched.text, fetched.references)
    except SchemaRejected:
        return None
