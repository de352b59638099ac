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


class RegistrySilent(Exception):
    """The registry did not say what it has; its own probe says why."""


async def latest_schemas(
    settings: RegistrySettings, events: Iterable[tuple[str, str]]
) -> AsyncIterator[Schema | None]:
    """The latest schemas of these pairs of topic and full name, each once, as they come.

    Subjects are looked for by the three usual strategies: by topic, by name, and by both. None
    stands for a schema that cannot be read; what the registry does not have is left out. Raises
    RegistrySilent where it does not answer.
    """
    async with AsyncExitStack() as stack:
        try:
            http = await stack.enter_async_context(registry_client(settings))
            client = await stack.enter_async_context(RegistryClient(_access(settings)))
        except ConfigurationError:
            raise RegistrySilent from None
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
                yield await _schema(client, number)


async def subjects(settings: RegistrySettings) -> list[str]:
    """The names of all subjects. Raises RegistrySilent."""
    async with registry_client(settings) as http:
        answer = await _answer(http, f"{settings.url}/subjects")
        try:
            return msgspec.json.decode(answer.content, type=list[str]) if answer.is_success else []
        except msgspec.DecodeError:
            raise RegistrySilent from None


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
    answer = await _answer(http, f"{url}/subjects/{quote(subject, safe='')}/versions/latest")
    if answer.status_code == httpx.codes.NOT_FOUND:
        return None
    try:
        return msgspec.json.decode(answer.content, type=_Latest).id
    except msgspec.DecodeError:
        raise RegistrySilent from None


async def _answer(http: httpx.AsyncClient, url: str) -> httpx.Response:
    try:
        answer = await http.get(url)
    except httpx.HTTPError:
        raise RegistrySilent from None
    if not answer.is_success and answer.status_code != httpx.codes.NOT_FOUND:
        raise RegistrySilent
    return answer


async def _schema(client: RegistryClient, number: int) -> Schema | None:
    fetched = await client.fetch(SchemaRef("id", str(number)))
    if not isinstance(fetched, SchemaText):
        return None
    try:
        return parse_schema(fetched.text, fetched.references)
    except SchemaRejected:
        return None
