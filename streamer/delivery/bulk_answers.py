"""What does the answer to a call mean for each report and cancel in it?

A call of one is judged by `outcomes.judge`. A bulk call that succeeded is judged item by item; what
the answer says nothing clear of is tried again, which the idempotency key makes safe. A bulk call
that was refused because of an item in it is taken apart: `CallRefused` says by what.
"""

import re
from collections import defaultdict
from collections.abc import Mapping, Sequence

import msgspec
from msgspec import UNSET, Struct

from streamer.delivery.error_bodies import (
    UNREADABLE,
    ErrorBody,
    first_told,
    read_error_body,
    violated_fields,
)
from streamer.delivery.outcomes import (
    Accepted,
    Outcome,
    Refused,
    Unavailable,
    judge,
    judge_item,
    refusal_of,
)
from streamer.model import Action, Answer, Exchange, Refusal

ABOUT_ALL = frozenset({401, 403, 404, 429})
"""Statuses under 500 that are about the call and not about what is in it."""

RESULTS_MOST = 1_000
"""Ten times what a call has items: to look into millions would stop the process for seconds."""


class CallRefused(Struct, frozen=True):
    """A bulk call was refused, and not every item needs to be at fault."""

    named: Mapping[int, Refusal] = {}
    """By index, the items whose fields the answer names, and what it says of them."""


def judge_call(action: Action, count: int, exchange: Exchange) -> Sequence[Outcome] | CallRefused:
    """An outcome for each of the call's `count` reports, in their order; or it is taken apart."""
    outcome: Outcome
    if count > 1 and isinstance(exchange, Answer):
        if 200 <= exchange.status < 300:
            return _items(action, count, exchange)
        outcome = judge(action, exchange)
        if isinstance(outcome, Refused) and exchange.status not in ABOUT_ALL:
            return CallRefused(_named(exchange, count))
    else:
        outcome = judge(action, exchange)
    return [outcome] * count


# --- items of a success -----------------------------------------------------------------------


class _ItemMetadata(Struct):
    """Of any type, since one odd member says nothing of the others."""

    originalIndex: object = UNSET
    success: object = None
    error: object = None


class _Result(Struct):
    itemMetadata: _ItemMetadata
    activationIds: object = None


class _BulkAnswer(Struct):
    results: list[msgspec.Raw] = []


_bulk_answer = msgspec.json.Decoder(_BulkAnswer).decode
_result = msgspec.json.Decoder(_Result).decode


def _items(action: Action, count: int, answer: Answer) -> list[Outcome]:
    try:
        results = _bulk_answer(answer.body).results
    except UNREADABLE:
        return [_says_nothing(answer, "is no bulk answer")] * count
    if len(results) > RESULTS_MOST:
        return [_says_nothing(answer, f"has {len(results)} results")] * count
    said: dict[int, list[Outcome]] = defaultdict(list)
    without_index: list[Outcome] = []
    for raw in results:
        try:
            result = _result(raw)
        except UNREADABLE:
            continue
        about = result.itemMetadata
        index = about.originalIndex
        if index is UNSET:
            if about.success is None and about.error is None:
                continue  # of nothing
            without_index.append(_item(action, result, answer.request_id))
        elif (known := _index(index, count)) is not None:
            said[known].append(_item(action, result, answer.request_id))
    if len(without_index) == 1 and 0 not in said and len(said) == count - 1:
        # Encoders of Protocol Buffers may leave out zeros. Of all items the first is missing.
        said[0] = without_index
    elif 0 in said:
        # Written so or so, there are several of the first.
        said[0] += without_index
    return [_only(said.get(index, []), answer) for index in range(count)]


def _index(index: object, count: int) -> int | None:
    """A number; in a string too, as some write 64-bit integers."""
    if isinstance(index, str) and index.isascii() and index.isdigit() and len(index) < 10:
        index = int(index)
    if isinstance(index, bool) or not isinstance(index, int):
        return None
    return index if 0 <= index < count else None


def _item(action: Action, result: _Result, request_id: str | None) -> Outcome:
    metadata = result.itemMetadata
    if metadata.success is True:
        ids = result.activationIds
        return Accepted(len(ids) if isinstance(ids, list) else 0, request_id)
    code = metadata.error.get("code") if isinstance(metadata.error, dict) else None
    if isinstance(code, float) and code.is_integer():
        code = int(code)
    is_code = isinstance(code, str | int) and not isinstance(code, bool)
    return judge_item(action, code if is_code else None, request_id)


def _only(outcomes: list[Outcome], answer: Answer) -> Outcome:
    if len(outcomes) == 1:
        return outcomes[0]
    what = "has no result for this item" if not outcomes else "has several results for this item"
    return _says_nothing(answer, what)


def _says_nothing(answer: Answer, what: str) -> Unavailable:
    detail = f"the endpoint's answer {answer.status} to a bulk call {what}"
    return Unavailable(detail, answer.status, request_id=answer.request_id)


# --- items of a refusal -----------------------------------------------------------------------

_ITEM = re.compile(
    r"(?:eventsInfo|events_info|externalEntityIds|external_entity_ids)[.\[](\d{1,3})\b"
)


def _named(answer: Answer, count: int) -> dict[int, Refusal]:
    told: dict[int, list[str]] = defaultdict(list)
    for field, words in violated_fields(answer.body):
        item = _ITEM.match(field)
        if item is not None and int(item[1]) < count:
            told[int(item[1])].append(words)
    code = read_error_body(answer.body).code
    return {
        index: refusal_of(answer.status, ErrorBody(code, first_told(words)), answer.request_id)
        for index, words in sorted(told.items())
    }
