"""What does the endpoint do with a call that arrives, and what does it answer?"""

import json
from random import Random

from streamer.endpoint.requests import Request
from streamer.model import Action, Answer, Batch, Exchange, NoAnswer, NoAnswerKind, Report
from tests.simulation import answers
from tests.simulation.answers import ItemResult
from tests.simulation.clock import Clock
from tests.simulation.plan import BadItem, Plan
from tests.simulation.platform import EndpointQuota, Platform
from tests.simulation.weather import Trouble, Weather

NO_ANSWER = NoAnswer(NoAnswerKind.TIMEOUT, "no answer")


class Endpoint:
    def __init__(self, plan: Plan, clock: Clock, platform: Platform, weather: Weather) -> None:
        self._plan = plan
        self._clock = clock
        self._random = clock.random
        self._platform = platform
        self._weather = weather
        self._quota = EndpointQuota(plan.endpoint_quota, plan.counts_throttled)
        self.refused: set[str] = set()
        """Reports that it told to be at fault, each by itself."""
        self.refused_whole: set[str] = set()
        """Reports of calls that were refused without a word of who is at fault."""

    def answer(self, batch: Batch, request: Request) -> Exchange:
        of_call = self._of_the_call(batch)
        if of_call is not None:
            return of_call
        if self._plan.endpoint_bytes is not None and len(request.body) > self._plan.endpoint_bytes:
            return self._refusal(batch, answers.error(413, "TOO_LARGE"), range(len(batch.reports)))
        bad = [index for index, report in enumerate(batch.reports) if self._is_bad(report)]
        if bad and (len(batch.reports) == 1 or self._plan.bad_item is not BadItem.ITEM):
            return self._refuse_whole(batch, bad)
        if len(batch.reports) == 1:
            self._platform.take(batch.reports[0], self._clock.now)
            exchange: Exchange = Answer(200, self._random.choice([b"{}", b'{"activationIds":[]}']))
        else:
            exchange = self._items(batch, bad)
        if self._random.random() < self._plan.lost_answers:
            return NoAnswer(NoAnswerKind.RESET, "reset")
        return exchange

    def arrives_late(self, batch: Batch) -> None:
        """Whoever sent it has given it up; what can be taken is taken."""
        for report in batch.reports:
            if not self._is_bad(report):
                self._platform.take(report, self._clock.now)

    # --- about the call ------------------------------------------------------------------------

    def _of_the_call(self, batch: Batch) -> Exchange | None:
        """What says nothing of any item: nothing of it is done."""
        plan, draw = self._plan, self._random.random
        troubles = self._weather.of(batch.lane)
        if Trouble.DOWN in troubles:
            return answers.error(503, "")
        if (Trouble.UNINSTALLED in troubles and batch.lane.endpoint == "default") or draw() < 0.005:
            return answers.error(401, "UNAUTHENTICATED")
        if not self._quota.admits(batch.lane, self._clock.now):
            after_s = self._quota.free_in_s(batch.lane, self._clock.now)
            return self._throttled(after_s)
        if Trouble.THROTTLED in troubles or draw() < plan.throttled:
            return self._throttled(1.0)
        if troubles & {Trouble.DENIED, Trouble.UNINSTALLED} or draw() < 0.005:
            return answers.error(403, "PERMISSION_DENIED")
        if draw() < plan.unavailable:
            return NO_ANSWER if draw() < 0.5 else answers.error(500, "X")
        return None

    def _throttled(self, after_s: float) -> Answer:
        told = after_s if self._plan.says_retry_after else None
        return answers.error(429, "RESOURCE_EXHAUSTED", retry_after_s=told)

    # --- about what is in it -------------------------------------------------------------------

    def _is_bad(self, report: Report) -> bool:
        """The endpoint refuses the same report each time."""
        if report.route == "other" and self._clock.now < self._plan.bad_deployment_s:
            return True
        name = f"{report.message}/{report.route}"
        is_report = report.action is Action.REPORT
        return is_report and share_of(name, self._plan.seed) < self._plan.refused

    def _refuse_whole(self, batch: Batch, bad: list[int]) -> Answer:
        if self._plan.bad_item is BadItem.NAMED:
            told = self._random.sample(bad, self._random.randint(1, len(bad)))
            return self._refusal(
                batch, answers.refusal_naming(batch.action, told, self._random), told
            )
        told = bad if len(batch.reports) == 1 else []
        return self._refusal(batch, answers.refusal_naming_none(self._random), told)

    def _refusal(self, batch: Batch, answer: Answer, told: list[int] | range) -> Answer:
        """Refuse the call; `told`: who is at fault, as far as the answer tells."""
        if answer.status == 413 and len(batch.reports) > 1:
            told = []
        names = [f"{report.message}/{report.route}" for report in batch.reports]
        self.refused.update(names[index] for index in told)
        if not told:
            self.refused_whole.update(names)
        return answer

    def _items(self, batch: Batch, bad: list[int]) -> Exchange:
        plan, random = self._plan, self._random
        results = []
        for index, report in enumerate(batch.reports):
            result = ItemResult.DONE
            if index in bad:
                result = ItemResult.BAD
                self.refused.add(f"{report.message}/{report.route}")
            elif random.random() < plan.item_errors:
                result = ItemResult.FAILED
            if random.random() < plan.undetailed:
                result = ItemResult.UNTOLD
            # What failed for once may have been done all the same; not where keys are forgotten,
            # since what was told to be denied is not taken for it then.
            may_be_done = result is ItemResult.UNTOLD or plan.key_life_s is None
            if result is ItemResult.DONE or (
                may_be_done
                and result is not ItemResult.BAD
                and index not in bad
                and random.random() < 0.5
            ):
                self._platform.take(report, self._clock.now)
            results.append(result)
        answer = answers.bulk_answer(batch.action, results, plan.odd_results, random)
        body = json.dumps(answer).encode()
        if random.random() < plan.garbled:
            return answers.garbled(body, random)
        return Answer(200, body)


def share_of(name: str, seed: int) -> float:
    """A share in [0, 1) that belongs to the name."""
    return Random(f"{seed}/{name}").random()
