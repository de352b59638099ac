"""Who must act on an error, and what do they read?

An exception is for what nobody planned or for "the configuration is wrong"; an expected outcome
is a value (`Refusal`, `NoAnswer`, ...). Every message says what was found, where, and what to do,
and holds no secret.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum


class Severity(StrEnum):
    ERROR = "error"
    """It will not work so."""
    WARNING = "warning"
    """It works, and a person should look at it."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is wrong, with where it is and what to do."""

    where: str
    """`file:line: field.path`, or `kafka`, `registry`, `topic billing.invoices`, ..."""
    found: str
    """What was found, as a sentence without a full stop at its end."""
    do: str
    """What to do about it, naming the setting to change."""
    severity: Severity = Severity.ERROR

    def __str__(self) -> str:
        return f"{self.severity}: {self.where}: {self.found}; {self.do}"


class StreamerError(Exception):
    """Base of all errors that `streamer` raises on purpose."""

    exit_code = 1


class ConfigurationError(StreamerError):
    """The operator's configuration is wrong: all findings at once."""

    exit_code = 2

    def __init__(self, findings: Sequence[Finding]) -> None:
        super().__init__("\n".join(str(finding) for finding in findings))
        self.findings = tuple(findings)


class SourceError(StreamerError):
    """The Kafka client ended for good (fenced, unauthorised, fatal): says why and what to do."""
