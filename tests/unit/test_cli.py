"""Do the commands say what they did, by output and exit code?"""

import io
import json
import signal
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

import pytest
import structlog

import streamer
from streamer.cli import findings as shown
from streamer.cli.main import main
from streamer.errors import Finding, Severity, SourceError
from tests.unit.config_samples import MINIMAL


@dataclass(frozen=True)
class Ended:
    code: int
    out: str
    err: str


Runs = Callable[..., Ended]


@pytest.fixture(autouse=True)
def _process_as_before() -> Iterator[None]:
    """Commands set up the log and the signals of the whole process."""
    handlers = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}
    yield
    structlog.reset_defaults()
    for number, handler in handlers.items():
        signal.signal(number, handler)


@pytest.fixture
def command(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Runs:
    """Runs a command line in this process."""

    def run(*arguments: str) -> Ended:
        monkeypatch.setattr(sys, "argv", ["streamer", *arguments])
        with pytest.raises(SystemExit) as ended:
            main()
        text = capsys.readouterr()
        code = ended.value.code
        return Ended(code if isinstance(code, int) else 0, text.out, text.err)

    return run


@pytest.fixture
def minimal(tmp_path: Path) -> Path:
    file = tmp_path / "streamer.yaml"
    file.write_text(MINIMAL)
    return file


def put_app(monkeypatch: pytest.MonkeyPatch, run: Callable[[object, object], int]) -> None:
    """Stands in for the program itself."""
    module = ModuleType("streamer.app")
    module.run = run  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "streamer.app", module)
    monkeypatch.setattr(streamer, "app", module, raising=False)


def test_version_names_the_version(command: Runs) -> None:
    ended = command("version")

    assert ended.code == 0
    assert ended.out.startswith(f"streamer {streamer.__version__} ")


def test_config_schema_prints_json(command: Runs) -> None:
    ended = command("config", "schema")

    assert ended.code == 0
    assert "kafka" in json.loads(ended.out)["properties"]


def test_help_names_every_command(command: Runs) -> None:
    ended = command("--help")

    for name in ("run", "check", "demo", "sandbox", "config", "version"):
        assert f" {name} " in ended.out


def test_an_unknown_command_is_a_sentence(command: Runs) -> None:
    ended = command("runn")

    assert ended.code == 2
    assert "No such command 'runn'" in ended.err


def test_run_ends_with_the_programs_own_code(
    command: Runs, minimal: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    given: list[object] = []

    def run(loaded: object, check: object) -> int:
        given.append(loaded)
        raise SystemExit(7)

    put_app(monkeypatch, run)

    ended = command("run", "--config", str(minimal))

    assert ended.code == 7
    assert given[0].settings.kafka.group_id == "automations"  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("words", "ends"),
    [(["run", "--help"], True), (["sandbox", "--help"], True), (["check", "--help"], False)],
)
def test_only_servers_end_well_when_they_are_stopped_early(
    command: Runs, words: list[str], ends: bool
) -> None:
    before = signal.getsignal(signal.SIGTERM)

    command(*words)

    assert (signal.getsignal(signal.SIGTERM) is not before) is ends


def test_a_wrong_configuration_ends_with_its_findings_and_code_2(
    command: Runs, minimal: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put_app(monkeypatch, lambda loaded, check: 0)
    minimal.write_text(MINIMAL.replace("group_id", "group").replace("topic:", "topik:"))

    ended = command("run", "--config", str(minimal))

    assert ended.code == 2
    assert ended.out == ""
    lines = ended.err.splitlines()
    assert len(lines) == 2
    assert all(line.startswith(f"error: {minimal}:") for line in lines)


def test_a_missing_configuration_is_told_without_a_stack_trace(
    command: Runs, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put_app(monkeypatch, lambda loaded, check: 0)

    ended = command("run", "--config", str(tmp_path / "none.yaml"))

    assert ended.code == 2
    assert "there is no such file" in ended.err
    assert "Traceback" not in ended.err


def test_an_expected_failure_is_one_sentence_and_code_1(
    command: Runs, minimal: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def run(loaded: object, check: object) -> int:
        raise SourceError("another process took this group.instance.id; give each its own")

    put_app(monkeypatch, run)

    ended = command("run", "--config", str(minimal))

    assert ended.code == 1
    assert ended.err == "error: another process took this group.instance.id; give each its own\n"


def put_schema(folder: Path) -> None:
    schemas = folder / "avro"
    schemas.mkdir()
    (schemas / "invoice.avsc").write_text(
        '{"type": "record", "name": "Invoice",'
        ' "fields": [{"name": "invoice_id", "type": "string"}]}'
    )


def test_check_lists_what_is_wrong_with_the_files(command: Runs, minimal: Path) -> None:
    put_schema(minimal.parent)
    minimal.write_text(MINIMAL.replace("group_id", "group"))

    ended = command("check", "--config", str(minimal), "--offline")

    assert ended.code == 1
    assert "did you mean `group_id`?" in ended.out
    assert ended.out.endswith("1 error, 0 warnings\n")


def test_check_prints_json_for_machines(command: Runs, minimal: Path) -> None:
    put_schema(minimal.parent)
    minimal.write_text(MINIMAL.replace("group_id", "group"))

    ended = command("check", "--config", str(minimal), "--json")

    assert ended.code == 1
    [finding] = json.loads(ended.out)
    assert finding["severity"] == "error"
    assert finding["where"] == f"{minimal}:3: kafka.group"
    assert set(finding) == {"severity", "where", "found", "do"}


def test_check_without_findings_ends_with_code_0(command: Runs, minimal: Path) -> None:
    put_schema(minimal.parent)

    ended = command("check", "--config", str(minimal), "--offline")

    assert ended.out == "no findings: it should work\n"
    assert ended.code == 0


def test_check_looks_at_fields_and_expressions_beside_every_other_fault(
    command: Runs, minimal: Path
) -> None:
    put_schema(minimal.parent)
    wrong = MINIMAL.replace("group_id", "group").replace(
        "    trigger:", "    event: Invoice\n    trigger:"
    )
    second = """\
  - name: second
    topik: billing.invoices
    event: Invoice
    when: event.days_overdue >
    instance: event.site
    trigger: invoice_overdue
    payload: {id: event.invoice_di, more: 'event.x if'}
"""
    minimal.write_text(wrong.replace("event.invoice_id", "event.invoice_idd") + second)

    ended = command("check", "--config", str(minimal), "--offline")

    lines = [line.replace(f"error: {minimal}:", "") for line in ended.out.splitlines()]
    assert [line.split(": ")[1] for line in lines[:-1]] == [
        "kafka.group",
        "routes[1].topik",
        "routes[1].when",
        "routes[1].payload.more",
        "routes[0].payload.invoiceId",
        "routes[1].instance",
        "routes[1].payload.id",
    ]
    assert ended.out.endswith("7 errors, 0 warnings\n")


# --- how findings look ------------------------------------------------------------------------


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


FINDINGS = [
    Finding("f.yaml:3: a.b", "is [red]wrong", "mend it"),
    Finding("kafka", "is slow", "look", Severity.WARNING),
]


def test_findings_are_plain_lines_where_there_is_no_terminal() -> None:
    stream = io.StringIO()

    shown.show(FINDINGS, stream)

    assert stream.getvalue().splitlines() == [
        "error: f.yaml:3: a.b: is [red]wrong; mend it",
        "warning: kafka: is slow; look",
    ]


def test_findings_are_the_same_words_on_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.setenv("TERM", "dumb")
    stream = Terminal()

    shown.show(FINDINGS, stream)

    assert stream.getvalue().splitlines() == [str(finding) for finding in FINDINGS]
