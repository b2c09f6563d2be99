"""What runs in a step's own process: load the inputs, run the user's code, store what it made.

Standard library only and importing nothing of Opsdeck: it runs beside a user's project that
may have packages of any name, and, when a step names a Python of its own, in an interpreter
that has never heard of Opsdeck (`python stepchild.py REQUEST EVENTS_FD`).

It tells the worker what happens as JSON lines on a pipe of its own:
`{"event": "output", "name", "kind", "path"}`, `{"event": "error", "type", "message"}`,
`{"event": "done"}`.
"""

from __future__ import annotations

import atexit
import contextlib
import importlib
import inspect
import json
import os
import random
import runpy
import shutil
import sys
import threading
import traceback
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

Request = Mapping[str, Any]


class Events:
    """The pipe to the worker."""

    def __init__(self, fd: int) -> None:
        self._fd = fd
        os.set_inheritable(fd, False)

    def send(self, event: str, **fields: Any) -> None:
        """One line; a worker that has gone is no reason to fail."""
        data = json.dumps({"event": event, **fields}).encode() + b"\n"
        with contextlib.suppress(BrokenPipeError):
            while data:
                data = data[os.write(self._fd, data) :]


def run(request: Request, events_fd: int) -> int:
    """Run the step that `request` describes; returns the exit status (0: all stored)."""
    events = Events(events_fd)
    try:
        _prepare(request)
        runner = {"function": _function, "script": _script, "notebook": _notebook}
        stored = runner[request["kind"]](request)
        _flush_tracking()
        for item in stored:
            events.send("output", **item)
        events.send("done")
    except SystemExit as exit_:
        code = exit_.code if isinstance(exit_.code, int) else (0 if exit_.code is None else 1)
        if isinstance(exit_.code, str):
            print(exit_.code, file=sys.stderr)
        events.send("error", type="SystemExit", message=f"the code called exit({exit_.code!r})")
        return code or 1
    except BaseException as error:
        _print_trace(error)
        events.send("error", type=type(error).__name__, message=_one_line(error, request["root"]))
        return 1
    finally:
        with contextlib.suppress(OSError, ValueError):
            sys.stdout.flush()
            sys.stderr.flush()
    return 0


def _prepare(request: Request) -> None:
    os.environ.update(request["env"])
    os.chdir(request["root"])
    roots = [request["root"], str(Path(request["root"]) / "src")]
    sys.path[:0] = [root for root in roots if os.path.isdir(root)]
    with contextlib.suppress(OSError):  # not Linux
        Path("/proc/self/oom_score_adj").write_text("500")
    random.seed(request["seed"])
    numpy = sys.modules.get("numpy")
    if numpy is not None:
        numpy.random.seed(request["seed"] % 2**32)
    threads = _threads(request)
    limits = sys.modules.get("threadpoolctl")
    if limits is not None and threads != 1:  # the warm server was started with one
        limits.threadpool_limits(threads)


def _threads(request: Request) -> int:
    """How many threads the libraries may use: what the pipeline says, else the worker's share.

    The warm server's own variables say 1 and are not the user's.
    """
    given = str(request["env"].get("OMP_NUM_THREADS", "")).partition(",")[0]
    threads = int(given) if given.isdigit() and int(given) else int(request["threads"])
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
        os.environ[name] = str(request["env"].get(name, threads))
    return threads


# --- running -----------------------------------------------------------------------------


def _function(request: Request) -> list[dict[str, str]]:
    module_name, _, function_name = request["target"].partition(":")
    function = getattr(importlib.import_module(module_name), function_name)
    inputs = {name: _load(given) for name, given in request["inputs"].items()}
    result = function(**inputs)
    if inspect.iscoroutine(result):
        import asyncio

        result = asyncio.run(result)
    return _store_all(request, _named(request["outputs"], result, request["target"]))


def _named(names: Sequence[str], result: Any, target: str) -> dict[str, Any]:
    """What a function returned, by the names of its outputs."""
    if len(names) == 0:
        return {}
    if len(names) == 1:
        return {names[0]: result}
    if not isinstance(result, tuple) or len(result) != len(names):
        got = f"a tuple of {len(result)}" if isinstance(result, tuple) else type(result).__name__
        raise TypeError(
            f"{target} returned {got}, but its outputs are {len(names)}: {', '.join(names)}"
        )
    return dict(zip(names, result, strict=True))


def _script(request: Request) -> list[dict[str, str]]:
    """Run a script by SageMaker's script-mode contract: channels in, model and data out."""
    out = Path(request["out_dir"])
    model_dir, data_dir = out / "sm_model", out / "sm_data"
    arguments: list[str] = []
    os.environ.update(SM_MODEL_DIR=str(model_dir), SM_OUTPUT_DATA_DIR=str(data_dir))
    for folder in (model_dir, data_dir):
        folder.mkdir(parents=True, exist_ok=True)
    hyperparameters = {}
    for name, given in request["inputs"].items():
        if "path" in given:
            os.environ[f"SM_CHANNEL_{name.upper()}"] = _channel(out, name, given)
        else:
            hyperparameters[name] = given["value"]
            arguments += [f"--{name}", str(given["value"])]
    os.environ["SM_HPS"] = json.dumps(hyperparameters)
    os.environ["SM_NUM_CPUS"] = str(os.cpu_count() or 1)
    sys.argv = [request["target"], *arguments]
    sys.path.insert(0, str((Path(request["root"]) / request["target"]).parent))
    try:
        runpy.run_path(str(Path(request["root"]) / request["target"]), run_name="__main__")
    except SystemExit as exit_:
        if exit_.code not in (None, 0):
            raise
    _end_like_a_program()
    return [_script_output(out, name, model_dir, data_dir) for name in request["outputs"]]


def _end_like_a_program() -> None:
    """Wait for the script's threads and run what it left to be done at exit, as Python does
    when a program ends: both may write what the script puts out."""
    _flush_tracking()
    threading._shutdown()  # type: ignore[attr-defined]
    atexit._run_exitfuncs()


def _channel(out: Path, name: str, given: Mapping[str, str]) -> str:
    """A folder that holds one input under its own name, as SageMaker lays channels out."""
    source = Path(given["path"])
    if source.is_dir():
        return str(source)
    folder = out / "channels" / name
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{name}{source.suffix}").symlink_to(source)
    return str(folder)


def _script_output(out: Path, name: str, model_dir: Path, data_dir: Path) -> dict[str, str]:
    if name == "model" and any(model_dir.iterdir()):
        kind = "model" if (model_dir / "MLmodel").exists() else "folder"
        return {"name": name, "kind": kind, "path": str(model_dir)}
    found = sorted(data_dir.glob(f"{name}.*")) or sorted(data_dir.glob(name))
    if not found:
        raise FileNotFoundError(
            f"the script wrote no output {name}: expected {name}.* in SM_OUTPUT_DATA_DIR"
            + (" or files in SM_MODEL_DIR" if name == "model" else "")
        )
    kinds = {".parquet": "frame", ".json": "json", ".png": "figure"}
    kind = "folder" if found[0].is_dir() else kinds.get(found[0].suffix, "file")
    return {"name": name, "kind": kind, "path": str(found[0])}


def _notebook(request: Request) -> list[dict[str, str]]:
    """Run a notebook's code cells in order; inputs are set after the cell tagged `parameters`."""
    path = Path(request["root"]) / request["target"]
    cells = [c for c in json.loads(path.read_text())["cells"] if c["cell_type"] == "code"]
    inputs = {name: _load(given) for name, given in request["inputs"].items()}
    tagged = [i for i, c in enumerate(cells) if "parameters" in c["metadata"].get("tags", [])]
    scope: dict[str, Any] = {"__name__": "__main__", "__file__": str(path)}
    if not tagged:
        scope.update(inputs)
    for index, cell in enumerate(cells):
        source = "".join(cell["source"])
        exec(compile(source, f"{request['target']}[{index + 1}]", "exec"), scope)
        if index in tagged:
            scope.update(inputs)
    missing = [name for name in request["outputs"] if name not in scope]
    if missing:
        raise NameError(f"the notebook set no variable {', '.join(missing)}")
    return _store_all(request, {name: scope[name] for name in request["outputs"]})


# --- storing by type ---------------------------------------------------------------------


def _store_all(request: Request, values: Mapping[str, Any]) -> list[dict[str, str]]:
    out = Path(request["out_dir"])
    stored = []
    for name, value in values.items():
        kind, suffix, write = _writer(value, values)
        path = out / f"{name}{suffix}"
        write(path)
        stored.append({"name": name, "kind": kind, "path": str(path)})
    return stored


def _writer(value: Any, siblings: Mapping[str, Any]) -> tuple[str, str, Callable[[Path], None]]:
    """How a value is stored: kind, ending of the file's name, and who writes it."""
    kinds = {f"{c.__module__.partition('.')[0]}.{c.__name__}" for c in type(value).__mro__}
    if "pandas.DataFrame" in kinds:
        return "frame", ".parquet", lambda path: value.to_parquet(path)
    if "pandas.Series" in kinds:
        named = value.to_frame(value.name if value.name is not None else "value")
        return "frame", ".parquet", lambda path: named.to_parquet(path)
    if "polars.DataFrame" in kinds:
        return "frame", ".parquet", lambda path: value.write_parquet(path)
    if "matplotlib.Figure" in kinds:
        return "figure", ".png", lambda path: value.savefig(path, dpi=100)
    if hasattr(value, "fit") and hasattr(value, "get_params"):
        return "model", "", lambda path: _save_model(value, path, siblings)
    if isinstance(value, os.PathLike):
        return _path_writer(Path(value))
    if isinstance(value, bytes):
        return "file", ".bin", lambda path: _write_bytes(path, value)
    if "numpy.ndarray" in kinds:
        return "array", ".npy", lambda path: sys.modules["numpy"].save(path, value)
    text = json.dumps(value, default=_plain, allow_nan=True)
    return "json", ".json", lambda path: _write_bytes(path, text.encode())


def _path_writer(source: Path) -> tuple[str, str, Callable[[Path], None]]:
    if source.is_dir():
        return "folder", "", lambda path: _copy_tree(source, path)
    return "file", source.suffix, lambda path: _copy_file(source, path)


def _copy_tree(source: Path, path: Path) -> None:
    shutil.copytree(source, path)


def _copy_file(source: Path, path: Path) -> None:
    shutil.copyfile(source, path)


def _write_bytes(path: Path, data: bytes) -> None:
    path.write_bytes(data)


def _save_model(model: Any, path: Path, siblings: Mapping[str, Any]) -> None:
    """An estimator as an MLflow model, with a signature where its siblings have an example,
    and the feature views that it reads where they name some."""
    import mlflow
    from mlflow.models import infer_signature

    example = siblings.get("input_example")
    signature = None
    if example is not None:
        signature = infer_signature(example, model.predict(example))
    root = type(model).__module__.partition(".")[0]
    flavour = root if root in ("xgboost", "lightgbm", "catboost") else "sklearn"
    save = importlib.import_module(f"mlflow.{flavour}").save_model
    options: dict[str, Any] = {}
    if siblings.get("feature_views"):
        options["metadata"] = {"opsdeck.features": siblings["feature_views"]}
    if flavour == "sklearn":
        options["serialization_format"] = mlflow.sklearn.SERIALIZATION_FORMAT_CLOUDPICKLE
    save(
        model,
        str(path),
        signature=signature,
        input_example=example,
        pip_requirements=_requirements(root),
        **options,
    )


def _requirements(root: str) -> list[str]:
    """What the model needs to be loaded, at the versions in use."""
    from importlib.metadata import PackageNotFoundError, version

    names = ["mlflow", "cloudpickle", "numpy", "pandas", "scipy", "scikit-learn"]
    names += [root] if root not in ("sklearn", "__main__") else []
    found = []
    for name in names:
        with contextlib.suppress(PackageNotFoundError):
            found.append(f"{name}=={version(name)}")
    return found


def _plain(value: Any) -> Any:
    """NumPy and pandas scalars and other small things, for JSON."""
    for method in ("isoformat", "item", "tolist"):
        if hasattr(value, method):
            return getattr(value, method)()
    if isinstance(value, set | frozenset):
        return sorted(value)
    raise TypeError(
        f"an output of type {type(value).__module__}.{type(value).__name__} cannot be stored:"
        " return a DataFrame, an estimator, a figure, a path, bytes or JSON"
    )


# --- loading -----------------------------------------------------------------------------


def _load(given: Mapping[str, Any]) -> Any:
    if "path" not in given:
        return given["value"]
    path, kind = Path(given["path"]), given["kind"]
    if kind == "frame":
        import pandas

        return pandas.read_parquet(path)
    if kind == "model":
        import yaml

        loader = yaml.safe_load((path / "MLmodel").read_text())["flavors"]["python_function"]
        return importlib.import_module(loader["loader_module"]).load_model(str(path))
    if kind == "json":
        return json.loads(path.read_text())
    if kind == "array":
        import numpy

        return numpy.load(path)
    return path


# --- telling -----------------------------------------------------------------------------


def _flush_tracking() -> None:
    """Metrics that MLflow still has in its buffer belong to the step: send them."""
    mlflow = sys.modules.get("mlflow")
    if mlflow is not None and mlflow.active_run() is not None:
        mlflow.flush_async_logging()


def _one_line(error: BaseException, root: str) -> str:
    """The error, and where in the user's code it was raised."""
    text = " ".join(str(error).split()) or type(error).__name__
    frames = traceback.extract_tb(error.__traceback__)
    own = [f for f in frames if f.filename.startswith(root + os.sep)]
    where = f" [{os.path.relpath(own[-1].filename, root)}:{own[-1].lineno}]" if own else ""
    return f"{type(error).__name__}: {text[:500]}{where}"


def _print_trace(error: BaseException) -> None:
    """The trace for the step's log, without our own frames above the user's."""
    trace = error.__traceback__
    while trace is not None and trace.tb_frame.f_code.co_filename == __file__:
        trace = trace.tb_next
    traceback.print_exception(type(error), error, trace or error.__traceback__)


if __name__ == "__main__":
    sys.exit(run(json.loads(Path(sys.argv[1]).read_text()), int(sys.argv[2])))
