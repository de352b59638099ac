"""Does the chart refuse values that cannot work, with a sentence that says what to write?"""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from tests.chart.rendering import CHART, MINIMAL, Refused, helm, render

EXPECTED: dict[str, tuple[dict[str, Any], str]] = {
    "a grace period below drain and commit": (
        {"terminationGracePeriodSeconds": 34},
        "set it to 35 or more",
    ),
    "a grace period below a longer drain": (
        {
            "terminationGracePeriodSeconds": 60,
            "config": {"delivery": {"drain_timeout": "1m"}},
        },
        "set it to 75 or more",
    ),
    "a drain time-out that cannot be read": (
        {"config": {"delivery": {"drain_timeout": "${DRAIN}"}}},
        "write a whole number and ms, s, m, h or d",
    ),
    "a drain time-out from a variable": (
        {"extraEnv": [{"name": "STREAMER__DELIVERY__DRAIN_TIMEOUT", "value": "5m"}]},
        "set config.delivery.drain_timeout",
    ),
    "a port that is not known": ({"config": {"server": {"port": 0}}}, "write a fixed port"),
    "a host that no probe reaches": (
        {"config": {"server": {"host": "127.0.0.1"}}},
        "leave it out",
    ),
    "static membership in a Deployment": (
        {"config": {"kafka": {"properties": {"group.instance.id": "${POD_NAME}"}}}},
        "set kind to StatefulSet",
    ),
    "one member's name for all": (
        {
            "kind": "StatefulSet",
            "config": {"kafka": {"properties": {"group.instance.id": "me"}}},
        },
        "must differ by process",
    ),
    "route files that nobody reads": (
        {"routeFiles": {"billing.yaml": [{"name": "a"}]}},
        "add `routes/*.yaml` to config.routes",
    ),
    "the one endpoint beside several": (
        {"config": {"endpoints": {"crm": {"token": "${TOKEN}"}}}},
        "keep endpoints, with what stands under endpoint as its entry `default`",
    ),
    "a budget of two numbers": (
        {"podDisruptionBudget": {"enabled": True, "minAvailable": 1}},
        "set one of them to null",
    ),
    "a budget of no number": (
        {"podDisruptionBudget": {"enabled": True, "maxUnavailable": None}},
        "set minAvailable or maxUnavailable",
    ),
    "a name that is taken": (
        {"extraEnv": [{"name": "POD_NAME", "value": "x"}]},
        "choose another name",
    ),
    "an unknown value": ({"replicsa": 2}, "replicsa"),
    "an unknown key of the configuration": (
        {"config": {"kafka": {"bootstrap_server": "kafka:9092"}}},
        "bootstrap_server",
    ),
    "an unknown key of a route": ({"config": {"routes": [{"nmae": "a"}]}}, "nmae"),
    "an unknown key of a route file": ({"routeFiles": {"a.yaml": [{"nmae": "a"}]}}, "nmae"),
    "an unknown key of an endpoint": ({"config": {"endpoints": {"a": {"tokn": "x"}}}}, "tokn"),
    "a value that the configuration does not know": (
        {"config": {"delivery": {"ordering": "keys"}}},
        "/config/delivery/ordering",
    ),
    "a duration that is none": (
        {"config": {"delivery": {"retry_for": "15 minutes"}}},
        "/config/delivery/retry_for",
    ),
    "an unknown value further down": ({"podMonitor": {"intervall": "1m"}}, "intervall"),
    "another kind": ({"kind": "DaemonSet"}, "/kind"),
    "a number as text": ({"replicas": "two"}, "/replicas"),
    "a label that is the chart's own": (
        {"podLabels": {"app.kubernetes.io/name": "x"}},
        "/podLabels",
    ),
    "a route file outside the folder": (
        {"routeFiles": {"../x.yaml": [{"name": "a"}]}},
        "/routeFiles",
    ),
    "a secret without its key": ({"secrets": {"env": {"A": {"secret": "s"}}}}, "key"),
    "a digest that is none": ({"image": {"digest": "latest"}}, "/image/digest"),
}


@pytest.mark.parametrize("name", EXPECTED)
def test_is_refused(name: str) -> None:
    values, said = EXPECTED[name]

    with pytest.raises(Refused) as refused:
        render(MINIMAL, values)

    assert said in str(refused.value)


@pytest.mark.parametrize(
    ("path", "said"),
    [
        (("endpoint", "token"), "config.endpoint.token is a secret in plain text"),
        (("endpoint", "app", "secret"), "config.endpoint.app.secret is a secret"),
        (("endpoints", "crm", "token"), "config.endpoints.crm.token is a secret in plain text"),
        (("endpoints", "crm", "app", "secret"), "config.endpoints.crm.app.secret is a secret"),
        (("schemas", "registry", "bearer"), "config.schemas.registry.bearer is a secret"),
        (("schemas", "registry", "basic", "password"), "registry.basic.password is a secret"),
        (("kafka", "properties", "sasl.password"), "kafka.properties[sasl.password] is a secret"),
    ],
)
def test_a_secret_in_plain_text_is_refused_and_not_shown(path: tuple[str, ...], said: str) -> None:
    config: Any = "hunter2"
    for key in reversed(path):
        config = {key: config}

    with pytest.raises(Refused) as refused:
        render(MINIMAL, {"config": config})

    assert said in str(refused.value)
    assert "secrets.files" in str(refused.value)
    assert "hunter2" not in str(refused.value)


@pytest.mark.parametrize(
    "config",
    [
        {"delivery": {"max_in_flight": "${MOST}", "retry_for": "${RETRY}", "ordering": "${O}"}},
        {"delivery": {"retry_for": None}, "log": None},
        {"kafka": {"properties": {"session.timeout.ms": 45000, "check.crcs": True}}},
        {"routes": ["routes/*.yaml", {"name": "a", "idempotency": {"value": "event.id"}}]},
        {"routes": [{"name": "a", "payload": {"n": 5, "x": "event.x"}, "idempotency": "event.x"}]},
    ],
)
def test_what_another_file_or_a_variable_settles_is_let_through(config: dict[str, Any]) -> None:
    assert render(MINIMAL, {"config": config})


def test_a_proxy_with_a_password_is_refused_and_one_without_is_not() -> None:
    with pytest.raises(Refused, match=r"config\.endpoint\.proxy is a secret"):
        render(MINIMAL, {"config": {"endpoint": {"proxy": "http://me:hunter2@proxy:3128"}}})

    assert render(MINIMAL, {"config": {"endpoint": {"proxy": "http://proxy:3128"}}})
    with pytest.raises(Refused, match=r"config\.endpoints\.crm\.proxy is a secret"):
        render(MINIMAL, {"config": {"endpoints": {"crm": {"proxy": "http://me:hunter2@p:1"}}}})


def test_without_a_configuration_the_chart_says_so() -> None:
    with pytest.raises(Refused, match="config is empty: write the configuration of streamer there"):
        helm("template", "rel", str(CHART))


def test_the_schema_is_closed_but_for_what_is_kubernetes_own() -> None:
    schema = json.loads((CHART / "values.schema.json").read_text(encoding="utf-8"))
    definitions = schema.pop("definitions")

    assert not [path for name, it in definitions.items() for path in _open(it, name)]
    assert set(_open(schema, "")) == {
        "global",
        "affinity",
        "extraEnv[]",
        "extraEnvFrom[]",
        "extraVolumes[]",
        "extraVolumeMounts[]",
        "tolerations[]",
        "topologySpreadConstraints[]",
        "podMonitor.relabelings[]",
        "podMonitor.metricRelabelings[]",
    }


def _open(schema: dict[str, Any], path: str) -> Iterator[str]:
    """The paths at which any key is taken with any value."""
    if "object" in schema.get("type", ()) and "additionalProperties" not in schema:
        yield path
    for form in schema.get("anyOf", ()):
        yield from _open(form, path)
    for key, inner in schema.get("properties", {}).items():
        if inner is not False:
            yield from _open(inner, f"{path}.{key}".lstrip("."))
    for named in schema.get("patternProperties", {}).values():
        for inner in named.get("oneOf", [named]):
            yield from _open(inner, f"{path}.*")
    if "items" in schema:
        yield from _open(schema["items"], f"{path}[]")
