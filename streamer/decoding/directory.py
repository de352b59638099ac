"""Which writer schemas does a directory of `.avsc` files hold, and which is a message's?

Every file is one schema. Several files may declare the same full name: they are versions, told
apart by their fingerprints in single-object encoding. A file may use a type that another file
declares, if only one does.
"""

import difflib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from streamer.decoding.fingerprint import fingerprint
from streamer.decoding.found import Found, Side, Unreadable
from streamer.decoding.reader import Reader
from streamer.decoding.schema import Schema, SchemaRejected
from streamer.decoding.schema_text import (
    MAX_NESTING,
    MAX_TEXT,
    UnknownName,
    declared_names,
    load_json,
    parse_schema,
)
from streamer.errors import ConfigurationError, Finding
from streamer.model import Message, Reason, Refusal

# Apache Avro 1.12 specification, "Single-object encoding".
_MARKER = b"\xc3\x01"
_PREFIX_SIZE = 10


class DirectorySchemas:
    """The readers of a directory's schemas, all of them known from the start."""

    def __init__(self, readers: Mapping[bytes, Reader], bare: Mapping[str, Reader]) -> None:
        """`readers` by fingerprint; `bare` by topic, for values without any header."""
        self._readers = {_MARKER + key: (each, _PREFIX_SIZE) for key, each in readers.items()}
        self._bare = {topic: (reader, 0) for topic, reader in bare.items()}
        self.schemas = tuple(reader.schema for reader in readers.values())
        """All of them, for those who look into schemas ahead of any message."""

    def find(self, side: Side, data: bytes, message: Message) -> Found:
        found = self._readers.get(data[:_PREFIX_SIZE])
        if found is None and side is Side.VALUE:
            found = self._bare.get(message.partition.topic)
        return found if found is not None else _unreadable(side, data)


def load_directory(directory: Path, bare_topics: Mapping[str, str]) -> DirectorySchemas:
    """Reads every `.avsc` file below `directory`. `bare_topics` names the schema of each topic of
    bare Avro. Raises ConfigurationError with all findings."""
    loading = _Loading(directory)
    loading.read_files()
    readers = dict(loading.readers())
    bare = dict(loading.bare(bare_topics, readers))
    if loading.findings:
        raise ConfigurationError(loading.findings)
    return DirectorySchemas(readers, bare)


@dataclass(slots=True)
class _Loading:
    directory: Path
    texts: dict[Path, str] = field(default_factory=dict)
    declaring: dict[str, list[Path]] = field(default_factory=dict)
    """By full name: the files that declare it at their top."""
    used: dict[Path, list[Path] | None] = field(default_factory=dict)
    """What `uses` found."""
    findings: list[Finding] = field(default_factory=list)

    def find(self, file: Path, found: str, do: str) -> None:
        self.findings.append(Finding(str(file), found, do))

    def read_files(self) -> None:
        files = sorted(self.directory.rglob("*.avsc")) if self.directory.is_dir() else []
        if not files:
            found = "holds no .avsc file" if self.directory.is_dir() else "is no directory"
            do = "set schemas.directory to the folder of the writer schemas"
            self.find(self.directory, f"{self.directory} {found}", do)
        for file in files:
            try:
                if file.stat().st_size > 4 * MAX_TEXT:
                    raise SchemaRejected("the file is too large for a schema")
                text = file.read_text("utf-8")
                names = declared_names(load_json(text))
            except OSError as error:
                self.find(file, f"it cannot be read ({error.strerror})", "make it readable")
            except UnicodeDecodeError:
                self.find(file, "it is not UTF-8", "save it as UTF-8")
            except SchemaRejected as error:
                self.find(file, str(error), "correct the schema")
            else:
                self.texts[file] = text
                for name in names:
                    self.declaring.setdefault(name, []).append(file)

    def readers(self) -> Iterator[tuple[bytes, Reader]]:
        """By fingerprint."""
        known: dict[bytes, tuple[Path, Schema]] = {}
        for file in self.texts:
            schema = self.parse(file)
            if schema is None:
                continue
            key = fingerprint(schema)
            other, same = known.setdefault(key, (file, schema))
            if other != file:
                if same != schema:
                    self.find(
                        file,
                        f"it has the fingerprint of {other} and other logical types",
                        "keep one of the two: a message cannot say which it was written with",
                    )
                continue
            try:
                yield key, Reader(schema)
            except SchemaRejected as error:
                self.find(file, str(error), "correct the schema")

    def parse(self, file: Path) -> Schema | None:
        """The file's schema, with those of other files that it uses; None after a finding."""
        used = self.uses(file, ())
        if used is None:
            return None
        return parse_schema(self.texts[file], [self.texts[each] for each in used])

    def uses(self, file: Path, users: tuple[Path, ...]) -> list[Path] | None:
        """The files whose types the file uses, each after those that it uses itself; None after
        a finding about one of them. `users` are the files on the way here."""
        if file not in self.used:
            self.used[file] = self.looked_up(file, (*users, file))
        return self.used[file]

    def looked_up(self, file: Path, users: tuple[Path, ...]) -> list[Path] | None:
        used: list[Path] = []
        while True:
            try:
                parse_schema(self.texts[file], [self.texts[each] for each in used])
                return used
            except UnknownName as error:
                declaring = self.declaring.get(error.name, [])
                if len(declaring) != 1:
                    self.unknown_name(file, error, declaring)
                    return None
                if declaring[0] in users or len(users) > MAX_NESTING:
                    do = "declare types that use each other in one file"
                    self.find(file, f"it and {declaring[0]} use each other", do)
                    return None
                further = self.uses(declaring[0], users)
                if further is None:
                    return None
                used += [each for each in (*further, declaring[0]) if each not in used]
            except SchemaRejected as error:
                self.find(file, str(error), "correct the schema")
                return None

    def unknown_name(self, file: Path, error: UnknownName, declaring: list[Path]) -> None:
        if declaring:
            found = f"{error.path}: {len(declaring)} files declare the type {error.name}"
            do = f"keep one of {' and '.join(map(str, declaring))}, or declare the type here"
        else:
            near = difflib.get_close_matches(error.name, self.declaring, 1)
            found = str(error)
            do = f"did you mean {near[0]}?" if near else "add a file that declares it"
        self.find(file, found, do)

    def bare(
        self, topics: Mapping[str, str], readers: Mapping[bytes, Reader]
    ) -> Iterator[tuple[str, Reader]]:
        """By topic."""
        for topic, name in topics.items():
            named = [reader for reader in readers.values() if reader.schema.name == name]
            if len(named) == 1 and named[0].event_name is not None:
                yield topic, named[0]
                continue
            near = difflib.get_close_matches(name, self.declaring, 1)
            if not named:
                found = f"no file in {self.directory} declares {name}"
                do = f"did you mean {near[0]}?" if near else "name a record that a file declares"
            elif len(named) > 1:
                found = f"{len(named)} versions of {name} are in {self.directory}"
                do = "keep one (bare Avro does not say which), or write single-object encoding"
            else:
                found = f"{name} is no record"
                do = "name a record: an event has named fields"
            self.findings.append(Finding(f"schemas.topics.{topic}", found, do))


def _unreadable(side: Side, data: bytes) -> Unreadable:
    if data.startswith(_MARKER) and len(data) >= _PREFIX_SIZE:
        named = f"fingerprint {data[2:_PREFIX_SIZE].hex()}"
        detail = (
            f"the {side} is single-object encoded, and no file of schemas.directory has its"
            f" {named}; add the file of its writer schema"
        )
        return Unreadable(Refusal(Reason.UNKNOWN_SCHEMA, detail), named)
    detail = (
        f"the {side} is not in single-object encoding (C3 01 and the schema's fingerprint)"
        + (", and its topic is not in schemas.topics" if side is Side.VALUE else "")
        + (
            "; it begins like the registry's wire format, for which schemas.registry is needed"
            if data[:1] == b"\0"
            else ""
        )
    )
    return Unreadable(Refusal(Reason.UNDECODABLE, detail), "none")
