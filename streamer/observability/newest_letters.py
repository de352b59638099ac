"""Which dead letters were written last, and why? For the status page, without a look into Kafka."""

from collections import deque
from collections.abc import Sequence

from msgspec import Struct

from streamer.dead_letters.record import letter_id
from streamer.model import DeadLetter

KEPT = 20


class LetterState(Struct, frozen=True):
    """One of this process's, with the id by which the commands know it."""

    id: str
    written_ms: int
    reason: str
    route: str
    trigger: str
    message: str
    """Topic, partition and offset."""
    status: int | None
    code: str | None
    request_id: str | None
    detail: str


class NewestLetters:
    """The last `KEPT` of one process."""

    def __init__(self) -> None:
        self._kept: deque[LetterState] = deque(maxlen=KEPT)

    def add(self, letter: DeadLetter, written_ms: int) -> None:
        refusal = letter.refusal
        self._kept.append(
            LetterState(
                letter_id(letter),
                written_ms,
                refusal.reason.value,
                letter.route,
                letter.trigger,
                str(letter.message),
                refusal.status,
                refusal.code,
                refusal.request_id,
                refusal.detail,
            )
        )

    @property
    def newest_first(self) -> Sequence[LetterState]:
        return tuple(reversed(self._kept))
