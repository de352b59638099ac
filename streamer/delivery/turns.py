"""Which channel sends next?

Lanes take turns by deficit round robin (Shreedhar and Varghese 1995) in units of reports, and
within a lane its channels take turns, so that neither a busy site nor a busy trigger starves
another.

That is the first row. Channels of which a call hung stand in two rows of their own, which are asked
when the first has nothing to send, and have a quarter of the calls in flight at most: so sites that
hang cannot take all the calls, however many they are, each with its first failures and its probes.
The two take turns, those of which one call hung and those of which the next did too, and of the
first the newest and the oldest do: a healthy site that was unlucky once does not wait behind a
thousand that are down, nor behind a thousand that went down a minute ago.
"""

from collections import deque
from collections.abc import Callable

from streamer.delivery.channels import Channel, Lane, Place, Trust

DOUBTED_SHARE = 4
"""One of so many calls in flight is at most of a channel that is not sure,"""
DOUBTED_SURE = 32
"""and while it is fewer than one of so many,"""
DOUBTED_EVERY = 32
"""one of so many calls is, however much the others have to send."""


class Turns:
    """All lanes with something to send, in turn."""

    def __init__(self, quantum: int, is_held_back: Callable[[Lane, float], bool]) -> None:
        """`quantum`: how many reports a lane sends in one turn, at least as many as a call has at
        most. `is_held_back(lane, now)` is asked of a lane whose turn it is; one that is leaves the
        turn, until `stand_lane`."""
        self._quantum = quantum
        self._is_held_back = is_held_back
        self._rows: tuple[deque[Place], ...] = tuple([deque() for _ in Trust])
        """By trust."""
        self._since_doubted = 0
        """Calls from the first row since one from another,"""
        self._doubted_last = Trust.LOST
        """and which of the others that was."""
        self._newest_next = True
        """Of those that are shaken."""
        self.doubted_in_flight = 0
        """Calls of channels that were not sure when they started."""

    @property
    def anything_stands(self) -> bool:
        """In the first row."""
        return bool(self._rows[Trust.SURE])

    # --- standing ------------------------------------------------------------------------------

    def stand(self, channel: Channel) -> None:
        """Let the channel, and its lane, stand in the turn if they may."""
        _stand_in_lane(channel)
        self._stand_place(channel)

    def stand_lane(self, lane: Lane) -> None:
        """Nothing holds all of it any more."""
        for row, place in zip(self._rows, lane.places, strict=True):
            _stand(place, row.append)

    def _stand_place(self, channel: Channel) -> None:
        _stand(channel.lane.places[channel.trust], self._rows[channel.trust].append)

    def hung(self, channel: Channel, trust: Trust) -> None:
        """A call hung and came to nothing; `trust` is what the channel's was when it started."""
        was_doubted = Trust.SURE not in (trust, channel.trust)
        self.trust(channel, Trust.LOST if was_doubted else max(channel.trust, Trust.SHAKEN))

    def trust(self, channel: Channel, trust: Trust) -> None:
        """From now on the channel is of this trust, and stands there, if it stands."""
        if channel.trust is trust:
            return
        if channel.standing:
            channel.lane.places[channel.trust].channels.remove(channel)
            channel.standing = False
        channel.trust = trust
        self.stand(channel)

    # --- whose turn it is ----------------------------------------------------------------------

    def next(self, limit: int, now: float) -> Channel | None:
        """The channel whose turn it is; it left the turn, as its place did, until `served` or
        `stand`. `limit`: how many calls may be in flight, of which there are fewer."""
        doubted = self.doubted_in_flight
        may_doubt = doubted < most_doubted(limit)
        is_sure = doubted < max(1, limit // DOUBTED_SURE)
        if is_sure and (self._rows[Trust.SHAKEN] or self._rows[Trust.LOST]):
            # Where the first row always has something to send, the others must not wait for ever.
            self._since_doubted += 1
            if self._since_doubted >= DOUBTED_EVERY and (channel := self._next_doubted(limit, now)):
                return channel
        channel = self._next_in(Trust.SURE, limit, now, doubted_too=is_sure)
        if channel is None and may_doubt:
            return self._next_doubted(limit, now)
        return channel

    def _next_doubted(self, limit: int, now: float) -> Channel | None:
        for trust in _other_first(self._doubted_last):
            from_end = trust is Trust.SHAKEN and self._newest_next
            channel = self._next_in(trust, most_doubted(limit), now, from_end=from_end)
            if channel is not None:
                self._since_doubted = 0
                self._doubted_last = trust
                self._newest_next ^= trust is Trust.SHAKEN
                return channel
        return None

    def _next_in(
        self,
        trust: Trust,
        limit: int,
        now: float,
        doubted_too: bool = False,
        from_end: bool = False,
    ) -> Channel | None:
        """Of the row of this trust, whose calls in flight are fewer than `limit`; with `from_end`
        the one that came last.

        A place that has more than its equal share of them lets the others go first: a slow site
        would have all of them in the end. At least one has no more, so the search ends.

        With `doubted_too` a lane that had many calls serves one of its channels that are not sure:
        where its quota gives a call now and then, the others of it would take each.
        """
        row = self._rows[trust]
        take, put_back, put_last = row.popleft, row.appendleft, row.append
        if from_end:
            take, put_back, put_last = row.pop, row.append, row.appendleft
        while row:
            place = take()
            place.standing = False
            lane = place.lane
            if not place.may_stand or self._is_held_back(lane, now):
                continue
            if row and place.in_flight * (len(row) + 1) > limit:
                _stand(place, put_last)
                continue
            served = _due(lane) if doubted_too else None
            if served is not None:
                _stand(place, put_back)
            channel = _next_of(served or place)
            if channel.may_stand:
                return channel
            # It is held, or has nothing left, since it stood there: that is no reason for the lane
            # to lose its turn.
            _stand(place, put_back)
        return None

    def served(self, channel: Channel, reports: int) -> None:
        """The channel that `next` gave sent so many: a lane with some left stands first again. A
        place that is not sure has one call in a turn."""
        lane = channel.lane
        _stand_in_lane(channel)
        if channel.trust is not Trust.SURE:
            lane.since_doubted = 0
            lane.doubted_last = channel.trust
            self._stand_place(channel)
            return
        lane.since_doubted += 1
        lane.deficit -= reports
        has_some_left = lane.deficit > 0
        if not has_some_left:
            lane.deficit += self._quantum
        place = lane.places[Trust.SURE]
        row = self._rows[Trust.SURE]
        _stand(place, row.appendleft if has_some_left else row.append)
        if not place.standing:
            lane.deficit = self._quantum

    # --- calls ---------------------------------------------------------------------------------

    def started(self, channel: Channel) -> None:
        """A call of the channel goes out."""
        self._count(channel, channel.trust, 1)

    def ended(self, channel: Channel, trust: Trust) -> None:
        """One is not in flight any more; `trust` is what the channel's was when it started."""
        self._count(channel, trust, -1)

    def _count(self, channel: Channel, trust: Trust, more: int) -> None:
        channel.in_flight += more
        channel.lane.in_flight += more
        channel.lane.places[trust].in_flight += more
        if trust is not Trust.SURE:
            self.doubted_in_flight += more


def most_doubted(limit: int) -> int:
    """Of so many calls in flight, how many may be of channels that are not sure."""
    return max(1, limit // DOUBTED_SHARE)


def _other_first(last: Trust) -> tuple[Trust, Trust]:
    return (Trust.SHAKEN, Trust.LOST) if last is Trust.LOST else (Trust.LOST, Trust.SHAKEN)


def _due(lane: Lane) -> Place | None:
    """The place of the lane that was left out long enough."""
    if lane.since_doubted < DOUBTED_EVERY:
        return None
    places = [lane.places[trust] for trust in _other_first(lane.doubted_last)]
    return next((place for place in places if place.channels), None)


def _stand(place: Place, put: Callable[[Place], None]) -> None:
    if not place.standing and place.may_stand:
        place.standing = True
        put(place)


def _next_of(place: Place) -> Channel:
    """The place's channel whose turn it is, by the same rule of equal shares."""
    turn, in_flight = place.channels, place.lane.in_flight
    channel = turn.pop(0)
    while turn and channel.in_flight * (len(turn) + 1) > in_flight:
        turn.append(channel)
        channel = turn.pop(0)
    channel.standing = False
    return channel


def _stand_in_lane(channel: Channel) -> None:
    if not channel.standing and channel.may_stand:
        channel.standing = True
        channel.lane.places[channel.trust].channels.append(channel)
