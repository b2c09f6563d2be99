"""A model version ready to answer: MLflow's own path, or the library's, proven equal.

MLflow's pyfunc checks the schema column by column, twice: milliseconds a request. The native
path checks once in NumPy. It is used only after the model's own example request, sent through
both from JSON to JSON, gave exactly the same numbers.
"""

from __future__ import annotations

import io
import logging
import math
import time
import warnings
from contextlib import redirect_stdout
from dataclasses import replace
from pathlib import Path
from typing import Any

from core.errors import ModelUnusable, OpsdeckError
from core.serving.http.shapes import BadRequest
from core.serving.model.engines import Engine, ModelFailed, NativeEngine, PyfuncEngine, one_line
from core.serving.model.schema import Signature, read_signature
from core.serving.records import Flavour, LoadReport, Parity

log = logging.getLogger(__name__)


def load(
    revision: int, path: Path, model: str, version: int, onnx: bool = False
) -> tuple[Engine, LoadReport]:
    """Load a model directory in MLflow's format. Slow: call it in a thread.

    With `onnx` a scikit-learn model is converted and used so where it is proven to answer the
    same within a tolerance; where not, the report's detail says why.
    Raises `ModelUnusable` with one line for whatever goes wrong, the model's own code included.
    """
    begun = time.perf_counter()
    if not (path / "MLmodel").is_file():
        raise ModelUnusable(f"{path} holds no MLmodel file", "give a model directory of MLflow's")
    try:
        engine, parity, detail = _load(path, onnx)
    except OpsdeckError:
        raise
    except (Exception, SystemExit) as error:
        log.exception("model %s version %s cannot be loaded", model, version)
        raise ModelUnusable(
            f"Model {model} version {version} cannot be loaded: {one_line(error)}",
            "see server.log in the endpoint's folder",
        ) from error
    seconds = time.perf_counter() - begun
    report = LoadReport(
        revision, model, version, str(path), engine.flavour, parity, detail, seconds
    )
    return engine, report


def _load(path: Path, onnx: bool) -> tuple[Engine, Parity, str]:
    import mlflow.pyfunc

    with warnings.catch_warnings(), redirect_stdout(io.StringIO()):
        warnings.simplefilter("ignore")
        model = mlflow.pyfunc.load_model(str(path))
    signature = read_signature(model.metadata)
    pyfunc = PyfuncEngine(model, signature)
    example = _example(path)
    natives, why = _natives(model, signature)
    if not natives:
        if example is not None:
            _replay(pyfunc, example)
        return pyfunc, Parity.UNTESTED, why
    if example is None:
        return pyfunc, Parity.UNTESTED, "the model has no input example to prove a fast path with"
    expected = _replay(pyfunc, example)
    for native in natives:
        try:
            found = native.answer([native.prepare(example, "application/json")])[0]
        except (BadRequest, ModelFailed) as error:
            why = f"{native.flavour} refused the example: {error.message}"
            continue
        if _same(found, expected):
            native.signature = _probed(native, signature, example)
            why = "the input example gives the same through both paths"
            if onnx:
                quick, said = _converted(model, native, example)
                if quick is not None:
                    return quick, Parity.CLOSE, said
                why = f"{why}; {said}"
            return native, Parity.EQUAL, why
        why = f"{native.flavour} and pyfunc differ on the input example"
    return pyfunc, Parity.DIFFERS, why


def _converted(model: Any, native: NativeEngine, example: bytes) -> tuple[NativeEngine | None, str]:
    """The proven fast path, faster still, and why or why not."""
    if native.flavour is not Flavour.NATIVE_ARRAY:
        return None, "ONNX is for models whose columns are all numbers"
    from core.serving.model import onnxpath  # not before a fork

    rows = native.prepare(example, "application/json")
    estimator = model.get_raw_model()
    return onnxpath.faster(estimator, native.predict, native.signature, rows)


def _probed(native: NativeEngine, signature: Signature, example: bytes) -> Signature:
    """What the signature does not tell and a description of the endpoint needs: which columns
    take null, how large a number may be."""
    inputs = native.prepare(example, "application/json")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        single = not native.takes_large(inputs)
        return replace(signature, nulls=native.takes_null(inputs), single=single)


def _replay(engine: PyfuncEngine, example: bytes) -> Any:
    """What pyfunc says to the model's own example; a model that cannot do that is unusable."""
    try:
        return engine.answer([engine.prepare(example, "application/json")])[0]
    except (BadRequest, ModelFailed) as error:
        raise ModelUnusable(
            f"The model fails on its own input example: {error.message}",
            "log the model again with an example it accepts",
        ) from error


def _example(path: Path) -> bytes | None:
    """The model's example request, as MLflow saved it."""
    file = path / "serving_input_example.json"
    return file.read_bytes() if file.is_file() else None


def _natives(model: Any, signature: Signature) -> tuple[list[NativeEngine], str]:
    """The fast paths worth trying, the fastest first, or why there is none."""
    metadata = model.metadata
    if "sklearn" not in metadata.flavors:
        return [], f"no fast path for {', '.join(sorted(metadata.flavors))}"
    schema = signature.columns
    if schema is None:
        return [], "the model has no signature with named columns"
    if metadata.get_params_schema() is not None:
        return [], "the model takes params"
    estimator = model.get_raw_model()
    method = metadata.flavors["python_function"].get("predict_fn", "predict")
    predict = getattr(estimator, method)
    kinds = [Flavour.NATIVE_ARRAY] if schema.numeric else []
    if schema.framable:
        kinds.append(Flavour.NATIVE_FRAME)
    natives = [NativeEngine(predict, signature, kind) for kind in kinds]
    return natives, "" if natives else "a column's type has no fast path"


def _same(left: Any, right: Any) -> bool:
    """Exact equality, element by element; NaN equals NaN and null."""
    if isinstance(left, list) and isinstance(right, list):
        return len(left) == len(right) and all(
            _same(a, b) for a, b in zip(left, right, strict=True)
        )
    return left == right or (_is_nan(left) and _is_nan(right))


def _is_nan(value: Any) -> bool:
    return value is None or (isinstance(value, float) and math.isnan(value))
