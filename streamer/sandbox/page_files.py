"""What is served as the page?

The files of the folder `page` as they are: no build step, nothing from elsewhere. They are read
once, when the sandbox starts.
"""

from collections.abc import Mapping
from importlib.resources import files

from streamer.sandbox.answers import Reply

PAGE_PATHS = frozenset({"/", "/sandbox", "/sandbox/"})
FILES_PREFIX = "/sandbox/page/"

_TYPES = {
    ".css": "text/css; charset=utf-8",
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
}

# What came from outside is shown by textContent only; should that fail somewhere, nothing runs and
# nothing is loaded but the page's own files.
_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'; "
    "require-trusted-types-for 'script'"
)

GUARDED: tuple[tuple[str, str], ...] = (
    ("Cache-Control", "no-store"),
    ("X-Content-Type-Options", "nosniff"),
    ("Cross-Origin-Resource-Policy", "same-origin"),
)
"""Headers of all that the sandbox's own calls answer: no other site may embed or guess it."""

_HEADERS = (
    *GUARDED,
    ("Content-Security-Policy", _POLICY),
    ("Cross-Origin-Opener-Policy", "same-origin"),
    ("Referrer-Policy", "no-referrer"),
)


def read_page() -> Mapping[str, Reply]:
    """The page's files by the path that each is asked for under."""
    replies: dict[str, Reply] = {}
    for file in files("streamer.sandbox").joinpath("page").iterdir():
        kind = _TYPES.get(file.name[file.name.rfind(".") :])
        if kind is not None:
            replies[FILES_PREFIX + file.name] = Reply(200, file.read_bytes(), kind, _HEADERS)
    index = replies.pop(FILES_PREFIX + "index.html")
    return {**replies, **dict.fromkeys(PAGE_PATHS, index)}
