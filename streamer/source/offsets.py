"""What of one partition may be committed, and may a report start that follows a cancel?"""

from enum import Enum

from msgspec import Struct
from msgspec.structs import replace

from streamer.model import Offset, Position
from streamer.source.carried_on import CarriedOn
from streamer.source.commit_metadata import (
    BROKER_LIMIT,
    NOTHING,
    SPARE,
    CommitContext,
    NoRoom,
    encode,
    room,
)
from streamer.source.done_set import DenseSet, DoneSet
from streamer.source.handover import Assigned, CommitPlan
from streamer.source.held import FAR, Held

_NEVER = -1


class Pin(Enum):
    """Whether a report that follows a settled cancel may start."""

    HELD = "held"
    """The cancel's settlement is committed, and every later commit carries it."""
    NOT_COMMITTED = "not-committed"
    """Not yet. If it is settled the next commit carries it: ask again when that succeeded."""
    NO_ROOM = "no-room"
    """The metadata is full of what must be carried: ask again when the position has moved."""


class _Made(Struct, frozen=True):
    """A plan that was made, and what the broker has if it succeeded."""

    number: int
    position: Position
    text: str
    carried: DoneSet | DenseSet
    change: int
    """The window's count of changes when it was made."""
    limit: int = 0
    """The limit that it was made for; 0 for a text that is not to be made again."""
    must: DoneSet = NOTHING
    reach: Offset | None = None
    """As in `Encoded`."""

    def shows(self, offset: Offset, settlement: int) -> bool:
        return offset < self.position or self.carried.shows(offset, settlement)


class Window(Held):
    """One generation of one partition: what it holds, and the commits that are made of it.

    It reads no clock and is used by the event loop alone. What still comes of an older generation
    is told to its own window, where it changes nothing of the newer one's.

    Where the broker refuses a text as too large, the limit is halved for the rest of this
    generation. If the position has moved, the next commit is made without metadata, so that it is
    committed at once; where something must be carried, it is made with it under the halved limit,
    or in a text shorter than those that were refused, or not at all (`stuck`).
    """

    def __init__(
        self,
        assigned: Assigned,
        cluster_id: str,
        subscription: str,
        metadata_limit: int = BROKER_LIMIT,
    ) -> None:
        super().__init__(assigned)
        self._context = CommitContext(
            cluster_id,
            assigned.owned.partition,
            assigned.started_at_ms,
            subscription,
            assigned.topic_digest,
        )
        self._limit = metadata_limit
        # Halving may have gone further than it had to: what must be carried tries up to this.
        self._limit_refused: int | None = None
        self._carried_on = CarriedOn(assigned.position, assigned.restored)
        self._number = 0
        self._in_flight: dict[int, _Made] = {}
        # At first, what the broker has is what was read at assignment.
        self._committed = _Made(0, assigned.position, "", assigned.restored, 0)
        self._last_made = self._committed
        self._unchanged_since = 0
        # A commit failed since the last success. It may have reached the broker all the same.
        self._in_doubt = False
        self._without_metadata = False
        self._needed_limit: int | None = None

    @property
    def committed_position(self) -> Position:
        """The position of the last commit that succeeded, or that reading began at."""
        return self._committed.position

    @property
    def stuck(self) -> str | None:
        """Why no commit can be made, and what to do; None while one can."""
        if self._needed_limit is None:
            return None
        return (
            f"{self.owned.partition}: no commit is made, since settled cancels that must stay"
            f" committed need {self._needed_limit} bytes of metadata and the limit is"
            f" {self._limit}; raise the broker's offset.metadata.max.bytes"
        )

    def plan(self) -> CommitPlan | None:
        """What to commit now; None if nothing changed, a commit is in flight, or it is stuck."""
        if self._in_flight or self._unchanged_since == self._change:
            return None
        made = self._make_what_fits()
        if isinstance(made, NoRoom):
            self._needed_limit = made.needed
            return None
        self._needed_limit = None
        last = self._committed
        if (made.position, made.text) == (last.position, last.text) and not self._in_doubt:
            self._unchanged_since = made.change
            return None
        return self._send(made)

    def plan_anyway(self) -> CommitPlan:
        """What to commit though nothing changed, or though a commit is in flight.

        Where it is stuck, that is what was committed last, or (before this generation's first
        commit) what must be carried, whatever the limit.
        """
        made = self._make_what_fits()
        if isinstance(made, NoRoom):
            self._needed_limit = made.needed
            made = self._committed if self._committed.text else self._make(made.needed)
            assert isinstance(made, _Made), "a text has room in the limit that it asked for"
        else:
            self._needed_limit = None
        return self._send(made)

    def last_plan(self) -> CommitPlan | None:
        """What to commit before the partition goes; None if the broker has it for certain.

        It may go because its topic was deleted, and the group's offsets with it: what is committed
        again would be taken for an offset of the topic that is made in its place.
        """
        return self.plan_anyway() if self._in_flight else self.plan()

    def committed(self, number: int) -> None:
        """The broker has this plan."""
        made = self._answered(number)
        if number < self._committed.number:
            return
        self._committed = made
        self._in_doubt = False
        # After a commit without metadata the next one brings the start moment back.
        self._unchanged_since = _NEVER if self._is_bare(made) else made.change

    def not_committed(self, number: int, metadata_too_large: bool) -> None:
        """This plan failed; or nobody knows, which is the same here."""
        made = self._answered(number)
        self._unchanged_since = _NEVER
        if metadata_too_large:
            self._limit_refused = min(len(made.text), self._limit_refused or len(made.text))
            self._limit //= 2
            self._without_metadata = True
        else:
            self._in_doubt = True

    def _answered(self, number: int) -> _Made:
        made = self._in_flight.pop(number, None)
        if made is None:
            raise ValueError(f"{self.owned}: no commit number {number} is in flight")
        return made

    def _is_bare(self, made: _Made) -> bool:
        return not made.text and room(self._context, self._limit) >= SPARE

    def _send(self, made: _Made) -> CommitPlan:
        self._number += 1
        self._in_flight[self._number] = replace(made, number=self._number)
        self._without_metadata = False
        return CommitPlan(self.owned, made.position, made.text, self._number)

    @property
    def _most(self) -> int:
        """The limit of what must be carried; the rest keeps to `_limit`."""
        return max(self._limit, self._limit_refused or 0)

    def _make_what_fits(self) -> _Made | NoRoom:
        made = self._make(self._limit)
        if isinstance(made, NoRoom) and made.needed <= self._most:
            return self._make(made.needed)
        return made

    def _make(self, limit: int) -> _Made | NoRoom:
        position = self.position
        self._carried_on.pass_to(position, self._is_whole)
        self._digits.pass_to(position)
        must = self._carried_on.done
        bare = _Made(0, position, "", NOTHING, self._change)
        if self._without_metadata and not must and position > self._committed.position:
            return bare
        if self._would_be_the_same(position, must, limit):
            return replace(self._last_made, change=self._change)
        encoded = encode(
            self._context,
            position,
            must,
            self._settled_runs(position),
            self._settled_parts(),
            limit,
            lambda room: self._settled_densely(position, room),
        )
        if isinstance(encoded, NoRoom):
            return encoded if must else bare
        self._nearest_change = FAR
        self._last_made = _Made(
            0, position, encoded.text, encoded.carried, self._change, limit, must, encoded.reach
        )
        return self._last_made

    def _would_be_the_same(self, position: Position, must: DoneSet, limit: int) -> bool:
        """Whether nothing changed that the text has room for.

        Where a report holds the position for hours and much is settled beyond it, this spares
        encoding the same 4,096 bytes again at every commit interval.
        """
        last = self._last_made
        return (
            last.reach is not None
            and last.reach < self._nearest_change
            and last.position == position
            and last.must is must
            and last.limit == limit
        )

    def pin(self, offset: Offset, settlement: int) -> Pin:
        """May a report that follows this settled cancel start?

        HELD if the broker has its settlement (also if a commit in flight succeeds), and every
        later plan of this window has it. Otherwise the next plan has it, before all that nobody
        waits for.
        """
        seen = (self._committed, *self._in_flight.values())
        shown = all(made.shows(offset, settlement) for made in seen)
        if offset >= self.position and not self._carried_on.done.shows(offset, settlement):
            if not self._is_settled(offset, settlement):
                return Pin.NOT_COMMITTED
            if not self._carry_on(offset, settlement):
                return Pin.NO_ROOM
            self._change += not shown
        return Pin.HELD if shown and not self._in_doubt else Pin.NOT_COMMITTED

    def _carry_on(self, offset: Offset, settlement: int) -> bool:
        self._carried_on.pass_to(self.position, self._is_whole)
        # The spare room is the position's own message's: nothing else could make room for it.
        if offset > self.position:
            most = room(self._context, self._limit) - SPARE
        else:
            most = room(self._context, self._most)
        return self._carried_on.add(offset, settlement, self._is_whole(offset), most)
