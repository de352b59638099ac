"""How is a writer schema fetched from a registry, whatever the registry does?"""

import asyncio
import base64
import ssl
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from http.cookiejar import CookieJar, DefaultCookiePolicy
from types import TracebackType
from typing import Self, TypeVar
from urllib.parse import quote

import httpx

from streamer.decoding.fetched import Fetched, RegistryUnavailable, SchemaText, SchemaUnknown
from streamer.decoding.registry_answers import (
    MAX_REFERENCES,
    SETTING,
    Reference,
    SchemaAnswer,
    read_answer,
    too_long,
)
from streamer.errors import ConfigurationError, Finding, StreamerError
from streamer.model import Reason, Refusal, SchemaRef

# One schema of the longest text that is read, escaped in JSON, fits four times.
MAX_ANSWER = 4 << 20
# Of one fetch, with all its references.
TIMEOUT_S = 10.0

_Got = TypeVar("_Got")

_MEDIA_TYPES = "application/vnd.schemaregistry.v1+json, application/json;q=0.9"


@dataclass(frozen=True, slots=True)
class RegistryAccess:
    """Where the registry is and how we show who we are. Secrets are asked for at each fetch, so
    that one that was rotated needs no restart."""

    url: str
    username: str | None = None
    password: Callable[[], str] | None = None
    bearer: Callable[[], str] | None = None
    ca: str | None = None
    """File of authorities to trust (PEM), beside the system's."""
    cert: str | None = None
    key: str | None = None


class RegistryClient:
    """Fetches schemas with all that they build on. Use it as an async context manager."""

    def __init__(
        self,
        access: RegistryAccess,
        timeout_s: float = TIMEOUT_S,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        """`transport`: in place of the network's. Raises ConfigurationError for TLS files that
        cannot be used."""
        self._access = access
        self._base = access.url.rstrip("/")
        self._timeout_s = timeout_s
        self._client = httpx.AsyncClient(
            verify=_tls(access),
            # `fetch` bounds the whole of it; a redirect could take the credentials elsewhere.
            timeout=None,
            follow_redirects=False,
            # Of the environment's proxies nothing is used here, as nowhere else.
            trust_env=False,
            headers={"Accept": _MEDIA_TYPES, "Accept-Encoding": "identity"},
            # None is kept: a few dozen sent back would be more than a server's limit for a head.
            cookies=CookieJar(DefaultCookiePolicy(allowed_domains=())),
            transport=transport,
        )

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        await self._client.aclose()

    async def fetch(self, ref: SchemaRef) -> Fetched:
        """The schema, that there is none, or that the registry could not be asked: one of them
        within `timeout_s`, whatever the registry does. Raises nothing but `CancelledError`."""
        return await self._bounded(lambda headers: self._fetch(ref, headers))

    async def greet(self) -> RegistryUnavailable | None:
        """Why the registry could not be asked, if it could not: told before there is a schema to
        ask for. Bounded as `fetch` is."""
        return await self._bounded(self._greet)

    async def _greet(self, headers: dict[str, str]) -> RegistryUnavailable | None:
        answer = await self._get("schemas/types", headers)
        if answer[0] == 200:
            return None
        read = read_answer("its types of schemas", *answer)
        return read if isinstance(read, RegistryUnavailable) else None

    async def _bounded(
        self, ask: Callable[[dict[str, str]], Awaitable[_Got]]
    ) -> _Got | RegistryUnavailable:
        try:
            headers = self._authorization()
        except (OSError, StreamerError) as error:
            return RegistryUnavailable(
                f"the secret of {SETTING} cannot be read: {error}", denied=True
            )
        except ValueError as error:
            return no_answer(error)
        try:
            async with asyncio.timeout(self._timeout_s):
                return await ask(headers)
        except TimeoutError:
            return RegistryUnavailable(
                f"the schema registry did not answer within {self._timeout_s:g} s; look at"
                f" {SETTING}.url, and whether it runs"
            )
        except Exception as error:
            # Of the client's own there are some that are no `HTTPError`, and any that came through
            # would end the process. What it is stands in the words.
            return no_answer(error)

    async def _fetch(self, ref: SchemaRef, headers: dict[str, str]) -> Fetched:
        folder = "ids" if ref.kind == "id" else "guids"
        top = await self._ask(str(ref), f"schemas/{folder}/{quote(ref.value, safe='')}", headers)
        if isinstance(top, RegistryUnavailable) and top.status == 404 and ref.kind == "guid":
            return await self._without_guids(ref, top, headers)
        if not isinstance(top, SchemaAnswer):
            return top
        parts: dict[Reference, SchemaAnswer] = {}
        characters = 0
        waiting = list(top.references)
        while waiting:
            reference = waiting.pop()
            if reference in parts:
                continue
            if len(parts) == MAX_REFERENCES:
                return _too_much(ref, f"builds on more than {MAX_REFERENCES} others")
            subject, version = reference
            asked_for = f"version {version} of subject {subject[:200]!a}"
            path = f"subjects/{quote(subject, safe='')}/versions/{version}"
            part = await self._ask(asked_for, path, headers)
            if not isinstance(part, SchemaAnswer):
                return part
            characters += len(part.text)
            if characters > MAX_ANSWER:
                return _too_much(ref, f"builds on more than {MAX_ANSWER} characters of others")
            parts[reference] = part
            waiting.extend(part.references)
        return SchemaText(top.text, in_order(top, parts))

    async def _without_guids(
        self, ref: SchemaRef, answer: RegistryUnavailable, headers: dict[str, str]
    ) -> Fetched:
        """Not every registry knows schemas by GUID. A message that names one so must not wait
        for ever at a registry that otherwise answers: any bytes can look like such a message."""
        types = await self._get("schemas/types", headers)
        if types[0] == 200 and types[1].lstrip().startswith(b"["):
            return SchemaUnknown(
                Refusal(
                    Reason.UNKNOWN_SCHEMA,
                    f"{ref}: the registry does not know schemas by GUID; let the producer write"
                    " the schema's id in front of the value",
                )
            )
        return answer

    async def _ask(
        self, asked_for: str, path: str, headers: dict[str, str]
    ) -> SchemaAnswer | SchemaUnknown | RegistryUnavailable:
        status, body = await self._get(path, headers)
        if status == 200 and len(body) > MAX_ANSWER:
            return too_long(asked_for, body, MAX_ANSWER)
        return read_answer(asked_for, status, body)

    async def _get(self, path: str, headers: dict[str, str]) -> tuple[int, bytes]:
        """Status and body; of one that is too long what came until it was."""
        body = bytearray()
        async with self._client.stream("GET", f"{self._base}/{path}", headers=headers) as response:
            # Raw: nothing was asked for that could unfold to more than it is on the wire.
            async for chunk in response.aiter_raw():
                body += chunk
                if len(body) > MAX_ANSWER:
                    break
        return response.status_code, bytes(body)

    def _authorization(self) -> dict[str, str]:
        access = self._access
        if access.bearer is not None:
            return {"Authorization": f"Bearer {access.bearer()}"}
        if access.username is not None:
            password = access.password() if access.password is not None else ""
            both = f"{access.username}:{password}".encode()
            return {"Authorization": f"Basic {base64.b64encode(both).decode()}"}
        return {}


def in_order(top: SchemaAnswer, parts: Mapping[Reference, SchemaAnswer]) -> tuple[str, ...]:
    """The texts of what `top` builds on, each after those that it builds on itself. (In a circle
    there is no such order; the schema's names then say so.)"""
    ordered: dict[Reference, str] = {}
    entered: set[Reference] = set()
    ahead = list(reversed(top.references))
    while ahead:
        reference = ahead[-1]
        if reference in entered:
            ahead.pop()
            ordered.setdefault(reference, parts[reference].text)
            continue
        entered.add(reference)
        ahead.extend(each for each in parts[reference].references if each not in entered)
    return tuple(ordered.values())


def no_answer(error: Exception) -> RegistryUnavailable:
    """What a failed exchange says. Never the client's own words: they can hold a header."""
    chain: list[BaseException] = [error]
    while (deeper := chain[-1].__cause__ or chain[-1].__context__) is not None:
        chain.append(deeper)
    for each in chain:
        if isinstance(each, ssl.SSLCertVerificationError):
            do = f"set {SETTING}.tls.ca to the file of its authority"
            return _unanswered(
                f"its certificate is not trusted ({each.verify_message}); {do}", True
            )
        if isinstance(each, ssl.SSLError):
            refused = "CERTIFICATE" in (each.reason or "") or "UNKNOWN_CA" in (each.reason or "")
            do = f"look at {SETTING}.url and {SETTING}.tls"
            return _unanswered(f"TLS failed ({each.reason}); {do}", refused)
    look = f"look at {SETTING}.url, and whether it runs"
    match error:
        case httpx.ConnectError():
            found = "no connection"
        case httpx.LocalProtocolError():
            found, look = "the request could not be written", "is there a line break in a secret?"
        case httpx.UnsupportedProtocol():
            found, look = "the address is neither http:// nor https://", f"look at {SETTING}.url"
        case httpx.InvalidURL() | ValueError():
            found = "the request could not be made"
            look = f"look at {SETTING}.url, and whether a secret holds what a header cannot"
        case httpx.HTTPError():
            found = "the answer ended or was no HTTP"
            look += f"; if it asks for a client certificate, set {SETTING}.tls.cert"
        case _:
            found = f"asking it failed ({type(error).__name__})"
    system = next((each for each in chain if isinstance(each, OSError) and each.strerror), None)
    why = f" ({system.strerror})" if system is not None else ""
    return _unanswered(f"{found}{why}; {look}", False)


def _unanswered(found: str, denied: bool) -> RegistryUnavailable:
    return RegistryUnavailable(f"the schema registry gave no answer: {found}", denied=denied)


def _too_much(ref: SchemaRef, found: str) -> SchemaUnknown:
    return SchemaUnknown(Refusal(Reason.UNKNOWN_SCHEMA, f"{ref} {found}"))


def _tls(access: RegistryAccess) -> ssl.SSLContext:
    try:
        context = ssl.create_default_context()
        if access.ca is not None:
            context.load_verify_locations(access.ca)
    except OSError as error:
        raise _unusable("ca", access.ca, error) from None
    if access.cert is not None:
        try:
            context.load_cert_chain(access.cert, access.key)
        except OSError as error:
            raise _unusable("cert", access.cert, error) from None
    return context


def _unusable(field: str, file: str | None, error: OSError) -> ConfigurationError:
    reason = error.reason if isinstance(error, ssl.SSLError) else error.strerror
    return ConfigurationError(
        [
            Finding(
                f"{SETTING}.tls.{field}",
                f"the file {file} cannot be used ({reason})",
                "name a readable file in PEM format, with its key",
            )
        ]
    )
