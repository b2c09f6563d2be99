"""How somebody says which features they mean: `NAME@VERSION`, or a mapping with more.

Light: the endpoint's process reads them in a model's metadata.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from core.domain.features import FeatureUse
from core.errors import BadInput

METADATA = "opsdeck.features"
"""The key of a model's MLflow metadata under which it names its features."""

_TEXT = re.compile(
    r"(?P<view>[a-z][a-z0-9_]{0,62})(?:@v?(?P<version>[0-9]{1,9}))?"
    r"(?::(?P<only>[A-Za-z][A-Za-z0-9_]*(?:,[A-Za-z][A-Za-z0-9_]*)*))?"
)
_KEYS = ("view", "keys", "prefix", "features")


def parse_use(given: Any) -> FeatureUse:
    """The use that `weather@1`, `weather@1:temp,wind` or `{view: weather@1, keys: {station:
    start}, prefix: start_, features: [temp]}` says; version 0 where none is named. Raises
    `BadInput`."""
    raw: Mapping[str, Any] = given if isinstance(given, Mapping) else {"view": given}
    unknown = [key for key in raw if key not in _KEYS]
    if unknown:
        raise BadInput(f"features: unknown key {unknown[0]!r}", "known: " + ", ".join(_KEYS))
    text = raw.get("view")
    found = _TEXT.fullmatch(text) if isinstance(text, str) else None
    if found is None:
        raise BadInput(f"features: {str(text)[:80]!r} names no view", "write NAME@VERSION")
    keys, prefix, only = raw.get("keys", {}), raw.get("prefix", ""), raw.get("features", ())
    if found["only"]:
        only = tuple(found["only"].split(","))
    if not isinstance(keys, Mapping) or not all(_word(k) and _word(v) for k, v in keys.items()):
        raise BadInput("features: keys must map a view's key to a column's name")
    if not isinstance(prefix, str):
        raise BadInput("features: prefix must be text")
    if isinstance(only, str) or not all(_word(name) for name in only):
        raise BadInput("features: features must be a list of names")
    version = int(found["version"] or 0)
    return FeatureUse(found["view"], version, dict(keys), prefix, tuple(only))


def parse_pinned(given: Any) -> tuple[FeatureUse, ...]:
    """Several, each with its version, as a model names them; raises `BadInput`."""
    listed: Sequence[Any] = given if isinstance(given, list | tuple) else [given]
    found = tuple(parse_use(each) for each in listed)
    for use in found:
        if not use.version:
            raise BadInput(
                f"features: {use.view} names no version", f"a model reads one: {use.view}@1"
            )
    return found


def uses_of_model(path: Path) -> tuple[FeatureUse, ...]:
    """The features that a model directory of MLflow's names in its metadata; none where it
    names none. Raises `BadInput` where it names them wrongly or cannot be read."""
    import yaml

    try:
        said = yaml.safe_load((path / "MLmodel").read_text(encoding="utf-8")) or {}
    except (OSError, yaml.YAMLError, UnicodeDecodeError) as error:
        raise BadInput(f"{path / 'MLmodel'}: cannot be read: {error}") from None
    metadata = said.get("metadata") if isinstance(said, Mapping) else None
    given: Any = metadata.get(METADATA) if isinstance(metadata, Mapping) else None
    return parse_pinned(given) if given else ()


def _word(value: Any) -> bool:
    return isinstance(value, str) and bool(value)
