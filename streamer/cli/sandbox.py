"""`streamer sandbox`: an emulator of the report endpoint to develop and test against."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated

import typer

from streamer.errors import ConfigurationError, Finding
from streamer.observability.logs import set_up
from streamer.sandbox.fault_kinds import Delay
from streamer.sandbox.fault_text import parse_fault
from streamer.sandbox.faults import FaultRule
from streamer.sandbox.ledger import DEFAULT_KEEP
from streamer.sandbox.quantities import (
    WordingError,
    parse_distribution,
    parse_duration,
    parse_quota,
    parse_size,
)
from streamer.sandbox.quota import DEFAULT_CALLS_A_MINUTE, Quota, RetryAfter
from streamer.sandbox.rules import BulkBadItem, BulkResults, Rules
from streamer.sandbox.running import run_until_stopped
from streamer.sandbox.server import SandboxOptions
from streamer.sandbox.trigger_schemas import TriggerSchemas, load_schemas

Port = Annotated[int, typer.Option(help="Port to listen on; 0 takes a free one.")]
Host = Annotated[str, typer.Option(help="Address to listen on.")]
Schemas = Annotated[
    Path | None,
    typer.Option(metavar="DIR", help="JSON Schemas (draft-07), one <trigger key>.json a trigger."),
]
OnlyKnownTriggers = Annotated[
    bool, typer.Option("--only-known-triggers", help="A trigger without a schema answers 403.")
]
Apps = Annotated[
    list[str] | None,
    typer.Option(
        metavar="ID:SECRET", help="An app that gets tokens; repeatable. Without it, any gets one."
    ),
]
ReadyTokens = Annotated[
    list[str] | None,
    typer.Option(metavar="TOKEN:INSTANCE", help="A ready token that never expires; repeatable."),
]
Instances = Annotated[
    list[str] | None,
    typer.Option(
        metavar="ID", help="An instance that has the apps installed; repeatable. Without it, all."
    ),
]
TokenLifetime = Annotated[
    str, typer.Option(metavar="DURATION", help="How long a token is good for, such as 60s.")
]
FailedUseUpKeys = Annotated[
    bool,
    typer.Option(
        "--failed-use-up-keys",
        help="A report that was refused or failed uses up its idempotency key.",
    ),
]
QuotaText = Annotated[
    str,
    typer.Option(
        "--quota", metavar="N/min", help="Calls a minute for each app instance, or 'none'."
    ),
]
QuotaRetryAfter = Annotated[
    RetryAfter, typer.Option(help="How a call over quota is told when to come again.")
]
OverQuotaCounts = Annotated[
    bool,
    typer.Option("--over-quota-counts", help="A call that is refused for the quota uses it up."),
]
BadItem = Annotated[
    BulkBadItem,
    typer.Option(
        help="What a refused item fails: itself, or its whole call, with its path or not."
    ),
]
Results = Annotated[
    BulkResults, typer.Option(help="Whether a bulk answer writes 0, false and empty lists.")
]
MaxBody = Annotated[
    str | None, typer.Option(metavar="SIZE", help="A longer body answers 413, such as 1MiB.")
]
Latency = Annotated[
    str | None,
    typer.Option(
        metavar="LATENCY", help="50ms, 20ms..80ms or p50=50ms,p99=400ms, for every event call."
    ),
]
FaultWords = Annotated[
    list[str] | None,
    typer.Option(
        metavar="FAULT",
        help="Such as '500=5%', '429=1% retry_after=2', 'drop=1% after', 'cut=1%', "
        "'hang=1% trigger=KEY', '503 in=10s for=30s', 'refuse for=30s'; repeatable.",
    ),
]
Seed = Annotated[
    int | None, typer.Option(help="Draw faults and ids from this seed, to repeat a run.")
]
Keep = Annotated[int, typer.Option(help="So many ledger entries stay in memory, the newest.")]
AdminAnywhere = Annotated[
    bool,
    typer.Option(
        "--admin-anywhere", help="The page and the calls under /sandbox answer other machines too."
    ),
]
AdminHosts = Annotated[
    list[str] | None,
    typer.Option(
        metavar="NAME",
        help="A name under which the page and the calls under /sandbox may be asked for, beside "
        "localhost and --host; repeatable.",
    ),
]


def sandbox(
    port: Port = 8090,
    host: Host = "127.0.0.1",
    schemas: Schemas = None,
    only_known_triggers: OnlyKnownTriggers = False,
    app: Apps = None,
    token: ReadyTokens = None,
    instance: Instances = None,
    token_lifetime: TokenLifetime = "4h",
    failed_use_up_keys: FailedUseUpKeys = False,
    quota: QuotaText = f"{DEFAULT_CALLS_A_MINUTE}/min",
    quota_retry_after: QuotaRetryAfter = RetryAfter.SECONDS,
    over_quota_counts: OverQuotaCounts = False,
    bulk_bad_item: BadItem = BulkBadItem.ITEM,
    bulk_results: Results = BulkResults.FULL,
    max_body: MaxBody = None,
    latency: Latency = None,
    fault: FaultWords = None,
    seed: Seed = None,
    keep: Keep = DEFAULT_KEEP,
    admin_anywhere: AdminAnywhere = False,
    admin_host: AdminHosts = None,
) -> None:
    """Answers the calls for events, single and bulk, and for tokens as the platform does."""
    flags = _Flags()
    rules = Rules(
        apps=flags.pairs("--app", "ID:SECRET", app or ()),
        ready_tokens=flags.pairs("--token", "TOKEN:INSTANCE", token or ()),
        instances=frozenset(instance) if instance else None,
        schemas=flags.schemas(schemas, only_known_triggers),
        only_known_triggers=only_known_triggers,
        token_lifetime_s=flags.lifetime(token_lifetime),
        failed_use_up_keys=failed_use_up_keys,
        keep=flags.at_least("--keep", keep, 1),
        quota=Quota(flags.quota(quota), quota_retry_after, over_quota_counts),
        body_max=flags.size("--max-body", max_body),
        bulk_bad_item=bulk_bad_item,
        bulk_results=bulk_results,
    )
    faults = flags.faults(latency, fault or ())
    flags.check_port(port)
    flags.check_host(host)
    flags.raise_if_wrong()
    # Log lines go to standard error; standard output has the one line that says where it answers.
    set_up()
    options = SandboxOptions(rules, faults, seed, admin_anywhere, tuple(admin_host or ()))
    run_until_stopped(options, host, port, _say_started)


def _say_started(url: str) -> None:
    typer.echo(
        f"sandbox answers at {url} (page: {url}/, accepted: {url}/sandbox/reports, "
        f"counts: {url}/sandbox/summary, faults: {url}/sandbox/faults)"
    )


class _Flags:
    """Reads flags and collects what is wrong with them, so that all faults are said at once."""

    def __init__(self) -> None:
        self._findings: list[Finding] = []

    def raise_if_wrong(self) -> None:
        if self._findings:
            raise ConfigurationError(self._findings)

    def pairs(self, flag: str, form: str, given: Sequence[str]) -> Mapping[str, str]:
        pairs: dict[str, str] = {}
        for number, text in enumerate(given, 1):
            left, colon, right = text.partition(":")
            if not (left and colon and right):
                # The text may hold a secret: it is not said.
                found = f"the {flag} number {number} is not of the form {form}"
                self._findings.append(Finding(flag, found, f"write {flag} {form}"))
            elif left in pairs:
                found = f"the {flag} number {number} repeats an earlier one"
                self._findings.append(Finding(flag, found, "name each once"))
            pairs[left] = right
        return pairs

    def schemas(self, directory: Path | None, only_known: bool) -> TriggerSchemas:
        if directory is None:
            if only_known:
                found = "no trigger is known without --schemas, so that all would be refused"
                self._findings.append(
                    Finding("--only-known-triggers", found, "add --schemas DIR, or leave it out")
                )
            return TriggerSchemas()
        try:
            return load_schemas(directory)
        except ConfigurationError as error:
            self._findings += error.findings
            return TriggerSchemas()

    def lifetime(self, text: str) -> int:
        try:
            lifetime_s = parse_duration(text)
        except WordingError as error:
            self._findings.append(Finding("--token-lifetime", str(error), "such as 60s or 4h"))
            return 1
        if lifetime_s < 1:
            found = f"{text} is under a second, which expires_in cannot say"
            self._findings.append(Finding("--token-lifetime", found, "use 1s or more"))
        return int(lifetime_s)

    def quota(self, text: str) -> int | None:
        try:
            return parse_quota(text)
        except WordingError as error:
            self._findings.append(Finding("--quota", str(error), "such as 200/min or none"))
            return None

    def size(self, flag: str, text: str | None) -> int | None:
        try:
            return None if text is None else parse_size(text)
        except WordingError as error:
            self._findings.append(Finding(flag, str(error), "such as 1MiB"))
            return None

    def at_least(self, flag: str, number: int, least: int) -> int:
        if number < least:
            self._findings.append(Finding(flag, f"{number} is too small", f"use {least} or more"))
        return number

    def check_port(self, port: int) -> None:
        if not 0 <= port <= 65535:
            self._findings.append(Finding("--port", f"{port} is no port", "use 0 to 65535"))

    def check_host(self, host: str) -> None:
        if not host:
            do = "use 127.0.0.1, or 0.0.0.0 for every address of this machine"
            self._findings.append(Finding("--host", "it is empty", do))

    def faults(self, latency: str | None, given: Sequence[str]) -> tuple[FaultRule, ...]:
        rules: list[FaultRule] = []
        if latency is not None:
            try:
                rules.append(FaultRule(Delay(parse_distribution(latency)), after=True))
            except WordingError as error:
                self._findings.append(Finding("--latency", str(error), "such as 50ms"))
        for text in given:
            try:
                rules.append(parse_fault(text))
            except WordingError as error:
                do = "docs/sandbox.md has every form"
                self._findings.append(Finding(f"--fault {text[:80]!r}", str(error), do))
        return tuple(rules)
