"""Mutants of what ends: a key's life, a call's time, a partition, a process."""

from tests.simulation.mutations.mutant import Mutant

MUTANTS = (
    # keys and time-outs
    Mutant(
        "send-though-the-key-may-be-forgotten",
        "delivery",
        "        if job.may_have_arrived and self._key_may_be_gone(job, now):\n",
        "        if False:\n",
    ),
    Mutant(
        "forget-that-it-may-have-arrived",
        "delivery",
        "        if isinstance(outcome, Unavailable) and outcome.maybe_accepted:\n",
        "        if False:\n",
    ),
    Mutant(
        "count-a-keys-life-from-the-last-attempt",
        "delivery",
        "            if job.first_attempt_at is None:\n"
        "                job.first_attempt_at = now\n",
        "            job.first_attempt_at = now\n            if job.attempts == 1:\n",
    ),
    Mutant(
        "send-until-the-last-moment-of-a-key",
        "delivery",
        "now + self._settings.call_timeout_s >= job.first_attempt_at + life_s",
        "now >= job.first_attempt_at + life_s",
    ),
    Mutant(
        "give-up-before-the-key-is-forgotten",
        "delivery",
        "        if job.may_have_arrived and self._key_may_be_gone(job, now):\n",
        "        if job.may_have_arrived and job.first_attempt_at is not None:\n",
    ),
    Mutant(
        "a-call-that-timed-out-never-arrives",
        "delivery",
        "maybe_accepted=sent)",
        'maybe_accepted=sent and exchange.kind.value != "timeout")',
    ),
    Mutant(
        "another-key-for-each-attempt",
        "delivery",
        "        reports = tuple([report_of(job) for job in jobs])\n",
        "        from msgspec.structs import replace\n\n"
        "        reports = tuple(\n"
        "            [\n"
        "                replace(it, idempotency_key=it.idempotency_key and"
        " it.idempotency_key + n)\n"
        '                for it, n in ((report_of(j), "+" * (j.attempts - 1)) for j in jobs)\n'
        "            ]\n"
        "        )\n",
    ),
    # the end of a partition
    Mutant(
        "the-end-passes-what-is-unsettled",
        "source",
        "            self._pass_unseen(Offset(position))\n            self._move_to(position)\n\n",
        "            self._pass_unseen(Offset(position))\n            self._unsettled.clear()\n"
        "            self._move_to(position)\n\n",
    ),
    Mutant(
        "the-end-is-not-committed",
        "delivery",
        "        part.window.reached(position)\n        self.commits.changed(part, now)\n",
        "        part.window.reached(position)\n",
    ),
    Mutant(
        "offsets-without-a-message-are-waited-for",
        "source",
        "        self._next = position\n        if not self._unsettled:\n",
        "        if not self._unsettled:\n",
    ),
    # the end of a process
    Mutant(
        "drop-at-shutdown",
        "delivery",
        "        plans = [part.window.last_plan() for part in parts if not part.ended]\n",
        "        parts = [part for part in parts if not part.ended]\n"
        "        for part in parts:\n            part.window._unsettled.clear()\n"
        "            part.window._change += 1\n"
        "        plans = [part.window.last_plan() for part in parts]\n",
    ),
    Mutant(
        "no-last-commit",
        "delivery",
        "Finished(ticket, self.last_plans(parts))",
        "Finished(ticket, ())",
    ),
    Mutant(
        "the-last-commit-of-one-partition",
        "delivery",
        "tuple([plan for plan in plans if plan is not None])",
        "tuple([plan for plan in plans if plan is not None][:1])",
    ),
    Mutant(
        "leave-with-calls-in-flight",
        "delivery",
        "            if any(part.in_flight for part in parts if not part.ended):\n",
        "            if False:\n",
    ),
)
