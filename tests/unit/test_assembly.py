"""Does what the configuration says reach the parts that it is for?"""

from pathlib import Path
from random import Random
from typing import Any

import pytest

from streamer import assembly
from streamer.assembly import core_of, endpoints_of
from streamer.config.loading import Loaded
from streamer.delivery.core import Core, CoreSettings
from streamer.delivery.core import EndpointSettings as DeliveryEndpoint
from streamer.delivery.tokens import UnknownInstance
from streamer.edge.clock import SystemClock
from streamer.errors import ConfigurationError
from streamer.observability.metrics import Metrics
from tests.unit.config_samples import MINIMAL, loaded

SEVERAL = MINIMAL.replace(
    """\
endpoint:
  token: a-ready-token
  instance: 1d1c3f2e-9c0c-4f5e-8d3a-2b7a90c0f3aa
""",
    """\
endpoints:
  default: {app: {id: a, secret: s}, instance: i, quota: 100/min, timeout: 3s}
  crm: {token: t, quota: none, unknown_instance: skip, timeout: 7s}
delivery:
  batch: {max: 50, linger: 20ms, max_bytes: 64KiB}
  hold: {after: 6h, then: dead-letter}
""",
)


def given_to_the_core(
    monkeypatch: pytest.MonkeyPatch, it: Loaded
) -> tuple[CoreSettings, dict[str, DeliveryEndpoint]]:
    given: list[Any] = []

    class Recorded(Core):
        def __init__(self, *arguments: Any) -> None:
            given.extend(arguments)
            super().__init__(*arguments)

    monkeypatch.setattr(assembly, "Core", Recorded)
    core_of(it, Metrics(), Random(), SystemClock())
    return given[0], given[1]


def test_the_core_is_given_what_the_configuration_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings, endpoints = given_to_the_core(monkeypatch, loaded(tmp_path, SEVERAL))

    assert (settings.batch_most, settings.batch_bytes_most) == (50, 64 * 1024)
    assert settings.batch_linger_s == pytest.approx(0.02)
    assert settings.hold_after_s == 6 * 3600
    assert settings.call_timeout_s == 7, "of the slowest endpoint"
    assert endpoints == {
        "default": DeliveryEndpoint(False, 100, UnknownInstance.DEAD_LETTER),
        "crm": DeliveryEndpoint(True, None, UnknownInstance.SKIP),
    }


def test_the_defaults_are_full_calls_at_once_a_quota_and_no_end_of_waiting(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings, endpoints = given_to_the_core(monkeypatch, loaded(tmp_path, MINIMAL))

    assert (settings.batch_most, settings.batch_linger_s) == (100, 0)
    assert settings.hold_after_s is None
    assert endpoints["default"].quota_per_minute == 200


async def test_there_is_a_way_to_each_endpoint(tmp_path: Path) -> None:
    made = endpoints_of(loaded(tmp_path, SEVERAL).settings)

    assert list(made) == ["default", "crm"]
    for endpoint in made.values():
        await endpoint.close()


@pytest.mark.parametrize(
    ("old", "new", "where"),
    [
        ("timeout: 7s", "tls: {ca: none.pem}", "endpoints.crm.tls.ca"),
        ("timeout: 7s", "tls: {cert: none.pem}", "endpoints.crm.tls.cert"),
        ("timeout: 3s", "tls: {ca: none.pem}", "endpoints.default.tls.ca"),
    ],
)
async def test_what_an_endpoint_cannot_use_is_told_by_its_own_name(
    tmp_path: Path, old: str, new: str, where: str
) -> None:
    settings = loaded(tmp_path, SEVERAL.replace(old, new)).settings

    with pytest.raises(ConfigurationError) as caught:
        endpoints_of(settings)

    assert [finding.where for finding in caught.value.findings] == [where]
