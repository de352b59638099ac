"""One target under the fuzzer, in a process that may die.

    python -m tests.fuzz.child TARGET INPUT_NOW OPTION...

The options are libFuzzer's. Each input stands in the file INPUT_NOW before it is run, so that one
that ends the process without a word is known all the same.
"""

import os
import sys
from collections.abc import Callable
from pathlib import Path
from types import CodeType

import atheris

from tests.fuzz.catalogue import TARGETS, Run, Target
from tests.fuzz.notes import noted


def _looked_into(target: Target) -> Run:
    with atheris.instrument_imports(include=["streamer"], enable_loader_override=False):
        if target.looks_into_readers:
            _look_into_readers()
        return target.load()


def _look_into_readers() -> None:
    """The code of generated readers comes from no import."""
    from streamer.decoding import reader

    compiled: Callable[..., CodeType] = compile

    def compile_and_look(*words: object) -> CodeType:
        looked: CodeType = atheris.instrument_bytecode.patch_code(compiled(*words), True)
        return looked

    vars(reader)["compile"] = compile_and_look


def main() -> None:
    os.nice(19)
    name, input_now, *options = sys.argv[1:]
    run = _looked_into(TARGETS[name])
    atheris.Setup([sys.argv[0], *options], noted(run, Path(input_now)))
    atheris.Fuzz()


if __name__ == "__main__":
    main()
