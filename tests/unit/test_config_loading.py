"""Does a configuration load, and is everything wrong with it said at once?"""

import time
from pathlib import Path

import pytest

from streamer.config.loading import load
from streamer.config.quantities import Duration, Quota, Size
from streamer.errors import ConfigurationError
from tests.unit.config_samples import ISSUE_EXAMPLE, MINIMAL, loaded, refused

TEN_MISTAKES = """\
kafka:
  bootstrap_servers: localhost:9092
  gruop_id: automations
  start: yesterday
schemas:
  registry: {url: "http://localhost:8081"}
  directory: avro
endpoint:
  app: {id: an-app, secret: "${APP_SECRET}"}
  timeout: 10
  http_client: aiohttp
routes:
  - name: invoice-overdue
    topic: billing.invoices
    topic: billing.bills
    trigger: invoice_overdue
    instance: event.site
    max_age: 6 hours
delivery: {max_in_flight: 0, hold: {after: 6h}}
server: {port: "9464"}
"""


def test_the_example_of_the_documentation_loads(tmp_path: Path) -> None:
    result = loaded(tmp_path, ISSUE_EXAMPLE, {"APP_SECRET": "s3cret"})

    settings = result.settings
    assert settings.kafka.group_id == "automations"
    endpoint = settings.entries["default"]
    assert endpoint.app is not None
    assert endpoint.app.secret.reveal() == "s3cret"
    assert endpoint.quota == Quota(200)
    assert [spec.name for spec in result.route_specs] == ["invoice-overdue", "invoice-paid"]
    assert result.route_specs[0].payload["invoiceId"] == "event.invoice_id"  # type: ignore[index]
    assert result.route_specs[1].cancel == "invoice_overdue"


def test_the_defaults_are_those_of_the_rules(tmp_path: Path) -> None:
    settings = loaded(tmp_path, MINIMAL).settings

    assert settings.kafka.start == "latest"
    endpoint = settings.entries["default"]
    assert endpoint.timeout == Duration.parse("10s")
    assert endpoint.http_client == "httptools"
    assert (endpoint.quota, endpoint.unknown_instance) == (Quota(200), "dead-letter")
    delivery = settings.delivery
    assert (delivery.ordering, delivery.max_in_flight, delivery.batch.max) == ("key", 256, 100)
    assert (delivery.window, delivery.window_bytes) == (10_000, Size(64 * 1024 * 1024))
    assert (delivery.batch.linger, delivery.batch.max_bytes) == (Duration(0), Size(1024 * 1024))
    assert delivery.hold == "wait"
    assert delivery.commit_interval.s == pytest.approx(0.2)
    assert delivery.revoke_timeout.s == 5
    assert delivery.stall_after.s == 15
    assert delivery.drain_timeout.s == 20
    assert delivery.retry_for.ms == 15 * 60 * 1000
    assert settings.dead_letters.topic == "{topic}.dlq"
    assert settings.server.port == 9464


def test_the_example_of_the_documentation_has_no_findings(tmp_path: Path) -> None:
    assert loaded(tmp_path, ISSUE_EXAMPLE, {"APP_SECRET": "s"}).findings == ()


def test_ten_mistakes_are_answered_with_a_finding_each(tmp_path: Path) -> None:
    found = refused(tmp_path, TEN_MISTAKES)

    begins = [line.split("; ")[0] for line in found]
    assert begins == [
        "error: streamer.yaml:3: kafka.gruop_id: `gruop_id` is no known key",
        "error: streamer.yaml:4: kafka.start: is not a moment to start at",
        "error: streamer.yaml:7: schemas.directory: stands beside `registry`, and only one of the"
        " two can be",
        "error: streamer.yaml:9: endpoint.app.secret: the environment variable APP_SECRET is not"
        " set",
        "error: streamer.yaml:10: endpoint.timeout: is a whole number without a unit",
        "error: streamer.yaml:11: endpoint.http_client: `aiohttp` is none of the values it may"
        " have",
        "error: streamer.yaml:15: routes[0].topic: the key `topic` stands here a second time (the"
        " first is in line 14)",
        "error: streamer.yaml:18: routes[0].max_age: is not a duration",
        "error: streamer.yaml:19: delivery.max_in_flight: `0` is too small",
        "error: streamer.yaml:19: delivery.hold.then: is missing",
        "error: streamer.yaml:20: server.port: is text, not a whole number",
    ]
    assert all("; " in line for line in found), "each says what to write instead"


def test_a_mistyped_key_names_the_known_one_and_is_not_missing_as_well(tmp_path: Path) -> None:
    found = refused(tmp_path, MINIMAL.replace("group_id", "group-id"))

    assert found == [
        "error: streamer.yaml:3: kafka.group-id: `group-id` is no known key; did you mean"
        " `group_id`?"
    ]


def test_a_missing_key_is_shown_by_example(tmp_path: Path) -> None:
    found = refused(tmp_path, MINIMAL.replace("  group_id: automations\n", ""))

    assert found == [
        "error: streamer.yaml:1: kafka.group_id: is missing; write `group_id`, such as"
        " `group_id: automations`"
    ]


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("  token: a-ready-token\n", "", "endpoint.app: is missing, and so is `token`"),
        ("  token:", "  app: {id: i, secret: s}\n  token:", "endpoint.token: stands beside `app`"),
        ("  directory: avro", "  topics: {a: b.C}", "schemas.registry: is missing"),
        (
            "directory: avro",
            "registry: {url: 'http://r'}\n  topics: {a: b.C}",
            "schemas.topics: names schemas by topic",
        ),
        (
            "directory: avro",
            "registry: {url: 'http://r', basic: {username: u, password: p}, bearer: b}",
            "schemas.registry.bearer: stands beside `basic`",
        ),
        (
            "directory: avro",
            "registry: {url: 'http://r', tls: {key: k.pem}}",
            "schemas.registry.tls.cert: is missing, and `key` needs it",
        ),
        ("    topic: ", "    topics: [a]\n    topic: ", "routes[0].topics: stands beside `topic`"),
        ("    topic: billing.invoices\n", "", "routes[0].topic: is missing, and so is `topics`"),
        ("    trigger: invoice_overdue\n", "", "routes[0].trigger: is missing"),
        ("    trigger: ", "    cancel: ", "routes[0].entity: is missing, and a cancel needs it"),
    ],
)
def test_keys_that_exclude_or_need_one_another_are_told(
    tmp_path: Path, old: str, new: str, expected: str
) -> None:
    found = refused(tmp_path, MINIMAL.replace(old, new, 1))

    assert any(expected in line for line in found), found
    places = [line.split(": ")[2] for line in found]
    assert len(set(places)) == len(places), "nothing is told twice"


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("localhost:9092", "''", "kafka.bootstrap_servers: is empty"),
        ("automations", "[a]", "kafka.group_id: is a list, not text"),
        ("  group_id:", "  start: 2026-11-01T00:00:00\n  group_id:", "without a time zone"),
        ("routes:", "delivery: {window_bytes: 64}\nroutes:", "is a whole number without a unit"),
        ("routes:", "delivery: {window_bytes: 1KiB}\nroutes:", "is less than 1MiB"),
        ("routes:", "server: {port: 70000}\nroutes:", "`70000` is too big; write 65535 or less"),
        ("routes:", "server:\n  host\nroutes:", "server: is text, not a map of keys"),
        ("routes:", "log: {level: loud}\nroutes:", "`debug`, `info`, `warning` or `error`"),
        ("routes:", 'dead_letters: {topic: "{topic}"}\nroutes:', "is the source topic itself"),
        ("routes:", 'dead_letters: {topic: "a b"}\nroutes:', "is no topic name"),
        ("routes:", "dead_letters: {create: yes}\nroutes:", "is text, not `true` or `false`"),
        ("  instance:", "  quota: 5/s\n  instance:", "is not a quota; write a quota, `200/min`"),
        ("  instance:", "  base_url: ftp://x\n  instance:", "is no http or https URL"),
        ("  instance:", "  base_url: https://u:p@x\n  instance:", "holds a user name"),
        ("billing.invoices", "^billing[", "is no regular expression"),
        ("billing.invoices", "billing/invoices", "is no topic name"),
        ("name: invoice-overdue", "name: overdue invoices", "is no route name"),
        ("    topic:", "    event: Invoice Overdue\n    topic:", "is no full name of an Avro"),
        ("    topic:", "    key: json\n    topic:", "routes[0].key: `json` is none of the values"),
        ("    topic:", "    idempotency: {valu: x}\n    topic:", "did you mean `value`?"),
        ("invoiceId: event.invoice_id", "invoiceId: [1]", "is a list, not an expression"),
        ("invoiceId: event.invoice_id", "invoiceId:", "is nothing, not an expression"),
    ],
)
def test_a_wrong_value_is_told_with_what_to_write(
    tmp_path: Path, old: str, new: str, expected: str
) -> None:
    found = refused(tmp_path, MINIMAL.replace(old, new, 1))

    assert len(found) == 1, found
    assert expected in found[0]


def test_an_expression_that_does_not_compile_is_told_with_its_line(tmp_path: Path) -> None:
    text = MINIMAL.replace("event.invoice_id", "event.invoice_id &&") + "server: {port: -1}\n"

    found = refused(tmp_path, text)

    assert len(found) == 2
    assert found[0].startswith("error: streamer.yaml:14: routes[0].payload.invoiceId")
    assert "server.port" in found[1]


def test_a_misspelt_section_hides_no_fault_of_the_one_that_is_there(tmp_path: Path) -> None:
    found = refused(tmp_path, MINIMAL + "server: {port: 70000}\nservr: {port: 1}\n")

    assert len(found) == 2
    assert "server.port: `70000` is too big" in found[0]
    assert "did you mean `server`?" in found[1]


def test_a_repeated_name_is_told_beside_the_routes_other_faults(tmp_path: Path) -> None:
    second = "  - name: invoice-overdue\n    topic: billing.invoices\n    trigr: x\n"

    found = refused(tmp_path, MINIMAL + second)

    assert [line.split(": ")[2] for line in found if "2 routes have this name" in line] == [
        "routes[0].name",
        "routes[1].name",
    ]
    assert any("did you mean `trigger`?" in line for line in found)


def test_constants_need_no_quotes_in_expressions(tmp_path: Path) -> None:
    text = MINIMAL + "      count: 5\n      share: 0.5\n      urgent: true\n"

    payload = loaded(tmp_path, text).route_specs[0].payload

    assert isinstance(payload, dict)
    assert (payload["count"], payload["share"], payload["urgent"]) == ("5", "0.5", "True")


def test_properties_that_streamer_owns_are_refused_with_their_line(tmp_path: Path) -> None:
    text = MINIMAL.replace(
        "schemas:", "  properties:\n    security.protocol: SSL\n    group.id: x\nschemas:"
    )

    found = refused(tmp_path, text)

    assert len(found) == 1
    assert found[0].startswith("error: streamer.yaml:6: kafka.properties.group.id: ")


def test_properties_are_given_to_the_client_as_text(tmp_path: Path) -> None:
    text = MINIMAL.replace(
        "schemas:",
        "  properties: {fetch.min.bytes: 10, enable.ssl.certificate.verification: false}\nschemas:",
    )

    properties = loaded(tmp_path, text).settings.kafka.librdkafka_properties()

    assert properties == {"fetch.min.bytes": "10", "enable.ssl.certificate.verification": "false"}


# --- files ------------------------------------------------------------------------------------


def test_a_missing_file_is_one_finding(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError) as caught:
        load(tmp_path / "none.yaml", {})

    assert [finding.found for finding in caught.value.findings] == ["there is no such file"]


def test_a_folder_a_binary_file_and_a_list_are_one_finding_each(tmp_path: Path) -> None:
    (tmp_path / "latin.yaml").write_bytes(b"kafka:\n  group_id: caf\xe9\n")
    (tmp_path / "list.yaml").write_text("- kafka\n")

    for name, expected in [
        ("", "the file cannot be read: Is a directory"),
        ("latin.yaml", "the file is not UTF-8 (line 2)"),
        ("list.yaml", "holds no map of keys"),
    ]:
        with pytest.raises(ConfigurationError) as caught:
            load(tmp_path / name, {})
        assert [finding.found for finding in caught.value.findings] == [expected]


def test_an_empty_file_lists_what_is_missing(tmp_path: Path) -> None:
    found = refused(tmp_path, "")

    assert [line.split(": ")[2] for line in found] == ["kafka", "schemas", "routes", "endpoint"]


def test_paths_start_from_the_folder_of_the_file(tmp_path: Path) -> None:
    (tmp_path / "token").write_text("from-a-file\n")
    text = MINIMAL.replace("token: a-ready-token", "token: file:token")

    settings = loaded(tmp_path, text).settings

    assert settings.schemas.directory == str(tmp_path / "avro")
    token = settings.entries["default"].token
    assert token is not None
    assert token.reveal() == "from-a-file"


ROUTE = "name: {name}\n  topic: orders\n  trigger: {name}\n"


def with_routes(*names: str) -> str:
    return "".join("- " + ROUTE.format(name=name) for name in names)


def test_routes_come_from_files_in_the_order_of_their_names(tmp_path: Path) -> None:
    folder = tmp_path / "routes"
    folder.mkdir()
    (folder / "b.yaml").write_text(with_routes("three"))
    (folder / "a.yaml").write_text("routes:\n" + with_routes("one", "two"))
    text = MINIMAL.replace("routes:\n", "routes:\n  - routes/*.yaml\n  - routes/b.yaml\n")

    specs = loaded(tmp_path, text).route_specs

    assert [spec.name for spec in specs] == ["one", "two", "three", "invoice-overdue"]
    assert specs[1].where == f"{folder}/a.yaml:5: routes[1]"


def test_a_fault_in_a_route_file_names_that_file_and_line(tmp_path: Path) -> None:
    (tmp_path / "team.yaml").write_text(with_routes("one") + "- name: two\n  topik: orders\n")
    text = MINIMAL.replace("routes:\n", "routes:\n  - team.yaml\n")

    found = refused(tmp_path, text)

    assert len(found) == 2
    assert found[0].startswith("error: team.yaml:4: routes[1].trigger: is missing")
    assert found[1].startswith("error: team.yaml:5: routes[1].topik: `topik` is no known key")


def test_a_pattern_of_route_files_that_names_none_is_refused(tmp_path: Path) -> None:
    found = refused(tmp_path, MINIMAL.replace("routes:\n", "routes:\n  - routes/*.yaml\n"))

    assert len(found) == 1
    assert found[0].startswith("error: streamer.yaml:10: routes[0]: names files with routes, and")


@pytest.mark.parametrize("content", ["a: 1\n", "just text", "", "routes: 5"])
def test_a_route_file_without_a_list_is_refused(tmp_path: Path, content: str) -> None:
    (tmp_path / "team.yaml").write_text(content)

    found = refused(tmp_path, MINIMAL.replace("routes:\n", "routes:\n  - team.yaml\n"))

    assert len(found) == 1
    assert found[0].startswith("error: team.yaml: the file holds no list of routes")


def test_a_thousand_routes_load_in_a_second_or_so(tmp_path: Path) -> None:
    (tmp_path / "many.yaml").write_text(with_routes(*(f"r{i}" for i in range(1_000))))
    text = MINIMAL.replace("routes:\n", "routes:\n  - many.yaml\n")

    started = time.process_time()
    specs = loaded(tmp_path, text).route_specs

    assert len(specs) == 1_001
    assert time.process_time() - started < 5, "0.3 s measured"
