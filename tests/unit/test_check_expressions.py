"""Are routes that do not fit the schemas told, with the nearest name?"""

import json
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from streamer.checks.all import check_all, findings_beside
from streamer.checks.avsc import as_json
from streamer.checks.expressions import findings_of_registry
from streamer.config.settings import RegistrySettings
from streamer.decoding.schema_text import parse_schema
from tests.unit.config_samples import MINIMAL, loaded

MONEY = {
    "type": "record",
    "name": "com.acme.Money",
    "fields": [{"name": "amount", "type": "int"}, {"name": "currency", "type": "string"}],
}
INVOICE: dict[str, Any] = {
    "type": "record",
    "name": "com.acme.billing.InvoiceOverdue",
    "fields": [
        {"name": "invoice_id", "type": "string"},
        {"name": "total", "type": "com.acme.Money"},
        {"name": "rest", "type": ["null", "com.acme.Money"]},
    ],
}
ROUTE = MINIMAL.replace("    trigger:", "    event: com.acme.billing.InvoiceOverdue\n    trigger:")


def check(folder: Path, text: str) -> list[str]:
    schemas = folder / "avro"
    schemas.mkdir()
    (schemas / "money.avsc").write_text(json.dumps(MONEY))
    (schemas / "invoice.avsc").write_text(json.dumps(INVOICE))
    return [str(finding) for finding in check_all(loaded(folder, text), offline=True)]


def test_routes_that_fit_give_no_finding(tmp_path: Path) -> None:
    text = ROUTE + "      amount: event.total.amount\n      rest: event.rest.currency\n"

    assert check(tmp_path, text) == []


def test_a_misspelt_event_names_the_nearest(tmp_path: Path) -> None:
    [line] = check(tmp_path, ROUTE.replace("InvoiceOverdue\n", "InvoiceOverdeu\n"))

    assert "streamer.yaml:12: routes[0].event: no file in" in line
    assert "did you mean com.acme.billing.InvoiceOverdue?" in line


@pytest.mark.parametrize(
    ("path", "near"),
    [("event.total.amuont", "amount"), ("event.rest.curency", "currency"), ("event.totl", "total")],
)
def test_a_misspelt_field_names_its_line_and_the_nearest(
    tmp_path: Path, path: str, near: str
) -> None:
    [line] = check(tmp_path, f"{ROUTE}      more: {path}\n")

    assert "streamer.yaml:16: routes[0].payload.more: " in line
    assert path in line
    assert near in line


def test_a_folder_without_schemas_is_told(tmp_path: Path) -> None:
    [line] = [str(finding) for finding in check_all(loaded(tmp_path, ROUTE), offline=True)]

    assert "schemas.directory" in line


REGISTERED: dict[str, Any] = {
    "/subjects": ["money", "billing.invoices-com.acme.billing.InvoiceOverdue"],
    "/subjects/billing.invoices-com.acme.billing.InvoiceOverdue/versions/latest": {"id": 7},
    "/schemas/ids/7": {
        "schema": json.dumps(INVOICE),
        "references": [{"name": "com.acme.Money", "subject": "money", "version": 1}],
    },
    "/subjects/money/versions/1": {"id": 3, "schema": json.dumps(MONEY)},
}


async def check_registry(folder: Path, text: str, answers: dict[str, Any]) -> list[str]:
    """What is found with a registry that has these answers, and 404 for the rest."""

    async def handle(request: web.Request) -> web.Response:
        found = answers.get(request.path)
        if isinstance(found, int):
            return web.json_response({}, status=found)
        return web.json_response(found or {}, status=200 if found else 404)

    app = web.Application()
    app.router.add_get("/{path:.*}", handle)
    async with TestServer(app) as server:
        url = str(server.make_url("")).rstrip("/")
        configuration = loaded(folder, text.replace("directory: avro", f"registry: {{url: {url}}}"))
        registry = RegistrySettings.model_validate({"url": url})
        return [str(f) for f in await findings_of_registry(configuration, registry)]


async def test_a_registrys_latest_schemas_are_looked_at(tmp_path: Path) -> None:
    text = f"{ROUTE}      more: event.total.amuont\n"

    [line] = await check_registry(tmp_path, text, REGISTERED)

    assert "routes[0].payload.more" in line
    assert "amount" in line


async def test_an_event_that_the_registry_does_not_have_names_the_nearest(tmp_path: Path) -> None:
    text = ROUTE.replace("InvoiceOverdue\n", "InvoiceOverdeu\n")

    [line] = await check_registry(tmp_path, text, REGISTERED)

    assert line.startswith("warning: ")
    assert "streamer.yaml:12: routes[0].event: " in line
    assert "did you mean com.acme.billing.InvoiceOverdue?" in line


@pytest.mark.parametrize(
    "answers",
    [
        {"/subjects/com.acme.billing.InvoiceOverdeu/versions/latest": 503},
        {"/subjects": 500},
        {"/subjects/billing.invoices-value/versions/latest": {"id": 8}},
        {
            "/subjects/billing.invoices-value/versions/latest": {"id": 9},
            "/schemas/ids/9": {"schema": '["null", "string"]'},
        },
    ],
    ids=["subject", "subjects", "a schema that cannot be had", "a union"],
)
async def test_nothing_is_said_of_an_event_where_the_registry_left_it_open(
    tmp_path: Path, answers: dict[str, Any]
) -> None:
    text = ROUTE.replace("InvoiceOverdue\n", "InvoiceOverdeu\n")

    assert await check_registry(tmp_path, text, REGISTERED | answers) == []


def test_a_schema_reads_as_json_again() -> None:
    declared = {
        "type": "record",
        "name": "a.All",
        "fields": [
            {"name": "plain", "type": "string"},
            {"name": "kind", "type": {"type": "enum", "name": "a.Kind", "symbols": ["X"]}},
            {"name": "again", "type": ["null", "a.Kind"]},
            {"name": "four", "type": {"type": "fixed", "name": "a.Four", "size": 4}},
            {"name": "list", "type": {"type": "array", "items": "long"}},
            {"name": "map", "type": {"type": "map", "values": "a.All"}},
        ],
    }

    assert as_json(parse_schema(json.dumps(declared))) == declared


async def test_beside_a_running_process_routes_and_the_token_are_looked_at_and_no_broker(
    tmp_path: Path,
) -> None:
    schemas = tmp_path / "avro"
    schemas.mkdir()
    (schemas / "invoice.avsc").write_text(json.dumps(INVOICE))
    (schemas / "money.avsc").write_text(json.dumps(MONEY))
    text = ROUTE.replace("InvoiceOverdue\n", "InvoiceOverdeu\n")
    text = text.replace("endpoint:\n", "endpoint:\n  base_url: http://127.0.0.1:9\n")

    route, endpoint = await findings_beside(loaded(tmp_path, text))

    assert "InvoiceOverdue" in route.do
    assert (endpoint.where, endpoint.do.split(",")[0]) == ("endpoint", "mend endpoint.base_url")
