"""The optional third path: a scikit-learn model converted to ONNX, used where it is proven.

ONNX Runtime computes in float32, so its answers are not the same to the last bit. It is used
only when the model's own example and rows drawn from around it come out within a stated
tolerance of the library's predict (labels: exactly), and only for rows that float32 holds:
nulls, and numbers beyond it, go through the library. What stays is that a value within
float32's rounding of a tree's split may fall on its other side.

ONNX Runtime starts threads when it is imported, so nothing here may be imported by the warm
process that forks; loading happens in the server process.
"""

from __future__ import annotations

import importlib.util
import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from core.serving.model.engines import NativeEngine, one_line, plain
from core.serving.model.schema import Matrix, Signature
from core.serving.records import Flavour

log = logging.getLogger(__name__)

RELATIVE = 1e-4  # of the value that the library gives
ABSOLUTE = 1e-5  # of the largest value that the library gives
SAMPLES = 512  # rows drawn from around the example
TOLERANCE = f"{RELATIVE:g} of the value, or {ABSOLUTE:g} of the largest"
_EXTRA = "install Opsdeck with its extra onnx"


def missing() -> str:
    """What has to be installed first, or ""."""
    needed = [name for name in ("onnxruntime", "skl2onnx") if not importlib.util.find_spec(name)]
    return f"no {' and no '.join(needed)}: {_EXTRA}" if needed else ""


class OnnxPredict:
    """A predict over float64 rows by an ONNX session, by the library where float32 is too small."""

    def __init__(self, session: Any, predict: Any, kind: Any) -> None:
        """`kind` is NumPy's type of the library's own predictions."""
        self._session = session
        self._predict = predict
        self._kind = kind if kind.kind in "bif" else None  # texts are texts
        self._input = session.get_inputs()[0].name
        self._output = session.get_outputs()[0].name

    def __call__(self, rows: Matrix) -> Any:
        """The predictions, one a row."""
        import numpy as np

        with np.errstate(over="ignore"):
            small = np.ascontiguousarray(rows, dtype=np.float32)
        if not np.isfinite(small).all():
            return self._predict(rows)
        (found,) = self._session.run([self._output], {self._input: small})
        if found.ndim == 2 and found.shape[1] == 1:
            found = found[:, 0]
        return found if self._kind is None else found.astype(self._kind)


@contextmanager
def _no_booleans() -> Iterator[None]:
    """The converter puts booleans into lists of whole numbers, which newer releases of
    protobuf refuse: make them 0 and 1."""
    from skl2onnx.common import _container as container

    make_node = container.make_node

    def plainly(*args: Any, **attributes: Any) -> Any:
        for name, value in attributes.items():
            if isinstance(value, list) and any(isinstance(item, bool) for item in value):
                attributes[name] = [int(item) for item in value]
        return make_node(*args, **attributes)

    container.make_node = plainly
    try:
        yield
    finally:
        container.make_node = make_node


def convert(estimator: Any, predict: Any, signature: Signature, kind: Any) -> NativeEngine:
    """An engine over the converted model, its predictions of this kind. Raises whatever the
    converter does."""
    import onnxruntime
    from skl2onnx import to_onnx
    from skl2onnx.common.data_types import FloatTensorType
    from sklearn.base import is_classifier

    if signature.columns is None:
        raise ValueError("the model has no named columns")
    shape = FloatTensorType([None, len(signature.columns.columns)])
    options = {"zipmap": False} if is_classifier(estimator) else None
    with warnings.catch_warnings(), _no_booleans():
        warnings.simplefilter("ignore")
        made = to_onnx(estimator, initial_types=[("X", shape)], options=options)
    settings = onnxruntime.SessionOptions()
    settings.intra_op_num_threads = settings.inter_op_num_threads = 1
    settings.log_severity_level = 3  # its warnings are about the model's making, not its answers
    session = onnxruntime.InferenceSession(
        made.SerializeToString(), settings, providers=["CPUExecutionProvider"]
    )
    return NativeEngine(OnnxPredict(session, predict, kind), signature, Flavour.ONNX)


def faster(
    estimator: Any, predict: Any, signature: Signature, example: Matrix
) -> tuple[NativeEngine | None, str]:
    """The engine if it can be had and answers the same, and in a line why or why not."""
    import numpy as np

    lacking = missing()
    if lacking:
        return None, lacking
    try:
        rows = around(example, signature)
        wanted = np.asarray(predict(rows))
        engine = convert(estimator, predict, signature, wanted.dtype)
        different = compare(engine.answer([rows])[0], plain(wanted))
    except Exception as error:  # noqa: BLE001 - converters raise of all kinds
        log.warning("no ONNX: %s", one_line(error))
        return None, f"ONNX cannot be used: {one_line(error)}"
    if different:
        return None, f"ONNX was refused: {different}"
    return engine, f"ONNX answers {len(rows)} rows within {TOLERANCE}"


def around(example: Matrix, signature: Signature) -> Matrix:
    """The example's rows, and rows drawn from the ranges that they span, doubled each way."""
    import numpy as np

    if signature.columns is None:
        raise ValueError("the model has no named columns")
    whole = [column.type in ("integer", "long") for column in signature.columns.columns]
    known = example[np.isfinite(example).all(axis=1)]
    if not len(known):
        raise ValueError("the example has no row without nulls")
    low, high = known.min(axis=0), known.max(axis=0)
    span = np.where(high > low, high - low, np.maximum(np.abs(high), 1.0))
    drawn = np.random.default_rng(0).uniform(
        low - span, high + span, size=(SAMPLES, example.shape[1])
    )
    drawn[:, whole] = np.rint(drawn[:, whole])
    return np.vstack([known, drawn])


def compare(found: Any, wanted: Any) -> str:
    """How two lists of predictions differ, beyond the tolerance, or ""."""
    import numpy as np

    ours, theirs = np.asarray(found), np.asarray(wanted)
    if ours.shape != theirs.shape:
        return f"shape {ours.shape} instead of {theirs.shape}"
    if theirs.dtype.kind != "f":
        wrong = int((ours != theirs).sum())
        return f"{wrong} of {theirs.size} predictions are others" if wrong else ""
    allowed = np.maximum(RELATIVE * np.abs(theirs), ABSOLUTE * np.abs(theirs).max())
    wrong = int((~(np.abs(ours - theirs) <= allowed)).sum())
    if not wrong:
        return ""
    most = float(np.abs(ours - theirs).max())
    return f"{wrong} of {theirs.size} predictions differ, by up to {most:.3g}"
