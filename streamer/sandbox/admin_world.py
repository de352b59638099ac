"""How are the platform's rules, apps and instances seen and changed while it runs?"""

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, TypeVar

from streamer.sandbox.admin_requests import AdminError, AdminRequest, json_of
from streamer.sandbox.platform import Platform
from streamer.sandbox.quantities import (
    WordingError,
    parse_quota,
    parse_size,
    quota_text,
    size_text,
)
from streamer.sandbox.quota import Quota, RetryAfter
from streamer.sandbox.rules import BulkBadItem, BulkResults, Rules

INSTANCES_LIMIT_DEFAULT = 1_000

_SILENT = {"app": None, "calls": 0, "over_quota": 0, "most_in_a_minute": 0, "in_minute": 0}


class World:
    def __init__(self, platform: Platform, clock_ms: Callable[[], int]) -> None:
        self._platform = platform
        self._clock_ms = clock_ms

    # --- settings -------------------------------------------------------------------------

    def settings(self) -> dict[str, Any]:
        rules = self._platform.rules
        return {
            "quota": quota_text(rules.quota.calls_a_minute),
            "quota_retry_after": rules.quota.retry_after,
            "over_quota_counts": rules.quota.refused_calls_count,
            "bulk_bad_item": rules.bulk_bad_item,
            "bulk_results": rules.bulk_results,
            "max_body": "none" if rules.body_max is None else size_text(rules.body_max),
            "failed_use_up_keys": rules.failed_use_up_keys,
        }

    def change_settings(self, request: AdminRequest) -> dict[str, Any]:
        """Changes those that are named, all or none of them. Raises AdminError."""
        rules = self._platform.rules
        for name, value in _object_of(request, _SETTINGS).items():
            try:
                rules = _SETTINGS[name](rules, value)
            except (WordingError, ValueError) as error:
                raise AdminError(f"{name}: {error}") from None
        self._platform.rules = rules
        return self.settings()

    # --- instances ------------------------------------------------------------------------

    def instances(self, request: AdminRequest) -> dict[str, Any]:
        """Every instance that called or is known by name, those with the most calls first."""
        query = request.query
        query.check_names("limit", "instance")
        return self.instance_rows(query.limit(INSTANCES_LIMIT_DEFAULT), query.get("instance"))

    def instance_rows(self, limit: int, instance: str | None) -> dict[str, Any]:
        """At most `limit` of them; of one id where it is given."""
        tokens, usages = self._platform.tokens, self._platform.usages
        installed, uninstalled = tokens.instances
        called = usages.usages(limit, instance)
        now_ms = self._clock_ms()
        rows: list[dict[str, Any]] = [
            {
                "app": usage.app,
                "instance": usage.instance,
                "calls": usage.calls,
                "over_quota": usage.over_quota,
                "most_in_a_minute": usage.most_in_a_minute,
                "in_minute": usages.in_minute(usage.app, usage.instance, now_ms),
            }
            for usage in called
        ]
        silent = [
            name
            for name in (*(installed or ()), *uninstalled)
            if not usages.has_called(name) and instance in (None, name)
        ]
        rows += [{**_SILENT, "instance": name} for name in silent[: limit - len(rows)]]
        for row in rows:
            row["installed"] = tokens.has_installed(row["instance"])
        return {
            "instances": rows,
            "total": len(silent) + (len(usages) if instance is None else len(called)),
            "only_known": installed is not None,
        }

    def change_instances(self, request: AdminRequest) -> dict[str, Any]:
        """Raises AdminError."""
        wanted = _object_of(request, ("install", "uninstall"))
        names = {word: _names(word, value) for word, value in wanted.items()}
        for name in names.get("uninstall", ()):
            self._platform.tokens.uninstall(name)
        for name in names.get("install", ()):
            self._platform.tokens.install(name)
        return {word: len(given) for word, given in names.items()}

    # --- apps -----------------------------------------------------------------------------

    def apps(self) -> dict[str, Any]:
        tokens = self._platform.tokens
        return {"apps": tokens.apps, "any_app": tokens.any_app}

    def change_app(self, request: AdminRequest) -> dict[str, Any]:
        """Raises AdminError."""
        wanted = _object_of(request, ("app", "secret", "end_tokens"))
        app, secret = wanted.get("app"), wanted.get("secret")
        end_tokens = wanted.get("end_tokens", False)
        named = isinstance(app, str) and isinstance(secret, str) and app and secret
        if not named or not isinstance(end_tokens, bool):
            # What came may be a secret: it is not said.
            raise AdminError('send {"app": "ID", "secret": "NEW", "end_tokens": false}')
        self._platform.tokens.set_secret(str(app), str(secret), end_tokens=end_tokens)
        return self.apps()


def _object_of(request: AdminRequest, known: Mapping[str, object] | tuple[str, ...]) -> Any:
    wanted = json_of(request)
    if not isinstance(wanted, dict) or not wanted:
        raise AdminError(f"send an object with one or more of {', '.join(known)}")
    for name in wanted:
        if name not in known:
            raise AdminError(f"{name[:40]!r} is unknown here; use {', '.join(known)}")
    return wanted


def _names(word: str, value: object) -> list[str]:
    if not isinstance(value, list) or not all(isinstance(name, str) and name for name in value):
        raise AdminError(f'{word} is a list of instances; send {{"{word}": ["site-1"]}}')
    return value


# --- each setting ---------------------------------------------------------------------------

Setting = Callable[[Rules, object], Rules]
"""The rules with another value. Raises WordingError or ValueError."""

Choice = TypeVar("Choice", RetryAfter, BulkBadItem, BulkResults)


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise WordingError("a text is wanted, as the flag of its name takes it")
    return value


def _switch(value: object) -> bool:
    if not isinstance(value, bool):
        raise WordingError("true or false is wanted")
    return value


def _choice(choices: type[Choice], value: object) -> Choice:
    for choice in choices:
        if choice == value:
            return choice
    raise WordingError(f"one of {', '.join(choices)} is wanted")


def _with_quota(rules: Rules, **changes: Any) -> Rules:
    quota: Quota = replace(rules.quota, **changes)
    return replace(rules, quota=quota)


def _body_max(value: object) -> int | None:
    return None if value == "none" else parse_size(_text(value))


_SETTINGS: dict[str, Setting] = {
    "quota": lambda rules, value: _with_quota(rules, calls_a_minute=parse_quota(_text(value))),
    "quota_retry_after": lambda rules, value: _with_quota(
        rules, retry_after=_choice(RetryAfter, value)
    ),
    "over_quota_counts": lambda rules, value: _with_quota(
        rules, refused_calls_count=_switch(value)
    ),
    "bulk_bad_item": lambda rules, value: replace(rules, bulk_bad_item=_choice(BulkBadItem, value)),
    "bulk_results": lambda rules, value: replace(rules, bulk_results=_choice(BulkResults, value)),
    "max_body": lambda rules, value: replace(rules, body_max=_body_max(value)),
    "failed_use_up_keys": lambda rules, value: replace(rules, failed_use_up_keys=_switch(value)),
}
