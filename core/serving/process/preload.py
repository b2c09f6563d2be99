"""What the warm process may import for a model before a server is forked to load it."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path

_FORK_SAFE = ("mlflow.sklearn", "mlflow.pyfunc")  # loaders that start no threads on import


def libraries(models: Iterable[Path]) -> list[str]:
    """What loading these model directories will import, going by the loaders that they name."""
    return list(dict.fromkeys(name for model in models for name in _of(model)))


def _of(model: Path) -> list[str]:
    try:
        text = (model / "MLmodel").read_text()
    except (OSError, UnicodeDecodeError):
        return []  # loading it will say what is wrong with it
    found = re.search(r"^\s*loader_module: *(mlflow\.[a-z_]+)", text, re.MULTILINE)
    loader = found.group(1) if found else "mlflow.pyfunc"
    extra = ["sklearn.ensemble", "sklearn.pipeline"] if loader == "mlflow.sklearn" else []
    return [*extra, loader, "mlflow.pyfunc.scoring_server"] if loader in _FORK_SAFE else extra
