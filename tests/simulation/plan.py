"""What happens in a world? Drawn from its seed, or made smaller by hand."""

from dataclasses import dataclass, replace
from enum import Enum
from random import Random

from streamer.delivery.order import Ordering
from streamer.delivery.tokens import UnknownInstance


class BadItem(Enum):
    """What the endpoint does about an item of a bulk call that it does not take."""

    ITEM = "item"
    """An error of its own; the others are dealt with."""
    NAMED = "named"
    """It refuses the whole call and names the fields of some bad items at least."""
    UNNAMED = "unnamed"
    """It refuses the whole call and does not say why."""


@dataclass(frozen=True)
class Plan:
    seed: int
    messages: int = 250
    partitions: int = 3
    processes: int = 2
    keys: int = 20
    """Of each partition."""
    sites: int = 3
    gap_s: float = 0.05
    """Between two messages, on average."""

    # the processes' configuration
    ordering: Ordering = Ordering.KEY
    batch_most: int = 1
    batch_bytes: int = 1_048_576
    linger_s: float = 0.0
    hold_after_s: float | None = None
    max_in_flight: int = 16
    quota: int | None = None
    """What a process believes: calls a minute and instance."""
    metadata_limit: int = 4096
    flood_refusals: int = 100
    commit_interval_s: float = 0.2
    retry_for_s: float = 900.0
    unknown_instance: UnknownInstance = UnknownInstance.HOLD
    sweep_from: int = 10_000
    """Lanes, from which on idle ones are forgotten."""

    # the endpoint
    entries: int = 1
    """Endpoint entries; the second has one token for all."""
    endpoint_quota: int | None = None
    """What it allows: calls a minute and instance."""
    counts_throttled: bool = False
    """A call that is answered 429 counts too."""
    says_retry_after: bool = False
    endpoint_bytes: int | None = None
    """A larger body is answered 413."""
    payload_room: int = 64 * 1024 * 1024
    """What a process holds of payloads, before further messages wait as they are."""
    bad_item: BadItem = BadItem.ITEM
    unavailable: float = 0.05
    refused: float = 0.03
    throttled: float = 0.01
    lost_answers: float = 0.03
    hanging: float = 0.02
    """Calls that take seconds."""
    item_errors: float = 0.0
    """Items of bulk calls that fail by themselves, and not for good."""
    undetailed: float = 0.0
    """Items without a result, done or not."""
    odd_results: float = 0.0
    """Results that are doubled, or of no item."""
    garbled: float = 0.0
    """Answers of bulk calls that are cut, no JSON, or another shape."""
    bad_deployment_s: float = 0.0
    """Until then the endpoint refuses all of one route."""
    key_life_s: float | None = None
    """The routes' `idempotency_ttl`, after which the platform forgets a key; None: a week, which
    is longer than a world."""
    late: float = 0.0
    """Calls of reports that reach the endpoint when they have timed out."""
    token_life_s: float = 30.0
    token_refusals: float = 0.05
    outages: int = 1
    long_holds: int = 0
    """Of one site and several minutes: down, denied, throttled, or without a token."""

    # the broker, the registry, and what befalls the processes
    markers: float = 0.0
    """Messages after which the log has an offset without a message, as where a transaction ends."""
    broker_limit: int = 4096
    """What the broker takes as metadata; the windows believe `metadata_limit`."""
    letter_failures: float = 0.1
    commit_failures: float = 0.05
    """Not made, and told so."""
    commits_in_doubt: float = 0.05
    """Made, and told to have failed."""
    registry_back_s: float = 10.0
    crashes: int = 1
    crashes_after_cancels: int = 1
    shutdowns: int = 0
    """A process is asked to end (SIGTERM), and another starts."""
    shutdowns_between_commits: int = 0
    """When several of its partitions have moved on since their last commit."""
    rebalances: int = 2
    stalls: int = 1
    stalls_at_assignments: int = 1
    moves_while_cancels_hang: int = 5
    silences: int = 0
    """A process hears nothing of its group for a while, and its calls still go out."""

    @property
    def instances(self) -> tuple[str, ...]:
        return tuple(f"site-{number}" for number in range(self.sites))

    @property
    def endpoints(self) -> tuple[str, ...]:
        return ("default", "second")[: self.entries]


SLOW_GAP_S = 8.0
BUDGETS_SHARE = 1 / 12


def draw_plan(seed: int) -> Plan:
    """Every seed has messages, crashes, rebalances and cancels; the rest varies."""
    random = Random(seed)
    most = random.choice([1, 4, 64])
    unavailable = random.choice([0.0, 0.05, 0.3])
    batch_most = random.choice([1, 4, 4, 100])
    sites, quota, endpoint_quota = random.choice(
        [*[(3, None, None)] * 4, (3, 30, 30), (3, None, 40), (12, 8, 8)]
    )
    metadata_limit, broker_limit = random.choice([(4096, 4096), (260, 270), (4096, 270)])
    long_holds = random.choice([0, 0, 1])
    gap_s = random.choice([0.005, 0.02, 0.05, 0.2])
    if long_holds and random.random() < 0.25:
        gap_s = SLOW_GAP_S  # so that messages come when an instance is known again
    unknown_instance = random.choice(list(UnknownInstance))
    if gap_s == SLOW_GAP_S and unknown_instance is UnknownInstance.HOLD:
        unknown_instance = UnknownInstance.SKIP
    item_errors = random.choice([0.0, 0.05])
    # Numbers of its own, so that the worlds of all other seeds stay as they were.
    silences = Random(f"{seed}/silences").choice([0, 0, 0, 1])
    if silences:
        gap_s = max(gap_s, 0.5)  # so that messages still come when its session has ended
    key_life_s, late, markers, shutdowns = _of_ends(Random(f"{seed}/ends"))
    between_commits, commit_interval_s = _of_last_commits(Random(f"{seed}/last commits"))
    calm = unavailable < 0.1 and most > 10 and not (quota or endpoint_quota or long_holds)
    plan = Plan(
        seed=seed,
        messages=200 + random.randrange(100),
        keys=random.choice([20, 200]),
        sites=sites,
        gap_s=gap_s,
        ordering=random.choice(list(Ordering)),
        batch_most=batch_most,
        batch_bytes=random.choice([1_048_576, 3_000]),
        linger_s=random.choice([0.0, 0.0, 0.5]),
        hold_after_s=random.choice([None, None, 40.0]),
        unknown_instance=unknown_instance,
        max_in_flight=most,
        quota=quota,
        endpoint_quota=endpoint_quota,
        counts_throttled=random.choice([True, False]),
        says_retry_after=random.choice([True, False]),
        sweep_from=random.choice([10_000, 2]),
        entries=random.choice([1, 2]),
        endpoint_bytes=random.choice([None, None, 2_000]),
        payload_room=Random(f"{seed}/payloads").choice([*[64 * 1024 * 1024] * 3, 400]),
        bad_item=random.choice(list(BadItem)),
        metadata_limit=metadata_limit,
        broker_limit=broker_limit,
        unavailable=unavailable,
        item_errors=item_errors,
        undetailed=random.choice([0.0, 0.05]),
        odd_results=random.choice([0.0, 0.05]),
        garbled=random.choice([0.0, 0.05]),
        # Many failures in a row, or a long queue, may exhaust a report: nothing may otherwise.
        retry_for_s=random.choice([60.0, 900.0]) if calm and not item_errors else 900.0,
        hanging=random.choice([0.02, 0.15]),
        key_life_s=key_life_s,
        late=late,
        markers=markers,
        shutdowns=shutdowns,
        shutdowns_between_commits=between_commits,
        commit_interval_s=commit_interval_s,
        crashes=max(1, random.randrange(4)),
        crashes_after_cancels=1 + random.randrange(2),
        rebalances=1 + random.randrange(6),
        stalls=random.randrange(3),
        stalls_at_assignments=random.randrange(2),
        silences=silences,
        outages=random.randrange(4),
        long_holds=long_holds,
        bad_deployment_s=random.choice([0.0, 0.0, 60.0]),
        flood_refusals=random.choice([100, 5]),
    )
    return _with_budgets(plan) if Random(f"{seed}/budgets").random() < BUDGETS_SHARE else plan


def _with_budgets(plan: Plan) -> Plan:
    """Reports that failed meet outages that are longer than their budget, and fail after them;
    nothing else may exhaust one."""
    return replace(
        plan,
        retry_for_s=60.0,
        long_holds=3,
        gap_s=SLOW_GAP_S,
        unavailable=0.2,
        item_errors=0.0,
        max_in_flight=64,
        sites=3,
        quota=None,
        endpoint_quota=None,
        hold_after_s=None,
    )


def _of_ends(random: Random) -> tuple[float | None, float, float, int]:
    """Of keys, of time-outs, of partitions, of processes."""
    return (
        random.choice([None, None, 20.0, 40.0]),
        random.choice([0.0, 0.0, 0.05]),
        random.choice([0.0, 0.03, 0.3]),
        random.choice([0, 1, 1, 2]),
    )


def _of_last_commits(random: Random) -> tuple[int, float]:
    """Orderly ends between two commits, and how far those are apart: some longer than a drain."""
    return random.choice([0, 1, 1, 2]), random.choice([0.2, 0.2, 5.0])
