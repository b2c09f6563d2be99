"""Runbooks: what to check first about an alert, and which commands to use."""

from __future__ import annotations

from pathlib import Path

from core.alerting.errors import RunbookUnreadable
from core.alerting.families import family_of
from core.alerting.settings import AlertSettings
from core.domain.alert import Alert
from core.domain.alertview import Runbook
from core.workspace import Workspace

MOST_BYTES = 200_000
_HERE = Path(__file__).parent / "runbooks"
_SAME = {
    "frozen": "held",
    "attribution": "drift",
    "attribution_drift": "drift",
    "anomaly": "service",
    "slo": "service",
    "concept_drift": "model_quality",
    "estimated_quality": "model_quality",
    "monitor_failed": "monitor",
    "model_quality_missing": "monitor",
}


def runbook_of(alert: Alert, workspace: Workspace, settings: AlertSettings) -> Runbook:
    """The runbook of an alert: the one its definition names, the workspace's for its kind
    (by `alerts: runbooks:`, or as runbooks/KIND.md), or the built-in one.

    A file that cannot be read is said in the text, above the built-in one: whoever is woken at
    night needs that more than an error.
    """
    named = alert.runbook or settings.runbooks.get(alert.kind, "")
    if not named and (workspace.root / "runbooks" / f"{alert.kind}.md").is_file():
        named = f"runbooks/{alert.kind}.md"
    if not named:
        return _runbook(_fill(_built_in(alert.kind), alert), "built in")
    try:
        return _runbook(_fill(_read(workspace.root, named), alert), named)
    except RunbookUnreadable as error:
        text = _fill(_built_in(alert.kind), alert)
        return _runbook(f"{text}\n\n({error.message})", "built in")


def _built_in(kind: str) -> str:
    plain = kind.removesuffix("-test")
    for name in (plain, _SAME.get(plain, ""), family_of(plain), _SAME.get(family_of(plain), "")):
        file = _HERE / f"{name}.md"
        if name and file.is_file():
            return file.read_text(encoding="utf-8")
    return (_HERE / "default.md").read_text(encoding="utf-8")


def _read(root: Path, named: str) -> str:
    file = (root / named).resolve()
    if not file.is_relative_to(root.resolve()):
        raise RunbookUnreadable(f"runbook {named}: is outside of the workspace")
    try:
        if file.stat().st_size > MOST_BYTES:
            raise RunbookUnreadable(f"runbook {named}: is larger than 200 kB")
        return file.read_text(encoding="utf-8")
    except OSError as error:
        raise RunbookUnreadable(f"runbook {named}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise RunbookUnreadable(f"runbook {named}: is no UTF-8 text") from error


def _fill(text: str, alert: Alert) -> str:
    """Put the alert's own names where a runbook has placeholders: NAME in commands is the
    target's, when the command is about that sort of thing."""
    noun, _, name = alert.target.partition("/")
    places = {
        "endpoint": ("opsdeck endpoints ", " NAME"),
        "dataset": ("opsdeck data ", " DATASET"),
        "model": ("opsdeck models ", " MODEL"),
        "trigger": ("opsdeck triggers ", " NAME"),
    }
    if noun == "dataset" and alert.kind == "quarantine":
        text = text.replace(" ID`", f" {alert.id}`").replace(" ID ", f" {alert.id} ")
    if noun in places and name:
        text = _named(text, *places[noun], f" {name}")
    monitor = _monitor(alert)
    return _named(text, "opsdeck monitors ", " NAME", f" {monitor}") if monitor else text


def _named(text: str, command: str, placeholder: str, value: str) -> str:
    lines = text.split("`")
    # Every second piece is code.
    for number in range(1, len(lines), 2):
        if lines[number].startswith(command):
            lines[number] = lines[number].replace(placeholder, value)
    return "`".join(lines)


def _monitor(alert: Alert) -> str:
    opened = alert.evidence.get("open", ())
    for each in [opened] if isinstance(opened, str) else opened if isinstance(opened, list) else []:
        noun, _, name = str(each).partition("/")
        if noun == "monitor":
            return name.partition("@")[0]
    return ""


def _runbook(text: str, source: str) -> Runbook:
    first, _, rest = text.strip().partition("\n")
    if first.startswith("#"):
        return Runbook(first.lstrip("# ").strip(), rest.strip(), source)
    return Runbook(source, text.strip(), source)
