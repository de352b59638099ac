"""Which commands are there?"""

from importlib import import_module
from typing import Any

import typer
from typer.core import TyperGroup
from typer.main import get_command, get_group

_COMMANDS = ("run", "check", "dead-letters", "replay", "demo", "sandbox", "config", "version")
"""Each stands in the module `streamer.cli.NAME`, under its own name; `-` is `_` there."""


class _Commands(TyperGroup):
    """Imports a command when it is asked for: `version` does not wait for the sandbox."""

    def list_commands(self, ctx: Any) -> list[str]:
        return list(_COMMANDS)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        if cmd_name not in _COMMANDS:
            return None
        if cmd_name not in self.commands:
            self.commands[cmd_name] = _load(cmd_name)
        return self.commands[cmd_name]


def _load(name: str) -> Any:
    module = name.replace("-", "_")
    found = getattr(import_module(f"streamer.cli.{module}"), module)
    if isinstance(found, typer.Typer):
        command: Any = get_group(found)
    else:
        one = typer.Typer(add_completion=False)
        one.command()(found)
        command = get_command(one)
    command.name = name
    return command


app = typer.Typer(
    cls=_Commands,
    help="Avro domain events from Kafka to the triggers of an automation platform.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)


@app.callback()
def _options() -> None:
    """Avro domain events from Kafka to the triggers of an automation platform."""
