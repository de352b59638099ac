"""`streamer config ...`: what can be configured?"""

import json

import typer

config = typer.Typer(help="About the configuration.", no_args_is_help=True)


@config.callback()
def _about() -> None:
    """Keeps `config` a group of commands while it has a single one."""


@config.command()
def schema() -> None:
    """Print the JSON Schema of the configuration, for editors."""
    from streamer.config.schema import json_schema

    print(json.dumps(json_schema(), indent=2))
