"""What a query may use: `lake: {query: {…}}` in opsdeck.yaml."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from dataclasses import dataclass

from core.errors import ConfigInvalid
from core.units import mebibytes, seconds
from core.workspace import CONFIG_NAME, Workspace

_KEYS = ("memory", "time", "threads")


@dataclass(frozen=True, slots=True)
class QueryLimits:
    """`mebibytes` of memory, `seconds` of time, `threads` at once."""

    mebibytes: int = 1024
    seconds: float = 60.0
    threads: int = 4


def query_limits(workspace: Workspace) -> QueryLimits:
    """The workspace's; raises `ConfigInvalid`, naming file and key."""
    path = workspace.root / CONFIG_NAME
    given = workspace.lake.get("query")
    given = {} if given is None else given
    if not isinstance(given, Mapping):
        raise ConfigInvalid(f"{path}: lake.query: must be a mapping", "like {memory: 2GiB}")
    for key in given:
        if key not in _KEYS:
            close = difflib.get_close_matches(str(key), _KEYS, n=1)
            hint = f"did you mean {close[0]}?" if close else "known: " + ", ".join(_KEYS)
            raise ConfigInvalid(f"{path}: unknown key lake.query.{key}", hint)
    base = QueryLimits()
    try:
        memory = mebibytes(str(given["memory"])) if "memory" in given else base.mebibytes
        time = seconds(given["time"]) if "time" in given else base.seconds
    except (ValueError, TypeError) as error:
        raise ConfigInvalid(f"{path}: lake.query: {error}", "like {memory: 2GiB, time: 60s}") from (
            error
        )
    threads = given.get("threads", base.threads)
    if isinstance(threads, bool) or not isinstance(threads, int) or not 1 <= threads <= 64:
        raise ConfigInvalid(f"{path}: lake.query.threads: must be 1 to 64, not {threads!r}")
    if time <= 0:
        raise ConfigInvalid(f"{path}: lake.query.time: must be more than nothing")
    return QueryLimits(memory, time, threads)
