"""Do several endpoints load, does each route find its own, and is every mistake told?"""

from pathlib import Path

import pytest

from streamer.config.quantities import Quota
from streamer.config.secrets import Secret
from tests.unit.config_samples import MINIMAL, loaded, refused

HEAD = """\
kafka: {bootstrap_servers: "localhost:9092", group_id: automations}
schemas: {directory: avro}
"""

SEVERAL = (
    HEAD
    + """\
endpoints:
  billing:
    app: {id: billing-app, secret: "${BILLING_SECRET}"}
    instance: 1d1c3f2e-9c0c-4f5e-8d3a-2b7a90c0f3aa
    quota: 100/min
  crm:
    base_url: https://crm.example
    token: file:crm-token
    unknown_instance: skip
routes:
  - name: invoice-overdue
    topic: billing.invoices
    endpoint: billing
    trigger: invoice_overdue
  - name: member-joined
    topic: members
    endpoint: crm
    instance: event.site
    trigger: member_joined
"""
)
ENV = {"BILLING_SECRET": "s3cret"}


@pytest.fixture(autouse=True)
def _token(tmp_path: Path) -> None:
    (tmp_path / "crm-token").write_text("ready\n")


def test_each_route_goes_to_the_endpoint_that_it_names(tmp_path: Path) -> None:
    result = loaded(tmp_path, SEVERAL, ENV)

    billing, crm = result.settings.entries.values()
    assert list(result.settings.entries) == ["billing", "crm"]
    assert billing.app is not None
    assert (billing.app.secret, billing.quota) == (Secret("s3cret"), Quota(100))
    assert (crm.quota, crm.unknown_instance) == (Quota(200), "skip")
    assert crm.token is not None
    assert crm.token.reveal() == "ready"
    assert [route.parts.endpoint for route in result.table.routes] == ["billing", "crm"]
    assert result.table.routes[0].parts.instance == billing.instance
    assert result.settings.section_of("crm") == "endpoints.crm"
    assert result.findings == ()


def test_the_one_endpoint_is_named_default(tmp_path: Path) -> None:
    settings = loaded(tmp_path, MINIMAL).settings

    assert list(settings.entries) == ["default"]
    assert settings.section_of("default") == "endpoint"


@pytest.mark.parametrize("names", [("main",), ("default",), ("main", "default")])
def test_a_route_may_leave_out_its_endpoint_where_it_is_clear(
    tmp_path: Path, names: tuple[str, ...]
) -> None:
    entries = "".join(f"  {name}: {{token: t-{name}, instance: i}}\n" for name in names)
    text = f"{HEAD}endpoints:\n{entries}routes: [{{name: a, topic: b, trigger: c}}]\n"

    (route,) = loaded(tmp_path, text).table.routes

    assert route.parts.endpoint == names[-1]


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        (
            "    endpoint: billing\n",
            "",
            "error: streamer.yaml:13: routes[0].endpoint: is missing, and there are several"
            " endpoints; write one of `billing`, `crm`, or name the usual one `default`",
        ),
        (
            "endpoint: billing",
            "endpoint: biling",
            "error: streamer.yaml:15: routes[0].endpoint: names none of the endpoints; did you mean"
            " `billing`?",
        ),
        (
            "endpoint: billing",
            "endpoint: xyz",
            "error: streamer.yaml:15: routes[0].endpoint: names none of the endpoints; write one of"
            " `billing`, `crm`",
        ),
        (
            "endpoint: billing",
            "endpoint: [billing]",
            "error: streamer.yaml:15: routes[0].endpoint: is a list, not text; write text, such as"
            " `endpoint: billing`",
        ),
        (
            "endpoint: billing",
            "endpiont: billing",
            "error: streamer.yaml:15: routes[0].endpiont: `endpiont` is no known key; did you mean"
            " `endpoint`?",
        ),
        (
            "    instance: 1d1c3f2e-9c0c-4f5e-8d3a-2b7a90c0f3aa\n",
            "",
            "error: streamer.yaml:12: routes[0].instance: the route names no app instance, and"
            " there is no default; write instance: event.FIELD in the route, or set"
            " endpoints.billing.instance",
        ),
        (
            "quota: 100/min",
            "qouta: 100/min",
            "error: streamer.yaml:7: endpoints.billing.qouta: `qouta` is no known key; did you mean"
            " `quota`?",
        ),
        (
            "    token: file:crm-token\n",
            "",
            "error: streamer.yaml:8: endpoints.crm.app: is missing, and so is `token`; write `app`"
            " or `token`",
        ),
        (
            "file:crm-token",
            "file:no-such-file",
            "error: streamer.yaml:10: endpoints.crm.token: the secret's file no-such-file cannot be"
            " read (No such file or directory); make the file readable for this process",
        ),
        (
            "    token: file:crm-token\n",
            "    token: file:crm-token\n    tls: {key: k.pem}\n",
            "error: streamer.yaml:11: endpoints.crm.tls.cert: is missing, and `key` needs it; name"
            " the file of the certificate that the key belongs to",
        ),
        (
            "unknown_instance: skip",
            "unknown_instance: drop",
            "error: streamer.yaml:11: endpoints.crm.unknown_instance: `drop` is none of the values"
            " it may have; write `dead-letter`, `skip` or `hold`",
        ),
        (
            "endpoints:\n",
            "endpoint: {token: t}\nendpoints:\n",
            "error: streamer.yaml:3: endpoint: stands beside `endpoints`, and only one of the two"
            " can be; keep `endpoints`, and move what stands under `endpoint` to"
            " `endpoints.default`",
        ),
    ],
)
def test_a_mistake_is_told_once_with_what_to_write(
    tmp_path: Path, old: str, new: str, expected: str
) -> None:
    assert refused(tmp_path, SEVERAL.replace(old, new, 1), ENV) == [expected]


@pytest.mark.parametrize("name", ["Billing", "bill-ing", "2nd", "a__b", "a_", '""', "a" * 60])
def test_a_name_that_no_variable_could_name_is_refused(tmp_path: Path, name: str) -> None:
    text = f"{HEAD}endpoints: {{{name}: {{token: t, instance: i}}}}\n"

    found = refused(tmp_path, text + "routes: [{name: a, topic: b, trigger: c}]\n")

    assert len(found) == 1, found
    assert "is no name of an endpoint" in found[0]


@pytest.mark.parametrize(
    ("endpoints", "expected"),
    [
        ("{}", "endpoints: is empty"),
        ("[]", "endpoints: is a list, not a map of keys"),
        ("{billing: }", "endpoints.billing: is nothing, not a map of keys"),
        ("{billing: {}}", "endpoints.billing.app: is missing, and so is `token`"),
        ("", "endpoints: is empty; write `endpoint` or `endpoints`"),
    ],
)
def test_endpoints_that_hold_nothing_are_told_once(
    tmp_path: Path, endpoints: str, expected: str
) -> None:
    text = f"{HEAD}endpoints: {endpoints}\nroutes: [{{name: a, topic: b, trigger: c}}]\n"

    found = [line for line in refused(tmp_path, text) if "routes[0].instance" not in line]

    assert len(found) == 1, found
    assert expected in found[0]


def test_one_endpoint_without_a_key_is_told(tmp_path: Path) -> None:
    text = f"{HEAD}endpoint: {{}}\nroutes: [{{name: a, topic: b, trigger: c, instance: '\"i\"'}}]\n"

    (found,) = refused(tmp_path, text)

    assert "endpoint.app: is missing, and so is `token`" in found


def test_the_one_endpoint_may_be_named_and_no_other(tmp_path: Path) -> None:
    named = MINIMAL.replace("    trigger:", "    endpoint: default\n    trigger:")
    assert loaded(tmp_path, named).route_specs[0].endpoint == "default"

    (found,) = refused(tmp_path, named.replace("endpoint: default", "endpoint: billing"))

    assert "routes[0].endpoint: names none of the endpoints: there is the one `endpoint`" in found
    assert "write the endpoints under `endpoints`" in found


@pytest.mark.parametrize(
    ("first", "second", "key"),
    [
        ("app: {id: a, secret: s}", "app: {id: a, secret: t}", "app.id"),
        (
            "app: {id: a, secret: s}",
            "app: {id: a, secret: s}, base_url: 'https://WWW.wixapis.com:443/'",
            "app.id",
        ),
        ("token: t", "token: t", "token"),
    ],
)
def test_two_endpoints_that_are_one_app_are_refused(
    tmp_path: Path, first: str, second: str, key: str
) -> None:
    text = f"{HEAD}endpoints:\n  default: {{{first}, instance: i}}\n  other: {{{second}}}\n"

    (found,) = refused(tmp_path, text + "routes: [{name: a, topic: b, trigger: c}]\n")

    assert f"endpoints.other.{key}: is the same as that of `endpoints.default`" in found


def test_one_app_at_two_addresses_is_two(tmp_path: Path) -> None:
    text = HEAD + (
        "endpoints:\n  default: &it {app: {id: a, secret: s}, instance: i}\n"
        "  other: {<<: *it, base_url: 'https://staging.example'}\n"
        "routes: [{name: a, topic: b, trigger: c}]\n"
    )

    assert list(loaded(tmp_path, text).settings.entries) == ["default", "other"]


def test_a_variable_sets_a_key_of_one_endpoint(tmp_path: Path) -> None:
    env = {
        **ENV,
        "STREAMER__ENDPOINTS__BILLING__QUOTA": "none",
        "STREAMER__ENDPOINTS__CRM__TOKEN": "file:crm-token",
        "STREAMER__ENDPOINTS__CRM__UNKNOWN_INSTANCE": "hold",
    }

    entries = loaded(tmp_path, SEVERAL, env).settings.entries

    assert entries["billing"].quota == Quota(None)
    assert entries["crm"].unknown_instance == "hold"


@pytest.mark.parametrize(
    ("variable", "expected"),
    [
        ("STREAMER__ENDPOINTS__BILLING__QOUTA", "did you mean STREAMER__ENDPOINTS__BILLING__QUOTA"),
        ("STREAMER__ENDPOINTS__BILING__QUOTA", "endpoints.biling.app: is missing"),
        ("STREAMER__ENDPOINT__QUOTA", "endpoint: stands beside `endpoints`"),
    ],
)
def test_a_variable_of_an_endpoint_that_is_wrong_is_named(
    tmp_path: Path, variable: str, expected: str
) -> None:
    found = refused(tmp_path, SEVERAL, {**ENV, variable: "none"})

    assert len(found) == 1, found
    assert found[0].startswith(f"error: environment variable {variable}")
    assert expected in found[0]


def test_no_finding_shows_a_secret_of_an_endpoint(tmp_path: Path) -> None:
    marker = "s3cr3t-Marker"
    broken = SEVERAL.replace("file:crm-token", f"[{marker}]").replace("100/min", "x")

    found = refused(tmp_path, broken, {"BILLING_SECRET": marker})

    assert len(found) == 2
    assert not any(marker in line for line in found)
    assert marker not in repr(loaded(tmp_path, SEVERAL, {"BILLING_SECRET": marker}))


def with_delivery(text: str) -> str:
    return MINIMAL.replace("routes:", f"delivery: {{{text}}}\nroutes:")


def test_held_reports_may_be_dead_lettered_after_a_time(tmp_path: Path) -> None:
    text = with_delivery("hold: {after: 6h, then: dead-letter}, batch: {linger: 50ms, max: 2}")

    delivery = loaded(tmp_path, text).settings.delivery

    assert delivery.hold != "wait"
    assert delivery.hold.after.s == 6 * 3600
    assert (delivery.batch.linger.ms, delivery.batch.max) == (50, 2)
    assert loaded(tmp_path, with_delivery("hold: wait")).settings.delivery.hold == "wait"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("hold: forever", "write `wait`, or a map with `after` and `then`"),
        ("hold: 6h", "write `wait`, or a map with `after` and `then`"),
        ("hold: {after: 6h}", "delivery.hold.then: is missing"),
        ("hold: {then: dead-letter}", "delivery.hold.after: is missing"),
        ("hold: {after: 6h, then: skip}", "`skip` is none of the values it may have; write `dead-"),
        ("hold: {after: 10ms, then: dead-letter}", "is less than 1s"),
        ("hold: {aftr: 6h, then: dead-letter}", "did you mean `after`?"),
        ("batch: {linger: 5}", "is a whole number without a unit"),
        ("batch: {linger: 2m}", "is more than 1m"),
        ("batch: {max: 101}", "`101` is too big; write 100 or less"),
        ("batch: {max: 0}", "`0` is too small"),
        ("batch: {max_bytes: 1MB, maxx: 1}", "did you mean `max`?"),
        ("batch: {max_bytes: 10}", "is a whole number without a unit"),
        ("batch: {max_bytes: 100B}", "is less than 1KiB"),
    ],
)
def test_a_wrong_value_of_hold_or_batch_is_told_once(
    tmp_path: Path, text: str, expected: str
) -> None:
    found = refused(tmp_path, with_delivery(text))

    assert len(found) == 1, found
    assert expected in found[0]


def test_reports_that_wait_for_company_which_never_comes_are_a_fault(tmp_path: Path) -> None:
    text = MINIMAL.replace("routes:", "delivery:\n  batch:\n    linger: 50ms\n    max: 1\nroutes:")

    assert refused(tmp_path, text) == [
        "error: streamer.yaml:11: delivery.batch.linger: makes reports wait for others to share"
        " their call, and with `max: 1` none do; take `linger` out, or write a `max` above 1"
    ]
    env = {"STREAMER__DELIVERY__BATCH__MAX": "1"}
    [found] = refused(tmp_path, text.replace("    max: 1\n", ""), env)
    assert "streamer.yaml:11: delivery.batch.linger: makes reports wait" in found
    assert loaded(tmp_path, text.replace("50ms", "0s")).settings.delivery.batch.max == 1
    assert loaded(tmp_path, text.replace("max: 1", "max: 2")).settings.delivery.batch.max == 2


def test_hold_can_be_set_by_a_variable(tmp_path: Path) -> None:
    env = {"STREAMER__DELIVERY__HOLD": "{after: 1h, then: dead-letter}"}
    hold = loaded(tmp_path, MINIMAL, env).settings.delivery.hold
    assert hold != "wait"
    assert hold.after.ms == 3_600_000

    env = {"STREAMER__DELIVERY__HOLD": "wait"}
    assert loaded(tmp_path, MINIMAL, env).settings.delivery.hold == "wait"


def with_tombstone(text: str) -> str:
    return MINIMAL.replace("    payload:", f"    on_tombstone: {text}\n    payload:")


def test_a_route_may_cancel_at_a_tombstone(tmp_path: Path) -> None:
    text = with_tombstone("{cancel: invoice_overdue, entity: key}")

    result = loaded(tmp_path, text)

    assert result.table.cancelled == {("default", "invoice_overdue")}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("invoice_overdue", "on_tombstone: is text, not a map of keys"),
        ("{cancel: x}", "routes[0].on_tombstone.entity: is missing"),
        ("{entity: key}", "routes[0].on_tombstone.cancel: is missing"),
        ("{cancle: x, entity: key}", "did you mean `cancel`?"),
        ("{cancel: '', entity: key}", "routes[0].on_tombstone.cancel: is empty"),
        ("{cancel: x, entity: ''}", "routes[0].on_tombstone.entity: is empty"),
        ("{cancel: x, entity: event.id}", "streamer.yaml:13: routes[0].on_tombstone.entity: the"),
        ("{cancel: x, entity: key.id}", "write key: avro in the route"),
        ("{cancel: x, entity: key, instance: kee}", "routes[0].on_tombstone.instance"),
        ("{cancel: x, entity: key, trigger: y}", "`trigger` is no known key"),
    ],
)
def test_a_wrong_tombstone_is_told_once(tmp_path: Path, text: str, expected: str) -> None:
    found = refused(tmp_path, with_tombstone(text))

    assert len(found) == 1, found
    assert expected in found[0]


# --- what stands in an entry ------------------------------------------------------------------


@pytest.mark.parametrize(
    ("instance", "found"),
    [
        ("x" * 201, "has over 200 characters"),
        ("   ", "begins or ends with a blank"),
        ("site ", "begins or ends with a blank"),
        (r"site\n2", "holds a line break"),
        (r"site\u202e2", "holds a line break or the like"),
    ],
)
def test_an_instance_that_is_no_id_is_told(tmp_path: Path, instance: str, found: str) -> None:
    text = MINIMAL.replace("1d1c3f2e-9c0c-4f5e-8d3a-2b7a90c0f3aa", f'"{instance}"')

    [told] = refused(tmp_path, text)

    assert told.startswith("error: streamer.yaml:8: endpoint.instance: ")
    assert found in told


@pytest.mark.parametrize(
    "proxy",
    ["nonsense", "h:3128", "socks5://u:hush@h:1", "https://u:hush@h:1", "http://u:hush@h:99999"],
)
def test_an_address_that_is_no_proxys_is_told_without_its_login(tmp_path: Path, proxy: str) -> None:
    [told] = refused(tmp_path, MINIMAL.replace("a-ready-token", f'a-token\n  proxy: "{proxy}"'))

    assert told.startswith(
        "error: streamer.yaml:8: endpoint.proxy: is no address of a proxy; write `http://HOST:PORT`"
    )
    assert "hush" not in told


def test_a_proxy_behind_tls_is_for_the_clients_that_take_it(tmp_path: Path) -> None:
    text = MINIMAL.replace(
        "a-ready-token", "a-token\n  http_client: httpx\n  proxy: https://proxy:3128"
    )

    proxy = loaded(tmp_path, text).settings.entries["default"].proxy

    assert proxy is not None
    assert proxy.reveal() == "https://proxy:3128"
