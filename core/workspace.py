"""A workspace: a folder with an `opsdeck.yaml`, whose state lives under `.opsdeck/`."""

from __future__ import annotations

import difflib
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from core.errors import ConfigInvalid, NotAWorkspace

CONFIG_NAME = "opsdeck.yaml"
STATE_NAME = ".opsdeck"
_KEYS = (
    "name", "environment", "database", "tracking", "worker", "me", "lake", "alerts", "gates", "aws",
)  # fmt: skip
_WORKER_KEYS = ("slots",)
_NAME_ONE = "name an existing workspace with -w PATH"


@dataclass(frozen=True, slots=True)
class Workspace:
    """Where a workspace is and how it is set up.

    `database_url` is an SQLAlchemy URL; `tracking_uri` is MLflow's; `slots` is how many
    steps one worker runs at once; `lake` and `alerts` are those sections of the file, which
    `core.lake.config` and `core.alerting.config` read; `gates` is where they may decide alone;
    `aws` is the account that belongs to it, which `core.aws.ofworkspace` opens.
    """

    root: Path
    name: str
    environment: str
    database_url: str
    tracking_uri: str
    slots: int
    me: str | None = None
    lake: Mapping[str, Any] = field(default_factory=dict)
    alerts: Mapping[str, Any] = field(default_factory=dict)
    gates: Mapping[str, Any] = field(default_factory=dict)
    aws: Mapping[str, Any] = field(default_factory=dict)

    @property
    def state_dir(self) -> Path:
        """The folder of the workspace's state."""
        return self.root / STATE_NAME

    @property
    def embedded(self) -> bool:
        """Whether the state is the workspace's own SQLite file."""
        return self.database_url.startswith("sqlite")

    @property
    def runs_dir(self) -> Path:
        """Logs of the step runs."""
        return self.state_dir / "runs"

    @property
    def artifacts_dir(self) -> Path:
        """The content-addressed artifact store."""
        return self.state_dir / "artifacts"

    @property
    def endpoints_dir(self) -> Path:
        """One folder an endpoint."""
        return self.state_dir / "endpoints"


def find_root(start: Path | None = None) -> Path:
    """The nearest folder at or above `start` with an `opsdeck.yaml`.

    Raises `NotAWorkspace` when there is none.
    """
    try:
        here = (start or Path.cwd()).expanduser().resolve()
        if not here.exists():
            raise NotAWorkspace(f"{here}: no such folder", _NAME_ONE)
        for folder in (here, *here.parents):
            if (folder / CONFIG_NAME).is_file():
                return folder
    except OSError as error:  # too long, not ours to read, or the present folder is gone
        where = start or "the present folder"
        raise NotAWorkspace(f"{where}: {error.strerror}", _NAME_ONE) from error
    except (RuntimeError, ValueError) as error:  # ~nobody, a loop of links, a zero byte
        raise NotAWorkspace(f"{str(start)!r}: {error}", _NAME_ONE) from error
    raise NotAWorkspace(
        f"{here}: no {CONFIG_NAME} here or above",
        "make a workspace with: opsdeck init PATH, or name one with -w PATH",
    )


def open_workspace(start: Path | None = None) -> Workspace:
    """The workspace at or above `start` (default: the present folder).

    Raises `NotAWorkspace` and `ConfigInvalid`.
    """
    root = find_root(start)
    path = root / CONFIG_NAME
    config = _read(path)
    worker = config.get("worker")
    worker = {} if worker is None else worker
    if not isinstance(worker, dict):
        raise ConfigInvalid(f"{path}: worker: must be a mapping", "for example: worker: {slots: 2}")
    _refuse_unknown(path, worker, _WORKER_KEYS, "worker.")
    lake = _section(path, config, "lake", "{warehouse: DIR}")
    state = root / STATE_NAME
    tracking = _text(path, config, "tracking")
    if tracking is None and "?" in str(state):
        raise ConfigInvalid(
            f"{root}: a path with ? cannot be part of the address of MLflow's store",
            "rename the folder, or set tracking: in opsdeck.yaml",
        )
    return Workspace(
        root=root,
        name=_text(path, config, "name") or root.name,
        environment=_text(path, config, "environment") or "local",
        database_url=_database(path, config) or f"sqlite:///{state / 'state.db'}",
        tracking_uri=tracking or f"sqlite:///{state / 'mlflow.db'}",
        slots=_slots(path, worker),
        me=_text(path, config, "me"),
        lake=lake,
        alerts=_section(path, config, "alerts", "{reopen: 6h}"),
        gates=_gates(path, config),
        aws=_aws(path, config),
    )


def _gates(path: Path, config: Mapping[str, Any]) -> Mapping[str, Any]:
    """Where gates may decide by themselves: `auto: false`, or a list of environments."""
    found = _section(path, config, "gates", "{auto: [staging]}")
    _refuse_unknown(path, found, ("auto",), "gates.")
    auto = found.get("auto", True)
    named = isinstance(auto, list) and all(isinstance(each, str) for each in auto)
    if not isinstance(auto, bool) and not named:
        raise ConfigInvalid(
            f"{path}: gates.auto: must be true, false or a list of environments, not {auto!r}",
            "for example: gates: {auto: [staging]}",
        )
    return found


def _aws(path: Path, config: Mapping[str, Any]) -> Mapping[str, Any]:
    """The account beside the workspace: a context's name, and its region where it is another."""
    found = _section(path, config, "aws", "{context: NAME}")
    _refuse_unknown(path, found, ("context", "region"), "aws.")
    for key, value in found.items():
        if not isinstance(value, str) or not value.strip():
            raise ConfigInvalid(
                f"{path}: aws.{key}: must be text, not {value!r}", "for example: {context: NAME}"
            )
    if found and "context" not in found:
        raise ConfigInvalid(f"{path}: aws.context: is missing", "opsdeck contexts list shows them")
    return found


def _section(path: Path, config: Mapping[str, Any], key: str, example: str) -> Mapping[str, Any]:
    """A part of the file that another module reads; empty where there is none."""
    found = config.get(key)
    if found is None:
        return {}
    if not isinstance(found, dict):
        raise ConfigInvalid(f"{path}: {key}: must be a mapping", f"for example: {key}: {example}")
    return found


def _read(path: Path) -> Mapping[str, Any]:
    import yaml

    try:
        loaded = yaml.safe_load(path.read_text(encoding="utf-8"))
    except UnicodeDecodeError as error:
        raise ConfigInvalid(f"{path}: not UTF-8 text", "save the file as UTF-8") from error
    except OSError as error:
        raise ConfigInvalid(f"{path}: cannot be read: {error.strerror}") from error
    except RecursionError as error:
        raise ConfigInvalid(f"{path}: nested too deeply", "mend the YAML") from error
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f":{mark.line + 1}" if mark else ""
        problem = getattr(error, "problem", None) or "not YAML"
        raise ConfigInvalid(f"{path}{where}: {problem}", "mend the YAML") from error
    if loaded is None:
        return {}
    if not isinstance(loaded, dict):
        raise ConfigInvalid(f"{path}: must be a mapping", "for example: name: my-workspace")
    _refuse_unknown(path, loaded, _KEYS, "")
    return loaded


def _refuse_unknown(path: Path, given: Mapping[str, Any], known: tuple[str, ...], at: str) -> None:
    for key in given:
        if key not in known:
            close = difflib.get_close_matches(str(key), known, n=1)
            hint = f"did you mean {close[0]}?" if close else "known: " + ", ".join(known)
            raise ConfigInvalid(f"{path}: unknown key {at}{key}", hint)


def _text(path: Path, config: Mapping[str, Any], key: str) -> str | None:
    """A text of the file with its environment variables put in; `None` where it has none."""
    if key not in config:
        return None
    value = config[key]
    if not isinstance(value, str) or not value.strip():
        raise ConfigInvalid(f"{path}: {key}: must be text, not {value!r}", "or leave the key out")
    return os.path.expandvars(value)


def _database(path: Path, config: Mapping[str, Any]) -> str | None:
    """The database's URL; a relative SQLite path is relative to the workspace, not to whoever
    opens it: console and worker must mean the same file."""
    url = _text(path, config, "database")
    if url is None or re.match(r"postgresql(\+psycopg)?://", url):
        return url
    file = url.removeprefix("sqlite:///")
    if file == url or not file:
        scheme = url.split(":")[0]  # the rest may hold a password
        raise ConfigInvalid(
            f"{path}: database: unknown kind {scheme!r}",
            "use postgresql://USER@HOST/NAME or sqlite:///FILE",
        )
    return f"sqlite:///{path.parent / file}"


def _slots(path: Path, worker: Mapping[str, Any]) -> int:
    value = worker.get("slots", 2)
    if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= 64:
        raise ConfigInvalid(f"{path}: worker.slots: must be 1 to 64, not {value!r}")
    return value
