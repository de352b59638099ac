"""What can be fuzzed, and with which bytes does a fuzzer begin?

Nothing here needs the fuzzer: `make test` runs each target on its seeds and on what was once found.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path

KEPT = Path(__file__).parent / "corpus"
"""Inputs that once broke something, by target."""

Run = Callable[[bytes], None]


@dataclass(frozen=True)
class Target:
    name: str
    asks: str
    module: str
    function: str
    longest: int = 4_096
    """Bytes of an input."""
    looks_into_readers: bool = False
    """Whether the code of generated readers counts too: only where their number is fixed."""

    def load(self) -> Run:
        """The function that takes an input and raises if something else becomes of it than is
        promised."""
        run: Run = getattr(import_module(self.module), self.function)
        return run

    @property
    def seeds(self) -> Sequence[bytes]:
        seeds: Mapping[str, Sequence[bytes]] = import_module(self.module).SEEDS
        return seeds[self.name]

    @property
    def words(self) -> Sequence[str]:
        """What a fuzzer would take long to spell."""
        module = import_module(self.module)
        by_name = "HTTP_WORDS" if self.name == "http" else "WORDS"
        words: Sequence[str] = getattr(module, by_name, ())
        return words


TARGETS = {
    target.name: target
    for target in (
        Target(
            "values",
            "is any value of a known schema an event or a named refusal?",
            "tests.fuzz.decoding",
            "values",
            longest=20_000,
            looks_into_readers=True,
        ),
        Target(
            "schemas",
            "is any schema, with any value of it, read or refused in words?",
            "tests.fuzz.schemas",
            "schemas",
        ),
        Target(
            "schema-texts",
            "is any text a schema, or refused in words?",
            "tests.fuzz.schemas",
            "schema_texts",
        ),
        Target(
            "wire",
            "is any key, value and header an event, a refusal, or a schema to ask for?",
            "tests.fuzz.decoding",
            "wire",
        ),
        Target(
            "registry",
            "does any answer of a registry say one of three things?",
            "tests.fuzz.answers",
            "registry",
        ),
        Target(
            "fetches",
            "does any row of answers to a fetch end in a schema, a refusal or an outage?",
            "tests.fuzz.answers",
            "fetches",
        ),
        Target(
            "calls",
            "does any answer to a call mean an outcome for each of its reports?",
            "tests.fuzz.answers",
            "calls",
        ),
        Target(
            "tokens",
            "does any answer to a token call grant, refuse, or say nothing?",
            "tests.fuzz.answers",
            "tokens",
        ),
        Target(
            "http",
            "are any bytes on a connection an answer or none?",
            "tests.fuzz.answers",
            "http",
            longest=20_000,
        ),
        Target(
            "commit-texts",
            "is any metadata of a commit that is not ours read as empty?",
            "tests.fuzz.commits",
            "texts",
        ),
        Target(
            "done-sets",
            "is what a commit carries what was settled, or corrupt?",
            "tests.fuzz.commits",
            "done_sets",
        ),
        Target(
            "letters",
            "is any record of a dead letter topic a letter, or none for a reason?",
            "tests.fuzz.letters",
            "letters",
        ),
        Target(
            "sandbox",
            "is any call answered as the endpoint's page has it, and taken in as answered?",
            "tests.fuzz.sandbox",
            "sandbox",
        ),
        Target(
            "expressions",
            "is any text an expression that ends, or a list of problems?",
            "tests.fuzz.expressions",
            "expressions",
            longest=400,
        ),
    )
}


def inputs(target: Target) -> dict[str, bytes]:
    """What `make test` runs: the seeds, and what is kept, by name."""
    found = {f"seed {number}": seed for number, seed in enumerate(target.seeds)}
    folder = KEPT / target.name
    for path in sorted(folder.iterdir()) if folder.is_dir() else ():
        found[path.name] = path.read_bytes()
    return found
