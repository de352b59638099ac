"""How does a client library's exception become words that may be logged?

Only fixed words, the operating system's and the TLS library's: an exception's own text may quote
headers, bodies or a URL with a password.
"""

import os
import re
import socket
import ssl
from collections.abc import Iterator

from streamer.model import NoAnswer, NoAnswerKind

_NOT_PRINTABLE = re.compile(r"[^\x20-\x7e]")
_URL_LOGIN = re.compile(r"//[^/@\s]*@")
_WORDS_MOST = 200


def words(text: str) -> str:
    """One bounded, printable line without the login of a URL."""
    return _URL_LOGIN.sub("//", _NOT_PRINTABLE.sub(" ", text))[:_WORDS_MOST].strip()


def not_sent(error: BaseException) -> NoAnswer:
    return NoAnswer(NoAnswerKind.NOT_SENT, _cause(error) or "no connection could be made")


def not_connected(timeout_s: float) -> NoAnswer:
    return NoAnswer(NoAnswerKind.NOT_SENT, f"no connection within {timeout_s:g} s")


def no_tunnel(said: str) -> NoAnswer:
    return NoAnswer(NoAnswerKind.NOT_SENT, f"the proxy opened no tunnel: {said}")


def unsendable() -> NoAnswer:
    detail = (
        "the request cannot be made: its URL or a header (the token) holds what HTTP does not take"
    )
    return NoAnswer(NoAnswerKind.NOT_SENT, detail)


def reset(error: BaseException) -> NoAnswer:
    return NoAnswer(
        NoAnswerKind.RESET, _cause(error) or "the connection ended before the answer was complete"
    )


def broken_http() -> NoAnswer:
    return NoAnswer(NoAnswerKind.BROKEN, "the answer is no valid HTTP")


def broken_body() -> NoAnswer:
    return NoAnswer(NoAnswerKind.BROKEN, "the answer's body is cut or broken")


def too_long(bytes_most: int) -> NoAnswer:
    detail = f"the answer is longer than {bytes_most} bytes"
    return NoAnswer(NoAnswerKind.BROKEN, detail)


def timed_out(timeout_s: float) -> NoAnswer:
    return NoAnswer(NoAnswerKind.TIMEOUT, f"no complete answer within {timeout_s:g} s")


def dropped() -> NoAnswer:
    return NoAnswer(NoAnswerKind.DROPPED, "the connection was let go of")


def _cause(error: BaseException) -> str | None:
    for cause in _chain(error):
        if isinstance(cause, ssl.SSLCertVerificationError):
            return words(f"TLS: {cause.verify_message}")
        if isinstance(cause, ssl.SSLError):
            return words(f"TLS: {cause.reason or 'handshake failed'}")
        if isinstance(cause, socket.gaierror):
            return words(f"DNS: {cause.strerror}")
        if isinstance(cause, OSError) and cause.errno:
            return os.strerror(cause.errno)  # its own text may name the host
    return None


def _chain(error: BaseException) -> Iterator[BaseException]:
    """The deepest cause first: the outer ones repeat it with the URL."""
    chain: list[BaseException] = []
    current: BaseException | None = error
    while current is not None and len(chain) < 16:
        chain.append(current)
        current = current.__cause__ or current.__context__
    return reversed(chain)
