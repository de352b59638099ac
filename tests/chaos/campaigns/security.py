"""Does the main job run over TLS with logins everywhere, and through a proxy to the endpoint?

To the broker SASL/SCRAM over TLS, to the registry mutual TLS and basic authentication, to the
endpoint TLS of an authority of one's own through an HTTP proxy with a login: the endpoint's name is
known to the proxy only. Each of the three HTTP clients is tried. Then one thing at a time is wrong:
each is a sentence in the log that names the setting, without a secret, and nothing is lost by it.
"""

from collections.abc import Iterator, Mapping
from functools import partial
from typing import Any

from confluent_kafka.admin import (
    AdminClient,
    ScramCredentialInfo,
    ScramMechanism,
    UserScramCredentialUpsertion,
)

from tests.chaos.fronts import ConnectProxy, TlsFront, basic
from tests.chaos.job import Job, until
from tests.chaos.outcome import Outcome, Part, Size
from tests.chaos.proxy import Network
from tests.chaos.stage import Stage
from tests.servers.certificates import Authority
from tests.servers.kafka import KafkaCluster, Listener

SECURE = "SECURE"
USER = "automations"
KAFKA_PASSWORD, REGISTRY_PASSWORD, PROXY_PASSWORD = "kafka-pass", "registry-pass", "proxy-pass"
SECRETS = (KAFKA_PASSWORD, REGISTRY_PASSWORD, PROXY_PASSWORD)
HOST = "automation.example"
CLIENTS = ("httptools", "pyreqwest", "httpx")
SCRAM_ROUNDS = 4096


class Guarded:
    """The servers, each behind what guards it."""

    def __init__(self, stage: Stage) -> None:
        self.network = Network()
        stage.at_end(self.network.close)
        self.folder = stage.folder("certificates")
        self.authority = Authority(self.folder, "ours")
        self.stranger = Authority(self.folder, "stranger")
        self.server = self.authority.issue("server", ["127.0.0.1", "localhost", HOST]).both
        self.client = self.authority.issue(USER).both
        self.kafka = stage.own_kafka(listeners=[self._listener()])
        _add_user(self.kafka)
        # The registry's port stands in its address.
        port = int(stage.registry.url.split(":")[2].partition("/")[0])
        self.registry = TlsFront(
            self.network,
            port,
            self.server,
            clients=self.authority.ca,
            login=basic(USER, REGISTRY_PASSWORD),
        )

    def _listener(self) -> Listener:
        jaas = "org.apache.kafka.common.security.scram.ScramLoginModule required;"
        return Listener(
            SECURE,
            "SASL_SSL",
            {
                "ssl.keystore.type": "PEM",
                "ssl.keystore.location": str(self.server),
                "sasl.enabled.mechanisms": "SCRAM-SHA-512",
                "scram-sha-512.sasl.jaas.config": jaas,
            },
        )


def _add_user(kafka: KafkaCluster) -> None:
    admin: AdminClient = kafka.admin
    mechanism = ScramCredentialInfo(ScramMechanism.SCRAM_SHA_512, SCRAM_ROUNDS)
    user = UserScramCredentialUpsertion(USER, mechanism, KAFKA_PASSWORD.encode())
    for done in admin.alter_user_scram_credentials([user]).values():
        done.result(30)


def parts(stage: Stage, size: Size) -> Iterator[Part]:
    guarded = Guarded(stage)
    for client in CLIENTS:
        run = partial(_right, size=size, guarded=guarded, client=client)
        yield Part(f"everything guarded, {client}", run)
    for says, (change, named) in _wrongs(guarded).items():
        run = partial(_wrong, size=size, guarded=guarded, change=change, named=named)
        yield Part(says, run)


def _config(
    job: Job, guarded: Guarded, proxy: ConnectProxy, client: str = CLIENTS[0]
) -> dict[str, Any]:
    ca = str(guarded.authority.ca)
    return job.config(
        kafka={
            "bootstrap_servers": guarded.kafka.bootstrap_of(SECURE),
            "properties": {
                "security.protocol": "SASL_SSL",
                "sasl.mechanism": "SCRAM-SHA-512",
                "sasl.username": USER,
                "sasl.password": KAFKA_PASSWORD,
                "ssl.ca.location": ca,
            },
        },
        schemas={
            "registry": {
                "url": f"https://localhost:{guarded.registry.port}/apis/ccompat/v7",
                "basic": {"username": USER, "password": REGISTRY_PASSWORD},
                "tls": {"ca": ca, "cert": str(guarded.client)},
            }
        },
        endpoint={
            "base_url": f"https://{HOST}",
            "proxy": f"http://{USER}:{PROXY_PASSWORD}@127.0.0.1:{proxy.port}",
            "tls": {"ca": ca},
            "http_client": client,
        },
    )


def _job(stage: Stage, guarded: Guarded) -> tuple[Job, ConnectProxy, TlsFront]:
    job = Job(stage, kafka=guarded.kafka)
    front = TlsFront(guarded.network, job.sandbox.port, guarded.server)
    ports = {f"{HOST}:443": front.port}
    return job, ConnectProxy(guarded.network, ports, basic(USER, PROXY_PASSWORD)), front


def _right(stage: Stage, size: Size, guarded: Guarded, client: str) -> Outcome:
    job, proxy, _ = _job(stage, guarded)
    job.produce(size.of(5_000, 1_000), bad_every=100)
    asked = guarded.registry.requests
    streamer = stage.streamer(_config(job, guarded, proxy, client))
    job.until_settled([streamer])
    faults = _tells_a_secret(streamer.process.log())
    streamer.terminate()
    if guarded.registry.requests == asked or not proxy.tunnels:
        faults.append("registry or endpoint were reached on another way")
    return job.outcome(faults=faults, figures={"tunnels through the proxy": proxy.tunnels})


# --- one thing at a time is wrong ---------------------------------------------------------------


Change = Mapping[str, Mapping[str, Any]]
"""By section of the configuration, what is set otherwise."""


def _wrongs(guarded: Guarded) -> Mapping[str, tuple[Change, str]]:
    stranger = str(guarded.stranger.ca)
    unknown = str(guarded.stranger.issue("unknown").both)
    return {
        "the broker's authority unknown": (
            {"kafka.properties": {"ssl.ca.location": stranger}},
            "ssl.ca.location",
        ),
        "the broker's password wrong": (
            {"kafka.properties": {"sasl.password": "wrong-pass"}},
            "sasl.password",
        ),
        "the registry's authority unknown": (
            {"schemas.registry": {"tls": {"ca": stranger, "cert": str(guarded.client)}}},
            "schemas.registry.tls.ca",
        ),
        "a client certificate that the registry does not know": (
            {"schemas.registry": {"tls": {"ca": str(guarded.authority.ca), "cert": unknown}}},
            "schemas.registry.tls.cert",
        ),
        "the registry's password wrong": (
            {"schemas.registry": {"basic": {"username": USER, "password": "wrong-pass"}}},
            "schemas.registry.basic",
        ),
        "the endpoint's authority unknown": (
            {"endpoint": {"tls": {"ca": stranger}}},
            "endpoint.tls.ca",
        ),
        "the proxy's password wrong": (
            {"endpoint": {"proxy": f"http://{USER}:wrong-pass@127.0.0.1:PORT"}},
            "endpoint.proxy",
        ),
    }


def _wrong(stage: Stage, size: Size, guarded: Guarded, change: Change, named: str) -> Outcome:
    job, proxy, _ = _job(stage, guarded)
    job.produce(size.of(1_000, 300))
    right = _config(job, guarded, proxy)
    wrong = _changed(right, change, proxy.port)
    streamer = stage.streamer(wrong, wait=False)
    until(
        lambda: named in streamer.process.log(),
        f"{named} in the log",
        streamers=[streamer],
        stuck_after_s=45,
    )
    faults = _tells_a_secret(streamer.process.log())
    if "Traceback" in streamer.process.log():
        faults.append("the log has a trace")
    if early := job.seen():
        faults.append(f"{early} were delivered all the same")
    streamer.terminate()
    mended = stage.streamer(right)
    job.until_settled([mended])
    mended.terminate()
    return job.outcome(faults=faults)


def _changed(config: Mapping[str, Any], change: Change, port: int) -> dict[str, Any]:
    changed = dict(config)
    for path, values in change.items():
        first, *rest = path.split(".")
        section = changed[first] = dict(changed[first])
        for name in rest:
            section[name] = dict(section[name])
            section = section[name]
        for name, value in values.items():
            section[name] = value.replace("PORT", str(port)) if isinstance(value, str) else value
    return changed


def _tells_a_secret(log: str) -> list[str]:
    told = [secret for secret in (*SECRETS, "wrong-pass") if secret in log]
    return [f"the log holds a secret: {', '.join(told)}"] if told else []
