"""What do a duration, a size, a rate and a start moment in the configuration mean?"""

import re
from dataclasses import dataclass
from typing import Any, ClassVar, Self, TypeVar

from pydantic import AfterValidator, GetCoreSchemaHandler, GetJsonSchemaHandler
from pydantic_core import PydanticCustomError, core_schema

from streamer.source.start import start_moment_ms


def fault(found: str, do: str) -> PydanticCustomError:
    """A finding's two halves as the error of a validator; neither may hold a secret."""
    return PydanticCustomError("streamer", "{found}", {"found": found, "do": do})


def describe(value: object) -> str:
    """What kind of value it is, in an operator's words, without the value."""
    kinds: list[tuple[type | tuple[type, ...], str]] = [
        (type(None), "nothing"),
        (bool, "true or false"),
        (int, "a whole number"),
        (float, "a number"),
        (str, "text"),
        (dict, "a map"),
        ((list, tuple), "a list"),
    ]
    return next((words for kind, words in kinds if isinstance(value, kind)), "something else")


class Written:
    """A quantity that is written as text; its subclasses say how."""

    pattern: ClassVar[str]
    wanted: ClassVar[str]
    __slots__ = ()

    @classmethod
    def parse(cls, text: str) -> Self:
        """The quantity; ValueError where the text is none."""
        raise NotImplementedError

    @classmethod
    def _validate(cls, value: object) -> Self:
        if isinstance(value, cls):
            return value
        if not isinstance(value, str):
            unit = " without a unit" if isinstance(value, int | float) else ""
            raise fault(f"is {describe(value)}{unit}", f"write {cls.wanted}")
        try:
            return cls.parse(value)
        except ValueError:
            raise fault(f"is not {cls.wanted.split(',')[0]}", f"write {cls.wanted}") from None

    @classmethod
    def __get_pydantic_core_schema__(
        cls, source: Any, handler: GetCoreSchemaHandler
    ) -> core_schema.CoreSchema:
        return core_schema.no_info_plain_validator_function(
            cls._validate, serialization=core_schema.plain_serializer_function_ser_schema(str)
        )

    @classmethod
    def __get_pydantic_json_schema__(
        cls, schema: core_schema.CoreSchema, handler: GetJsonSchemaHandler
    ) -> dict[str, Any]:
        return {"type": "string", "pattern": cls.pattern}


_MS = {"ms": 1, "s": 1_000, "m": 60_000, "h": 3_600_000, "d": 86_400_000}
_DURATION = re.compile(r"([0-9]{1,9})(ms|s|m|h|d)\Z")


@dataclass(frozen=True, slots=True, order=True)
class Duration(Written):
    """A span of time, such as `200ms` or `15m`."""

    ms: int

    pattern: ClassVar[str] = "^[0-9]{1,9}(ms|s|m|h|d)$"
    wanted: ClassVar[str] = "a duration, a whole number with its unit: `200ms`, `10s`, `15m`, `6h`"

    @classmethod
    def parse(cls, text: str) -> Self:
        match = _DURATION.match(text.strip())
        if match is None:
            raise ValueError("not a duration")
        return cls(int(match[1]) * _MS[match[2]])

    @property
    def s(self) -> float:
        """Seconds."""
        return self.ms / 1000

    def __str__(self) -> str:
        unit = next(u for u in ("d", "h", "m", "s", "ms") if self.ms % _MS[u] == 0)
        return f"{self.ms // _MS[unit]}{unit}" if self.ms else "0s"


_BYTES = {
    "B": 1,
    "kB": 1000,
    "KB": 1000,
    "MB": 1000**2,
    "GB": 1000**3,
    "KiB": 1024,
    "MiB": 1024**2,
    "GiB": 1024**3,
}
_SIZE = re.compile(r"([0-9]{1,12}) ?(B|[kK]B|MB|GB|KiB|MiB|GiB)\Z")


@dataclass(frozen=True, slots=True, order=True)
class Size(Written):
    """An amount of memory, such as `64MiB`."""

    bytes: int

    pattern: ClassVar[str] = "^[0-9]{1,12} ?(B|kB|KB|MB|GB|KiB|MiB|GiB)$"
    wanted: ClassVar[str] = "a size, a whole number with its unit: `64MiB`, `512KiB`, `1GiB`"

    @classmethod
    def parse(cls, text: str) -> Self:
        match = _SIZE.match(text.strip())
        if match is None:
            raise ValueError("not a size")
        return cls(int(match[1]) * _BYTES[match[2]])

    def __str__(self) -> str:
        unit = next(u for u in ("GiB", "MiB", "KiB", "B") if self.bytes % _BYTES[u] == 0)
        return f"{self.bytes // _BYTES[unit]}{unit}" if self.bytes else "0B"


_QUOTA = re.compile(r"([1-9][0-9]{0,6}) ?/ ?min\Z")


@dataclass(frozen=True, slots=True)
class Quota(Written):
    """How many calls a minute a lane may start; `none` has no limit."""

    per_minute: int | None

    pattern: ClassVar[str] = "^(none|[1-9][0-9]{0,6} ?/ ?min)$"
    wanted: ClassVar[str] = "a quota, `200/min` or `none`"

    @classmethod
    def parse(cls, text: str) -> Self:
        if text.strip() == "none":
            return cls(None)
        match = _QUOTA.match(text.strip())
        if match is None:
            raise ValueError("not a quota")
        return cls(int(match[1]))

    def __str__(self) -> str:
        return "none" if self.per_minute is None else f"{self.per_minute}/min"


_Bounded = TypeVar("_Bounded", Duration, Size)


def between(low: _Bounded, high: _Bounded) -> AfterValidator:
    """Bounds of a quantity, both allowed."""

    def check(value: _Bounded) -> _Bounded:
        if low <= value <= high:
            return value
        side = f"less than {low}" if value < low else f"more than {high}"
        raise fault(f"is {side}", f"write a value from `{low}` to `{high}`")

    return AfterValidator(check)


_NO_ZONE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}([T ][0-9:.]+)?\Z")
_START_WANTED = (
    "write `latest`, `earliest`, a time before now such as `-2h`, or a moment with its zone such as"
    " `2026-11-01T00:00:00Z`"
)


def start_moment(text: str) -> str:
    """The text of `kafka.start`, if it names a moment."""
    try:
        start_moment_ms(text, now_ms=0)
    except (ValueError, OverflowError):
        lacks_zone = _NO_ZONE.match(text.strip()) is not None
        found = "is a moment without a time zone" if lacks_zone else "is not a moment to start at"
        raise fault(found, _START_WANTED) from None
    return text.strip()
