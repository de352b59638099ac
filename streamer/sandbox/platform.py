"""What does the platform decide about a call?

A state machine without I/O: apps, tokens, idempotency keys, activations. Facts come in with the
time; answers go out. The order in which a report is judged:

    token -> fields (400) -> trigger's owner (403) -> known key? ignored, a success
          -> payload rules (400) -> trigger's schema (428) -> accepted, with an activation
"""

from collections import OrderedDict
from collections.abc import Callable

from msgspec import Raw, Struct

from streamer.sandbox.answers import (
    ApiError,
    invalid_fields,
    payload_missing,
    permission_denied,
    schema_violated,
)
from streamer.sandbox.calls import CancelCall, ReportCall
from streamer.sandbox.ledger import Entry, Ledger
from streamer.sandbox.payloads import read_payload
from streamer.sandbox.quota import Usages
from streamer.sandbox.rules import Rules
from streamer.sandbox.tokens import Caller, Tokens

KEYS_KEPT_AT_LEAST = 1_000_000
"""So many idempotency keys are remembered though fewer entries are kept: a repeat that comes late
must still be known as one. Beyond it the oldest are forgotten before their time to live."""


class Arrival(Struct, frozen=True):
    """What the edge says of a call: when and under which id it came."""

    now_ms: int
    started: int
    request_id: str
    bulk_index: int | None = None
    """The item's place in a bulk call."""


class Accepted(Struct, frozen=True):
    """A success; `entry` is None where a known key was ignored."""

    entry: Entry | None
    repeats: Entry | None = None
    """What was accepted under the key that is ignored here."""


class _KeyUse(Struct, gc=False):
    expires_at_ms: int
    entry: Entry | None
    """What was accepted under the key; None where a refused or failed report used it up."""


_Key = tuple[str, str, str]
"""App, trigger, key: a key's scope is trigger and app, not instance."""

_Target = tuple[str, str, str, str]
"""App, instance, trigger, entity: what one cancel reaches."""


class Platform:
    def __init__(self, rules: Rules, new_id: Callable[[], str]) -> None:
        self.rules = rules
        self._new_id = new_id
        self.tokens = Tokens(
            rules.apps, rules.ready_tokens, rules.instances, rules.token_lifetime_s, new_id
        )
        self._forget_reports()

    # --- reports --------------------------------------------------------------------------

    def report(self, caller: Caller, call: ReportCall, arrival: Arrival) -> Accepted | ApiError:
        early = self._without_payload(caller, call, arrival.now_ms)
        if early is not None:
            return early
        return self._by_payload(caller, call, self.payload_error(call), arrival)

    def report_judged(
        self, caller: Caller, call: ReportCall, payload_error: ApiError | None, arrival: Arrival
    ) -> Accepted | ApiError:
        """`report` of one whose `payload_error` is known already: nothing is judged any more."""
        early = self._without_payload(caller, call, arrival.now_ms)
        return early or self._by_payload(caller, call, payload_error, arrival)

    def _without_payload(
        self, caller: Caller, call: ReportCall, now_ms: int
    ) -> Accepted | ApiError | None:
        """What becomes of it whatever its payload is; None where that depends on the payload."""
        if (denial := self.why_denied(call.trigger)) is not None:
            return self.refuse(caller, call, denial, now_ms)
        if (known := self._known_use(caller, call, now_ms)) is not None:
            return self._ignore(caller, call, known)
        return None

    def _by_payload(
        self, caller: Caller, call: ReportCall, error: ApiError | None, arrival: Arrival
    ) -> Accepted | ApiError:
        if error is not None:
            return self.refuse(caller, call, error, arrival.now_ms)
        return self._accept(caller, call, arrival)

    def why_refused(self, caller: Caller, call: ReportCall, now_ms: int) -> ApiError | None:
        """What `report` would refuse it with; changes nothing."""
        if (denial := self.why_denied(call.trigger)) is not None:
            return denial
        known = self._known_use(caller, call, now_ms)
        return None if known is not None else self.payload_error(call)

    def payload_error(self, call: ReportCall) -> ApiError | None:
        """What is wrong with its payload; changes nothing."""
        if call.payload is None:
            return payload_missing()
        payload = read_payload(call.payload)
        if isinstance(payload, tuple):
            return invalid_fields(payload)
        violations = self.rules.schemas.violations(call.trigger, payload)
        return schema_violated(call.trigger, violations) if violations else None

    def fail(self, caller: Caller, call: ReportCall, now_ms: int) -> None:
        """A fault failed this report before the platform saw it."""
        if self.rules.failed_use_up_keys and self._known_use(caller, call, now_ms) is None:
            self._use_key(caller, call, None, now_ms)

    def why_denied(self, trigger: str) -> ApiError | None:
        """403 where the trigger is not the app's own."""
        if self.rules.only_known_triggers and not self.rules.schemas.knows(trigger):
            return permission_denied(f"the app does not own trigger {trigger!r}: it has no schema")
        return None

    def _known_use(self, caller: Caller, call: ReportCall, now_ms: int) -> _KeyUse | None:
        if call.key is None:
            return None
        use = self._keys.get((caller.app, call.trigger, call.key))
        return use if use is not None and use.expires_at_ms > now_ms else None

    def _use_key(self, caller: Caller, call: ReportCall, entry: Entry | None, now_ms: int) -> None:
        if call.key is None:
            return
        key = (caller.app, call.trigger, call.key)
        if key in self._keys:
            del self._keys[key]  # it had expired: the new use goes to the end
        elif len(self._keys) >= max(KEYS_KEPT_AT_LEAST, self.rules.keep):
            self._keys.popitem(last=False)
        self._keys[key] = _KeyUse(now_ms + call.ttl_ms, entry)

    def refuse(self, caller: Caller, call: ReportCall, error: ApiError, now_ms: int) -> ApiError:
        """Counts it, and uses up its key where the rules say so; gives the error back."""
        self.ledger.trigger(call.trigger).refused += 1
        self.fail(caller, call, now_ms)
        return error

    def _ignore(self, caller: Caller, call: ReportCall, use: _KeyUse) -> Accepted:
        self.ledger.trigger(call.trigger).ignored += 1
        entry = use.entry
        if entry is not None:
            entry.came += 1
            same = (entry.instance, entry.entity) == (caller.instance, call.entity)
            if not same or bytes(entry.payload or b"") != call.payload:
                self.ledger.ignored_differing += 1
        return Accepted(None, entry)

    def _accept(self, caller: Caller, call: ReportCall, arrival: Arrival) -> Accepted:
        assert call.payload is not None
        entry = Entry(
            number=self.ledger.last_number + 1,
            action="report",
            trigger=call.trigger,
            app=caller.app,
            instance=caller.instance,
            entity=call.entity,
            payload=Raw(call.payload),
            idempotency_key=call.key,
            activation_ids=(self._new_id(),),
            request_id=arrival.request_id,
            accepted_at_ms=arrival.now_ms,
            started=arrival.started,
            bulk_index=arrival.bulk_index,
        )
        self._use_key(caller, call, entry, arrival.now_ms)
        self.ledger.trigger(call.trigger).reports += 1
        if call.entity is not None:
            target = (caller.app, caller.instance, call.trigger, call.entity)
            self._live.setdefault(target, []).append(entry)
        self._append(entry)
        return Accepted(entry)

    def _append(self, entry: Entry) -> None:
        gone = self.ledger.append(entry)
        if gone is None or gone.action != "report":
            return
        if gone.idempotency_key is not None:
            use = self._keys.get((gone.app, gone.trigger, gone.idempotency_key))
            if use is not None and use.entry is gone:
                use.entry = None
        if gone.entity is not None:
            target = (gone.app, gone.instance, gone.trigger, gone.entity)
            if live := [other for other in self._live.pop(target, ()) if other is not gone]:
                self._live[target] = live

    # --- cancels --------------------------------------------------------------------------

    def cancel(self, caller: Caller, call: CancelCall, arrival: Arrival) -> Accepted | ApiError:
        """Ends the activations of every report of this instance, trigger and entity."""
        counts = self.ledger.trigger(call.trigger)
        if (denial := self.why_denied(call.trigger)) is not None:
            counts.refused += 1
            return denial
        target = (caller.app, caller.instance, call.trigger, call.entity)
        reached = self._live.pop(target, [])
        number = self.ledger.last_number + 1
        for report in reached:
            report.cancelled_by = number
        entry = Entry(
            number=number,
            action="cancel",
            trigger=call.trigger,
            app=caller.app,
            instance=caller.instance,
            entity=call.entity,
            payload=None,
            idempotency_key=None,
            activation_ids=(),
            request_id=arrival.request_id,
            accepted_at_ms=arrival.now_ms,
            started=arrival.started,
            bulk_index=arrival.bulk_index,
            cancels=tuple(report.number for report in reached),
        )
        counts.cancels += 1
        counts.cancelled += len(reached)
        self.ledger.cancels_of_nothing += not reached
        self._append(entry)
        return Accepted(entry)

    # --- forgetting -----------------------------------------------------------------------

    def reset(self, *, tokens: bool = False) -> None:
        """Forgets reports, cancels, keys and counts; tokens only where asked."""
        self._forget_reports()
        if tokens:
            self.tokens.forget()

    def _forget_reports(self) -> None:
        self.ledger = Ledger(self.rules.keep)
        self._keys: OrderedDict[_Key, _KeyUse] = OrderedDict()
        self._live: dict[_Target, list[Entry]] = {}
        self.usages = Usages()
