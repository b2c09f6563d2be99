"""What a job there starts: it unpacks the source, finds the inputs, runs the step and puts its
outputs where the service takes them from.

Standard library only: it is packed with the source as `opsdeck_runner.py`, beside a copy of
`core/engine/stepchild.py`, which runs the step as it does here. A processing job starts it with
`--step NAME --set NAME=VALUE …`; a training container with its hyperparameters.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile
import zlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

HOME = Path(os.environ.get("OPSDECK_ML_HOME", "/opt/ml"))
PACKAGE, PLANS, NOTE = "source.tar.gz", "opsdeck_steps.json", ".opsdeck.json"
MODEL_ARCHIVE, OUTPUT_ARCHIVE = "model.tar.gz", "output.tar.gz"
_KINDS = {".parquet": "frame", ".json": "json", ".png": "figure", ".npy": "array"}
_INFERENCE = '''\
"""Serves an MLflow model in a scikit-learn container."""

import io
import json

import mlflow.pyfunc
import pandas as pd


def model_fn(model_dir):
    return mlflow.pyfunc.load_model(model_dir)


def input_fn(body, content_type):
    if content_type.startswith("text/csv"):
        return pd.read_csv(io.StringIO(body if isinstance(body, str) else body.decode()))
    given = json.loads(body)
    if "dataframe_split" in given:
        return pd.DataFrame(**given["dataframe_split"])
    if "dataframe_records" in given:
        return pd.DataFrame(given["dataframe_records"])
    return pd.DataFrame(given.get("instances", given.get("inputs", given)))


def predict_fn(rows, model):
    return model.predict(rows)


def output_fn(found, accept):
    rows = found.tolist() if hasattr(found, "tolist") else list(found)
    if accept.startswith("text/csv"):
        return "\\n".join(str(row) for row in rows), "text/csv"
    return json.dumps({"predictions": rows}), "application/json"
'''


def main(arguments: Sequence[str]) -> int:
    """Run the step; returns the exit status."""
    step, given = _arguments(arguments)
    training = "SM_TRAINING_ENV" in os.environ or "SM_MODEL_DIR" in os.environ
    root = _source(training)
    plan = json.loads((root / PLANS).read_text(encoding="utf-8"))[step]
    if not training:  # a training container does so by itself
        _install(root / "requirements.txt")
    sys.path.insert(0, str(root))
    from opsdeck_stepchild import run  # type: ignore[import-not-found, unused-ignore]

    work = Path(tempfile.mkdtemp(prefix="opsdeck-"))
    try:
        request = {
            "kind": plan["kind"],
            "target": plan["target"],
            "root": str(root),
            "env": {**_own(step), **plan["env"]},
            "seed": zlib.crc32(f"{step}:{given.get('seed', 0)}".encode()),
            "threads": os.cpu_count() or 1,
            "inputs": _inputs(plan["inputs"], given, training, work),
            "outputs": plan["outputs"],
            "out_dir": str(_made(work / "out")),
        }
        events = work / "events"
        with events.open("wb") as pipe:
            status: int = run(request, os.dup(pipe.fileno()))
        told = [json.loads(line) for line in events.read_text(encoding="utf-8").splitlines()]
        if status:
            _explain(told)
            return status
        for event in told:
            if event["event"] == "output":
                _put(event, plan, training)
        return 0
    finally:
        shutil.rmtree(work, ignore_errors=True)


def _arguments(arguments: Sequence[str]) -> tuple[str, dict[str, str]]:
    """The step, and the parameters that it is given, as texts."""
    step, given = "", {}
    pairs = iter(arguments)
    for flag in pairs:
        value = next(pairs, "")
        if flag in ("--step", "--opsdeck_step"):
            step = value
        elif flag == "--set":
            name, _, text = value.partition("=")
            given[name] = text
        else:  # a hyperparameter of a training container
            given[flag.removeprefix("--")] = value
    return step, given


def _source(training: bool) -> Path:
    """The folder of the source: a training container has unpacked it."""
    if training:
        return Path(__file__).resolve().parent
    folder = _made(HOME / "processing" / "source")
    _unpack(HOME / "processing" / "input" / "code" / PACKAGE, folder)
    return folder


def _own(step: str) -> dict[str, str]:
    return {"OPSDECK_STEP": step, "MLFLOW_DISABLE_TELEMETRY": "true", "DO_NOT_TRACK": "true"}


def _install(requirements: Path) -> None:
    """Install what the source needs; an image that has it all installs nothing."""
    if not requirements.exists() or os.environ.get("OPSDECK_INSTALL") == "no":
        return
    command = [sys.executable, "-m", "pip", "install", "--quiet", "-r", str(requirements)]
    subprocess.run(command, check=True)


# --- inputs --------------------------------------------------------------------------------


def _inputs(
    plan: Mapping[str, Any], given: Mapping[str, str], training: bool, work: Path
) -> dict[str, dict[str, Any]]:
    found: dict[str, dict[str, Any]] = {}
    for name, source in plan.items():
        if source["from"] == "value":
            found[name] = {"value": source["value"]}
        elif source["from"] == "argument":
            found[name] = {"value": _typed(given.get(name, ""), source)}
        else:
            output = source.get("output", "rows")
            found[name] = _located(_channel(name, training), output, _made(work / "in" / name))
    return found


def _typed(text: str, source: Mapping[str, Any]) -> Any:
    """A parameter by its declared type; one that was left out is the empty text."""
    kind = source["type"]
    if text == "" and kind != "str":
        return None
    if kind == "bool":
        return text.strip().lower() == "true"
    if kind == "int":
        return int(float(text)) if re.search(r"[.eE]", text) else int(text)
    return float(text) if kind == "float" else (text or source.get("empty"))


def _channel(name: str, training: bool) -> Path:
    if training:
        return Path(os.environ[f"SM_CHANNEL_{name.upper()}"])
    return HOME / "processing" / "input" / name


def _located(folder: Path, output: str, work: Path) -> dict[str, Any]:
    """What a step put out, in the folder that it was brought to; archives are unpacked."""
    archive = folder / OUTPUT_ARCHIVE
    if archive.exists():
        _unpack(archive, work)
        inside = work / output
        return _located(inside if inside.is_dir() else work, output, work)
    archive = folder / MODEL_ARCHIVE
    if archive.exists():
        inside = _made(work / "model")
        _unpack(archive, inside)
        kind = "model" if (inside / "MLmodel").exists() else "folder"
        return {"path": str(inside), "kind": kind}
    note = folder / NOTE
    if note.exists():
        told = json.loads(note.read_text(encoding="utf-8"))
        return {"path": str(folder / told["file"]), "kind": told["kind"]}
    files = sorted(folder.glob(f"{output}.*")) or sorted(folder.glob("*.parquet"))
    if not files:
        return {"path": str(folder), "kind": "folder"}
    return {"path": str(files[0]), "kind": _KINDS.get(files[0].suffix, "file")}


def _unpack(archive: Path, folder: Path) -> None:
    with tarfile.open(archive) as packed:
        packed.extractall(folder, filter="data")


# --- outputs -------------------------------------------------------------------------------


def _put(event: Mapping[str, Any], plan: Mapping[str, Any], training: bool) -> None:
    """An output where the service takes it from, with a note of what it is."""
    name, kind, path = event["name"], event["kind"], Path(event["path"])
    if kind == "model":
        _serve(path)
    if training and name == plan["model"]:
        shutil.copytree(path, HOME / "model", dirs_exist_ok=True)
        return
    place = HOME / ("output/data" if training else "processing/output") / name
    _made(place)
    if kind == "model":
        file = MODEL_ARCHIVE
        with tarfile.open(place / file, "w:gz") as packed:
            packed.add(path, arcname=".")
    elif path.is_dir():
        file = name
        shutil.copytree(path, place / file, dirs_exist_ok=True)
    else:
        file = f"{name}{path.suffix}"
        shutil.copyfile(path, place / file)
    (place / NOTE).write_text(json.dumps({"kind": kind, "file": file}), encoding="utf-8")


def _serve(model: Path) -> None:
    """What a serving container runs, beside an MLflow model."""
    if not (model / "MLmodel").exists() or (model / "code" / "inference.py").exists():
        return
    code = _made(model / "code")
    (code / "inference.py").write_text(_INFERENCE, encoding="utf-8")
    if (model / "requirements.txt").exists():
        shutil.copyfile(model / "requirements.txt", code / "requirements.txt")


def _explain(told: Sequence[Mapping[str, Any]]) -> None:
    """Why it failed, where the service looks for it."""
    words = next((e["message"] for e in told if e["event"] == "error"), "it ended without a word")
    for name in ("failure", "message"):
        try:
            (_made(HOME / "output") / name).write_text(words[:1000], encoding="utf-8")
        except OSError as error:
            sys.stderr.write(f"{HOME}/output/{name}: {error}\n")


def _made(folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    return folder


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
