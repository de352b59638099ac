"""What did the last full run of each campaign say? A JSON line for each."""

import platform
import subprocess
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

import msgspec
from confluent_kafka import libversion
from msgspec import Struct

from streamer import __version__
from tests.chaos.catalogue import CAMPAIGNS, question
from tests.chaos.outcome import Outcome
from tests.servers.artifacts import KAFKA_VERSION, REGISTRY_VERSION

RESULTS = Path(__file__).with_name("results.jsonl")
ROOT = Path(__file__).resolve().parents[2]


class Told(Struct, frozen=True):
    """A part of a campaign with its outcome."""

    says: str
    outcome: Outcome
    took_s: float


class Kept(Struct, frozen=True):
    """A full run of a campaign."""

    campaign: str
    question: str
    date: str
    took_s: float
    seed: int
    versions: Mapping[str, str]
    parts: Sequence[Told]


def keep(campaign: str, parts: Sequence[Told], took_s: float, seed: int) -> None:
    """Write the campaign's line in the place of its last one."""
    date = f"{datetime.now(UTC):%Y-%m-%d}"
    rounded = [msgspec.structs.replace(told, took_s=round(told.took_s, 1)) for told in parts]
    kept = Kept(campaign, question(campaign), date, round(took_s, 1), seed, versions(), rounded)
    lines = {**read(), campaign: kept}
    text = b"".join(msgspec.json.encode(lines[name]) + b"\n" for name in CAMPAIGNS if name in lines)
    RESULTS.write_bytes(text)


def read() -> dict[str, Kept]:
    """By campaign, in the catalogue's order."""
    if not RESULTS.exists():
        return {}
    lines = RESULTS.read_bytes().splitlines()
    kept = {it.campaign: it for it in (msgspec.json.decode(line, type=Kept) for line in lines)}
    return {name: kept[name] for name in CAMPAIGNS if name in kept}


def _commit() -> str:
    """Of the tree that was measured, with a mark where it was changed."""
    words = ["git", "describe", "--always", "--dirty", "--exclude", "*"]
    told = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, check=False)
    return told.stdout.strip() or "no commit known"


def versions() -> Mapping[str, str]:
    return {
        "streamer": f"{__version__} ({_commit()})",
        "Kafka": KAFKA_VERSION,
        "Apicurio Registry": REGISTRY_VERSION,
        "confluent-kafka": version("confluent-kafka"),
        "librdkafka": libversion()[0],
        "Python": platform.python_version(),
        "system": f"{platform.system()} {platform.machine()}",
    }
