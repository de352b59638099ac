"""Are all properties that the Kafka client would refuse told at once, without asking a broker?"""

import pytest

from streamer.source.refused_properties import refused_properties


def test_all_unknown_names_and_refused_values_are_told_together() -> None:
    found = refused_properties(
        {
            "fetch.min.bytes": "1",
            "fetch.mni.bytes": "1",
            "sesion.timeout.ms": "6000",
            "security.protocol": "SASSL",
            "fetch.max.bytes": "-5",
            "error_cb": "print",
            "default.topic.config": "x",
            "group.instance.id": "a",
            "sasl.password": "secret",
        }
    )

    assert [(it.where.removeprefix("kafka.properties."), it.found) for it in found] == [
        ("fetch.mni.bytes", "is no property of the Kafka client"),
        ("sesion.timeout.ms", "is no property of the Kafka client"),
        ("security.protocol", "has a value that the Kafka client refuses"),
        ("fetch.max.bytes", "has a value that the Kafka client refuses"),
        ("error_cb", "is for programs alone to set"),
        ("default.topic.config", "is for programs alone to set"),
    ]
    assert "write one from 0 to 2147483135" in found[3].do
    assert not any("SASSL" in str(it) for it in found), "no value is shown"


@pytest.mark.parametrize("name", ["group.id", "enable.auto.commit", "plugin.library.paths"])
def test_what_others_tell_or_what_would_run_code_is_not_asked_about(name: str) -> None:
    assert refused_properties({name: "nonsense"}) == []


def test_of_a_value_in_a_file_only_the_name_is_looked_at() -> None:
    found = refused_properties({"fetch.min.bytes": "file:a", "fetch.mni.bytes": "file:a"})

    assert [it.where for it in found] == ["kafka.properties.fetch.mni.bytes"]
