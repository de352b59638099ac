"""How long may a probe take, and what is found where it does not end?"""

import asyncio
from collections.abc import Awaitable, Sequence

import httpx

from streamer.config.secrets import SecretUnreadable
from streamer.errors import Finding, Severity

PROBE_S = 5.0
"""Seconds that one probe waits for an answer: an operator waits for all of them at once."""


async def bounded(where: str, probe: Awaitable[Sequence[Finding]], do: str) -> list[Finding]:
    """The probe's findings, or that it did not end in time, or not as it should have."""
    try:
        async with asyncio.timeout(PROBE_S + 2):
            return list(await probe)
    except SecretUnreadable as error:
        return [Finding(where, str(error), "make the file readable for this process")]
    except TimeoutError:
        return [Finding(where, f"there was no answer within {PROBE_S:.0f} s", do)]
    except Exception as error:
        # Its text may quote a secret; and what the other probes found must not be lost with it.
        found = f"it cannot be told whether this works ({type(error).__name__})"
        return [Finding(where, found, "tell it to whoever maintains streamer: this is a defect")]


def warning(where: str, found: str, do: str) -> Finding:
    return Finding(where, found, do, Severity.WARNING)


def unreachable(error: httpx.HTTPError, url: str, setting: str) -> tuple[str, str]:
    """What was found and what to do where a call got no answer; `setting` holds the URL."""
    section = setting.rsplit(".", 1)[0]
    if isinstance(error, httpx.TimeoutException):
        return f"{url} does not answer within {PROBE_S:.0f} s", f"mend {setting}, or the way to it"
    if "CERTIFICATE_VERIFY_FAILED" in str(error):
        return (
            f"the certificate of {url} is not trusted",
            f"set {section}.tls.ca to the file of its certificate authority",
        )
    if "SSL" in str(error):
        return (
            f"{url} and this process do not agree on TLS",
            f"look at http or https in {setting}, and at {section}.tls",
        )
    return f"{url} cannot be reached ({_cause(error)})", f"mend {setting}, or the way to it"


def _cause(error: BaseException) -> str:
    """The innermost cause: `Connection refused`, `Name or service not known`."""
    inner: BaseException | None = error
    while inner is not None:
        error, inner = inner, inner.__cause__ or inner.__context__
        if isinstance(error, OSError) and error.strerror:
            return error.strerror
    return type(error).__name__
