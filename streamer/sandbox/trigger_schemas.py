"""Does a payload fit its trigger's JSON Schema (draft-07)?

A directory holds one file for each trigger, `<trigger key>.json`.
"""

from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any
from urllib.parse import unquote
from uuid import UUID

import msgspec
from jsonschema import Draft7Validator, FormatChecker, SchemaError, ValidationError, validators
from jsonschema.protocols import Validator
from referencing import Registry
from referencing.exceptions import Unresolvable
from referencing.jsonschema import DRAFT7, SchemaResource

from streamer.errors import ConfigurationError, Finding
from streamer.sandbox.answers import Violation
from streamer.sandbox.payloads import VIOLATIONS_MAX

Check = Callable[[object], tuple[Violation, ...]]

_decoder = msgspec.json.Decoder(float_hook=Decimal)

_formats = FormatChecker(formats=())


@_formats.checks("date-time", raises=ValueError)
def _is_date_time(value: object) -> bool:
    """RFC 3339: a date, a time and a zone."""
    if not isinstance(value, str):
        return True
    return (
        len(value) > 10 and value[10] in "Tt " and datetime.fromisoformat(value).tzinfo is not None
    )


@_formats.checks("uuid", raises=ValueError)
def _is_uuid(value: object) -> bool:
    return not isinstance(value, str) or str(UUID(value)) == value.lower()


def _is_integer(_: object, value: object) -> bool:
    if isinstance(value, bool):
        return False
    return isinstance(value, int) or (isinstance(value, Decimal) and value == value.to_integral())


def _anything(*_: object) -> Iterator[ValidationError]:
    """The platform takes `additionalProperties` as true, whatever a schema says."""
    return iter(())


_Validator = validators.extend(  # type: ignore[no-untyped-call]
    Draft7Validator,
    {"additionalProperties": _anything},
    type_checker=Draft7Validator.TYPE_CHECKER.redefine("integer", _is_integer),
)


class TriggerSchemas:
    """The schemas by trigger key; a trigger without one takes any payload."""

    def __init__(self, schemas: Mapping[str, Mapping[str, Any]] | None = None) -> None:
        self._checks = {trigger: _compile(schema) for trigger, schema in (schemas or {}).items()}

    @property
    def triggers(self) -> tuple[str, ...]:
        return tuple(sorted(self._checks))

    def knows(self, trigger: str) -> bool:
        return trigger in self._checks

    def violations(self, trigger: str, payload: object) -> tuple[Violation, ...]:
        check = self._checks.get(trigger)
        return () if check is None else check(payload)


def _compile(schema: Mapping[str, Any]) -> Check:
    # A registry of our own: that of the library fetches a remote `$ref` from its host.
    validator = _Validator(schema, format_checker=_formats, registry=Registry())

    def check(payload: object) -> tuple[Violation, ...]:
        try:
            return () if validator.is_valid(payload) else _all_violations(validator, payload)
        except ArithmeticError:
            # 1e400 by 0.01 has more digits than a decimal's context: `multipleOf` cannot divide.
            return (Violation("payload", "has a number too large to check", "OTHER", "multipleOf"),)
        except RecursionError:
            # What the rules leave of a payload is flat: it is the schema that has no end.
            return (Violation("payload", "meets a $ref that leads to itself", "OTHER", "$ref"),)

    return check


def _all_violations(validator: Validator, payload: Any) -> tuple[Violation, ...]:
    # A dict, since the validator gives one error for each missing property and each names all.
    found: dict[Violation, None] = {}
    for error in validator.iter_errors(payload):
        found.update(dict.fromkeys(_violations(error)))
        if len(found) >= VIOLATIONS_MAX:
            break
    return tuple(found)[:VIOLATIONS_MAX]


def _violations(error: ValidationError) -> list[Violation]:
    path = "payload"
    for step in error.absolute_path:
        path += f"[{step}]" if isinstance(step, int) else f".{step}"
    keyword = str(error.validator)
    rule = error.validator_value
    if keyword == "required" and isinstance(error.instance, dict) and isinstance(rule, list):
        missing = [name for name in rule if name not in error.instance]
        return [Violation(f"{path}.{name}", "is required", "REQUIRED_FIELD") for name in missing]
    if keyword in ("type", "format"):
        return [Violation(path, f"must be of {keyword} {rule}", "FORMAT")]
    return [Violation(path, f"does not fit the schema's {keyword!r}", "OTHER", name=keyword)]


def load_schemas(directory: Path) -> TriggerSchemas:
    """Every `*.json` of the directory; its name without `.json` is the trigger key.

    A character that a file name cannot have is written `%2F`. Raises ConfigurationError with all
    that is wrong.
    """
    if not directory.is_dir():
        found = f"{directory} is not a directory"
        do = "give the folder with one <trigger key>.json for each trigger"
        raise ConfigurationError([Finding("--schemas", found, do)])
    schemas: dict[str, Mapping[str, Any]] = {}
    findings: list[Finding] = []
    for path in sorted(directory.glob("*.json")):
        schema = _read(path)
        if isinstance(schema, Finding):
            findings.append(schema)
        else:
            schemas[unquote(path.stem)] = schema
    if not schemas and not findings:
        do = "name the files <trigger key>.json, or leave the flag out"
        findings.append(Finding("--schemas", f"{directory} holds no *.json file", do))
    if findings:
        raise ConfigurationError(findings)
    return TriggerSchemas(schemas)


def _read(path: Path) -> Mapping[str, Any] | Finding:
    try:
        schema = _decoder.decode(path.read_bytes())
    except OSError as error:
        return Finding(str(path), f"it cannot be read: {error.strerror}", "make it readable")
    except (msgspec.ValidationError, ArithmeticError):
        return Finding(str(path), "it has a number that is too large", "write a smaller one")
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError) as error:
        return Finding(str(path), f"it is not JSON: {error}", "write a JSON Schema, draft-07")
    if not isinstance(schema, dict) or schema.get("type", "object") != "object":
        return Finding(
            str(path),
            "its root does not describe an object",
            'write {"type": "object", "properties": {...}}',
        )
    if (wrong := _why_no_schema(schema)) is not None:
        return Finding(str(path), f"it is no draft-07 schema: {wrong}", "mend it")
    if (wrong := _wrong_ref(schema)) is not None:
        return Finding(
            str(path), wrong, "have it lead to a schema of this file, such as #/definitions/x"
        )
    return schema


def _why_no_schema(schema: object) -> str | None:
    try:
        _Validator.check_schema(schema)
    except SchemaError as error:
        where = "/".join(str(step) for step in error.absolute_path) or "its root"
        return f"{where}: {error.message}"
    return None


def _wrong_ref(schema: object) -> str | None:
    """What is wrong with the first `$ref` of which a payload could make an error."""
    root: SchemaResource = DRAFT7.create_resource(schema)
    waiting = [(root, Registry().resolver_with_root(root))]
    seen: set[int] = set()
    while waiting:
        resource, resolver = waiting.pop()
        contents = resource.contents
        if not isinstance(contents, dict) or id(contents) in seen:
            continue
        seen.add(id(contents))
        ref = contents.get("$ref")
        if isinstance(ref, str):
            try:
                found = resolver.lookup(ref)
            # Of a pointer into an array or a number the library raises what Python does.
            except (Unresolvable, ValueError, TypeError):
                return f"its $ref {ref[:200]!r} leads to nothing in this file"
            if (wrong := _why_no_schema(found.contents)) is not None:
                return f"its $ref {ref[:200]!r} leads to no schema: {wrong}"
            waiting.append((DRAFT7.create_resource(found.contents), found.resolver))
        waiting += [(part, resolver.in_subresource(part)) for part in resource.subresources()]
    return None
