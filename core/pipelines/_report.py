"""Where faults of one pipeline file are gathered, so that all are told at once."""

from __future__ import annotations

import difflib
from collections.abc import Iterable

from core.domain.pipeline import Problem

MAX_PROBLEMS = 200


class Report:
    """The faults found in one file so far. Not thread-safe; lives for one reading.

    `file` is the path as a person would type it: relative to the workspace.
    """

    def __init__(self, file: str) -> None:
        self.file = file
        self._problems: list[Problem] = []
        self._seen: set[Problem] = set()

    def add(self, line: int, key: str, message: str, suggestion: str = "") -> None:
        """Note one fault; the same fault noted twice counts once."""
        problem = Problem(self.file, max(1, line), key, message, suggestion)
        if problem not in self._seen and len(self._problems) < MAX_PROBLEMS:
            self._seen.add(problem)
            self._problems.append(problem)

    @property
    def problems(self) -> tuple[Problem, ...]:
        """Everything noted, in the order of the file's lines."""
        return tuple(sorted(self._problems, key=lambda each: each.line))

    def __len__(self) -> int:
        return len(self._problems)


def closest(word: str, known: Iterable[str], cutoff: float = 0.6) -> str | None:
    """The entry of `known` that somebody who wrote `word` most likely meant, or None."""
    names = sorted(set(known))
    by_lower = {name.lower(): name for name in reversed(names)}
    if word.lower() in by_lower:
        return by_lower[word.lower()]
    found = difflib.get_close_matches(word, names, n=1, cutoff=cutoff)
    return found[0] if found else None


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """A suggestion for a word that isn't among `known`: the closest, else all when few."""
    names = sorted(set(known))
    found = closest(word, names)
    if found is not None:
        return f"did you mean {found}?"
    if not names:
        return ""
    if len(names) <= 12:
        return "known: " + ", ".join(names)
    return ""
