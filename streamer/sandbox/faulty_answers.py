"""What do the answers look like that a fault makes up, or spoils?"""

from email.utils import formatdate
from random import Random

from streamer.sandbox.answers import CODE_OF_STATUS, ApiError, Reply, on_demand
from streamer.sandbox.bulk_answers import BulkAnswer, Metadata, Result
from streamer.sandbox.fault_kinds import DateAway, Fail, Html, ResultsFault, Text

MOVED = "/moved"
"""Where redirects point without a `location`: calls there are counted."""

_PAGE = (
    "<!DOCTYPE html>\n<html><head><title>Maintenance</title></head>"
    "<body><h1>We will be back soon</h1></body></html>\n"
)
_LINE = b"Nothing of this is what was asked for. "


def made_up(fault: Fail | Html | Text, now_ms: int) -> Reply:
    """The answer that comes in the place of the platform's."""
    if isinstance(fault, Html):
        return Reply(fault.status, _PAGE.encode(), "text/html; charset=utf-8")
    if isinstance(fault, Text):
        body = _LINE * (fault.size // len(_LINE) + 1)
        return Reply(200, body[: fault.size], "text/plain; charset=utf-8")
    headers: list[tuple[str, str]] = []
    if isinstance(fault.retry_after, DateAway):
        at_s = now_ms / 1000 + fault.retry_after.seconds
        headers.append(("Retry-After", formatdate(at_s, usegmt=True)))
    elif fault.retry_after is not None:
        headers.append(("Retry-After", fault.retry_after))
    if 300 <= fault.status < 400:
        headers.append(("Location", fault.location or MOVED))
    return Reply(fault.status, on_demand(fault.status, fault.code).body(), headers=tuple(headers))


def item_error(code: str) -> ApiError:
    """An item's error on demand; its code is a name, or a status in digits."""
    of_name = {name: status for status, name in CODE_OF_STATUS.items()}
    status = int(code) if code.isdigit() else of_name.get(code, 500)
    return ApiError(status, f"{code} on demand", code)


UNDETAILED = ApiError(500, "failed without details, on demand", "INTERNAL")


def spoilt(answer: BulkAnswer, how: ResultsFault, items: int, random: Random) -> Reply:
    """The bulk answer with wrong results: a tenth of them, and at least one."""
    results = answer.results
    chosen = random.sample(range(len(results)), min(len(results), max(1, len(results) // 10)))
    match how:
        case ResultsFault.CUT:
            whole = answer.reply()
            return Reply(200, whole.body[: len(whole.body) // 2])
        case ResultsFault.OUT_OF_ORDER:
            results.sort(key=_index, reverse=True)
        case ResultsFault.NONE:
            results.clear()
        case ResultsFault.MISSING:
            for place in sorted(chosen, reverse=True):
                del results[place]
        case ResultsFault.OUT_OF_RANGE:
            for place in chosen:
                wrong = random.choice((-1, items, 2**31, 2**63))
                results[place].itemMetadata.originalIndex = wrong
        case ResultsFault.DOUBLED | ResultsFault.CONTRADICTING:
            again = _contrary if how is ResultsFault.CONTRADICTING else _same
            results += [again(results[place]) for place in chosen]
    return answer.reply()


def _index(result: Result) -> int:
    return result.itemMetadata.originalIndex or 0


def _same(result: Result) -> Result:
    return result


def _contrary(result: Result) -> Result:
    said = result.itemMetadata
    if said.success is True:
        error = item_error("INTERNAL")
        metadata = Metadata(said.id, said.originalIndex, False, error.application_error(error.code))
    else:
        metadata = Metadata(said.id, said.originalIndex, True)
    return Result(metadata, result.eventInfo, result.externalEntityId, result.activationIds)
