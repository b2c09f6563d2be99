"""Patterns over paths and keys: `*`, `?`, `[…]` within a part, `**` over any number of parts."""

from __future__ import annotations

import re

_MAGIC = re.compile(r"[*?\[]")


def is_pattern(text: str) -> bool:
    """Whether a text is a pattern rather than a name."""
    return bool(_MAGIC.search(text))


def fixed_part(pattern: str) -> str:
    """The folder above the first part that has a wildcard: where to look."""
    parts = pattern.split("/")
    for index, part in enumerate(parts):
        if is_pattern(part):
            return "/".join(parts[:index])
    return pattern


def depth(pattern: str) -> int | None:
    """How many folders below the fixed part a match may lie; None for any number (`**`)."""
    rest = pattern[len(fixed_part(pattern)) :].strip("/").split("/")
    return None if "**" in rest else len(rest) - 1


def compiled(pattern: str) -> re.Pattern[str]:
    """The pattern as a regular expression for whole paths."""
    parts = pattern.split("/")
    text = ""
    for index, part in enumerate(parts):
        last = index == len(parts) - 1
        if part == "**":
            text += r"(?:.*)" if last else r"(?:[^/]+/)*"
        else:
            text += _part(part) + ("" if last else "/")
    return re.compile(text, re.DOTALL)


def _part(part: str) -> str:
    text, index = "", 0
    while index < len(part):
        character = part[index]
        end = part.find("]", index + 2) if character == "[" else -1
        if end > 0:
            inside = part[index + 1 : end].replace("\\", "\\\\")
            inside = "^" + inside[1:] if inside[0] == "!" else inside
            text += f"[{inside}]"
            index = end
        elif character in "*?":
            text += "[^/]*" if character == "*" else "[^/]"
        else:
            text += re.escape(character)
        index += 1
    return text
