"""Do the demo's schemas, over files and versions, become messages that name their schema?"""

import io
import json
from pathlib import Path
from typing import Any

import fastavro
import pytest

from streamer.demo.wire import MARKER, load, schema_directory

MONEY = {
    "type": "record",
    "name": "Money",
    "namespace": "t.common",
    "fields": [{"name": "currency", "type": "string"}, {"name": "cents", "type": "long"}],
}
BILL = {
    "type": "record",
    "name": "Bill",
    "namespace": "t.billing",
    "fields": [
        {"name": "total", "type": "t.common.Money"},
        {"name": "parts", "type": {"type": "array", "items": "t.common.Money"}},
    ],
}
BILL_2 = {**BILL, "fields": [*BILL["fields"], {"name": "paid", "type": "boolean"}]}


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    for name, schema in {"a/Bill.v1": BILL, "a/Bill.v2": BILL_2, "b/Money": MONEY}.items():
        path = tmp_path / f"{name}.avsc"
        path.parent.mkdir(exist_ok=True)
        path.write_text(json.dumps(schema))
    return tmp_path


def test_types_of_other_files_and_all_versions_are_there(directory: Path) -> None:
    schemas = load(directory)

    assert set(schemas) == {"t.billing.Bill", "t.common.Money"}
    assert len(schemas["t.billing.Bill"]) == 2
    assert len({schema.header for schema in schemas["t.billing.Bill"]}) == 2


def test_a_value_is_read_back_by_its_schema(directory: Path) -> None:
    schema = load(directory)["t.billing.Bill"][0]
    fields: dict[str, Any] = {"total": {"currency": "EUR", "cents": 5}, "parts": []}

    message = schema.encode(fields)

    assert message[:2] == MARKER
    assert fastavro.schemaless_reader(io.BytesIO(message[10:]), schema.parsed, None) == fields


def test_every_use_of_a_type_is_written_out(directory: Path) -> None:
    shape = load(directory)["t.billing.Bill"][0].shape

    assert shape["fields"][1]["type"]["items"]["fields"][0]["name"] == "currency"


def test_the_schemas_of_this_project_load() -> None:
    assert "com.acme.billing.InvoiceOverdue" in load(schema_directory())
