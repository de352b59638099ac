"""Which fields does an expression name that its schema does not have?"""

from typing import Any

import pytest
from fastavro import parse_schema

from streamer.errors import Severity
from streamer.routing.fields import UnknownField, field_findings, unknown_fields
from streamer.routing.language.syntax import Checked, check
from streamer.routing.specs import Idempotency
from tests.unit.routing.samples import OVERDUE, spec

LINE = {
    "type": "record",
    "name": "Line",
    "fields": [{"name": "sku", "type": "string"}, {"name": "qty", "type": "int"}],
}
MONEY = {
    "type": "record",
    "name": "Money",
    "namespace": "com.acme.common",
    "fields": [{"name": "amount", "type": {"type": "bytes", "logicalType": "decimal"}}],
}
SCHEMA: dict[str, Any] = {
    "type": "record",
    "name": "InvoiceOverdue",
    "namespace": "com.acme.billing",
    "fields": [
        {"name": "invoice_id", "type": "string"},
        {"name": "days_overdue", "type": "int"},
        {"name": "note", "type": ["null", "string"], "default": None},
        {"name": "lines", "type": {"type": "array", "items": LINE}},
        {"name": "best", "type": ["null", "Line"]},
        {"name": "total", "type": MONEY},
        {"name": "tax", "type": ["null", "com.acme.common.Money"]},
        {"name": "labels", "type": {"type": "map", "values": "Line"}},
        {"name": "contact", "type": ["Line", "com.acme.common.Money"]},
    ],
}


def unknown(text: str, schema: Any = SCHEMA) -> list[UnknownField]:
    checked = check(text)
    assert isinstance(checked, Checked), checked
    return unknown_fields(checked, schema)


@pytest.mark.parametrize("parsed", [False, True])
@pytest.mark.parametrize(
    ("text", "path", "nearest"),
    [
        ("event.days_overdu > 7", "event.days_overdu", "days_overdue"),
        ("event.total.amout", "event.total.amout", "amount"),
        ("event.tax.amout", "event.tax.amout", "amount"),
        ("event.best.skuu", "event.best.skuu", "sku"),
        ("event.lines[0].skuu", "event.lines[0].skuu", "sku"),
        ("event.lines[1:][0].skuu", "event.lines[1:][0].skuu", "sku"),
        ("[l.skuu for l in event.lines if l.qty]", "l.skuu", "sku"),
        ("[l.sku for l in sorted(event.lines) if l.qtty]", "l.qtty", "qty"),
        ("{l.skuu: 1 for l in event.lines}", "l.skuu", "sku"),
        ("event.labels['a'].skuu", "event.labels['a'].skuu", "sku"),
        ("event['zzz']", "event['zzz']", None),
        ("event.contact.nope", "event.contact.nope", None),
        ("lower(event.invoiceid)", "event.invoiceid", "invoice_id"),
        ("f'{event.invoiceid}'", "event.invoiceid", "invoice_id"),
        ("default(event.best, event.lines[0]).skuu", "default(event.best, event.lines[0]).skuu",
         "sku"),
        ("(event.best if event.note else event.lines[0]).skuu",
         "(event.best if event.note else event.lines[0]).skuu", "sku"),
    ],
)  # fmt: skip
def test_a_field_that_is_not_there_is_named_with_the_nearest(
    text: str, path: str, nearest: str | None, parsed: bool
) -> None:
    schema = parse_schema(SCHEMA) if parsed else SCHEMA
    (field,) = unknown(text, schema)
    assert (field.path, field.nearest) == (path, nearest)


@pytest.mark.parametrize(
    "text",
    [
        "event.invoice_id", "event.tax.amount", "event.contact.sku", "event.contact.amount",
        "event.labels.anything.sku", "[k for k in event.labels]", "key.x", "headers['x']",
        "[v.anything for k, v in items(event.labels)]", "from_json(event.note).x",
        "[x.sku for x in event.lines] + [x for x in event.note]", "event.note.x",
    ],
)  # fmt: skip
def test_nothing_is_said_of_what_is_there_or_not_known(text: str) -> None:
    assert unknown(text) == []


def test_a_recursive_schema_ends() -> None:
    tree = {
        "type": "record",
        "name": "Tree",
        "fields": [{"name": "left", "type": ["null", "Tree"]}, {"name": "value", "type": "int"}],
    }
    assert unknown("event.left.left.left.value", tree) == []
    assert unknown("event.left.left.valu", tree)[0].nearest == "value"


def without(name: str) -> dict[str, Any]:
    return {**SCHEMA, "fields": [field for field in SCHEMA["fields"] if field["name"] != name]}


def test_a_field_that_no_version_has_is_an_error() -> None:
    (finding,) = field_findings(
        spec(instance="'site'", when="event.days_overdu > 7"), [SCHEMA, without("note")]
    )
    assert finding.where == "streamer.yaml:7: routes[0].when"
    assert f"no version of {OVERDUE} has the field event.days_overdu" == finding.found
    assert "days_overdue" in finding.do
    assert finding.severity is Severity.ERROR


def test_a_field_that_some_versions_lack_is_a_warning() -> None:
    (finding,) = field_findings(
        spec(instance="event.invoice_id", payload={"n": "event.note"}), [SCHEMA, without("note")]
    )
    assert finding.found == f"1 of 2 versions of {OVERDUE} lack the field event.note"
    assert finding.severity is Severity.WARNING


def test_a_misspelt_field_inside_default_is_a_warning() -> None:
    (finding,) = field_findings(
        spec(instance="event.invoice_id", payload={"n": "default(event.notte, '')"}), [SCHEMA]
    )
    assert finding.severity is Severity.WARNING


def test_a_route_for_every_event_is_warned_only_of_what_none_has() -> None:
    other = {**SCHEMA, "name": "Other", "fields": [{"name": "x", "type": "int"}]}
    route = spec(event=None, instance="event.invoice_id", when="event.x > 1 or event.nope")
    (finding,) = field_findings(route, [SCHEMA, other])
    assert "event.nope" in finding.found
    assert finding.severity is Severity.WARNING


def test_a_route_whose_event_has_no_schema_here_is_not_judged() -> None:
    assert field_findings(spec(event="com.acme.Unknown", when="event.x"), [SCHEMA]) == []


KEYED = {
    **SCHEMA,
    "fields": [
        *SCHEMA["fields"],
        {"name": "event_id", "type": {"type": "string", "logicalType": "uuid"}},
        {
            "name": "id16",
            "type": {"type": "fixed", "name": "Id", "size": 16, "logicalType": "uuid"},
        },
        {"name": "state", "type": {"type": "enum", "name": "State", "symbols": ["A"]}},
        {"name": "mixed", "type": ["null", "string", "long"]},
        {"name": "at", "type": {"type": "long", "logicalType": "timestamp-millis"}},
    ],
}


def key_findings(value: str, as_is: Any = "shared") -> list[Any]:
    route = spec(instance="event.invoice_id", idempotency=Idempotency(value, as_is))
    return field_findings(route, [KEYED])


@pytest.mark.parametrize(
    ("value", "kind"),
    [
        ("event.days_overdue", "int"),
        ("event.best", "record"),
        ("event.total.amount", "decimal"),
        ("event.at", "timestamp-millis"),
        ("default(event.lines, event.labels)", "array or map"),
    ],
)
def test_a_key_as_it_is_that_is_no_text_is_found_by_its_schema(value: str, kind: str) -> None:
    (finding,) = key_findings(value)

    assert finding.where.endswith("idempotency")
    assert finding.found == f"{value} is {kind}, and as_is sends text only"
    assert finding.severity is Severity.ERROR


def test_a_key_as_it_is_that_may_be_no_text_is_a_warning() -> None:
    (finding,) = key_findings("event.mixed")

    assert finding.found == "event.mixed is long, and as_is sends text only"
    assert finding.severity is Severity.WARNING


@pytest.mark.parametrize(
    "value", ["event.event_id", "event.id16", "event.state", "event.note", "str(event.at)"]
)
def test_a_text_or_a_uuid_is_a_key_as_it_is(value: str) -> None:
    assert key_findings(value) == []


def test_what_is_hashed_may_be_any_scalar() -> None:
    assert key_findings("event.days_overdue", as_is=False) == []
