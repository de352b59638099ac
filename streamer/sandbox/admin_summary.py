"""What are the counts of all that came?"""

from typing import Any

from streamer.sandbox.platform import Platform

INSTANCES_MAX = 1_000
"""So many of the instances with the most calls stand in the summary."""


def totals(platform: Platform) -> dict[str, int]:
    """Over all triggers and instances."""
    ledger = platform.ledger
    by_trigger = ledger.by_trigger
    reports = sum(counts.reports for counts in by_trigger.values())
    return {
        "reports": reports,
        "activations": reports,
        "ignored_repeats": sum(counts.ignored for counts in by_trigger.values()),
        "ignored_differing": ledger.ignored_differing,
        "refused": sum(counts.refused for counts in by_trigger.values()),
        "cancels": sum(counts.cancels for counts in by_trigger.values()),
        "cancels_of_nothing": ledger.cancels_of_nothing,
        "cancelled_activations": sum(counts.cancelled for counts in by_trigger.values()),
    }


def summary(platform: Platform) -> dict[str, Any]:
    ledger = platform.ledger
    return {
        **totals(platform),
        "by_trigger": ledger.by_trigger,
        "calls": ledger.calls,
        "bulk_items": ledger.bulk_items,
        "instances": len(platform.usages),
        "by_instance": platform.usages.usages(INSTANCES_MAX),
        "tokens": {"made": platform.tokens.made, "refused": platform.tokens.refused},
        "last_number": ledger.last_number,
    }
