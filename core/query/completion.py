"""What may follow, while a statement is typed. Pure: text and names in, proposals out."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from core.query.words import FUNCTIONS, KEYWORDS

_WORD = re.compile(r"[A-Za-z_][\w]*(?:@[\w.-]*)?\Z|@[\w.-]*\Z")
_TABLES_BEFORE = re.compile(
    r"(?:\b(?:FROM|JOIN|DESCRIBE|SUMMARIZE|TABLE)|\bFROM\s+(?:[\w@\".]+(?:\s+(?:AS\s+)?\w+)?\s*,\s*)+)\s*\Z",
    re.IGNORECASE,
)
_NAMED = re.compile(
    r"\b(?:FROM|JOIN)\s+\"?(?P<table>[a-z]\w*)(?:@[\w.-]+)?\"?(?:\s+(?:AS\s+)?(?P<alias>[a-z_]\w*))?"
    r"|,\s*\"?(?P<more>[a-z]\w*)(?:@[\w.-]+)?\"?\s+(?:AS\s+)?(?P<other>[a-z_]\w*)",
    re.IGNORECASE,
)
_UNCLOSED = re.compile(r"'(?:[^']|'')*'|--[^\n]*\n|/\*.*?\*/", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Proposal:
    """A text to put in place of what is typed from `start` to the cursor. `kind`: table,
    version, column, keyword or function; `detail` is a column's type or a table's size."""

    text: str
    kind: str
    start: int
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Catalogue:
    """What there is: `columns` maps a dataset to its columns and their types, `versions` to its
    tags and branches."""

    columns: Mapping[str, Mapping[str, str]]
    versions: Mapping[str, Sequence[str]]


def complete(text: str, cursor: int, catalogue: Catalogue, limit: int = 30) -> tuple[Proposal, ...]:
    """Proposals for what stands before `cursor`, best first; none inside texts and comments.

    Tables where a table is due, columns of the tables that the statement names (of one, after
    its name or alias and a dot), then functions and keywords.
    """
    before = text[:cursor]
    rest = _UNCLOSED.sub(" ", before)
    if "'" in rest or "--" in rest or "/*" in rest:
        return ()
    found = _WORD.search(before)
    word = found[0] if found else ""
    start = cursor - len(word)
    if "@" in word:
        return _versions(word, start, catalogue, limit)
    lead = before[:start]
    tables = _tables(text, catalogue)
    if lead.endswith("."):
        owner = re.search(r"(\w+)\.\Z", lead)
        table = tables.get(owner[1].lower()) if owner else None
        return _matching(word, start, _columns(catalogue, [table] if table else []), limit)
    if _TABLES_BEFORE.search(lead):
        return _matching(word, start, ((name, "table", "") for name in catalogue.columns), limit)
    if not word and not lead.rstrip().endswith((",", "(")) and not re.search(r"\w\s\Z", lead):
        return ()
    return _matching(
        word,
        start,
        (
            *_columns(catalogue, dict.fromkeys(tables.values())),
            *((name, "table", "") for name in catalogue.columns if word),
            *((_cased(name, word), "keyword", "") for name in KEYWORDS if word),
            *((f"{name}(", "function", "") for name in FUNCTIONS if word),
        ),
        limit,
    )


def _tables(text: str, catalogue: Catalogue) -> dict[str, str]:
    """Names and aliases in the statement (also behind the cursor) to the datasets they mean."""
    found: dict[str, str] = {}
    for each in _NAMED.finditer(text):
        table = (each["table"] or each["more"]).lower()
        alias = each["alias"] or each["other"]
        if table in catalogue.columns:
            found[table] = table
            if alias and alias.upper() not in KEYWORDS:
                found[alias.lower()] = table
    return found


def _columns(catalogue: Catalogue, tables: Iterable[str]) -> list[tuple[str, str, str]]:
    return [
        (_quoted(name), "column", kind)
        for table in tables
        for name, kind in catalogue.columns[table].items()
    ]


def _quoted(name: str) -> str:
    return name if re.fullmatch(r"[a-z_]\w*", name, re.IGNORECASE) else f'"{name}"'


def _cased(keyword: str, word: str) -> str:
    return keyword.lower() if word[:1].islower() else keyword


def _versions(word: str, start: int, catalogue: Catalogue, limit: int) -> tuple[Proposal, ...]:
    name, _, begun = word.partition("@")
    known = catalogue.versions.get(name.lower(), ())
    options = [f"{name}@{ref}" for ref in known if ref.lower().startswith(begun.lower())]
    return tuple(Proposal(option, "version", start) for option in options[:limit])


def _matching(
    word: str, start: int, options: Iterable[tuple[str, str, str]], limit: int
) -> tuple[Proposal, ...]:
    """Those that begin with the word, before those that contain it; each text once."""
    low = word.lower()
    first: dict[str, Proposal] = {}
    later: dict[str, Proposal] = {}
    for text, kind, detail in options:
        plain = text.lower().strip('"').rstrip("(")
        if plain == low and kind in ("keyword", "function"):
            continue
        if plain.startswith(low):
            first.setdefault(text, Proposal(text, kind, start, detail))
        elif len(low) > 2 and low in plain and kind in ("column", "table"):
            later.setdefault(text, Proposal(text, kind, start, detail))
    return tuple(
        list((first | {k: v for k, v in later.items() if k not in first}).values())[:limit]
    )
