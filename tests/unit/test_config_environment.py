"""What does the environment put into a configuration, and do secrets stay out of sight?"""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamer.config.scalars import BadReference, Loose, interpolate, plain
from streamer.config.secrets import Secret, SecretUnreadable
from tests.unit.config_samples import ISSUE_EXAMPLE, MINIMAL, findings, loaded, refused


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("${A}", "one"),
        ("x-${A}-${B}", "x-one-two"),
        ("${NONE:-else}", "else"),
        ("${NONE:-}", ""),
        ("${EMPTY:-else}", "else"),
        ("${EMPTY}", ""),
        ("${A:-else}", "one"),
        ("$${A}", "${A}"),
        ("$A $ { } $$", "$A $ { } $$"),
        ("${TRICK}", "${A}"),
    ],
)
def test_references_are_replaced_once(text: str, expected: str) -> None:
    env = {"A": "one", "B": "two", "EMPTY": "", "TRICK": "${A}"}

    assert interpolate(text, env) == expected


@pytest.mark.parametrize("text", ["${", "${}", "${1A}", "${a.b}", "${A", "${A-b}"])
def test_a_reference_that_is_none_is_told_how_to_be_escaped(text: str) -> None:
    faults = interpolate(text, {"A": "x"})

    assert isinstance(faults, list)
    assert isinstance(faults[0], BadReference)
    assert "`$${`" in faults[0].do


def test_a_missing_variable_is_named(tmp_path: Path) -> None:
    found = refused(tmp_path, MINIMAL.replace("a-ready-token", '"${TOKEN}"'))

    assert len(found) == 1
    assert found[0].startswith(
        "error: streamer.yaml:7: endpoint.token: the environment variable TOKEN is not set"
    )


def test_what_comes_from_the_environment_is_typed_by_its_field(tmp_path: Path) -> None:
    text = MINIMAL.replace("automations", "${GROUP}") + 'server: {port: "${PORT}"}\n'
    text += "dead_letters:\n  create: ${CREATE}\n"

    settings = loaded(tmp_path, text, {"GROUP": "0123", "PORT": "8080", "CREATE": "false"}).settings

    assert settings.kafka.group_id == "0123"
    assert settings.server.port == 8080
    assert settings.dead_letters.create is False


def test_any_key_can_be_set_by_a_variable(tmp_path: Path) -> None:
    env = {
        "STREAMER__KAFKA__GROUP_ID": "other",
        "STREAMER__KAFKA__PROPERTIES__SECURITY_PROTOCOL": "SSL",
        "STREAMER__SERVER__PORT": "0",
        "STREAMER__DELIVERY__BATCH": "{max: 7}",
        "STREAMER__DELIVERY__COMMIT_INTERVAL": "1s",
        "STREAMER__DEAD_LETTERS__CREATE": "false",
        "STREAMER__ENDPOINT__TOKEN": "12345",
        "STREAMER__SCHEMAS__TOPICS": "{Some.Topic: com.acme.Some}",
        "STREAMER__ROUTES__0__WHEN": "event.days > 1",
        "STREAMER_HOME": "is none of ours",
    }

    settings = loaded(tmp_path, MINIMAL, env).settings

    assert settings.kafka.group_id == "other"
    assert settings.kafka.librdkafka_properties() == {"security.protocol": "SSL"}
    assert settings.server.port == 0
    assert settings.delivery.batch.max == 7
    assert settings.delivery.commit_interval.s == 1
    assert settings.dead_letters.create is False
    assert settings.entries["default"].token == Secret("12345")
    assert settings.schemas.topics == {"Some.Topic": "com.acme.Some"}
    assert settings.routes[0].when == "event.days > 1"


def test_a_variable_takes_the_place_of_what_the_file_got_wrong(tmp_path: Path) -> None:
    text = MINIMAL.replace("automations", '"${GROUP}"').replace("a-ready-token", '"${TOKEN}"')

    env = {"STREAMER__KAFKA__GROUP_ID": "other", "STREAMER__ENDPOINT__TOKEN": "t"}

    assert loaded(tmp_path, text, env).settings.kafka.group_id == "other"

    [found] = refused(tmp_path, text, env | {"STREAMER__ENDPOINT__TOKEN": ""})
    assert "environment variable STREAMER__ENDPOINT__TOKEN: endpoint.token: is empty" in found


@pytest.mark.parametrize(
    ("variable", "expected"),
    [
        ("STREAMER__KAFKA__GRUOP_ID", "did you mean STREAMER__KAFKA__GROUP_ID?"),
        ("STREAMER__KAFFKA__GROUP_ID", "did you mean STREAMER__KAFKA__GROUP_ID?"),
        ("STREAMER__NONSENSE", "unset it; known there: kafka, schemas"),
        ("STREAMER__KAFKA__GROUP_ID__X", "`x` is no known key"),
        ("STREAMER__", "`` is no known key"),
        ("STREAMER__ENDPOINTS", "this is not YAML"),
        ("STREAMER__ENDPOINT__QUOTA", "endpoint.quota: is not a quota"),
        ("STREAMER__DELIVERY__BATCH__LINGER", "delivery.batch.linger: is not a duration"),
        ("STREAMER__ROUTES__0__ON_TOMBSTONE__CANCLE", "did you mean STREAMER__ROUTES__0__ON_TOMB"),
        ("STREAMER__ROUTES__7__NAME", "there is no item 7 in the file's list of 1"),
        ("STREAMER__SERVER__PORT", "server.port: is text, not a whole number"),
        ("STREAMER__LOG__LEVEL", "the value is none of the values it may have"),
        ("STREAMER__DELIVERY", "this is not YAML"),
        ("STREAMER__ROUTES__0", "this is not YAML"),
    ],
)
def test_a_variable_that_is_wrong_is_named_and_its_value_is_not_shown(
    tmp_path: Path, variable: str, expected: str
) -> None:
    found = refused(tmp_path, MINIMAL, {variable: "{s3cret: "})

    assert len(found) == 1, found
    assert found[0].startswith(f"error: environment variable {variable}")
    assert expected in found[0]
    assert "s3cret" not in found[0]


@pytest.mark.parametrize(
    "variable",
    [
        "STREAMER__ENDPOINT__TOKEN",
        "STREAMER__ENDPOINT__BASE_URL",
        "STREAMER__KAFKA__GROUP_ID",
        "STREAMER__KAFKA__PROPERTIES__SASL_PASSWORD",
        "STREAMER__DELIVERY__BATCH",
        "STREAMER__ROUTES__0__WHEN",
    ],
)
def test_a_variable_that_is_not_utf_8_is_named_and_its_value_is_not_shown(
    tmp_path: Path, variable: str
) -> None:
    """The byte 0xFF, as Python reads it."""
    [found] = refused(tmp_path, MINIMAL, {variable: "s3cret\udcff"})

    assert found.startswith(f"error: environment variable {variable}: ")
    assert ": the variable is not UTF-8; set it to text in UTF-8" in found
    assert "s3cret" not in found


def test_a_reference_to_a_variable_that_is_not_utf_8_is_told_where_it_stands(
    tmp_path: Path,
) -> None:
    text = MINIMAL.replace("a-ready-token", '"${TOKEN:-else}"').replace("automations", "a-${ID}")

    found = refused(tmp_path, text, {"TOKEN": "s3cret\udcff", "ID": "s3cret\udcff"})

    assert [line.partition(";")[0] for line in found] == [
        "error: streamer.yaml:3: kafka.group_id: the environment variable ID is not UTF-8",
        "error: streamer.yaml:7: endpoint.token: the environment variable TOKEN is not UTF-8",
    ]
    assert "s3cret" not in str(found)


def test_a_variable_whose_name_is_not_utf_8_can_be_shown(tmp_path: Path) -> None:
    [found] = refused(tmp_path, MINIMAL, {"STREAMER__\udcff": "x"})

    assert r"environment variable STREAMER__\udcff: its name is not UTF-8" in found
    assert found.encode()


def test_the_place_of_an_item_may_have_any_number_of_digits(tmp_path: Path) -> None:
    digits = "9" * 5000

    [found] = refused(tmp_path, MINIMAL, {f"STREAMER__ROUTES__{digits}__NAME": "x"})

    assert f"`{digits}` is no known key" in found


def test_a_variable_below_what_is_no_map_says_what_stands_there(tmp_path: Path) -> None:
    (tmp_path / "team.yaml").write_text("[]")
    routes = MINIMAL.partition("routes:")[0] + "routes: [team.yaml]\nlog: info\n"

    found = refused(
        tmp_path, routes, {"STREAMER__ROUTES__0__WHEN": "True", "STREAMER__LOG__LEVEL": "info"}
    )

    assert any("log in the file is no map" in line for line in found)
    assert any("routes[0] in the file is no map" in line for line in found)
    assert any("not in a file of routes" in line for line in found)


def test_a_file_secret_is_read_again_at_each_use(tmp_path: Path) -> None:
    file = tmp_path / "secret"
    file.write_text("old\n")
    secret = Secret("file:secret", tmp_path)
    assert secret.reveal() == "old"

    file.write_text("new\n")

    assert secret.reveal() == "new"
    assert "new" not in repr(secret)


@pytest.mark.parametrize("content", [None, b"", b"\xff\xfe"])
def test_a_file_secret_that_cannot_be_read_is_named_without_its_content(
    tmp_path: Path, content: bytes | None
) -> None:
    if content is not None:
        (tmp_path / "secret").write_bytes(content)

    with pytest.raises(SecretUnreadable, match="secret cannot be read"):
        Secret("file:secret", tmp_path).reveal()
    found = refused(tmp_path, MINIMAL.replace("a-ready-token", "file:secret"))
    assert len(found) == 1
    assert "endpoint.token: the secret's file secret cannot be read" in found[0]


MARKER = "s3cr3t-Marker"


@pytest.mark.parametrize(
    "text",
    [
        ISSUE_EXAMPLE,
        MINIMAL.replace("a-ready-token", f"[{MARKER}]"),
        MINIMAL.replace("a-ready-token", f"{{x: {MARKER}}}"),
        MINIMAL.replace("a-ready-token", f"{MARKER}\n  app: {{id: x, secret: {MARKER}}}"),
        MINIMAL.replace("a-ready-token", f"{MARKER}\n  proxy: [{MARKER}]"),
        MINIMAL.replace("schemas:", f"  properties: {{sasl.password: [{MARKER}]}}\nschemas:"),
        MINIMAL.replace("schemas:", f"  properties: {{group.id: {MARKER}}}\nschemas:"),
        MINIMAL.replace("avro", f"avro\n  registry: {{url: 'http://u:{MARKER}@h'}}"),
        MINIMAL.replace("instance:", f"base_url: 'http://u:{MARKER}@h'\n  instance:"),
        MINIMAL.replace("routes:", 'log: {level: "${APP_SECRET}"}\nroutes:'),
        MINIMAL.replace("localhost:9092", f"a:\n{MARKER}"),
        MINIMAL.replace("a-ready-token", f"'{MARKER}"),
        MINIMAL.replace("a-ready-token", f"@{MARKER}"),
    ],
)
def test_no_finding_and_no_representation_holds_a_secret(tmp_path: Path, text: str) -> None:
    found = findings(tmp_path, text, {"APP_SECRET": MARKER})

    assert not any(MARKER in str(finding) for finding in found)
    if text == ISSUE_EXAMPLE:
        assert MARKER not in repr(loaded(tmp_path, text, {"APP_SECRET": MARKER}))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", None),
        ("~", None),
        ("null", None),
        ("true", True),
        ("no", "no"),
        ("on", "on"),
        ("12", 12),
        ("-3", -3),
        ("012", 12),
        ("1.5", 1.5),
        ("1e3", 1000.0),
        ("12:30", "12:30"),
        ("2026-11-01", "2026-11-01"),
        ("1_000", "1_000"),
        (".", "."),
        ("9" * 50, "9" * 50),
    ],
)
def test_plain_scalars_are_those_of_yaml_1_2(text: str, expected: object) -> None:
    assert plain(text) == expected
    assert type(plain(text)) is type(expected)


@given(st.text(), st.dictionaries(st.sampled_from(["A", "B"]), st.text()))
def test_interpolation_gives_text_or_says_why_not(text: str, env: dict[str, str]) -> None:
    result = interpolate(text, env)

    assert isinstance(result, str | list)
    if "${" not in text:
        assert result == text
        assert not isinstance(result, Loose)
