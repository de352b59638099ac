"""In which bytes does the endpoint answer a bulk call, and how can they go wrong?"""

import json
from collections.abc import Mapping, Sequence
from enum import Enum, auto
from random import Random

from streamer.model import Action, Answer, Exchange, NoAnswer, NoAnswerKind

BAD_CODES = ("INVALID_ARGUMENT", "FAILED_PRECONDITION", "NOT_FOUND", "ALREADY_EXISTS", 400, "428")
"""Of an item that is not taken; all of them refusals, as RULES has it."""
PASSING_CODES = (
    "UNAVAILABLE",
    "INTERNAL",
    "UNKNOWN",
    "DEADLINE_EXCEEDED",
    "ABORTED",
    "RESOURCE_EXHAUSTED",
    "UNAUTHENTICATED",
    "PERMISSION_DENIED",
    429,
    503,
    "500",
)
"""Of an item that may be taken the next time."""


class ItemResult(Enum):
    DONE = auto()
    BAD = auto()
    """It is not taken, ever."""
    FAILED = auto()
    """Not this time."""
    UNTOLD = auto()
    """Done or not: it has no result."""


def bulk_answer(
    action: Action, results: Sequence[ItemResult], odd: float, random: Random
) -> dict[str, object]:
    """A bulk answer's object. `odd`: the share of items with an odd result beside their own."""
    told = []
    sparse = random.random() < 0.5
    for index, result in enumerate(results):
        if result is ItemResult.UNTOLD:
            continue
        own = _result(action, index, result, random)
        told.append(_sparse(own) if sparse else own)
        # Where it was not done, so that what contradicts it would settle it.
        if random.random() < (odd if result is ItemResult.DONE else 10 * odd):
            told.append(_odd(action, index, len(results), random))
    random.shuffle(told)
    done = results.count(ItemResult.DONE)
    untold = results.count(ItemResult.UNTOLD)
    metadata = {
        "totalSuccesses": done,
        "totalFailures": len(results) - done,
        "undetailedFailures": untold,
    }
    return {"results": told, "bulkActionMetadata": metadata}


def _result(action: Action, index: object, result: ItemResult, random: Random) -> dict[str, object]:
    about: dict[str, object] = {"originalIndex": index, "success": result is ItemResult.DONE}
    if result is not ItemResult.DONE:
        code = random.choice(BAD_CODES if result is ItemResult.BAD else PASSING_CODES)
        about["error"] = {"code": code, "description": "told"}
    item: dict[str, object] = {"itemMetadata": about}
    if action is Action.REPORT and result is ItemResult.DONE:
        item["activationIds"] = ["00000000-0000-4000-8000-000000000000"]
    return item


def _sparse(result: dict[str, object]) -> dict[str, object]:
    """As an encoder of Protocol Buffers that leaves out zeros and what is false."""
    about = result["itemMetadata"]
    assert isinstance(about, dict)
    left = {name: value for name, value in about.items() if value not in (0, False)}
    return {**result, "itemMetadata": left}


def _odd(action: Action, index: int, count: int, random: Random) -> dict[str, object]:
    """A result that is doubled, contradicts the item's own, or is of no item."""
    odd_index = random.choice([*[index] * 6, count, -1, "x", 0.5, True, None, 10**12])
    told = random.choice([ItemResult.DONE, ItemResult.FAILED])
    return _result(action, odd_index, told, random)


# --- answers that say nothing -------------------------------------------------------------------


def garbled(body: bytes, random: Random) -> Exchange:
    """A success whose answer cannot be read, or does not arrive whole."""
    cut = body[: random.randrange(len(body))]
    kind = random.randrange(4)
    if kind == 0:
        return NoAnswer(NoAnswerKind.BROKEN, "a short body")
    if kind == 1:
        return Answer(200, cut)
    if kind == 2:
        return Answer(200, random.choice([b"<html>ok</html>", b"", b"[]", b"true", b"[" * 5_000]))
    odd = [b"{}", b'{"results":null}', b'{"results":{}}', b'{"results":[null,1,"",[]]}']
    return Answer(200, random.choice(odd))


# --- refusals of the whole ----------------------------------------------------------------------


def error(
    status: int, code: str, violations: Sequence[Mapping[str, object]] = (), **more: float | None
) -> Answer:
    """An error as the endpoint documents it; `more`: `retry_after_s`."""
    details: dict[str, object] = {"applicationError": {"code": code, "description": "told"}}
    if violations:
        details = {"validationError": {"fieldViolations": list(violations)}}
    body = json.dumps({"message": "told", "details": details}).encode()
    return Answer(status, body, more.get("retry_after_s"))


def refusal_naming(action: Action, indices: Sequence[int], random: Random) -> Answer:
    """400, 422 or 428 with the fields of these items, in one of the spellings of a path."""
    spelling = random.choice(
        ["externalEntityIds[{}]", "external_entity_ids.{}"]
        if action is Action.CANCEL
        else ["eventsInfo[{}].payload.x", "eventsInfo.{}.payload", "events_info[{}].payload"]
    )
    violations = [
        {"field": spelling.format(index), "description": "told", "violatedRule": "OTHER"}
        for index in indices
    ]
    return error(random.choice([400, 422, 428]), "", violations)


def refusal_naming_none(random: Random) -> Answer:
    """A refusal of the whole that leaves open which item it is about."""
    vague = [{"field": "payload.x", "description": "told", "violatedRule": "OTHER"}]
    status, code = random.choice(
        [(400, "INVALID_ARGUMENT"), (409, "ALREADY_EXISTS"), (422, "X"), (428, "X")]
    )
    return error(status, code, random.choice([vague, ()]))
