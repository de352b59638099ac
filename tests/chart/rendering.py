"""What does the real Helm make of the chart with these values?"""

import json
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from tests.chart import fetch

CHART = fetch.ROOT / "helm" / "streamer"
CASES = sorted((CHART / "ci").glob("*-values.yaml"))
MINIMAL = CHART / "ci" / "minimal-values.yaml"
EVERYTHING = CHART / "ci" / "everything-values.yaml"
STATIC = CHART / "ci" / "static-membership-values.yaml"
NAMESPACE = "automation"

Resource = Mapping[str, Any]


class Refused(Exception):
    """Helm made nothing of it; the text is what it said."""


def render(
    case: Path = MINIMAL, values: Mapping[str, Any] | None = None, *words: str
) -> list[Resource]:
    """The resources, with `values` over those of the case. Raises Refused."""
    command = ["template", "rel", str(CHART), "--namespace", NAMESPACE, "--values", str(case)]
    made = helm(*command, "--values", "-", *words, stdin=json.dumps(values or {}))
    return [one for one in yaml.safe_load_all(made) if one]


def helm(*words: str, stdin: str = "") -> str:
    """What helm prints. Raises Refused."""
    done = subprocess.run(
        [str(fetch.helm()), *words], input=stdin, capture_output=True, text=True, timeout=60
    )
    if done.returncode:
        raise Refused(done.stdout + done.stderr)
    return done.stdout


def the(resources: Sequence[Resource], kind: str) -> Resource:
    """The one resource of the kind that is not the dashboard's."""
    (found,) = [one for one in resources if one["kind"] == kind and not _is_dashboard(one)]
    return found


def dashboard(resources: Sequence[Resource]) -> Resource:
    (found,) = filter(_is_dashboard, resources)
    return found


def pod(resources: Sequence[Resource]) -> Any:
    """The pods' template."""
    (found,) = [one for one in resources if one["kind"] in ("Deployment", "StatefulSet")]
    return found["spec"]["template"]


def container(resources: Sequence[Resource]) -> Any:
    (found,) = pod(resources)["spec"]["containers"]
    return found


def lay_out(resources: Sequence[Resource], folder: Path) -> Path:
    """The folder as the kubelet mounts the ConfigMap: links to a folder of this version."""
    (volume,) = [v for v in pod(resources)["spec"]["volumes"] if v["name"] == "config"]
    written = the(resources, "ConfigMap")["data"]
    version = folder / "..2026_11_24"
    for item in volume["configMap"]["items"]:
        file = version / item["path"]
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(written[item["key"]], encoding="utf-8")
    (folder / "..data").symlink_to(version.name)
    for entry in version.iterdir():
        (folder / entry.name).symlink_to(Path("..data") / entry.name)
    return folder / "streamer.yaml"


def _is_dashboard(resource: Resource) -> bool:
    name: str = resource["metadata"]["name"]
    return name.endswith("-dashboard")
