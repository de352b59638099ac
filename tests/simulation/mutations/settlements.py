"""Mutants of what keeps reports, their order and their commits."""

from tests.simulation.mutations.mutant import Mutant

MUTANTS = (
    Mutant(
        "commit-the-highest",
        "source",
        "return self._next if first is None else Position(first)",
        "return self._next",
    ),
    Mutant(
        "forget-the-generation",
        "delivery",
        "if part is None or part.owned.generation != message.generation:",
        "if part is None:",
    ),
    Mutant(
        "settle-twice",
        "delivery",
        "        entry.open -= 1\n",
        "        entry.open -= 2 if entry.open > 1 else 1\n",
    ),
    Mutant(
        "retry-past-a-later-key",
        "delivery",
        "        elif channel.holds is not None:\n            self._put_last",
        "        elif [self._lanes.put(channel, f) for f in job.followers]:\n"
        "            self._put_last",
    ),
    Mutant(
        "pass-an-uncommitted-cancel",
        "delivery",
        "if job.follows_cancel and not self._cancels_are_committed(job, now):",
        "if False:",
    ),
    Mutant(
        "a-cancel-that-was-asked-about-is-held",
        "delivery",
        "            if pin is not Pin.HELD:\n                break\n",
        "",
    ),
    Mutant(
        "believe-a-commit-that-failed",
        "delivery",
        "            if failure is None:\n                part.window.committed",
        "            if True:\n                part.window.committed",
    ),
    Mutant(
        "a-cancel-settled-is-as-good-as-committed",
        "source",
        "        return Pin.HELD if shown and not self._in_doubt else Pin.NOT_COMMITTED\n",
        "        return Pin.HELD\n",
    ),
    Mutant(
        "carry-a-cancel-once",
        "source",
        "        return self._carried_on.add(offset",
        "        return True or self._carried_on.add(offset",
    ),
    Mutant(
        "forget-what-was-restored",
        "source",
        "CarriedOn(assigned.position, assigned.restored)",
        "CarriedOn(assigned.position, NOTHING)",
    ),
    Mutant(
        "commit-without-what-must-be-carried",
        "source",
        "if self._without_metadata and not must and",
        "if self._without_metadata and",
    ),
    Mutant(
        "a-cancel-does-not-wait-for-reports",
        "delivery",
        "        for earlier in entity.reports:\n            _follow(job, earlier)\n",
        "",
    ),
    Mutant(
        "a-report-does-not-wait-for-a-cancel",
        "delivery",
        "    _follow(job, entity.last_cancel)\n",
        "",
    ),
    Mutant(
        "no-order-by-key",
        "delivery",
        "        _follow(job, part.tails.get(chain))\n",
        "",
    ),
    Mutant(
        "call-during-a-revocation",
        "delivery",
        "return self.verified and not self.stopping and not self.ended",
        "return self.verified and not self.ended",
    ),
    Mutant(
        "call-after-fencing",
        "delivery",
        "            part.ended = True\n",
        "            part.ended = False\n",
    ),
    Mutant(
        "call-at-once-after-a-stall",
        "delivery",
        "return self.verified and not self.stopping and not self.ended",
        "return not self.stopping and not self.ended",
    ),
    Mutant(
        "an-older-commit-ends-a-stall",
        "delivery",
        "if since is not None and plan.number >= since:",
        "if part in self._unverified:",
    ),
    Mutant(
        "trust-an-assignment-from-before-a-stall",
        "delivery",
        "        if self._stalled_lately:\n",
        "        if False:\n",
    ),
    Mutant(
        "send-cancels-while-the-group-is-silent",
        "delivery",
        "        self._listen(now)\n        self.timers.fire(now)\n",
        "        self.timers.fire(now)\n",
    ),
    Mutant(
        "call-at-once-when-the-group-is-heard-again",
        "delivery",
        "        else:\n            for part in self.partitions.values():\n"
        "                self._doubt(part)\n",
        "",
    ),
    Mutant(
        "keep-cancels-in-the-network-after-fencing",
        "delivery",
        "            if part.in_flight:\n                self._commands.drop_cancels = True\n",
        "",
    ),
    Mutant(
        "settle-before-the-letter-is-written",
        "delivery",
        "        job.part.in_flight += 1\n        self._commands().letters.append(",
        "        job.part.in_flight += 1\n        self._settle(job, 0.0)\n"
        "        self._commands().letters.append(",
    ),
    Mutant(
        "drop-what-a-letter-failed",
        "delivery",
        "            self._timers.at(due, lambda _: self._again(order))\n",
        "",
    ),
    Mutant(
        "a-refusal-is-settled",
        "delivery",
        "                    self._letters.refuse(job, refusal, now)\n",
        "                    self._settle(job, now)\n",
    ),
    Mutant(
        "drop-a-report-that-was-dropped",
        "delivery",
        "        self._put_back(call.jobs, call.channel)\n",
        "",
    ),
    Mutant(
        "one-call-more-than-allowed",
        "delivery",
        "while self.in_flight < (limit := self._limit.limit):",
        "while self.in_flight <= (limit := self._limit.limit):",
    ),
    Mutant(
        "a-throttled-lane-waits-for-ever",
        "delivery",
        "                lane.held_until = None\n                self.turns.stand_lane(lane)\n",
        "                lane.held_until = None\n",
    ),
    Mutant(
        "a-token-wakes-nobody",
        "delivery",
        "            lane.needs_token = False\n            self._lanes.turns.stand_lane(lane)\n",
        "            lane.needs_token = False\n",
    ),
    Mutant(
        "no-probe-of-a-breaker",
        "delivery",
        "close_if_empty(channel)\n            self._lanes.turns.stand(channel)\n",
        "close_if_empty(channel)\n",
    ),
    Mutant(
        "no-flood-guard",
        "delivery",
        "        return self.breaker.failed(now, f",
        "        return self.breaker.is_closed and bool(f",
    ),
    Mutant(
        "a-flood-holds-for-ever",
        "delivery",
        "        held.guard.breaker.probe()\n        self._next_probe(held, now)\n",
        "",
    ),
    Mutant(
        "the-registrys-answer-wakes-nobody",
        "delivery",
        "deque()).extend(part.deferred.learned(ref))\n",
        "deque()).extend(part.deferred.learned(ref)[:0])\n",
    ),
    Mutant(
        "later-messages-pass-one-without-a-schema",
        "delivery",
        "        if part.deferred and part.deferred.holds(key):\n",
        "        if False:\n",
    ),
    Mutant(
        "cancels-pass-a-message-without-a-schema",
        "delivery",
        "                if part.deferred and self._is_cancellable(routed):\n",
        "                if False:\n",
    ),
    Mutant(
        "forget-what-there-is-no-room-for",
        "delivery",
        "                part.postponed.append(message)\n",
        "",
    ),
    Mutant(
        "send-what-a-restart-found-settled",
        "delivery",
        "            if settlement not in settled:\n",
        "            if True:\n",
    ),
    Mutant(
        "the-budget-runs-in-an-outage",
        "delivery",
        "            channel.accepting_s += min(passed_s, self._retry_for_s / 4)\n",
        "            channel.accepting_s += now - accepted_at\n",
    ),
    Mutant(
        "the-last-commit-ends-the-one-in-flight",
        "delivery",
        "        if self._asked and any(plan is self._asked[0] for plan in result.plans):\n",
        "        if True:\n",
    ),
)
