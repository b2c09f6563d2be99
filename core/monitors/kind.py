"""The contract between the framework and a kind of monitor.

The framework reads files, cuts windows, finds or makes the baseline, calls the kind, and stores
what it says. A kind knows its own settings and its own numbers, and nothing of schedules, rows
of state or alerts. Kinds are loaded in the worker's process aside (and read in it and in
commands): modules of `core/monitors/kinds/` import nothing heavy at their top, so that reading
`monitors/*.yaml` stays quick; numpy, pyarrow, shap and mlflow are imported inside
`baseline` and `evaluate`.

Columns of a window, besides the model's inputs by name (of a dataset: its own columns):

| column | type | what |
|---|---|---|
| `__prediction` | number, text or flag | what was answered; null where the request failed |
| `__score` | text | JSON list of class probabilities, where the model gives them |
| `__label` | number, text or flag | what turned out to be true; null where it is not known (yet) |
| `__at` | float64 | when, epoch seconds: of the answer, or of the event where `time:` is a column |
| `__inference_id` | text | |
| `__variant` | text | `r7` |
| `__status` | int64 | HTTP status |
| `__latency_ms` | float64 | |

A window has only those that its source has: of a dataset `__prediction`, `__score` and
`__label` are there (as copies) where the definition names the columns that hold them, and `__at`
where it names a time. A column that a batch lacks is a column of nulls.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Protocol

from core.domain.monitor import (
    CAPTURED_TIME,
    Findings,
    Measurement,
    MonitorDefinition,
    Reference,
    State,
    Violation,
)
from core.releases.values import Problems

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa

    from core.session import Session

__all__ = [
    "AT",
    "INFERENCE_ID",
    "LABEL",
    "LATENCY_MS",
    "PREDICTION",
    "SCORE",
    "STATUS",
    "VARIANT",
    "Findings",
    "Kind",
    "KindContext",
    "LoadedModel",
    "Measurement",
    "MonitorDefinition",
    "Problems",
    "Reference",
    "State",
    "StoredBaseline",
    "Violation",
    "Window",
    "feature_columns",
]

PREDICTION = "__prediction"
SCORE = "__score"
LABEL = "__label"
AT = "__at"
INFERENCE_ID = "__inference_id"
VARIANT = "__variant"
STATUS = "__status"
LATENCY_MS = "__latency_ms"


@dataclass(frozen=True, slots=True)
class StoredBaseline:
    """What a kind keeps of a reference: `summary` is JSON-able (finite numbers, text, lists,
    mappings), `arrays` go into an .npz beside it. Made once, content-addressed, never changed.

    Whatever a number depends on (bin edges, definitions, counts) must be in it.
    """

    summary: Mapping[str, Any] = field(default_factory=dict)
    arrays: Mapping[str, np.ndarray[Any, Any]] = field(default_factory=dict)


class Window(Protocol):
    """Rows that a kind looks at: a window of what is watched, or a baseline's reference.

    May be read several times, each time from the start, in batches of at most some ten thousand
    rows: a window may be larger than memory. `rows` counts what `batches` gives (duplicates by
    inference id are left out before). `start` and `end` are epoch seconds; both 0 where a
    reference has no times. `label_coverage` is the share of rows with a label, None where there
    are no labels to come.
    """

    @property
    def start(self) -> float: ...
    @property
    def end(self) -> float: ...
    @property
    def rows(self) -> int: ...
    @property
    def target(self) -> str: ...
    @property
    def label_coverage(self) -> float | None: ...

    @property
    def schema(self) -> pa.Schema:
        """Names and types of all columns that can be asked for."""

    def batches(self, columns: Sequence[str] | None = None) -> Iterator[pa.RecordBatch]:
        """The rows in order of time, these columns or all. A name that is not in `schema` is
        left out, silently: look at `schema` first."""

    def table(self, columns: Sequence[str] | None = None) -> pa.Table:
        """All rows at once: for a few columns, or for windows that are known to be small."""


class LoadedModel(Protocol):
    """A model version, loaded in this process (heavy). Not thread-safe.

    `inputs` are its signature's columns. `native` is the flavour's own object (a scikit-learn
    estimator, a LightGBM booster, …), None where only the generic interface is there. `classes`
    are the labels behind the columns of `scores`, empty for a regression.
    """

    inputs: tuple[str, ...]
    classes: tuple[Any, ...]
    native: Any

    def predict(self, rows: pa.Table) -> np.ndarray[Any, Any]:
        """One prediction a row. Columns that the model does not want are left out."""

    def scores(self, rows: pa.Table) -> np.ndarray[Any, Any] | None:
        """Class probabilities, rows × classes; None where the model has none."""


def _no_model() -> LoadedModel:
    raise LookupError("no model is behind what is watched")


def _no_previous(count: int) -> Sequence[Sequence[Measurement]]:
    return ()


@dataclass(frozen=True, slots=True)
class KindContext:
    """What a kind may need besides the rows.

    `load_model()` loads the served version (seconds of imports: only where it is needed).
    `inputs` are the model's inputs, empty where there is no model; `task` is `regression`,
    `classes`, or empty where nobody knows. `previous(n)` are the measurements of the last n
    windows before this one, newest first. `workdir` is a folder of this run for temporary files.
    `session` is for kinds that watch what is in rows (service, anomaly), None in unit tests.
    """

    monitor: str = ""
    now: float = 0.0
    workdir: Path = Path()
    model: str = ""
    version: int | None = None
    inputs: tuple[str, ...] = ()
    task: str = ""
    load_model: Callable[[], LoadedModel] = _no_model
    previous: Callable[[int], Sequence[Sequence[Measurement]]] = _no_previous
    session: Session | None = None


class Kind(Protocol):
    """One kind of monitor. Stateless, thread-safe; inherit from this for the defaults.

    Must hold for every kind (tests/core/monitors/test_conformance.py): no rows, one row, a
    constant, all missing, infinite values, new categories, missing columns raise nothing; too
    little to say is `INSUFFICIENT`, never `OK`; what `Findings` holds is JSON-able, without NaN
    or infinities.
    """

    name: ClassVar[str]
    reference: ClassVar[Reference] = Reference.TRAINING
    """Which rows of a model's training its baseline is made from."""
    needs_baseline: ClassVar[bool] = True
    """Whether `baseline` is called at all; without it `evaluate` gets None."""
    needs_rows: ClassVar[bool] = True
    """Whether it reads captured rows; `service` reads metrics by the window's start and end,
    and its windows are by time and never wait for rows."""
    format: ClassVar[int] = 1
    """Raise it whenever what `baseline` makes is read differently: stored ones of another format
    are made anew."""
    uses_labels: ClassVar[bool] = False
    """Whether labels that come late have its windows computed again."""

    def read(self, problems: Problems, where: str, data: Mapping[str, Any]) -> Any:
        """The kind's own settings, from the keys of the monitor that the framework does not
        know (`data`), as a frozen dataclass with defaults filled in.

        Notes what is wrong with `problems.add(f"{where}.{key}", message, hint)`, unknown keys
        too (`core.releases.values` has readers: `known_keys`, `number`, `share`, `seconds`,
        `flag`, `one_of`, …; lists as `f"{where}.{key}[0]"`); never raises. `where` is the
        monitor's own place: the framework finds the lines.
        """

    def baseline(
        self, definition: MonitorDefinition, reference: Window, context: KindContext
    ) -> StoredBaseline:
        """What later windows are compared with. Raises `OpsdeckError` where the reference will
        not do (no rows, a column that the settings name is not there)."""

    def evaluate(
        self,
        definition: MonitorDefinition,
        baseline: StoredBaseline | None,
        window: Window,
        memory: Mapping[str, Any],
        context: KindContext,
    ) -> Findings:
        """What the window comes to. `memory` is what the window before left, empty at first.
        A window that is computed again gets the memory that its first computation got.
        Raises only where something is broken: the run is then failed, with the reason."""


def feature_columns(
    definition: MonitorDefinition, names: Iterable[str], inputs: Sequence[str] = ()
) -> tuple[str, ...]:
    """The columns of a window that are features: what `columns:` names, else the model's
    `inputs` where there are any, else all; without `exclude:`, the framework's own (`__…`) and
    those that hold time, prediction, score or label. In the order of `names`."""
    own = {definition.prediction, definition.score, definition.label}
    if definition.time != CAPTURED_TIME:
        own.add(definition.time)
    there = [name for name in names if not name.startswith("__")]
    if definition.columns:
        wanted = set(definition.columns)
    elif inputs:
        wanted = set(inputs)
    else:
        wanted = set(there) - own
    return tuple(name for name in there if name in wanted and name not in definition.exclude)
