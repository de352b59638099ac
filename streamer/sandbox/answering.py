"""What does the platform answer to a call, and what does a fault make of its success?"""

from collections.abc import Sequence
from random import Random

from msgspec import Struct

from streamer.sandbox.answers import SUCCESS, ApiError, Reply, reply_to, success
from streamer.sandbox.bulk import BulkCalls
from streamer.sandbox.bulk_answers import Item, bulk_answer
from streamer.sandbox.bulk_calls import BulkCall
from streamer.sandbox.calls import CancelCall, ReportCall, TokenCall
from streamer.sandbox.fault_kinds import ExpiresIn, Fault, WrongResults
from streamer.sandbox.faults import Faults
from streamer.sandbox.faulty_answers import spoilt
from streamer.sandbox.incoming import Incoming
from streamer.sandbox.ledger import Entry
from streamer.sandbox.platform import Accepted, Arrival, Platform
from streamer.sandbox.tokens import Caller, TokenRefusal, token_reply

Outcome = Accepted | ApiError | Sequence[Item] | str | TokenRefusal
"""What became of a call: of one event, of a bulk call's items, or of a token call."""


class Answered(Struct, frozen=True):
    """The platform has had the call."""

    reply: Reply
    outcome: Outcome
    entries: Sequence[Entry] = ()
    """What is new in the ledger."""


class Answering:
    """Lets the platform have calls."""

    def __init__(self, platform: Platform, faults: Faults, bulk_random: Random) -> None:
        self._platform = platform
        self._faults = faults
        self._bulk = BulkCalls(platform, bulk_random)
        self._random = bulk_random

    def fail(self, incoming: Incoming, now_ms: int) -> None:
        """A fault comes before the platform sees the call."""
        caller, asked = incoming.caller, incoming.asked
        if isinstance(caller, Caller):
            if isinstance(asked, ReportCall):
                self._platform.fail(caller, asked, now_ms)
            elif isinstance(asked, BulkCall):
                self._bulk.fail(caller, asked, now_ms)

    def answer(self, incoming: Incoming, fault: Fault | None, now_ms: int) -> Answered:
        """The answer, as `fault` spoils it where it is one that does so within the body."""
        caller, asked = incoming.caller, incoming.asked
        if isinstance(caller, ApiError):
            return Answered(reply_to(caller), caller)
        if caller is None:
            return self._token(asked if isinstance(asked, TokenCall) else None, fault, now_ms)
        arrival = Arrival(now_ms, incoming.started, incoming.request_id)
        if isinstance(asked, ReportCall):
            result = self._platform.report(caller, asked, arrival)
        elif isinstance(asked, CancelCall):
            result = self._platform.cancel(caller, asked, arrival)
        elif isinstance(asked, BulkCall):
            return self._bulk_answer(incoming, caller, asked, fault, arrival)
        else:
            assert isinstance(asked, ApiError)
            result = asked
        if isinstance(result, ApiError):
            return Answered(reply_to(result), result)
        entry = result.entry
        if entry is None:
            return Answered(SUCCESS, result)
        return Answered(success(entry.activation_ids), result, (entry,))

    def _token(self, call: TokenCall | None, fault: Fault | None, now_ms: int) -> Answered:
        tokens = self._platform.tokens
        if not isinstance(fault, ExpiresIn):
            made = tokens.make(call, now_ms)
            return Answered(token_reply(made, str(tokens.lifetime_s)), made)
        lifetime_s = min(fault.lifetime_s or tokens.lifetime_s, tokens.lifetime_s)
        made = tokens.make(call, now_ms, lifetime_s)
        return Answered(token_reply(made, fault.said), made)

    def _bulk_answer(
        self,
        incoming: Incoming,
        caller: Caller,
        asked: BulkCall,
        fault: Fault | None,
        arrival: Arrival,
    ) -> Answered:
        harms = None
        if not self._faults.spare_items:
            harms = self._faults.judge_items(incoming.call, asked.entities, arrival.now_ms)
        items = self._bulk.take_in(caller, asked, arrival, harms)
        if isinstance(items, ApiError):
            return Answered(reply_to(items), items)
        form = self._platform.rules.bulk_results
        answer = bulk_answer(asked.trigger, items, of_events=asked.of_events, form=form)
        if isinstance(fault, WrongResults):
            reply = spoilt(answer, fault.how, len(items), self._random)
        else:
            reply = answer.reply()
        return Answered(reply, items, [item.entry for item in items if item.entry is not None])
