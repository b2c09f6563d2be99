"""What a buildspec would do, read without running anything."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any

import yaml

PHASES = {
    "install": "INSTALL",
    "pre_build": "PRE_BUILD",
    "build": "BUILD",
    "post_build": "POST_BUILD",
}
_EXIT = re.compile(r"^exit\s+([1-9]\d*)$")
_SLEEP = re.compile(r"^sleep\s+(\d+(?:\.\d+)?)$")
_ECHO = re.compile(r"^echo\s+(.*)$", re.DOTALL)


@dataclass
class Phase:
    """One phase: the seconds it takes, what it prints, and the command that failed."""

    name: str
    seconds: float
    lines: list[str] = field(default_factory=list)
    failed: str = ""
    status: int = 0


def read(text: str, variables: dict[str, str]) -> list[Phase]:
    """The phases of a buildspec; the BUILD phase fails if it cannot be read.

    `text` is the buildspec itself; where it is only the name of a file in the source (which is
    not fetched) each phase takes some seconds and succeeds.
    """
    inline = "\n" in text.strip() or "phases:" in text
    if not inline:
        return [Phase(name, 5.0 if name != "BUILD" else 30.0) for name in PHASES.values()]
    try:
        spec: Any = yaml.safe_load(text)
        phases = spec["phases"]
        return [
            _phase(name, (phases.get(key) or {}).get("commands") or [], variables)
            for key, name in PHASES.items()
        ]
    except (yaml.YAMLError, KeyError, TypeError, AttributeError) as error:
        line = f"YAML_FILE_ERROR: {type(error).__name__}: {error}"
        return [Phase("BUILD", 1.0, [line], failed="reading the buildspec", status=1)]


def _phase(name: str, commands: list[Any], variables: dict[str, str]) -> Phase:
    phase = Phase(name, 1.0)
    for command in commands:
        for line in str(command).strip().splitlines():
            if not _one(phase, line.strip(), variables):
                return phase
    return phase


def _one(phase: Phase, line: str, variables: dict[str, str]) -> bool:
    """Take one command into account; whether the phase goes on."""
    phase.lines.append(f"Running command {line}")
    said = _expand(line, variables)
    if found := _SLEEP.match(said):
        phase.seconds += float(found[1])
    elif found := _ECHO.match(said):
        phase.lines.append(found[1].strip("\"'"))
    elif said == "false" or _EXIT.match(said):
        exited = _EXIT.match(said)
        phase.failed, phase.status = line, int(exited[1]) if exited else 1
        return False
    else:
        phase.seconds += 1.0
    return True


def _expand(line: str, variables: dict[str, str]) -> str:
    return re.sub(
        r"\$\{?([A-Za-z_][A-Za-z0-9_]*)\}?", lambda found: variables.get(found[1], ""), line
    )
