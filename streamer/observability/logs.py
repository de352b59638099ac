"""What do log lines look like, and where do they go? To standard error, as events with fields."""

import logging
import sys

import structlog
from structlog.typing import Processor


def set_up(level: str = "info", format: str = "auto") -> None:
    """`format`: `json`, `console`, or `auto` (console on a terminal, JSON elsewhere)."""
    as_console = format == "console" or (format == "auto" and sys.stderr.isatty())
    renderer: Processor = (
        structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty())
        if as_console
        else structlog.processors.JSONRenderer()
    )
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.ExceptionRenderer(),
            renderer,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(_LEVELS[level]),
        logger_factory=structlog.WriteLoggerFactory(file=sys.stderr),
        cache_logger_on_first_use=False,
    )
    # Libraries log through the standard library; only what is wrong is of interest.
    logging.basicConfig(stream=sys.stderr, level=logging.WARNING, format="%(message)s")


_LEVELS = {
    "debug": logging.DEBUG,
    "info": logging.INFO,
    "warning": logging.WARNING,
    "error": logging.ERROR,
}
