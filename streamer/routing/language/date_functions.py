"""Which functions over dates and moments may an expression call?

There is no `now`: the same event must make the same report at every redelivery.
"""

from collections.abc import Callable
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

from streamer.routing.language.arguments import need, need_text
from streamer.routing.language.budget import Budget
from streamer.routing.language.failures import Failure, Kind, null, wrong_type
from streamer.routing.language.formats import DATE_FORMAT, format_date
from streamer.routing.language.texts import iso_moment

_PARSED_AT_MOST = 64
"""Characters of a date or moment in text; the longest ISO 8601 form has 35."""

_MOMENT = "a timestamp"


class DateFunctions:
    def __init__(self, budget: Budget) -> None:
        self._budget = budget

    def table(self) -> dict[str, tuple[Callable[..., Any], int, int]]:
        """Name to the function and how few and how many arguments it takes."""
        return {
            "date": (self.date_, 1, 1),
            "datetime": (self.datetime_, 1, 1),
            "iso": (self.iso, 1, 1),
            "format_date": (self.format_date, 2, 2),
            "epoch_ms": (self.epoch_ms, 1, 1),
            "from_epoch_ms": (self.from_epoch_ms, 1, 1),
            "days_between": (self.days_between, 2, 2),
            "seconds_between": (self.seconds_between, 2, 2),
            "seconds": (self.seconds, 1, 1),
            "add_days": (self.add_days, 2, 2),
            "add_seconds": (self.add_seconds, 2, 2),
        }

    def date_(self, value: Any) -> date:
        """A timestamp's date in UTC, a date itself, or ISO 8601 text."""
        match value:
            case datetime():
                return _utc(value).date()
            case date():
                return value
            case str():
                return date.fromisoformat(_short(value))
        raise _no_moment(value)

    def datetime_(self, value: Any) -> datetime:
        """A moment: itself, a date's first in UTC, or ISO 8601 text with its zone."""
        match value:
            case datetime():
                return value
            case date():
                return datetime.combine(value, time(), UTC)
            case str():
                return self._parsed(value)
        raise _no_moment(value)

    def _parsed(self, text: str) -> datetime:
        moment = datetime.fromisoformat(_short(text))
        if moment.tzinfo is None:
            raise Failure(
                Kind.VALUE,
                "the text names no zone",
                'add the zone that is meant, such as datetime(x + "Z")',
            )
        return moment

    def iso(self, value: Any) -> str:
        """ISO 8601 text."""
        match value:
            case datetime():
                return iso_moment(value)
            case date() | time():
                return value.isoformat()
        raise _no_moment(value)

    def format_date(self, value: Any, pattern: Any) -> str:
        form = need_text(pattern)
        if not DATE_FORMAT.fullmatch(form):
            raise Failure(
                Kind.VALUE,
                "the format has an unknown sign",
                "use %Y %m %d %H %M %S %f %z %j, in at most 100 characters",
            )
        return format_date(value, form)

    def epoch_ms(self, value: Any) -> int:
        """Milliseconds since 1970-01-01 in UTC."""
        moment = _utc(need(value, datetime, _MOMENT))
        return (moment - _EPOCH) // timedelta(milliseconds=1)

    def from_epoch_ms(self, value: Any) -> datetime:
        return _EPOCH + timedelta(milliseconds=need(value, int, "an integer"))

    def days_between(self, first: Any, second: Any) -> int:
        """Whole days from the first to the second, by their dates in UTC; negative if before."""
        return (self.date_(second) - self.date_(first)).days

    def seconds_between(self, first: Any, second: Any) -> float:
        """Seconds from the first moment to the second."""
        start, end = self.datetime_(first), self.datetime_(second)
        return (_utc(end) - _utc(start)).total_seconds()

    def seconds(self, value: Any) -> float:
        """A duration in seconds."""
        return need(value, timedelta, "a duration").total_seconds()

    def add_days(self, value: Any, days: Any) -> Any:
        return _moment(value) + timedelta(days=need(days, int, "an integer"))

    def add_seconds(self, value: Any, seconds: Any) -> datetime:
        number = need(seconds, int | float, "a number")  # type: ignore[arg-type]
        return need(value, datetime, _MOMENT) + timedelta(seconds=number)


_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def _utc(moment: datetime) -> datetime:
    """In UTC; a local timestamp, which has no zone, is taken as it stands."""
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)


def _short(text: str) -> str:
    if len(text) > _PARSED_AT_MOST:
        raise ValueError
    return text


def _moment(value: Any) -> Any:
    if isinstance(value, date):
        return value
    raise _no_moment(value)


def _no_moment(value: Any) -> Failure:
    wanted = "a timestamp, a date or ISO 8601 text"
    return (
        null("an argument", wanted) if value is None else wrong_type("an argument", value, wanted)
    )
