"""Does the schema registry answer, and does it let us in?"""

import base64

import httpx

from streamer.checks.probes import PROBE_S, unreachable, warning
from streamer.config.settings import RegistrySettings
from streamer.endpoint.tls import read_tls
from streamer.errors import ConfigurationError, Finding

_WHERE = "registry"


def registry_client(settings: RegistrySettings) -> httpx.AsyncClient:
    """A client that shows the registry who we are. Raises ConfigurationError for bad TLS files."""
    tls = settings.tls
    trust = read_tls(tls.ca, tls.cert, tls.key, where="schemas.registry.tls")
    return httpx.AsyncClient(
        verify=trust.context(), timeout=PROBE_S, trust_env=False, headers=_login(settings)
    )


async def registry_findings(settings: RegistrySettings) -> list[Finding]:
    """Asks the registry for the kinds of schemas it knows: the smallest call of its API."""
    try:
        client = registry_client(settings)
    except ConfigurationError as error:
        return list(error.findings)
    async with client:
        try:
            async with client.stream("GET", f"{settings.url}/schemas/types") as answer:
                return _judge(settings, answer.status_code)
        except httpx.HTTPError as error:
            found, do = unreachable(error, settings.url, "schemas.registry.url")
            return [Finding(_WHERE, found, do)]


def _login(settings: RegistrySettings) -> dict[str, str]:
    if settings.bearer is not None:
        return {"Authorization": f"Bearer {settings.bearer.reveal()}"}
    if settings.basic is not None:
        pair = f"{settings.basic.username}:{settings.basic.password.reveal()}"
        return {"Authorization": f"Basic {base64.b64encode(pair.encode()).decode()}"}
    return {}


def _judge(settings: RegistrySettings, status: int) -> list[Finding]:
    url = settings.url
    if status < 300:
        return []
    if status in (401, 403):
        login = "basic" if settings.basic else "bearer" if settings.bearer else None
        if login is None:
            return [
                Finding(
                    _WHERE,
                    f"{url} asks for a login ({status})",
                    "set schemas.registry.basic or schemas.registry.bearer",
                )
            ]
        return [
            Finding(_WHERE, f"{url} refuses the login ({status})", f"mend schemas.registry.{login}")
        ]
    if status < 400:
        return [
            Finding(
                _WHERE,
                f"{url} redirects ({status}), which is not followed",
                "set schemas.registry.url to the address itself (https?)",
            )
        ]
    if status == 404:
        return [
            Finding(
                _WHERE,
                f"{url} has no schema registry API (404)",
                "set schemas.registry.url to the base of the API, with its path if it has one"
                " (Apicurio: /apis/ccompat/v7)",
            )
        ]
    return [
        warning(_WHERE, f"{url} answers {status}", "look at the registry: delivery waits for it")
    ]
