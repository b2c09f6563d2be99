"""The served model version, loaded for a kind that needs it; and what its files tell unloaded."""

from __future__ import annotations

import io
import json
import warnings
from collections.abc import Callable
from contextlib import redirect_stdout
from pathlib import Path
from typing import TYPE_CHECKING, Any

from core.errors import ModelUnusable
from core.monitors.kind import LoadedModel

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa

REGRESSION = "regression"
CLASSES = "classes"
_TASKS = {
    "double": REGRESSION, "float": REGRESSION, "float64": REGRESSION, "float32": REGRESSION,
    "long": CLASSES, "integer": CLASSES, "int64": CLASSES, "int32": CLASSES,
    "string": CLASSES, "boolean": CLASSES, "bool": CLASSES, "str": CLASSES, "object": CLASSES,
}  # fmt: skip


class PyfuncModel:
    """A model by MLflow's generic interface, with its library's own object beside it."""

    def __init__(self, path: Path, inputs: tuple[str, ...]) -> None:
        import mlflow.pyfunc

        with warnings.catch_warnings(), redirect_stdout(io.StringIO()):
            warnings.simplefilter("ignore")
            self._model = mlflow.pyfunc.load_model(str(path))
        self.inputs = inputs
        self.native: Any = None
        if hasattr(self._model, "get_raw_model"):
            self.native = self._model.get_raw_model()
        found = getattr(self.native, "classes_", None)
        self.classes: tuple[Any, ...] = () if found is None else tuple(_plain(found))

    def predict(self, rows: pa.Table) -> np.ndarray[Any, Any]:
        """See `LoadedModel`."""
        import numpy as np

        frame = self._frame(rows)
        predict = getattr(self.native, "predict", None)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            said = (
                predict(frame) if callable(predict) and self._plain else self._model.predict(frame)
            )
        found: np.ndarray[Any, Any] = np.asarray(said)
        return found.reshape(len(frame), -1)[:, 0] if found.ndim > 1 else found

    def scores(self, rows: pa.Table) -> np.ndarray[Any, Any] | None:
        """See `LoadedModel`."""
        import numpy as np

        predict = getattr(self.native, "predict_proba", None)
        if not callable(predict):
            return None
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return np.asarray(predict(self._frame(rows)), dtype=float)

    @property
    def _plain(self) -> bool:
        """Whether the library's own object takes a data frame as it is."""
        return hasattr(self.native, "fit") and hasattr(self.native, "get_params")

    def _frame(self, rows: pa.Table) -> Any:
        names = [name for name in self.inputs if name in rows.column_names] or rows.column_names
        return rows.select(names).to_pandas()


def loader(path: Path, inputs: tuple[str, ...]) -> Callable[[], LoadedModel]:
    """Loads the model when it is first called, and keeps it."""
    kept: list[LoadedModel] = []

    def load() -> LoadedModel:
        if not kept:
            if not (path / "MLmodel").is_file():
                raise ModelUnusable(f"{path} holds no MLmodel file", "has it been deleted?")
            try:
                kept.append(PyfuncModel(path, inputs))
            except (Exception, SystemExit) as error:
                said = " ".join(f"{type(error).__name__}: {error}".split())[:300]
                raise ModelUnusable(
                    f"the model at {path.name[:12]} cannot be loaded: {said}"
                ) from error
        return kept[0]

    return load


def output_type(path: Path) -> str:
    """The type of the one output that a model's signature names; empty where it names none."""
    import yaml

    try:
        with (path / "MLmodel").open("rb") as stream:
            loaded = yaml.load(stream, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))
        outputs = json.loads((loaded.get("signature") or {}).get("outputs") or "[]")
    except (OSError, yaml.YAMLError, ValueError, AttributeError):
        return ""
    if len(outputs) != 1:
        return ""
    first = outputs[0]
    if first.get("type") == "tensor":
        return str(first.get("tensor-spec", {}).get("dtype", ""))
    return str(first.get("type", ""))


def task_of(path: Path) -> str:
    """`regression` or `classes`, by the signature's output; empty where it does not say."""
    return _TASKS.get(output_type(path), "")


def arrow_type(path: Path) -> pa.DataType:
    """The type of predictions as a column."""
    import pyarrow as pa

    word = output_type(path)
    if word in ("long", "integer", "int64", "int32"):
        return pa.int64()
    if word in ("string", "str", "object"):
        return pa.string()
    return pa.bool_() if word in ("boolean", "bool") else pa.float64()


def _plain(values: Any) -> list[Any]:
    listed: list[Any] = values.tolist() if hasattr(values, "tolist") else list(values)
    return listed
