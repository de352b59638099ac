"""What is the platform told, at its start and while it runs?"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from streamer.sandbox.ledger import DEFAULT_KEEP
from streamer.sandbox.quota import Quota
from streamer.sandbox.tokens import DEFAULT_TOKEN_LIFETIME_S
from streamer.sandbox.trigger_schemas import TriggerSchemas


class BulkResults(StrEnum):
    """How 0, false and empty lists are written: JSON of protocol buffers may leave them out."""

    FULL = "full"
    SPARSE = "sparse"
    """They are left out."""


class BulkBadItem(StrEnum):
    """What a bulk call answers where an item is refused: the endpoint's page does not say."""

    ITEM = "item"
    """200, and the item alone has failed."""
    CALL = "call"
    """The whole call is refused, with the path of what is wrong with which item."""
    CALL_WITHOUT_PATH = "call-without-path"
    """The whole call is refused, and the answer does not say for which item."""


@dataclass(frozen=True, slots=True)
class Rules:
    """What the platform is told at its start."""

    apps: Mapping[str, str] = field(default_factory=dict)
    """Secret by app id; without any, every app id and secret is good."""
    ready_tokens: Mapping[str, str] = field(default_factory=dict)
    """Instance by token, for tokens that never expire and are never asked for."""
    instances: frozenset[str] | None = None
    """The instances that have the apps installed; None: all."""
    schemas: TriggerSchemas = field(default_factory=TriggerSchemas)
    only_known_triggers: bool = False
    """A trigger without a schema answers 403, as one that another app owns."""
    token_lifetime_s: int = DEFAULT_TOKEN_LIFETIME_S
    failed_use_up_keys: bool = False
    """A report that was refused or failed uses up its idempotency key."""
    keep: int = DEFAULT_KEEP
    quota: Quota = field(default_factory=Quota)
    """Without a limit unless told otherwise: the command sets the documented one."""
    body_max: int | None = None
    """Bytes; a longer body answers 413. None: only the server's own limit holds."""
    bulk_bad_item: BulkBadItem = BulkBadItem.ITEM
    bulk_results: BulkResults = BulkResults.FULL
