"""What time is it?"""

import time
from typing import Protocol

_MONOTONIC = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)


class Clock(Protocol):
    def now(self) -> float:
        """Seconds, never going back, counting the time that the machine was suspended."""

    def wall_ms(self) -> int:
        """Milliseconds since the epoch."""


class SystemClock:
    """`CLOCK_BOOTTIME` where the system has it (Linux): a suspended process must notice."""

    def now(self) -> float:
        return time.clock_gettime(_MONOTONIC)

    def wall_ms(self) -> int:
        return time.time_ns() // 1_000_000
