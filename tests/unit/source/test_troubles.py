"""What a person hears of what goes wrong with Kafka."""

import pytest
from confluent_kafka import KafkaError
from structlog.testing import capture_logs

from streamer.errors import Finding, Severity
from streamer.source.complaints import Complaints
from streamer.source.explain import explain, fatal_sentence
from streamer.source.troubles import Troubles

AT = "kafka-1:9092"
ONE = Finding("kafka", "x", "y")


@pytest.mark.parametrize(
    ("code", "text", "setting"),
    [
        ("_ALL_BROKERS_DOWN", "1/1 brokers are down", "kafka.bootstrap_servers"),
        ("_RESOLVE", "Failed to resolve 'x'", "kafka.bootstrap_servers"),
        ("_TRANSPORT", "Connect to ipv4#1 failed: Connection refused", "kafka.bootstrap_servers"),
        (
            "_TRANSPORT",
            "Disconnected while requesting ApiVersion: might be caused by incorrect"
            " security.protocol configuration",
            "security.protocol",
        ),
        ("_AUTHENTICATION", "SASL authentication error: Authentication failed", "sasl.password"),
        ("_SSL", "error:0A000086:SSL routines::certificate verify failed", "ssl.ca.location"),
        ("_SSL", "SSL handshake failed: wrong version number", "security.protocol"),
        ("TOPIC_AUTHORIZATION_FAILED", "Fetch from broker 1 failed", "Read"),
        ("GROUP_AUTHORIZATION_FAILED", "JoinGroup failed", "kafka.group_id"),
        ("OFFSET_METADATA_TOO_LARGE", "no", "offset.metadata.max.bytes"),
        ("UNKNOWN_TOPIC_OR_PART", "Subscribed topic not available: a", "routes"),
    ],
)
def test_an_error_names_the_setting_to_change(code: str, text: str, setting: str) -> None:
    assert setting in explain(code, text, AT).do


def test_an_unknown_error_is_told_in_the_clients_words_on_one_line() -> None:
    finding = explain("_BAD_MSG", "a\nb" + "c" * 1000, AT)

    assert "_BAD_MSG: a b" in finding.found
    assert len(finding.found) < 400


def test_a_single_broker_that_goes_is_a_warning_and_all_of_them_are_an_error() -> None:
    assert explain("_TRANSPORT", "refused", AT).severity is Severity.WARNING
    assert explain("_ALL_BROKERS_DOWN", "all", AT).severity is Severity.ERROR


def test_a_fenced_member_is_told_to_have_a_name_of_its_own() -> None:
    assert "group.instance.id" in fatal_sentence("FENCED_INSTANCE_ID", "fenced")


@pytest.mark.parametrize(
    ("code", "setting"),
    [
        (KafkaError.FENCED_INSTANCE_ID, "group.instance.id"),
        (KafkaError.UNRELEASED_INSTANCE_ID, "group.instance.id"),
        (KafkaError.UNSUPPORTED_ASSIGNOR, "group.remote.assignor"),
        (KafkaError.GROUP_ID_NOT_FOUND, "group.protocol"),
    ],
)
def test_an_end_whose_code_stands_in_its_text_only_is_told_as_well(code: int, setting: str) -> None:
    text = f"Fatal error: {KafkaError(code).str()}: ConsumerGroupHeartbeat fatal error"

    assert setting in fatal_sentence("_FATAL", text)


def test_a_finding_is_due_when_it_is_new_and_every_30_seconds_while_it_lasts() -> None:
    complaints = Complaints()

    due = [complaints.raised("a", ONE, float(at)) for at in range(65)]

    assert [at for at, is_due in enumerate(due) if is_due] == [0, 30, 60]


def test_a_finding_is_current_until_it_has_not_come_for_a_minute_or_is_over() -> None:
    complaints = Complaints()
    complaints.raised("a", ONE, 0.0)
    complaints.raised("b", ONE, 30.0)

    assert len(complaints.current(59.0)) == 2
    assert len(complaints.current(61.0)) == 1
    complaints.over(lambda kind: kind == "b")
    assert complaints.current(61.0) == ()


def test_a_finding_that_was_over_and_comes_again_is_current_and_not_logged_too_often() -> None:
    complaints = Complaints()
    complaints.raised("a", ONE, 0.0)
    complaints.over(lambda kind: True)

    assert not complaints.raised("a", ONE, 10.0)
    assert complaints.current(10.0) == (ONE,)
    assert complaints.raised("a", ONE, 31.0)


def test_no_answer_is_told_only_where_the_client_has_not_told_why() -> None:
    troubles = Troubles(AT, lambda: 1.0)
    with capture_logs() as logs:
        troubles.failed(KafkaError(KafkaError._AUTHENTICATION, "no"))
        troubles.no_answer(KafkaError(KafkaError._TIMED_OUT, "late"))

    assert ["refuse the login" in entry["found"] for entry in logs] == [True]
    assert len(troubles.findings) == 1
    troubles.answered()
    assert not troubles.findings


@pytest.mark.parametrize(
    "error",
    [
        KafkaError(KafkaError._FATAL, "Fatal error: Broker: Static consumer fenced"),
        KafkaError(KafkaError.FENCED_INSTANCE_ID, "fenced", fatal=True),
    ],
)
def test_a_fatal_error_is_kept_as_the_reason_of_the_end(error: KafkaError) -> None:
    troubles = Troubles(AT, lambda: 1.0)
    troubles.failed(error)

    assert "group.instance.id" in str(troubles.fatal)


def test_a_commit_that_a_rebalance_overtook_is_nothing_to_hear_of() -> None:
    troubles = Troubles(AT, lambda: 1.0)

    troubles.commit_failed(KafkaError(KafkaError.STALE_MEMBER_EPOCH))
    assert not troubles.findings
    troubles.commit_failed(KafkaError(KafkaError.TOPIC_AUTHORIZATION_FAILED))
    assert "Read" in troubles.findings[0].do
