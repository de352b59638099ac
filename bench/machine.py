"""On which machine, and with which versions, were the figures taken?"""

import os
import platform
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path

import psutil

from tests.servers.artifacts import KAFKA_VERSION

LIBRARIES = (
    "aiohttp",
    "confluent-kafka",
    "fastavro",
    "httptools",
    "msgspec",
    "pyreqwest",
    "uvloop",
)


def describe() -> Mapping[str, str]:
    """What a reader needs to compare with another machine; no name of this one."""
    memory_gb = psutil.virtual_memory().total / 1e9
    return {
        "processor": f"{_processor()}, {os.cpu_count()} cores",
        "memory": f"{memory_gb:.0f} GB",
        "system": f"{platform.system()} {platform.release()} {platform.machine()}",
        "Python": platform.python_version(),
        "Kafka": f"{KAFKA_VERSION}, one broker on the same machine",
        "libraries": ", ".join(f"{name} {version(name)}" for name in LIBRARIES),
    }


def _processor() -> str:
    known = Path("/proc/cpuinfo")
    if known.exists():
        for line in known.read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or "unknown"
