"""Strategies on a command line: `--strategy`, `--set` and `--step`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from core.errors import BadInput

_FILES = (".yaml", ".yml", ".json")
_LISTS = ("alarms", "rollback_alarms")
_PLAIN = ("bake", "analyse", "ask", "window")
_KNOWN = (
    "set_weight=PERCENT nor pause[=TIME] nor bake=TIME, analyse[=TIME], ask[=QUESTION],"
    " window=WINDOW, shadow=PERCENT:TIME"
)


def strategy_of(
    strategy: str | None, settings: tuple[str, ...], steps: tuple[str, ...]
) -> Any | None:
    """What the options say, as a strategy is written; `None` where they say nothing.

    Raises `BadInput` for what cannot be combined or read; the rest is read by the core.
    """
    if strategy is not None and steps:
        raise BadInput("--strategy and --step exclude each other")
    if settings and strategy is None:
        raise BadInput("--set goes with --strategy", "for example: --strategy canary --set bake=1m")
    if strategy is None:
        return split_steps(steps)
    written = read_strategy(strategy)
    if not settings:
        return written
    written = {"preset": written} if isinstance(written, str) else written
    if not isinstance(written, dict):
        raise BadInput(f"--set: {strategy} is a list of steps, which has no settings")
    for text in settings:
        key, equals, value = text.partition("=")
        if not equals:
            raise BadInput(f"--set {text}: not KEY=VALUE", "for example: --set weight=20")
        written[key] = _names(value) if key in _LISTS else _value(value)
    return written


def _names(value: str) -> list[str]:
    """Names of alarms of the workspace, with commas between them."""
    return [name.strip() for name in value.strip("[] ").split(",") if name.strip()]


def read_strategy(name: str) -> Any:
    """A preset's name as it is; what a file (or its key `strategy`) holds. Raises `BadInput`."""
    path = Path(name)
    if path.suffix.lower() not in _FILES and not path.is_file():
        return name
    import yaml

    try:
        found = yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise BadInput(f"{name}: {error.strerror}", "name a preset or a file") from error
    except yaml.MarkedYAMLError as error:
        at = "" if error.problem_mark is None else f", line {error.problem_mark.line + 1}"
        raise BadInput(f"{name}{at} is not YAML: {error.problem}") from error
    except (ValueError, yaml.YAMLError) as error:
        raise BadInput(f"{name} is not YAML: {' '.join(str(error).split())}") from error
    if isinstance(found, dict) and "strategy" in found:
        found = found["strategy"]
    _check(name, found)
    return found


def _check(name: str, written: Any) -> None:
    """Raise `BadInput` that names the file for a strategy that is wrong."""
    from core.releases.strategy import parse_plan

    try:
        parse_plan(written)
    except BadInput as error:
        raise BadInput(f"{name}: {error.message}", error.hint) from error


def split_steps(steps: tuple[str, ...]) -> list[dict[str, Any]] | None:
    """`set_weight=10`, `pause=30s`, `bake=5m`, … as strategy steps; `None` for no step."""
    return [_step(text) for text in steps] or None


def _step(text: str) -> dict[str, Any]:
    kind, equals, value = text.partition("=")
    if kind == "set_weight" and equals:
        try:
            return {kind: float(value)}
        except ValueError as error:
            raise BadInput(
                f"--step {text}: not a percentage", "for example: --step set_weight=10"
            ) from error
    if kind == "shadow" and equals:
        share, _, lasts = value.partition(":")
        return {kind: {"percent": _value(share), "for": lasts or None}}
    if kind == "pause" or kind in _PLAIN:
        return {kind: value if equals else None}
    raise BadInput(
        f"--step {text}: neither {_KNOWN}",
        "for example: --step set_weight=10 --step pause=30s",
    )


def _value(text: str) -> Any:
    """A number where it reads as one."""
    try:
        number = float(text)
    except ValueError:
        return text
    return int(number) if number.is_integer() else number
