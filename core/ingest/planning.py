"""What a batch's columns are, and how they differ from the dataset's."""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import pyarrow as pa

from core.domain.ingest import IngestColumn, SchemaChange
from core.errors import BadInput
from core.ingest.errors import SchemaDiffers
from core.ingest.guess import Guessed, TextGuess
from core.ingest.options import IngestOptions, ReadOptions
from core.ingest.reading import Reader
from core.ingest.words import fits, widens, word_of


@dataclass
class Plan:
    """The types that a batch is read with, by column; what each reader has; what would change."""

    types: dict[str, pa.DataType] = field(default_factory=dict)
    formats: dict[str, tuple[str, ...]] = field(default_factory=dict)
    notes: dict[str, str] = field(default_factory=dict)
    names: dict[str, list[str]] = field(default_factory=dict)  # by the reader's uri
    changes: tuple[SchemaChange, ...] = ()

    @property
    def columns(self) -> tuple[IngestColumn, ...]:
        """The columns as they are shown."""
        return tuple(
            IngestColumn(name, word_of(kind), self.notes.get(name, ""))
            for name, kind in self.types.items()
        )

    @property
    def schema(self) -> pa.Schema:
        """The columns as Arrow has them."""
        return pa.schema(list(self.types.items()))


def plan(
    readers: Sequence[Reader],
    partitions: Mapping[str, Sequence[str]],
    current: pa.Schema | None,
    options: ReadOptions,
) -> Plan:
    """Look at all sources; `partitions` are the values of folders' names, by column.

    Raises `BadRows`, and `SchemaDiffers` where sources disagree with each other.
    """
    known = {} if current is None else {one.name: one.type for one in current}
    wanted = {**{name: _moment(forms) for name, forms in options.formats.items()}, **known}
    wanted |= options.types
    back = {new: old for old, new in options.rename.items()}
    by_source_name = {back.get(name, name): kind for name, kind in wanted.items()}
    made = Plan()
    found: dict[str, tuple[Guessed, str]] = {}
    for reader in readers:
        guesses = reader.guesses(by_source_name)
        made.names[reader.uri] = list(guesses)
        for name, guessed in guesses.items():
            ours = options.rename.get(name, name)
            found[ours] = (_both(ours, found.get(ours), guessed, reader.uri), reader.uri)
    for name, values in partitions.items():
        if name in found:
            continue
        if name in wanted:
            found[name] = (Guessed(wanted[name]), "")
        else:
            guess = TextGuess()
            guess.feed(pa.array(list(values), pa.string()), 1)
            found[name] = (replace(guess.found("folders", name), note="from the folder"), "")
    _refuse_unknown(options, found)
    made.changes = _changes(known, current, found, options)
    for name in [*(n for n in known if n in found), *(n for n in found if n not in known)]:
        guessed = found[name][0]
        changed = any(one.column == name and one.kind in ("widen", "type") for one in made.changes)
        kind = guessed.type if changed else known.get(name, guessed.type)
        if name in options.types or (name in options.formats and not changed):
            kind = wanted[name]
        made.types[name] = pa.string() if pa.types.is_null(kind) else kind
        formats = tuple(options.formats.get(name, ())) or guessed.formats
        if formats:
            made.formats[name] = formats
        if guessed.note:
            made.notes[name] = guessed.note
    return made


def _moment(formats: Sequence[str]) -> pa.DataType:
    """The type of times in these formats: with a zone where all of them have one."""
    aware = all("%z" in one or "%Z" in one for one in formats)
    return pa.timestamp("us", "UTC" if aware else None)


def _refuse_unknown(options: ReadOptions, found: Mapping[str, object]) -> None:
    for option, names in (
        ("--types", options.types),
        ("--timestamp", options.formats),
        ("--rename", dict.fromkeys(options.rename.values())),
    ):
        for name in names:
            if name not in found:
                close = difflib.get_close_matches(name, found, n=1)
                hint = f"did you mean {close[0]}?" if close else "there are: " + ", ".join(found)
                raise BadInput(f"{option} {name}: no such column in the source", hint)


def merged(ours: Mapping[str, Guessed], theirs: Mapping[str, Guessed]) -> dict[str, Guessed]:
    """The columns of two sources of one table; raises `SchemaDiffers`."""
    both = dict(ours)
    for name, guessed in theirs.items():
        both[name] = _both(name, (both[name], "") if name in both else None, guessed, "")
    return both


def differences(
    current: pa.Schema, columns: Mapping[str, Guessed], *, text: bool
) -> tuple[SchemaChange, ...]:
    """How a source's columns differ from a dataset's. `text`: its values are text, as of CSV,
    which is read as whatever the dataset has where it can be."""
    known = {one.name: one.type for one in current}
    found = {name: (guessed, "") for name, guessed in columns.items()}
    changes = _changes(known, current, found, ReadOptions())
    if not text:
        return changes
    return tuple(
        one
        for one in changes
        if one.kind not in ("type", "widen")
        or not (
            one.before == "string" or (one.before, one.after) in _READ_AS or one.kind == "widen"
        )
    )


_READ_AS = (("timestamptz", "timestamp"), ("timestamptz", "date"), ("double", "long"))


def _both(name: str, before: tuple[Guessed, str] | None, now: Guessed, uri: str) -> Guessed:
    """One type for a column of two sources; raises `SchemaDiffers`."""
    if before is None or pa.types.is_null(before[0].type):
        return now
    old = before[0]
    if pa.types.is_null(now.type):
        return old
    formats = old.formats + tuple(one for one in now.formats if one not in old.formats)
    if word_of(old.type) == word_of(now.type):
        return Guessed(old.type, formats, old.note or now.note)
    if fits(old.type, now.type):
        return Guessed(now.type, formats, now.note)
    if fits(now.type, old.type):
        return Guessed(old.type, formats, old.note)
    raise SchemaDiffers(
        f"column {name} is {word_of(old.type)} in {before[1]} and {word_of(now.type)} in {uri}",
        f"say which: --types {name}=TYPE, or take them into different datasets",
    )


def _changes(
    known: Mapping[str, pa.DataType],
    current: pa.Schema | None,
    found: Mapping[str, tuple[Guessed, str]],
    options: ReadOptions,
) -> tuple[SchemaChange, ...]:
    if current is None:
        return ()
    changes: list[SchemaChange] = []
    extra = [name for name in found if name not in known]
    missing = [name for name in known if name not in found]
    for name in missing:
        close = _nearest(name, extra)
        if close is None and len(missing) == len(extra) == 1:  # nothing else it could be
            kind = found[extra[0]][0].type
            close = extra[0] if fits(kind, known[name]) else None
        if close is not None:
            extra.remove(close)
            changes.append(SchemaChange("rename", close, before=name, breaking=True))
        else:
            must = not current.field(name).nullable
            changes.append(
                SchemaChange("missing", name, word_of(known[name]), "must" if must else "", True)
            )
    for name in extra:
        kind = options.types.get(name) or found[name][0].type
        changes.append(SchemaChange("add", name, after=word_of(kind)))
    for name, before in known.items():
        if name not in found:
            continue
        after = options.types.get(name) or found[name][0].type
        if fits(after, before) or (_is_text(after) and name in options.formats):
            continue
        kind = "widen" if widens(before, after) else "type"
        changes.append(SchemaChange(kind, name, word_of(before), word_of(after), kind == "type"))
    return tuple(changes)


def _is_text(kind: pa.DataType) -> bool:
    return word_of(kind) == "string"


def _nearest(name: str, extra: Sequence[str]) -> str | None:
    """Which new column a missing one may have become: the same letters, or nearly."""
    bare = {_bare(one): one for one in extra}
    if _bare(name) in bare:
        return bare[_bare(name)]
    close = difflib.get_close_matches(name.lower(), [one.lower() for one in extra], 1, 0.7)
    close += [
        one.lower() for one in extra if len(name) > 2 and one.lower().startswith(name.lower())
    ]
    return next((one for one in extra if close and one.lower() == close[0]), None)


def _bare(name: str) -> str:
    return "".join(letter for letter in name.lower() if letter.isalnum())


def refuse(dataset: str, changes: Sequence[SchemaChange], options: IngestOptions) -> None:
    """Raise `SchemaDiffers` for changes that nobody has agreed to."""
    left = [
        one
        for one in changes
        if not (one.kind in ("add", "widen") and options.evolve)
        and not (one.kind == "missing" and not one.after and options.fill)
    ]
    if not left:
        return
    hints = []
    for one in left:
        match one.kind:
            case "rename":
                hints.append(f"--rename {one.column}={one.before}")
            case "add" | "widen":
                hints.append("--evolve")
            case "missing" if not one.after:
                hints.append("--fill-missing")
    told = "; ".join(one.text for one in left[:4])
    more = f"; and {len(left) - 4} more" if len(left) > 4 else ""
    agreed = " ".join(dict.fromkeys(hints))
    raise SchemaDiffers(
        f"dataset {dataset}: {told}{more}",
        f"if that is meant: {agreed}" if agreed else "mend the source, or evolve the dataset first",
    )
