"""How is what became of a bulk call's items written down as its answer?"""

from collections.abc import Sequence

import msgspec
from msgspec import UNSET, Raw, Struct, UnsetType

from streamer.sandbox.answers import CODE_OF_STATUS, ApiError, Details, Reply
from streamer.sandbox.ledger import Entry
from streamer.sandbox.platform import Accepted
from streamer.sandbox.rules import BulkResults


class Item(Struct, frozen=True):
    """What became of one item."""

    trigger: str
    index: int
    """Its place in the call, from 0."""
    raw: bytes
    """The item's JSON text as it came."""
    outcome: Accepted | ApiError | None
    """What the platform made of it; None where a fault came before."""
    error: ApiError | None
    """What the caller is told, whatever the outcome; None: a success."""
    detailed: bool = True
    """False: it failed and has no entry in `results`."""

    @property
    def entry(self) -> Entry | None:
        """What was accepted, also where the item is told as failed all the same."""
        return self.outcome.entry if isinstance(self.outcome, Accepted) else None


class Metadata(Struct):
    """`itemMetadata` of a result; what is unset is left out."""

    id: Raw | UnsetType
    originalIndex: int | UnsetType
    success: bool | UnsetType
    error: Details | UnsetType = UNSET


class Result(Struct):
    """An entry of `results`; what is unset is left out."""

    itemMetadata: Metadata
    eventInfo: Raw | UnsetType = UNSET
    externalEntityId: Raw | UnsetType = UNSET
    activationIds: tuple[str, ...] | UnsetType = UNSET


class Totals(Struct):
    """`bulkActionMetadata`; what is unset is left out."""

    totalSuccesses: int | UnsetType
    totalFailures: int | UnsetType
    undetailedFailures: int | UnsetType


class BulkAnswer(Struct):
    """The body. Mutable: a fault may do to the results what it likes."""

    triggerKey: str
    results: list[Result]
    bulkActionMetadata: Totals

    def reply(self) -> Reply:
        return Reply(200, msgspec.json.encode(self))


def bulk_answer(
    trigger: str, items: Sequence[Item], *, of_events: bool, form: BulkResults
) -> BulkAnswer:
    """The answer with the results in the order of the items."""
    sparse = form is BulkResults.SPARSE
    results = [_result(item, of_events, sparse) for item in items if item.detailed]
    failures = sum(item.error is not None for item in items)
    totals = Totals(
        _number(len(items) - failures, sparse),
        _number(failures, sparse),
        _number(len(items) - len(results), sparse),
    )
    return BulkAnswer(trigger, results, totals)


def _number(number: int, sparse: bool) -> int | UnsetType:
    return UNSET if sparse and not number else number


def _result(item: Item, of_events: bool, sparse: bool) -> Result:
    raw, error = Raw(item.raw), item.error
    metadata = Metadata(
        # Of an event there is no id to tell: the endpoint's page has it as optional.
        id=UNSET if of_events else raw,
        originalIndex=_number(item.index, sparse),
        success=UNSET if sparse and error is not None else error is None,
    )
    if error is not None:
        code = error.code or CODE_OF_STATUS.get(error.status, str(error.status))
        metadata.error = error.application_error(code)
    if not of_events:
        return Result(metadata, externalEntityId=raw)
    activations = item.entry.activation_ids if item.entry is not None and error is None else ()
    return Result(
        metadata, eventInfo=raw, activationIds=UNSET if sparse and not activations else activations
    )
