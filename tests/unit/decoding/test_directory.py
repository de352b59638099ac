"""Does a folder of schemas load, and is everything that is wrong in it said at once?"""

import json
from pathlib import Path
from typing import Any

import pytest

from streamer.decoding.directory import DirectorySchemas, load_directory
from streamer.errors import ConfigurationError
from tests.unit.decoding.avro_bytes import record

DOMAIN = Path(__file__).parents[3] / "avro"


def save(folder: Path, **schemas: Any) -> Path:
    for name, schema in schemas.items():
        content = schema if isinstance(schema, str) else json.dumps(schema)
        (folder / f"{name}.avsc").write_text(content, "utf-8")
    return folder


def names(schemas: DirectorySchemas) -> list[str]:
    return sorted(str(schema.name) for schema in schemas.schemas)


def findings(folder: Path, topics: dict[str, str] | None = None) -> list[str]:
    with pytest.raises(ConfigurationError) as caught:
        load_directory(folder, topics or {})
    return [str(finding) for finding in caught.value.findings]


def test_the_sample_domain_loads_with_its_versions() -> None:
    loaded = names(load_directory(DOMAIN, {"orders": "com.acme.orders.OrderPlaced"}))
    assert loaded.count("com.acme.billing.InvoiceOverdue") == 2
    assert loaded.count("com.acme.bookings.BookingConfirmed") == 2
    assert {name.rpartition(".")[0] for name in loaded} == {
        f"com.acme.{part}" for part in ("billing", "bookings", "common", "members", "orders")
    }


def test_files_may_use_types_of_each_other_in_any_order(tmp_path: Path) -> None:
    save(
        tmp_path,
        a=record(("b", "com.acme.B")),
        b=record(("c", "com.acme.C"), name="com.acme.B"),
        c=record(name="com.acme.C"),
    )
    assert names(load_directory(tmp_path, {})) == ["com.acme.B", "com.acme.C", "com.acme.R"]


def test_the_same_schema_twice_is_one(tmp_path: Path) -> None:
    save(tmp_path, a=record(("b", "int")), again=record(("b", "int")))
    assert names(load_directory(tmp_path, {})) == ["com.acme.R"]


def test_everything_that_is_wrong_is_found_at_once(tmp_path: Path) -> None:
    decimal = {"type": "bytes", "logicalType": "decimal", "precision": 4}
    save(
        tmp_path,
        broken='{\n  "type": oops}',
        circle_a=record(("b", "com.acme.CircleB"), name="com.acme.CircleA"),
        circle_b=record(("a", "com.acme.CircleA"), name="com.acme.CircleB"),
        endless=record(("r", "com.acme.Endless"), name="com.acme.Endless"),
        fields=record(("ok", "int"), ("bad", {"type": "array"}), name="com.acme.Fields"),
        near=record(("m", "com.acme.common.Mony")),
        money=record(name="com.acme.common.Money"),
        raw_a=record(("d", "bytes"), name="com.acme.Raw"),
        raw_b=record(("d", decimal), name="com.acme.Raw"),
        two=record(("v", "com.acme.Version"), name="com.acme.Two"),
        version_1=record(("a", "int"), name="com.acme.Version"),
        version_2=record(("b", "int"), name="com.acme.Version"),
    )
    (tmp_path / "latin.avsc").write_bytes(b'{"doc": "\xe9"}')
    found = "\n".join(findings(tmp_path, {"t": "com.acme.Version", "u": "com.acme.common.Mony"}))
    for expected in (
        "broken.avsc: line 2, column 11: it is not JSON",
        "circle_b.avsc: it and",
        "circle_a.avsc use each other; declare types that use each other in one file",
        "endless.avsc: the record com.acme.Endless holds itself without end",
        "fields.avsc: schema.fields[1].type: the object has no `items`",
        "latin.avsc: it is not UTF-8",
        "near.avsc: schema.fields[0].type: the type 'com.acme.common.Mony' is declared nowhere;"
        " did you mean com.acme.common.Money?",
        "and other logical types",
        "two.avsc: schema.fields[0].type: 2 files declare the type com.acme.Version; keep one of",
        "schemas.topics.t: 2 versions of com.acme.Version",
        "schemas.topics.u: no file in",
    ):
        assert expected in found, expected
    assert found.count("\n") == 9


@pytest.mark.parametrize("folder", ["missing", "."])
def test_a_folder_without_schemas_names_the_setting(tmp_path: Path, folder: str) -> None:
    (finding,) = findings(tmp_path / folder)
    assert "set schemas.directory to the folder of the writer schemas" in finding


def test_a_bare_topic_needs_a_record(tmp_path: Path) -> None:
    save(tmp_path, e={"type": "enum", "name": "com.acme.E", "symbols": []})
    (finding,) = findings(tmp_path, {"t": "com.acme.E"})
    assert "schemas.topics.t: com.acme.E is no record" in finding


def test_a_file_that_is_too_large_is_not_read(tmp_path: Path) -> None:
    save(tmp_path, huge=" " * (5 << 20))
    (finding,) = findings(tmp_path)
    assert "huge.avsc: the file is too large for a schema" in finding
