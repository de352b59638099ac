"""Does every text end as a schema or as a sentence that says what is wrong with it?"""

import json
from typing import Any

import pytest
from fastavro.schema import fingerprint as fast_fingerprint
from fastavro.schema import parse_schema as fast_schema
from fastavro.schema import to_parsing_canonical_form

from streamer.decoding.fingerprint import canonical_form, fingerprint
from streamer.decoding.schema import Array, Named, Primitive, RecordType, SchemaRejected, Union
from streamer.decoding.schema_text import MAX_TEXT, UnknownName, parse_schema
from tests.unit.decoding.avro_bytes import record

MONEY = record(("amount", "long"), name="com.acme.common.Money")


def test_names_take_the_namespace_that_they_stand_in() -> None:
    inner = {"type": "enum", "name": "Kind", "symbols": ["A"]}
    schema = {
        "type": "record",
        "name": "Event",
        "namespace": "com.acme",
        "fields": [{"name": "kind", "type": inner}, {"name": "again", "type": "Kind"}],
    }
    parsed = parse_schema(json.dumps(schema))
    assert parsed.name == "com.acme.Event"
    assert isinstance(parsed.root, RecordType)
    assert parsed.root.fields[1].type == Named("com.acme.Kind")


def test_a_reference_declares_types_for_those_after_it() -> None:
    order = record(("total", "com.acme.common.Money"), name="com.acme.Order")
    parsed = parse_schema(json.dumps(order), [json.dumps(MONEY)])
    assert "com.acme.common.Money" in parsed.named
    event = parse_schema('["com.acme.Order", "null"]', [json.dumps(MONEY), json.dumps(order)])
    assert event.root == Union((Named("com.acme.Order"), Primitive("null")))


def test_two_references_may_carry_the_same_type() -> None:
    wrapping = record(("m", MONEY), name="com.acme.Wrapping")
    texts = [json.dumps(MONEY), json.dumps(wrapping)]
    assert parse_schema('"com.acme.Wrapping"', texts).name == "com.acme.Wrapping"
    other = json.dumps(record(("amount", "int"), name="com.acme.common.Money"))
    with pytest.raises(SchemaRejected, match=r"Money' is declared twice"):
        parse_schema('"com.acme.Wrapping"', [other, *texts])


@pytest.mark.parametrize("text", ['{"type": {"type": "array", "items": "int"}}'])
def test_a_type_in_a_type_is_that_type(text: str) -> None:
    assert parse_schema(text).root == Array(Primitive("int"))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", "line 1, column 1: it is not JSON"),
        ('{\n  "type": "record",\n}', "line 3, column 1: it is not JSON"),
        ("7", "schema: a type is text, a list or an object, not a number"),
        ("null", "not null"),
        ("{}", "schema: the object has no `type`"),
        ('"com.acme.Gone"', "schema: the type 'com.acme.Gone' is declared nowhere"),
        ('{"type": 7}', "schema.type: a type is text, a list or an object"),
        ('{"type": "record", "name": "R"}', "schema: the object has no `fields`"),
        ('{"type": "record", "fields": []}', "schema: the object has no `name`"),
        ('{"type": "record", "name": 7, "fields": []}', "schema.name: it is no name"),
        ('{"type": "record", "name": "a\\nb", "fields": []}', "schema.name: it is no name"),
        ('{"type": "record", "name": "R", "fields": {}}', "schema.fields: it is an object"),
        ('{"type": "record", "name": "R", "fields": [7]}', "schema.fields[0]: a field is"),
        (json.dumps(record(("a", "int"), ("a", "int"))), "schema.fields[1]: the record has two"),
        ('{"type": "record", "name": "R", "fields": [{"name": "a"}]}', "fields[0]: the object has"),
        (json.dumps(record(("a", record()))), "declared inside itself"),
        ('["int", ["null"]]', "schema[1]: a union stands directly in a union"),
        ('{"type": "array"}', "schema: the object has no `items`"),
        ('{"type": "map"}', "schema: the object has no `values`"),
        ('{"type": "enum", "name": "E", "symbols": "A"}', "schema.symbols: it is no list"),
        ('{"type": "enum", "name": "E", "symbols": ["\\ud800"]}', "schema.symbols: it is no list"),
        ('{"type": "fixed", "name": "F", "size": -1}', "schema.size: it is no whole number"),
        ('{"type": "fixed", "name": "F", "size": true}', "schema.size: it is no whole number"),
        ('{"type": "fixed", "name": "F", "size": 4294967296}', "schema.size: it is no whole"),
        ('{"type":' * 20_000 + '"int"' + "}" * 20_000, "nested deeper than 64 levels"),
        ("[" * 500_000, "nested deeper than 64 levels"),
        ('{"type":' * 100 + '"int"' + "}" * 100, "nested deeper than 64 levels"),
        (json.dumps(["int"] * 10_001), "it declares more than 10000 types"),
        ('"' + "x" * MAX_TEXT + '"', "characters, more than"),
        ('{"size": ' + "9" * 5_000 + "}", "a number is too long"),
    ],
)
def test_a_text_that_is_no_schema_is_rejected_with_its_place(text: str, expected: str) -> None:
    with pytest.raises(SchemaRejected) as caught:
        parse_schema(text)
    assert expected in str(caught.value)
    assert len(str(caught.value)) < 1_000


def test_an_unknown_name_is_told_with_its_namespace() -> None:
    with pytest.raises(UnknownName) as caught:
        parse_schema(json.dumps(record(("m", "Money"))))
    assert caught.value.name == "com.acme.Money"


SCHEMAS: list[Any] = [
    "int",
    {"type": "fixed", "name": "a.F", "size": 16, "logicalType": "uuid"},
    {"type": "record", "name": "R", "namespace": "x.y", "doc": "é", "aliases": ["Q"], "fields": []},
    record(
        ("a", {"type": "string", "logicalType": "uuid"}),
        ("b", ["null", {"type": "array", "items": {"type": "map", "values": "long"}}]),
        ("c", {"type": "enum", "name": "E", "symbols": ["A", "B"], "default": "A"}),
        ("d", "com.acme.E"),
        ("next", ["null", "com.acme.R"]),
    ),
]


@pytest.mark.parametrize("schema", SCHEMAS)
def test_the_fingerprint_is_the_one_that_fastavro_computes(schema: Any) -> None:
    parsed = parse_schema(json.dumps(schema))
    canonical = to_parsing_canonical_form(fast_schema(schema))
    assert canonical_form(parsed) == canonical
    expected = fast_fingerprint(canonical, "CRC-64-AVRO")
    assert fingerprint(parsed).hex() == expected


def test_the_specifications_example_has_its_fingerprint() -> None:
    # The empty fingerprint's table of the specification: "null" is 63DD24E7CC258F8A.
    assert fingerprint(parse_schema('"null"'))[::-1].hex().upper() == "63DD24E7CC258F8A"


def test_a_referenced_type_is_written_where_it_comes_first() -> None:
    twice = record(("a", "com.acme.common.Money"), ("b", "com.acme.common.Money"))
    inline = record(("a", MONEY), ("b", "com.acme.common.Money"))
    by_reference = parse_schema(json.dumps(twice), [json.dumps(MONEY)])
    assert canonical_form(by_reference) == canonical_form(parse_schema(json.dumps(inline)))
