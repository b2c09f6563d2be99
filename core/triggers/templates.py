"""Templates in a trigger's parameters: `${newest.bike_hours.ts:%Y-%m}`.

| template | what stands there |
|---|---|
| `${now:%Y-%m-%d}`, `${now-7d:%Y-%m}` | the time of the firing, by strftime (UTC; without a format ISO 8601) |
| `${newest.DATASET.COLUMN:%Y-%m}` | the largest value of a column of a dataset, as the trigger may read it |
| `${version.DATASET}` | the number of the dataset's current version |
| `${augmented.dataset}`, `.version`, `.rows` | the augmented set of this run |
| `${champion.version}`, `${champion.params.NAME}` | the model's champion, and a parameter of its run |
| `${firing.id}`, `${cause.kind}`, `${cause.subject}` | what made it fire |

Nothing else is known, and a template is never taken for code.
"""  # noqa: E501

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any

from core import units

_TEMPLATE = re.compile(r"\$\{([^{}]*)\}")
_SHAPE = re.compile(
    r"\s*(?P<word>[a-z]+)(?P<path>(?:\.[A-Za-z0-9_-]+)*)"
    r"(?:-(?P<before>[0-9.]+(?:ms|[smhdw])[0-9a-z.]*))?\s*(?::(?P<format>.*))?"
)
_PATHS = {
    "now": (0, 0), "newest": (2, 2), "version": (1, 1), "augmented": (1, 1), "champion": (1, 2),
    "firing": (1, 1), "cause": (1, 1),
}  # fmt: skip
_WORDS = {
    "augmented": ("dataset", "version", "rows"),
    "champion": ("version", "params"),
    "firing": ("id",),
    "cause": ("kind", "subject"),
}
KNOWN = (
    "${now:%Y-%m}, ${newest.DATASET.COLUMN:%Y-%m}, ${version.DATASET}, ${augmented.version},"
    " ${champion.params.NAME}, ${firing.id}, ${cause.kind}"
)


@dataclass(frozen=True, slots=True)
class Template:
    """One template: its first `word`, the `path` behind it, seconds `before`, the `format`."""

    word: str
    path: tuple[str, ...]
    before: float = 0.0
    format: str = ""


def templates(text: str) -> Iterator[Template]:
    """The templates in a text that are right."""
    for match in _TEMPLATE.finditer(text):
        found = _read(match[1])
        if isinstance(found, Template):
            yield found


def template_problems(text: str, *, augmented: bool) -> Iterator[tuple[str, str]]:
    """What is wrong with the templates of a text: message and hint."""
    for match in _TEMPLATE.finditer(text):
        found = _read(match[1])
        if isinstance(found, str):
            yield f"{match[0][:60]}: {found}", f"known: {KNOWN}"
        elif found.word == "augmented" and not augmented:
            yield f"{match[0][:60]}: the trigger augments nothing", "add augment: {dataset: …}"
    if "${" in _TEMPLATE.sub("", text):
        yield "a ${ that does not end", "close it with }"


def _read(inner: str) -> Template | str:
    """The template, or what is wrong with it."""
    match = _SHAPE.fullmatch(inner)
    if match is None or match["word"] not in _PATHS:
        return "unknown"
    word, path = match["word"], tuple(match["path"].split(".")[1:])
    low, high = _PATHS[word]
    if not low <= len(path) <= high:
        return f"{word} wants {low} name{'s' if low != 1 else ''} behind it"
    if word in _WORDS and path[0] not in _WORDS[word]:
        return f"{word} has no {path[0]}"
    if word == "champion" and (path[0] == "params") != (len(path) == 2):
        return "champion.version, or champion.params.NAME"
    before = 0.0
    if match["before"]:
        try:
            before = units.seconds(match["before"])
        except ValueError:
            return f"{match['before']} is no duration"
        if word != "now":
            return "only now can be moved back"
    form = match["format"] or ""
    if form and word not in ("now", "newest"):
        return "only times have a format"
    return Template(word, path, before, form)


def filled(text: str, look_up: Callable[[Template], Any]) -> str:
    """The text with what `look_up` gives in place of its templates, times by their formats."""

    def put(match: re.Match[str]) -> str:
        found = _read(match[1])
        if isinstance(found, str):
            raise ValueError(f"{match[0]}: {found}")
        return shown(look_up(found), found.format)

    return _TEMPLATE.sub(put, text)


def shown(value: Any, form: str) -> str:
    """A value as text; a moment by strftime, or else as ISO 8601."""
    if isinstance(value, str) and form:
        value = datetime.fromisoformat(value)
    if isinstance(value, datetime):
        moment = value.astimezone(UTC) if value.tzinfo else value
        return moment.strftime(form) if form else moment.isoformat(timespec="seconds")
    if isinstance(value, date):
        return value.strftime(form) if form else value.isoformat()
    if form:
        raise ValueError(f"{value!r} is no time")
    return str(value)
