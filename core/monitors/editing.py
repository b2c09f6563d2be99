"""Adding a definition to the files under `monitors/`, and taking one out of them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from core.errors import WrongState
from core.monitors.definition import NAME, read_monitor
from core.monitors.errors import MonitorsInvalid
from core.monitors.files import FOLDER, read_watch_files
from core.monitors.store import write_whole
from core.releases.values import Problems

_KEY = re.compile(r"^( +)([A-Za-z][\w-]*)\s*:")


def create(root: Path, name: str, data: Mapping[str, Any]) -> Path:
    """Write `monitors/NAME.yaml` with one monitor; returns the file. Raises `MonitorsInvalid`
    with what is wrong with it, `WrongState` where the name or the file is taken."""
    import yaml

    problems = Problems()
    if not NAME.fullmatch(name):
        raise MonitorsInvalid(f"{name!r} is not allowed", "a-z, 0-9, - and _, a letter first")
    read_monitor(problems, f"monitors.{name}", name, data)
    if problems.found:
        first = problems.found[0]
        more = f" (and {len(problems.found) - 1} more)" if len(problems.found) > 1 else ""
        raise MonitorsInvalid(f"{first.words()}{more}", first.hint)
    taken = read_watch_files(root)
    if taken.monitor(name) is not None or name in taken.broken:
        raise WrongState(f"monitor {name}: exists already", "choose another name, or edit its file")
    path = root / FOLDER / f"{name}.yaml"
    if path.exists():
        raise WrongState(f"{FOLDER}/{name}.yaml exists", "choose another name, or edit it")
    text = yaml.safe_dump({"monitors": {name: dict(data)}}, sort_keys=False, allow_unicode=True)
    write_whole(path, text.encode())
    return path


def remove(root: Path, name: str) -> Path | None:
    """Take a monitor out of its file, or delete the file where nothing else is in it; returns
    the file, None where none defines it. What else is in the file stays as it is, comments too.

    Raises `WrongState` where that cannot be done without touching anything else.
    """
    before = read_watch_files(root)
    found = before.monitor(name)
    shown = found.file if found is not None else before.broken.get(name)
    if shown is None:
        return None
    path = root / shown
    lines = path.read_text(encoding="utf-8-sig").splitlines(keepends=True)
    block = _block(lines, name)
    if block is None:
        raise WrongState(f"{shown}: {name} is not on lines of its own", "take it out by hand")
    left = lines[: block.start] + lines[block.stop :]
    if _nothing(left):
        path.unlink()
    else:
        write_whole(path, "".join(_without_empty_section(left)).encode())
    after = read_watch_files(root)
    others = {each.name for each in before.monitors if each.name != name}
    same = others <= {each.name for each in after.monitors}
    if not same or after.monitor(name) is not None:
        write_whole(path, "".join(lines).encode())
        raise WrongState(f"{shown}: {name} cannot be taken out by itself", "take it out by hand")
    return path


def _block(lines: list[str], name: str) -> range | None:
    """The lines of a monitor in the section `monitors:`: from its key to before the next."""
    section = next((n for n, line in enumerate(lines) if re.match(r"monitors\s*:", line)), None)
    if section is None:
        return None
    begin = indent = None
    for number in range(section + 1, len(lines)):
        line = lines[number]
        if line.strip() and not line.startswith((" ", "#")):
            return range(begin, number) if begin is not None else None
        key = _KEY.match(line)
        if key is None:
            continue
        if begin is None and key[2] == name:
            begin, indent = number, len(key[1])
        elif begin is not None and indent is not None and len(key[1]) <= indent:
            return range(begin, _before_comments(lines, begin, number))
    return range(begin, len(lines)) if begin is not None else None


def _before_comments(lines: list[str], begin: int, end: int) -> int:
    """Comments right above a key belong to it."""
    while end - 1 > begin and lines[end - 1].lstrip().startswith("#"):
        end -= 1
    return end


def _nothing(lines: list[str]) -> bool:
    """Whether only comments and heads of sections are left."""
    text = [line.split("#")[0].rstrip() for line in lines]
    return all(not line or re.fullmatch(r"[a-z]+\s*:", line) for line in text)


def _without_empty_section(lines: list[str]) -> list[str]:
    for number, line in enumerate(lines):
        if re.match(r"monitors\s*:", line):
            rest = (each for each in lines[number + 1 :] if each.split("#")[0].strip())
            following = next(rest, "")
            if not following.startswith(" "):
                return lines[:number] + lines[number + 1 :]
    return lines
