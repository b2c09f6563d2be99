"""What a model takes, read from its folder's MLmodel file: MLflow is not needed for that.

The file is YAML (https://mlflow.org/docs/latest/ml/model/#model-signature); a signature's
inputs stand in it as a text of JSON.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from core.errors import ModelUnusable

MAX_BYTES = 4 << 20


def read_inputs(folder: Path) -> Mapping[str, str]:
    """The types of a model's inputs by name, in the signature's order, those that a request may
    leave out ending in `?`; unnamed ones are called by their place.

    Raises `ModelUnusable` where there is no signature that says so.
    """
    import yaml

    path = folder / "MLmodel"
    try:
        with path.open("rb") as stream:
            text = stream.read(MAX_BYTES)
        signature = (yaml.load(text, Loader=_loader()) or {})["signature"]
        if not signature or not signature.get("inputs"):
            raise ModelUnusable("the model has no signature", "log one with the model")
        columns = json.loads(signature["inputs"])
        return {
            str(each.get("name") or f"input {place}"): _type(each)
            for place, each in enumerate(columns, start=1)
        }
    except OSError as error:
        raise ModelUnusable(f"{path.name} cannot be read: {error.strerror}", str(path)) from None
    except KeyError:
        raise ModelUnusable("the model has no signature", "log one with the model") from None
    except (yaml.YAMLError, ValueError, TypeError, AttributeError):
        raise ModelUnusable(f"{path.name} has no readable signature", str(path)) from None


def _loader() -> Any:
    """The quickest safe one there is."""
    import yaml

    return getattr(yaml, "CSafeLoader", yaml.SafeLoader)


def _type(column: Mapping[str, Any]) -> str:
    """A column's type in a word: `double`, `string?`, `float32 [-1, 784]`, `array of double`."""
    kind = str(column["type"])
    if kind == "tensor":
        spec = column["tensor-spec"]
        kind = f"{spec['dtype']} {spec['shape']}"
    elif kind == "array":
        kind = f"array of {_type(column['items'])}"
    return kind if column.get("required", True) else f"{kind}?"
