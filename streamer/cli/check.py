"""`streamer check`: would it work?"""

import logging
import os
import sys
from typing import Annotated

import typer

from streamer.cli.findings import as_json, show
from streamer.cli.options import DEFAULT_CONFIG, ConfigFile
from streamer.errors import ConfigurationError, Finding, Severity


def check(
    config: ConfigFile = DEFAULT_CONFIG,
    *,
    as_json_list: Annotated[
        bool, typer.Option("--json", help="Print the findings as a JSON list.")
    ] = False,
    offline: Annotated[
        bool, typer.Option("--offline", help="Look at the files only, and connect to nothing.")
    ] = False,
) -> None:
    """Check configuration, routes, expressions, registry, broker, topics and token.

    Exit code 0: no errors (there may be warnings); 1: errors.
    """
    findings = _findings(config, offline=offline)
    errors = sum(finding.severity is Severity.ERROR for finding in findings)
    if as_json_list:
        print(as_json(findings))
    else:
        show(findings, sys.stdout)
        print(_account(errors, len(findings) - errors))
    raise typer.Exit(1 if errors else 0)


def _findings(config: os.PathLike[str], *, offline: bool) -> list[Finding]:
    import structlog

    from streamer.checks.all import check_all
    from streamer.config.loading import read

    # What the parts would log comes back as findings; standard output is the list's alone.
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    try:
        it = read(config, os.environ)
    except ConfigurationError as error:
        return list(error.findings)
    return [*it.findings, *check_all(it, offline=offline)]


def _account(errors: int, warnings: int) -> str:
    if not errors and not warnings:
        return "no findings: it should work"
    return f"{errors} error{'s' * (errors != 1)}, {warnings} warning{'s' * (warnings != 1)}"
