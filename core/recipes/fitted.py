"""Fitted recipes as files: `fitted.json` and `arrays.npz` in a folder, without pickle."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from core.recipes.errors import FittedInvalid
from core.recipes.operation import Call
from core.recipes.plan import FittedRecipe, FittedStep
from core.recipes.recipe import recipe_from
from core.recipes.registry import about, library_versions
from core.recipes.statefile import Reader, Writer

FORMAT = 1
JSON_NAME, ARRAYS_NAME = "fitted.json", "arrays.npz"


def content_hash(fitted: FittedRecipe) -> str:
    """SHA-256 of the recipe and of all that it learned: equal hashes, equal results."""
    document, arrays = _document(fitted)
    return _hash(document, arrays)


def save_fitted(fitted: FittedRecipe, folder: Path) -> str:
    """Write a fitted recipe to a folder, all or nothing, and return its content hash.

    Raises `FittedInvalid` where something learned cannot be written, and OSError.
    """
    import io

    import numpy as np

    from core.ids import new_id

    document, arrays = _document(fitted)
    digest = _hash(document, arrays)
    if (folder / JSON_NAME).is_file():
        return digest
    packed = io.BytesIO()
    np.savez(packed, **arrays)
    half = folder.with_name(f".{folder.name}.{new_id()}")
    folder.parent.mkdir(parents=True, exist_ok=True)
    half.mkdir(mode=0o700)  # what was learned may be values, even rows, of the training part
    (half / ARRAYS_NAME).write_bytes(packed.getvalue())
    whole = {**document, "hash": digest}
    (half / JSON_NAME).write_text(json.dumps(whole, ensure_ascii=False), encoding="utf-8")
    try:
        half.rename(folder)
    except OSError:
        for each in half.iterdir():
            each.unlink()
        half.rmdir()
        if not (folder / JSON_NAME).is_file():  # else somebody else has just written the same
            raise
    return digest


def load_fitted(folder: Path) -> FittedRecipe:
    """Read a fitted recipe back. Raises `FittedInvalid` where it is damaged, or where a
    library that it learned with has another minor version here."""
    import numpy as np

    try:
        document = json.loads((folder / JSON_NAME).read_text(encoding="utf-8"))
        with np.load(folder / ARRAYS_NAME, allow_pickle=False) as packed:
            arrays = {name: packed[name] for name in packed.files}
        digest = document.pop("hash")
        form = document["format"]
    except (OSError, ValueError, KeyError, AttributeError, EOFError) as error:
        reason = getattr(error, "strerror", None) or str(error)[:120]
        raise FittedInvalid(f"{folder}: no fitted recipe: {reason}", "fit it again") from None
    if form != FORMAT:
        raise FittedInvalid(f"{folder}: format {form}, not {FORMAT}", "fit it again")
    if _hash(document, arrays) != digest:
        raise FittedInvalid(f"{folder}: the content is not what its hash says", "fit it again")
    _same_versions(folder, document["libraries"])
    reader = Reader(arrays)
    recipe = recipe_from(document["recipe"])
    return FittedRecipe(
        recipe,
        tuple(
            FittedStep(step, _call(each["call"]), reader.read(each["state"]), each["needs"])
            for step, each in zip(recipe.steps, document["steps"], strict=True)
        ),
        document["inputs"],
        document["outputs"],
        {name: tuple(sources) for name, sources in document["lineage"].items()},
    )


def _document(fitted: FittedRecipe) -> tuple[dict[str, Any], dict[str, Any]]:
    writer = Writer()
    steps = [
        {
            "call": _plain_call(each.call),
            "state": writer.write(dict(each.state)),
            "needs": dict(each.needs),
        }
        for each in fitted.steps
    ]
    used = frozenset(about(each.step.use).library for each in fitted.steps)
    document = {
        "format": FORMAT,
        "recipe": fitted.recipe.canonical(),
        "libraries": library_versions(used),
        "inputs": dict(fitted.inputs),
        "outputs": dict(fitted.outputs),
        "lineage": {name: list(sources) for name, sources in fitted.lineage.items()},
        "steps": steps,
    }
    return document, writer.arrays


def _hash(document: Mapping[str, Any], arrays: Mapping[str, Any]) -> str:
    digest = hashlib.sha256(json.dumps(document, sort_keys=True).encode())
    for name in sorted(arrays):
        array = arrays[name]
        digest.update(f"{name} {array.dtype.str} {array.shape}".encode())
        # Field by field: between the fields of a record lies whatever was in memory.
        for part in (array[each] for each in array.dtype.names) if array.dtype.names else (array,):
            digest.update(part.tobytes())
    return digest.hexdigest()


def _plain_call(call: Call | None) -> dict[str, Any] | None:
    if call is None:
        return None
    return {
        "columns": list(call.columns),
        "params": dict(call.params),
        "target": call.target,
        "pattern": call.pattern,
        "keep": call.keep,
        "when": call.when,
        "references": list(call.references),
    }


def _call(given: Mapping[str, Any] | None) -> Call | None:
    if given is None:
        return None
    columns, references = tuple(given["columns"]), tuple(given["references"])
    return Call(**{**given, "columns": columns, "references": references})


def _same_versions(folder: Path, written: Mapping[str, str]) -> None:
    here = library_versions(frozenset(written))
    for name, version in written.items():
        if version.split(".")[:2] != here[name].split(".")[:2]:
            raise FittedInvalid(
                f"{folder}: fitted with {name} {version}, here it is {here[name]}", "fit it again"
            )
