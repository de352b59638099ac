"""One input once more, without the fuzzer: its error, or the death of the process.

python -m tests.fuzz.replay TARGET FILE
"""

import faulthandler
import sys
from pathlib import Path

from tests.fuzz.catalogue import TARGETS


def main() -> None:
    faulthandler.enable()  # a process that dies shows where
    name, file = sys.argv[1:]
    TARGETS[name].load()(Path(file).read_bytes())
    print(f"{name} takes it: an answer that is promised")


if __name__ == "__main__":
    main()
