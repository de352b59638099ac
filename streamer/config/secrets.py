"""How is a secret kept out of sight, and read again when it is rotated?"""

from pathlib import Path
from typing import Any

from pydantic import GetCoreSchemaHandler, GetJsonSchemaHandler, ValidationInfo
from pydantic_core import core_schema

from streamer.config.quantities import describe, fault
from streamer.errors import StreamerError

_PREFIX = "file:"
_MAX_BYTES = 1 << 20  # a secret is a line; this bounds what a wrong path may read


class SecretUnreadable(StreamerError):
    """A `file:` secret could not be read when it was needed; names the file and the reason."""


class Secret:
    """Text that is shown nowhere; with `file:PATH` read from the file anew at each use."""

    __slots__ = ("_file", "_text")

    def __init__(self, text: str, base: Path | None = None) -> None:
        """`base` is the folder that a relative `file:` path starts from."""
        self._text = text
        self._file: Path | None = None
        if text.startswith(_PREFIX):
            self._file = (base or Path()) / text.removeprefix(_PREFIX)

    def reveal(self) -> str:
        """The secret; a file's content without the white space around it.

        Raises SecretUnreadable where the file is missing, empty or no UTF-8 text.
        """
        if self._file is None:
            return self._text
        try:
            with self._file.open("rb") as stream:
                text = stream.read(_MAX_BYTES).decode().strip()
        except OSError as error:
            raise SecretUnreadable(_unreadable(self._file, error.strerror or "")) from None
        except (UnicodeDecodeError, ValueError):
            raise SecretUnreadable(_unreadable(self._file, "it is not UTF-8 text")) from None
        if not text:
            raise SecretUnreadable(_unreadable(self._file, "it is empty"))
        return text

    def __repr__(self) -> str:
        return "Secret(...)"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and (self._text, self._file) == (other._text, other._file)

    def __hash__(self) -> int:
        return hash((self._text, self._file))

    @classmethod
    def _validate(cls, value: object, info: ValidationInfo) -> "Secret":
        if isinstance(value, Secret):
            return value
        if not isinstance(value, str):
            raise fault(
                f"is {describe(value)}, not text",
                'write it in quotes, or as `"${NAME}"` or `file:PATH`',
            )
        if not value:
            raise fault("is empty", 'write it, or name where it stands: `"${NAME}"`, `file:PATH`')
        base = info.context.get("base") if isinstance(info.context, dict) else None
        secret = cls(value, base)
        try:
            secret.reveal()
        except SecretUnreadable as error:
            raise fault(str(error), "make the file readable for this process") from None
        return secret

    @classmethod
    def __get_pydantic_core_schema__(
        cls, source: Any, handler: GetCoreSchemaHandler
    ) -> core_schema.CoreSchema:
        return core_schema.with_info_plain_validator_function(
            cls._validate,
            serialization=core_schema.plain_serializer_function_ser_schema(lambda _: "..."),
        )

    @classmethod
    def __get_pydantic_json_schema__(
        cls, schema: core_schema.CoreSchema, handler: GetJsonSchemaHandler
    ) -> dict[str, Any]:
        return {"type": "string", "minLength": 1}


def _unreadable(path: Path, reason: str) -> str:
    return f"the secret's file {path} cannot be read ({reason})"
