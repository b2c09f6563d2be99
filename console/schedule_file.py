"""A schedule of capacity, as it stands in a file."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from core.errors import BadInput

if TYPE_CHECKING:
    from core.serving.bounds import ScheduledBounds

EXAMPLE = "[{window: Mon-Fri 08:00-18:00 Europe/Berlin, min_servers: 2, max_servers: 6}]"


def read_schedule(path: Path) -> tuple[ScheduledBounds, ...]:
    """The windows in a YAML or JSON file: a list, or its key `schedule`. Raises `BadInput` that
    names the file, and the item and the key that cannot be."""
    import yaml

    from core.serving.bounds import ScheduledBounds

    try:
        found = yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise BadInput(f"{path}: {error.strerror}", "name a file") from error
    except (ValueError, yaml.YAMLError) as error:
        raise BadInput(f"{path} is not YAML: {' '.join(str(error).split())}") from error
    if isinstance(found, dict) and "schedule" in found:
        found = found["schedule"]
    if not isinstance(found, list):
        raise BadInput(f"{path}: a list of windows is needed", f"such as {EXAMPLE}")
    items = []
    for number, row in enumerate(found, start=1):
        where = f"{path}: window {number}"
        _known(where, row, ScheduledBounds.__dataclass_fields__)
        try:
            item = ScheduledBounds.from_json(_with_variants(where, row))
            item.check()
        except BadInput as error:
            raise BadInput(f"{where}: {error.message}", error.hint) from error
        items.append(item)
    return tuple(items)


def _known(where: str, row: Any, fields: Any) -> None:
    if not isinstance(row, dict):
        raise BadInput(f"{where}: a mapping is needed", f"such as {EXAMPLE}")
    if not isinstance(row.get("window"), str):
        raise BadInput(f"{where}: window: a text is needed", "such as Mon-Fri 08:00-18:00")
    if unknown := [str(key) for key in row if key not in fields]:
        raise BadInput(f"{where}: unknown key {unknown[0]}", f"known: {', '.join(fields)}")


def _with_variants(where: str, row: dict[str, Any]) -> dict[str, Any]:
    """The row, with variants also as `{r7: "1:4"}`."""
    from core.workerbounds import parse_workers

    variants = row.get("variants", ())
    if isinstance(variants, dict):
        variants = [
            dict(zip(("revision", "min_workers", "max_workers"), (number, *bounds), strict=True))
            for name, text in variants.items()
            for number in [_revision(f"{where}: variants: {name}", name)]
            for bounds in [parse_workers(f"{where}: variants: {name}", str(text))]
        ]
    rows = variants if isinstance(variants, list | tuple) else [variants]
    keys = {"revision", "min_workers", "max_workers"}
    if not all(isinstance(each, dict) and set(each) == keys for each in rows):
        raise BadInput(f"{where}: variants: bounds by variant are needed", 'such as {r7: "1:4"}')
    return {**row, "variants": tuple(rows)}


def _revision(where: str, name: Any) -> int:
    number = str(name).removeprefix("r")
    if not (number.isascii() and number.isdigit()):
        raise BadInput(f"{where}: no variant", "variants are r1, r2, …")
    return int(number)
