"""Which bytes does a call begin with, and which address do they go to?"""

import re
from base64 import b64encode
from functools import lru_cache
from urllib.parse import SplitResult, unquote, urlsplit

from msgspec import Struct

from streamer.endpoint.http import Headers

_NAME = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")  # RFC 9110, 5.6.2: token
_VALUE = re.compile(r"[\t\x20-\x7e\x80-\xff]*")  # RFC 9110, 5.5
_PRINTABLE = re.compile(r"[\x21-\x7e]+")
_PORTS = {"http": 80, "https": 443}
_KEPT = 1024
"""Addresses and header sets at hand: as many as there are paths and tokens in use at a time."""


class Address(Struct, frozen=True):
    """Where to connect to."""

    host: str
    port: int
    secure: bool


class Target(Struct, frozen=True, eq=False):
    """What a URL says."""

    address: Address
    host: str
    """As the `Host` header has it."""
    path: str
    """With its query."""


@lru_cache(maxsize=_KEPT)
def target_of(url: str) -> Target | None:
    """None for what is no URL of HTTP."""
    try:
        parts = urlsplit(url)
        address = _address(parts)
    except ValueError:
        return None
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    if address is None or not _PRINTABLE.fullmatch(path):
        return None
    host = f"[{address.host}]" if ":" in address.host else address.host
    port = "" if address.port == _PORTS[parts.scheme] else f":{address.port}"
    return Target(address, host + port, path)


def _address(parts: SplitResult) -> Address | None:
    """Raises ValueError for a port that is none, or a host that DNS cannot know."""
    default, host = _PORTS.get(parts.scheme), parts.hostname
    if default is None or not host:
        return None
    name = host if host.isascii() else host.encode("idna").decode("ascii")
    if not _PRINTABLE.fullmatch(name):
        return None
    return Address(name, parts.port or default, parts.scheme == "https")


def takes_value(value: str) -> bool:
    """Whether it can stand in a header, as an access token must."""
    return _VALUE.fullmatch(value) is not None


@lru_cache(maxsize=_KEPT)
def header_lines(headers: Headers) -> str | None:
    """The headers as they are sent; None where one of them would break out of its line."""
    for name, value in headers:
        if not _NAME.fullmatch(name) or not takes_value(value):
            return None
    return "".join([f"{name}: {value}\r\n" for name, value in headers])


class Proxy(Struct, frozen=True):
    address: Address
    login: str
    """Its header line; empty where it asks for none."""


def proxy_of(url: str) -> Proxy | None:
    """None where it is no `http://HOST:PORT`, with or without user name and password."""
    try:
        parts = urlsplit(url)
        address = _address(parts)
    except ValueError:
        return None
    if address is None or address.secure:
        return None
    login = ""
    if parts.username is not None:
        pair = f"{unquote(parts.username)}:{unquote(parts.password or '')}".encode()
        login = f"proxy-authorization: Basic {b64encode(pair).decode()}\r\n"
    return Proxy(address, login)
