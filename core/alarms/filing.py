"""Alarms that are made and deleted by a command: a file of their own under `monitors/`."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from core.alarms.definitions import NAME, check_together, read_alarm
from core.alarms.errors import AlarmsInvalid, NoSuchAlarm
from core.domain.alarm import AlarmDefinition
from core.errors import WrongState
from core.releases.values import Problems

FOLDER = "monitors"


def create(
    root: Path, name: str, data: Mapping[str, Any], others: Mapping[str, AlarmDefinition]
) -> Path:
    """Write `monitors/alarm-NAME.yaml` with one alarm. Raises `AlarmsInvalid` with what is
    wrong with it, `WrongState` where the name is taken."""
    import yaml

    from core.monitors.store import write_whole

    if not NAME.fullmatch(name):
        raise AlarmsInvalid(f"alarm name {name!r}", "use a-z, 0-9, - and _, a letter first")
    if name in others:
        raise WrongState(f"alarm {name}: exists already", "choose another name, or edit its file")
    problems = Problems()
    alarm = read_alarm(problems, f"alarms.{name}", name, dict(data))
    if alarm is not None:
        check_together(problems, "alarms", {**others, name: alarm})
    if problems.found:
        first, more = problems.found[0], len(problems.found) - 1
        raise AlarmsInvalid(first.words() + (f" (and {more} more)" if more else ""), first.hint)
    path = root / FOLDER / f"alarm-{name}.yaml"
    if path.exists():
        raise WrongState(f"{FOLDER}/{path.name} exists", "choose another name, or edit it")
    text = yaml.safe_dump({"alarms": {name: dict(data)}}, sort_keys=False, allow_unicode=True)
    write_whole(path, text.encode())
    return path


def remove(root: Path, name: str) -> Path:
    """Delete the file of an alarm that has it to itself. Raises `WrongState` where it stands
    among other things, `NoSuchAlarm` where no file defines it."""
    import yaml

    from core.monitors.files import watch_paths

    for path in watch_paths(root):
        try:
            found = yaml.safe_load(path.read_text(encoding="utf-8-sig"))
        except (OSError, ValueError, yaml.YAMLError):
            continue  # a broken file defines nothing that could be told
        alarms = found.get("alarms") if isinstance(found, Mapping) else None
        if not isinstance(alarms, Mapping) or name not in alarms:
            continue
        shown = path.relative_to(root).as_posix()
        if set(found) != {"alarms"} or len(alarms) > 1:
            raise WrongState(
                f"alarm {name}: {shown} defines other things too", "take it out there by hand"
            )
        path.unlink()
        return path
    raise NoSuchAlarm(f"alarm {name}: no file defines it", "see: opsdeck alarms list")
