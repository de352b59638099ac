"""Mutants of lanes, quotas, batches and their answers, and of what a held lane waits for."""

from tests.simulation.mutations.mutant import Mutant

MUTANTS = (
    # lanes and quotas
    Mutant(
        "one-call-more-than-the-quota",
        "delivery",
        "self._most = max(1, int(per_minute * USED_SHARE))",
        "self._most = max(1, int(per_minute * USED_SHARE)) + 1",
    ),
    Mutant(
        "a-minute-that-does-not-slide",
        "delivery",
        "            del starts[: bisect_right(starts, now - MINUTE_S)]\n",
        "            starts.clear()\n",
    ),
    Mutant(
        "calls-that-are-not-counted",
        "delivery",
        "            channel.lane.quota.started(now)\n",
        "            pass\n",
    ),
    Mutant(
        "forget-the-quota-of-an-idle-lane",
        "delivery",
        "                    self._spent.keep(key, lane.quota, now)\n",
        "                    pass\n",
    ),
    Mutant(
        "do-not-wait-after-a-429",
        "delivery",
        "        self._lanes.hold(lane, until, HeldBy.THROTTLED)\n",
        "",
    ),
    Mutant(
        "forget-what-a-retry-after-said",
        "delivery",
        "self._throttles.delay_s(lane.throttles, at_least_s)",
        "self._throttles.delay_s(lane.throttles)",
    ),
    Mutant(
        "a-deficit-that-is-never-refilled",
        "delivery",
        "            lane.deficit += self._quantum\n",
        "            pass\n",
    ),
    Mutant(
        "a-lane-that-never-goes-to-the-end",
        "delivery",
        "row.appendleft if has_some_left else row.append",
        "row.appendleft",
    ),
    Mutant(
        "all-calls-for-what-failed-last",
        "delivery",
        "may_doubt = doubted < most_doubted(limit)",
        "may_doubt = True",
    ),
    Mutant(
        "back-from-an-outage-and-last-for-ever",
        "delivery",
        "        self._lanes.turns.trust(channel, Trust.SURE)\n",
        "",
    ),
    Mutant(
        "lingering-without-an-end",
        "delivery",
        "                channel.lingers_until = None\n                self.turns.stand(channel)\n",
        "                channel.lingers_until = None\n",
    ),
    Mutant(
        "probe-with-all-that-waits",
        "delivery",
        "BatchBounds(1) if is_probe else self._settings.batch",
        "self._settings.batch",
    ),
    # batches
    Mutant(
        "reports-and-cancels-in-a-call",
        "delivery",
        "        queue = channel.cancels if job.is_cancel else channel.reports\n",
        "        queue = channel.reports\n",
    ),
    Mutant(
        "one-report-more-than-a-call-takes",
        "delivery",
        "len(batch) < bounds.reports:",
        "len(batch) <= bounds.reports:",
    ),
    Mutant(
        "a-body-without-bounds",
        "delivery",
        "            if batch and size > bounds.size:\n",
        "            if False:\n",
    ),
    Mutant(
        "put-back-the-other-way-round",
        "delivery",
        "        for job in reversed(alive):\n",
        "        for job in alive:\n",
    ),
    # bulk answers
    Mutant(
        "an-items-result-is-anothers",
        "delivery",
        "            said[known].append(",
        "            said[count - 1 - known].append(",
    ),
    Mutant(
        "the-first-of-two-results-counts",
        "delivery",
        "    if len(outcomes) == 1:\n",
        "    if outcomes:\n",
    ),
    Mutant(
        "no-result-is-a-success",
        "delivery",
        "    if len(outcomes) == 1:\n",
        "    if not outcomes:\n        return Accepted()\n    if len(outcomes) == 1:\n",
    ),
    Mutant(
        "an-answer-that-is-none-is-a-success",
        "delivery",
        '        return [_says_nothing(answer, "is no bulk answer")] * count\n',
        "        return [Accepted()] * count\n",
    ),
    Mutant(
        "an-item-that-failed-is-settled",
        "delivery",
        'self._again_later(job, channel, "throttled", _of_item(outcome), now)\n',
        "self._settle(job, now)\n",
    ),
    Mutant(
        "an-item-that-was-not-done-is-settled",
        "delivery",
        "                case Unavailable():\n"
        '                    self._again_later(job, channel, "unavailable", outcome, now)\n'
        "                case _:\n"
        "                    assert_never(outcome)\n"
        "        self._tell_delivered",
        "                case Unavailable():\n"
        "                    self._settle(job, now)\n"
        "                case _:\n"
        "                    assert_never(outcome)\n"
        "        self._tell_delivered",
    ),
    # refusals of the whole
    Mutant(
        "refuse-all-for-one",
        "delivery",
        "        if isinstance(outcome, Refused) and exchange.status not in ABOUT_ALL:\n",
        "        if False:\n",
    ),
    Mutant(
        "parts-that-are-put-together-again",
        "delivery",
        "        channel.apart[:0] = [group for group in groups if group]\n",
        "        channel.apart[:0] = [[job for group in groups for job in group]]\n",
    ),
    Mutant(
        "parts-that-go-with-others",
        "delivery",
        "        channel.apart[:0] = [group for group in groups if group]\n",
        "        channel.reports.extendleft(job for group in groups for job in group)\n",
    ),
    Mutant(
        "forget-those-beside-the-named",
        "delivery",
        "groups = [[job for index, job in alive if index not in answer.named], named]\n",
        "groups = [named]\n",
    ),
    Mutant(
        "quarters-of-which-one-is-larger-than-half",
        "delivery",
        "            half = (len(jobs) + 1) // 2\n",
        "            half = len(jobs) // 4\n",
    ),
    # held lanes and unknown instances
    Mutant(
        "nobody-looks-after-the-held",
        "delivery",
        "        for channel in held:\n            for job in",
        "        for channel in held[:0]:\n            for job in",
    ),
    Mutant(
        "dead-letter-what-waits-though-nothing-holds-it",
        "delivery",
        "        return is_held(channel)\n",
        "        return True\n",
    ),
    Mutant(
        "hold-for-half-as-long",
        "delivery",
        "partial(_waits_less, channel, now - after_s)",
        "partial(_waits_less, channel, now - after_s / 2)",
    ),
    Mutant(
        "unknown-at-the-first-refusal",
        "delivery",
        "scope.refusals < UNKNOWN_REFUSALS\n            or lasted_s < UNKNOWN_AFTER_S\n",
        "False\n",
    ),
    Mutant(
        "unknown-for-ever",
        "delivery",
        "        self._scopes.mark(scope, unknown=False)\n        if token",
        "        if token",
    ),
)
