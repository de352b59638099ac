"""Is each route well made, alone and beside the others, and what is it once compiled?

All mistakes are reported at once, each where it stands.
"""

import ast
from collections import Counter
from collections.abc import Mapping, Sequence

from streamer.errors import Finding
from streamer.model import Action
from streamer.routing import tombstones
from streamer.routing.conflicts import conflicts
from streamer.routing.keys import is_guid
from streamer.routing.language.expressions import Expression, Language
from streamer.routing.language.syntax import Checked, check
from streamer.routing.language.whitelist import Problem
from streamer.routing.payload import key_problem
from streamer.routing.route import PayloadMap, Route, RouteParts, TombstoneParts
from streamer.routing.specs import RouteSpec
from streamer.routing.topics import pattern_problem

_LONGEST_TRIGGER = 100
"""Characters of a trigger key, by the endpoint's reference."""


def compiled_rows(
    specs: Sequence[RouteSpec], instances: Mapping[str, str]
) -> tuple[list[Route], list[Finding]]:
    """The routes that could be compiled, and the findings of all; errors say which could not."""
    findings: list[Finding] = []
    texts = _Texts()
    rows = [_Row(spec, texts, instances.get(spec.endpoint), findings) for spec in specs]
    routes = [Route(row.parts()) for row in rows]
    findings += _repeated_names(specs)
    findings += conflicts(specs, [route.parts for route in routes])
    return routes, findings


def _repeated_names(specs: Sequence[RouteSpec]) -> list[Finding]:
    counted = Counter(spec.name for spec in specs)
    return [
        Finding(
            spec.place("name"),
            f"{counted[spec.name]} routes have the name {spec.name}",
            "give each route a name of its own: it is a part of the idempotency keys",
        )
        for spec in specs
        if counted[spec.name] > 1
    ]


class _Texts:
    """Expressions by their text: tables of thousands of routes have few that differ."""

    def __init__(self) -> None:
        self._language = Language()
        self._outcomes: dict[str, Checked | list[Problem]] = {}
        self._expressions: dict[str, Expression] = {}

    def outcome(self, text: str) -> Checked | list[Problem]:
        if text not in self._outcomes:
            self._outcomes[text] = check(text)
        return self._outcomes[text]

    def expression(self, checked: Checked) -> Expression:
        if checked.text not in self._expressions:
            self._expressions[checked.text] = self._language.expression(checked)
        return self._expressions[checked.text]

    def map(self, parts: Mapping[str, Checked]) -> PayloadMap:
        """Expressions by key, as one that gives them all."""
        tree = ast.Dict(
            keys=[ast.Constant(key) for key in parts],
            values=[part.tree for part in parts.values()],
        )
        return PayloadMap(
            self._language.expression(Checked("payload", tree, frozenset())),
            {key: self.expression(part) for key, part in parts.items()},
        )


class _Row:
    """One route on its way from text to code."""

    def __init__(
        self,
        spec: RouteSpec,
        texts: _Texts,
        default_instance: str | None,
        findings: list[Finding],
    ) -> None:
        self._spec = spec
        self._texts = texts
        self._default_instance = default_instance
        self._findings = findings

    def _error(self, field: str, found: str, do: str) -> None:
        self._findings.append(Finding(self._spec.place(field), found, do))

    def parts(self) -> RouteParts:
        """The compiled route; what could not be compiled is empty, and a finding says why."""
        spec = self._spec
        self._check_topics()
        action, trigger = self._action()
        cancels = action is Action.CANCEL
        given = spec.idempotency
        instance = self._instance()
        return RouteParts(
            name=spec.name,
            topics=spec.topics,
            event=spec.event,
            action=action,
            trigger=trigger,
            endpoint=spec.endpoint,
            when=self._optional("when", spec.when),
            instance=instance,
            entity=self._entity(cancels=cancels),
            idempotency=self._optional("idempotency", given.value if given else None),
            as_is=given.as_is if given else False,
            idempotency_ttl_ms=spec.idempotency_ttl_ms,
            max_age_ms=spec.max_age_ms,
            payload=self._payload(cancels=cancels),
            key_avro=spec.key_avro,
            on_tombstone=self._tombstone(instance),
        )

    def _check_topics(self) -> None:
        if not any(self._spec.topics):
            self._error("topic", "the route names no topic", "write topic: NAME or topics: [...]")
        for topic in self._spec.topics:
            problem = pattern_problem(topic)
            if problem is not None:
                self._error(
                    "topic",
                    f"{topic} is no regular expression ({problem})",
                    r"write one as Python's re knows it, such as ^billing\..*",
                )

    def _action(self) -> tuple[Action, str]:
        spec = self._spec
        if (spec.trigger is None) == (spec.cancel is None):
            both = spec.trigger is not None
            found = "both trigger and cancel are" if both else "neither trigger nor cancel is"
            self._error("trigger", f"{found} given", "write one of trigger: KEY and cancel: KEY")
        name = "trigger" if spec.trigger is not None else "cancel"
        key = (spec.trigger if spec.trigger is not None else spec.cancel) or ""
        if (spec.trigger, spec.cancel) != (None, None):
            self._check_trigger(name, key)
        cancels = spec.trigger is None and spec.cancel is not None
        return Action.CANCEL if cancels else Action.REPORT, key

    def _check_trigger(self, field: str, key: str) -> None:
        if not 1 <= len(key) <= _LONGEST_TRIGGER:
            self._error(
                field,
                f"the trigger key has {len(key)} characters",
                f"write the key of the app's trigger, 1 to {_LONGEST_TRIGGER} characters",
            )

    def _instance(self) -> Expression | str:
        text = self._spec.instance
        if text is None:
            if not self._default_instance:
                self._error(
                    "instance",
                    "the route names no app instance, and there is no default",
                    "write instance: event.FIELD in the route, or set"
                    f" {self._spec.endpoint_section}.instance",
                )
            return self._default_instance or ""
        if is_guid(text.strip()):
            return text.strip()
        checked = self._checked("instance", text)
        return "" if checked is None else self._instance_of("instance", checked)

    def _instance_of(self, field: str, checked: Checked) -> Expression | str:
        """A constant as it is, anything else as an expression."""
        if isinstance(checked.tree, ast.Constant) and isinstance(checked.tree.value, str):
            if not checked.tree.value:
                self._error(field, "the instance is empty", "write the app instance's id")
            return checked.tree.value
        return self._texts.expression(checked)

    def _tombstone(self, own: Expression | str) -> TombstoneParts | None:
        """The cancel of a tombstone; `own`: the route's instance."""
        given = self._spec.on_tombstone
        if given is None:
            return None
        self._check_trigger("on_tombstone.cancel", given.cancel)
        entity = self._of_key("on_tombstone.entity", given.entity)
        instance = self._tombstone_instance(given.instance, own)
        if entity is None or instance is None:
            return None
        entity_of = self._texts.expression(entity)
        return TombstoneParts(trigger=given.cancel, instance=instance, entity=entity_of)

    def _tombstone_instance(
        self, text: str | None, own: Expression | str
    ) -> Expression | str | None:
        field = "on_tombstone.instance"
        if text is None:
            problem = tombstones.inherited_problem(self._spec.instance)
            if problem is not None:
                self._error(field, *problem)
            return own
        if is_guid(text.strip()):
            return text.strip()
        checked = self._of_key(field, text)
        return None if checked is None else self._instance_of(field, checked)

    def _of_key(self, field: str, text: str) -> Checked | None:
        checked = self._checked(field, text)
        if checked is None:
            return None
        problem = tombstones.problem(checked, key_avro=self._spec.key_avro)
        if problem is not None:
            self._error(field, *problem)
            return None
        return checked

    def _entity(self, *, cancels: bool) -> Expression | None:
        if self._spec.entity is None and cancels:
            self._error(
                "entity",
                "a cancel names no entity",
                "write entity: event.FIELD, the same value as in the report that it cancels",
            )
        return self._optional("entity", self._spec.entity)

    def _payload(self, *, cancels: bool) -> Expression | PayloadMap | None:
        payload = self._spec.payload
        if cancels:
            self._check_cancel()
            return None
        if isinstance(payload, str):
            return self._optional("payload", payload)
        for key in payload:
            problem = key_problem(key)
            if problem is not None:
                self._error(
                    f"payload.{key}",
                    f"the payload's key {key} {problem}",
                    "use letters, digits and underscores, and no underscore first",
                )
        return self._payload_map(payload)

    def _check_cancel(self) -> None:
        """A cancel carries a trigger and an entity only."""
        given = {
            "payload": bool(self._spec.payload),
            "idempotency": self._spec.idempotency is not None,
            "idempotency_ttl": self._spec.idempotency_ttl_ms is not None,
        }
        for field, is_given in given.items():
            if is_given:
                self._error(field, f"a cancel has no {field}", "leave it out")

    def _payload_map(self, payload: Mapping[str, str]) -> PayloadMap:
        checked = {key: self._checked(f"payload.{key}", text) for key, text in payload.items()}
        return self._texts.map({key: part for key, part in checked.items() if part is not None})

    def _optional(self, field: str, text: str | None) -> Expression | None:
        if text is None:
            return None
        checked = self._checked(field, text)
        return None if checked is None else self._texts.expression(checked)

    def _checked(self, field: str, text: str) -> Checked | None:
        outcome = self._texts.outcome(text)
        if isinstance(outcome, Checked):
            return outcome
        for problem in outcome:
            self._error(field, f"the expression at {problem.place}: {problem.found}", problem.do)
        return None
