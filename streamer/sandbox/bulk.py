"""What becomes of the items of a bulk call?

    token -> the call's own fields (400) -> trigger's owner (403) -> each item by itself, as if it
    had been called alone, in no promised order

Where the rules have it so, a bad item refuses the whole call before any is taken in.
"""

from collections.abc import Sequence
from random import Random

from streamer.sandbox.answers import ApiError, Violation
from streamer.sandbox.bulk_answers import Item
from streamer.sandbox.bulk_calls import BulkCall, at_item
from streamer.sandbox.calls import CancelCall, ReportCall
from streamer.sandbox.fault_kinds import FailItem
from streamer.sandbox.faults import Harm
from streamer.sandbox.faulty_answers import UNDETAILED, item_error
from streamer.sandbox.payloads import VIOLATIONS_MAX
from streamer.sandbox.platform import Accepted, Arrival, Platform
from streamer.sandbox.rules import BulkBadItem
from streamer.sandbox.tokens import Caller


class BulkCalls:
    """Takes bulk calls in, item by item."""

    def __init__(self, platform: Platform, random: Random) -> None:
        self._platform = platform
        self._random = random

    def take_in(
        self,
        caller: Caller,
        call: BulkCall,
        arrival: Arrival,
        harms: Sequence[Harm | None] | None = None,
    ) -> list[Item] | ApiError:
        """What became of the items, in the order in which they were taken in.

        `harms` has one for each item, or is None where no fault harms any.
        """
        self._platform.ledger.bulk_items += len(call.items)
        if (denial := self._platform.why_denied(call.trigger)) is not None:
            self._platform.ledger.trigger(call.trigger).refused += len(call.items)
            return denial
        if (error := self._whole_refusal(caller, call, arrival.now_ms)) is not None:
            return error
        # All before any is taken in: a mistake in judging one must not leave the others half done.
        payload_errors = [
            self._platform.payload_error(item.asked) if isinstance(item.asked, ReportCall) else None
            for item in call.items
        ]
        order = list(range(len(call.items)))
        # Nobody is to count on an order: there is none inside a bulk call.
        self._random.shuffle(order)
        return [
            self._take_item(
                caller, call, index, payload_errors[index], arrival, harms[index] if harms else None
            )
            for index in order
        ]

    def fail(self, caller: Caller, call: BulkCall, now_ms: int) -> None:
        """A fault failed this call before the platform saw it."""
        for item in call.items:
            if isinstance(item.asked, ReportCall):
                self._platform.fail(caller, item.asked, now_ms)

    def _take_item(
        self,
        caller: Caller,
        call: BulkCall,
        index: int,
        payload_error: ApiError | None,
        arrival: Arrival,
        harm: Harm | None,
    ) -> Item:
        item = call.items[index]
        outcome: Accepted | ApiError | None = None
        if harm is None or harm.after:
            at_index = Arrival(arrival.now_ms, arrival.started, arrival.request_id, index)
            outcome = self._outcome(caller, item.asked, call.trigger, payload_error, at_index)
        elif isinstance(item.asked, ReportCall):
            self._platform.fail(caller, item.asked, arrival.now_ms)
        error: ApiError | None
        detailed = True
        if harm is None:
            error = outcome if isinstance(outcome, ApiError) else None
        elif isinstance(harm.fault, FailItem):
            error = item_error(harm.fault.code)
        else:
            error, detailed = UNDETAILED, False
        return Item(call.trigger, index, item.raw, outcome, error, detailed)

    def _outcome(
        self,
        caller: Caller,
        asked: ReportCall | CancelCall | ApiError,
        trigger: str,
        payload_error: ApiError | None,
        arrival: Arrival,
    ) -> Accepted | ApiError:
        if isinstance(asked, ReportCall):
            return self._platform.report_judged(caller, asked, payload_error, arrival)
        if isinstance(asked, CancelCall):
            return self._platform.cancel(caller, asked, arrival)
        self._platform.ledger.trigger(trigger).refused += 1
        return asked

    def _whole_refusal(self, caller: Caller, call: BulkCall, now_ms: int) -> ApiError | None:
        """The error that refuses the call for its bad items; None where it is taken in."""
        bad_item = self._platform.rules.bulk_bad_item
        if bad_item is BulkBadItem.ITEM:
            return None
        bad: list[tuple[int, ApiError]] = []
        for index, item in enumerate(call.items):
            asked = item.asked
            error = asked if isinstance(asked, ApiError) else None
            if isinstance(asked, ReportCall):
                error = self._platform.why_refused(caller, asked, now_ms)
            if error is not None:
                bad.append((index, error))
        if not bad:
            return None
        self._platform.ledger.trigger(call.trigger).refused += len(bad)
        first = min((error for _, error in bad), key=lambda error: error.status)
        if bad_item is BulkBadItem.CALL_WITHOUT_PATH:
            return ApiError(first.status, "an item of the call is wrong", first.code)
        # One answer has one status: what has another is told when the first is put right.
        violations = [
            at_item(violation, index, call.field)
            for index, error in bad
            if error.status == first.status
            for violation in error.violations or (_PAYLOAD_MISSING,)
        ]
        message = f"{violations[0].field} {violations[0].description}"
        return ApiError(first.status, message, first.code, tuple(violations[:VIOLATIONS_MAX]))


_PAYLOAD_MISSING = Violation("payload", "is required", "REQUIRED_FIELD")
