"""May this caller see the page and make the sandbox's own calls?

The peer must be this machine unless told otherwise. And the request must be meant for the sandbox:
a page of another site can have its own name point at this machine and then read what answers there
as its own (DNS rebinding). Such a request carries the foreign name in `Host`. And a page of another
site can send a simple POST here without asking first and without reading the answer; its browser
says so in `Origin` and `Sec-Fetch-Site`, which no script can set.
"""

import ipaddress
from collections.abc import Collection, Mapping

from streamer.sandbox.answers import ApiError

_WILDCARDS = frozenset({"", "0.0.0.0", "::"})
_CHANGE_NOTHING = frozenset({"GET", "HEAD", "OPTIONS"})  # RFC 9110, 9.2.1: safe methods
_OTHER_SITES = frozenset({"cross-site", "same-site"})  # Fetch Metadata: same-site is another port


class Admission:
    """`host`: where the sandbox listens. `names`: others under which it may be asked for.
    `anywhere`: other machines may ask."""

    def __init__(self, host: str, names: Collection[str], *, anywhere: bool) -> None:
        self._names = frozenset(name.lower() for name in (host, *names)) - _WILDCARDS
        self._any_address = host in _WILDCARDS
        self._anywhere = anywhere

    def why_refused(self, peer: str, host_header: str | None) -> ApiError | None:
        """403 for a caller that may not; `peer` is its address."""
        if not self._anywhere and not is_loopback(peer):
            return _refusal(
                "the page and the sandbox's own calls answer on this machine only; "
                "start it with --admin-anywhere to have them answer others"
            )
        if host_header is None or not self._is_ours(_without_port(host_header.lower())):
            return _refusal(
                "the page and the sandbox's own calls are not for this Host; ask for localhost, or "
                "start the sandbox with --admin-host NAME"
            )
        return None

    @staticmethod
    def why_change_refused(method: str, headers: Mapping[str, str]) -> ApiError | None:
        """403 for a change that a page of another origin sends; `headers` by lower-case name.

        A caller that is no browser sends neither of the two headers that tell it.
        """
        if method in _CHANGE_NOTHING:
            return None
        origin = headers.get("origin")
        foreign_origin = origin is not None and not _is_origin_of(origin, headers.get("host", ""))
        if foreign_origin or headers.get("sec-fetch-site", "").lower() in _OTHER_SITES:
            return _refusal(
                "the sandbox is not changed by a page of another origin; use its own page, or send "
                "the call from a program without Origin and Sec-Fetch-Site headers"
            )
        return None

    def _is_ours(self, host: str) -> bool:
        if host == "localhost" or host in self._names or is_loopback(host):
            return True
        # A browser that was sent to an address has no name that could point elsewhere tomorrow.
        return self._any_address and _is_address(host)


def _refusal(message: str) -> ApiError:
    return ApiError(403, message, "PERMISSION_DENIED")


def _is_origin_of(origin: str, host: str) -> bool:
    """Whether a page of this origin was served under this `Host`. The scheme does not count: what
    stands before the sandbox may speak TLS."""
    scheme, colon, authority = origin.lower().partition("://")
    return bool(colon) and scheme in ("http", "https") and authority == host.lower()


def _without_port(host: str) -> str:
    if host.startswith("["):
        return host[1:].partition("]")[0]
    return host.partition(":")[0].removesuffix(".")


def _is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True


def is_loopback(address: str) -> bool:
    """Whether a peer's address is this machine's own."""
    try:
        ip = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return False
    mapped = ip.ipv4_mapped if isinstance(ip, ipaddress.IPv6Address) else None
    return (mapped or ip).is_loopback
