"""Writing what was learned as JSON and arrays, and reading it back: no pickle, no code.

Values are plain ones, arrays, data frames, and objects of scikit-learn and feature-engine,
which are taken apart into their attributes. On reading only the classes that `_allowed`
names are ever made, so that a file cannot make anything else run.
"""

from __future__ import annotations

import base64
import importlib
import math
from collections.abc import Mapping
from datetime import date, datetime
from typing import Any

from core.recipes.errors import FittedInvalid

_TREES = {
    "sklearn.neighbors._kd_tree:KDTree64",
    "sklearn.neighbors._kd_tree:KDTree",
    "sklearn.neighbors._ball_tree:BallTree64",
    "sklearn.neighbors._ball_tree:BallTree",
}
_EXTRA = _TREES | {
    "sklearn.tree._tree:Tree",
    "sklearn.cluster._bisect_k_means:_BisectingTree",
    "sklearn.cluster._birch:_CFNode",
    "sklearn.cluster._birch:_CFSubcluster",
    "sklearn.model_selection._split:KFold",
    "sklearn.model_selection._split:StratifiedKFold",
    "sklearn.metrics._dist_metrics:EuclideanDistance64",
    "sklearn.metrics._dist_metrics:EuclideanDistance",
    "sklearn.metrics._dist_metrics:MinkowskiDistance64",
}
_TYPES = {"builtins:float", "builtins:int", "builtins:str", "builtins:bool", "builtins:object"}
_SPLINE = "scipy.interpolate._bsplines:BSpline"
_ROOTS = ("sklearn.", "feature_engine.")


class Writer:
    """Turns values into JSON, gathering arrays beside it."""

    def __init__(self) -> None:
        self.arrays: dict[str, Any] = {}
        self._seen: dict[int, int] = {}
        self._alive: list[Any] = []

    def write(self, value: Any) -> Any:
        """The JSON of a value. Raises `FittedInvalid` for what cannot be written."""
        if value is None or isinstance(value, (bool, str)) or type(value) is int:
            return value
        if type(value) is float:
            return value if math.isfinite(value) else {"$": "float", "v": repr(value)}
        if type(value) is list:
            return [self.write(each) for each in value]
        if isinstance(value, Mapping) and type(value).__module__ in ("builtins", "collections"):
            return {"$": "dict", "v": [[self.write(k), self.write(v)] for k, v in value.items()]}
        if type(value) in (tuple, set, frozenset):
            items = sorted(value, key=repr) if isinstance(value, (set, frozenset)) else value
            return {"$": type(value).__name__, "v": [self.write(each) for each in items]}
        if isinstance(value, bytes):
            return {"$": "bytes", "v": base64.b64encode(value).decode()}
        if isinstance(value, slice):
            return {"$": "slice", "v": [value.start, value.stop, value.step]}
        if type(value) in (date, datetime):
            return {"$": type(value).__name__, "v": value.isoformat()}
        return self._library(value)

    def _library(self, value: Any) -> Any:
        import numpy as np

        if isinstance(value, np.ndarray):
            if value.dtype == object:
                shape = list(value.shape)
                return {"$": "objects", "s": shape, "v": [self.write(v) for v in value.ravel()]}
            return {"$": "array", "v": self._keep(value)}
        if isinstance(value, np.generic):
            return {"$": "scalar", "v": self._keep(np.asarray(value))}
        if isinstance(value, np.dtype):
            return {"$": "dtype", "v": value.str}
        if isinstance(value, np.random.RandomState):
            name, keys, *rest = value.get_state()
            return {"$": "random", "v": [name, self._keep(keys), *map(self.write, rest)]}
        module = type(value).__module__
        if module.startswith("scipy.sparse"):
            made = value.tocsr()
            parts = [self._keep(each) for each in (made.data, made.indices, made.indptr)]
            return {"$": "sparse", "v": parts, "s": list(made.shape)}
        if module == "pandas" or module.startswith("pandas."):
            return self._pandas(value)
        if isinstance(value, type):
            return {"$": "type", "v": _name(value)}
        if callable(value) and not hasattr(value, "get_params") and hasattr(value, "__name__"):
            return self._function(value)
        return self._object(value)

    def _pandas(self, value: Any) -> Any:
        import pandas as pd

        if isinstance(value, pd.Series):
            parts = [self.write(value.index), self.write(value.to_numpy()), str(value.dtype)]
            return {"$": "series", "v": [*parts, self.write(value.name)]}
        if isinstance(value, pd.DataFrame):
            columns = [self.write(value[each]) for each in value.columns]
            return {"$": "frame", "v": [self.write(list(value.columns)), columns]}
        if isinstance(value, pd.Index):
            listed = [self.write(each) for each in value.tolist()]
            return {"$": "index", "v": listed, "d": str(value.dtype), "n": self.write(value.name)}
        if isinstance(value, pd.Interval):
            return {"$": "interval", "v": [float(value.left), float(value.right), value.closed]}
        if isinstance(value, pd.Timestamp):
            return {"$": "timestamp", "v": value.isoformat()}
        raise FittedInvalid(f"a {type(value).__name__} cannot be written to a file")

    def _function(self, value: Any) -> Any:
        module = getattr(value, "__module__", None) or "numpy"
        name = f"{module}:{value.__name__}"
        if _allowed_function(name):
            return {"$": "function", "v": name}
        raise FittedInvalid(f"the function {name} cannot be written to a file")

    def _object(self, value: Any) -> Any:
        """An object taken apart the way `copy` would: its class, arguments and attributes."""
        if id(value) in self._seen:
            return {"$": "same", "v": self._seen[id(value)]}
        self._seen[id(value)] = len(self._seen)
        self._alive.append(value)
        cls = type(value)
        if _name(cls) == _SPLINE:
            parts = [self.write(each) for each in (value.t, value.c, value.k, value.extrapolate)]
            return {"$": "spline", "v": parts}
        if cls.__module__ == "sklearn.metrics._scorer":
            return {"$": "scorer", "v": _scorer_name(value)}
        if issubclass(cls, tuple) and cls.__module__.startswith(_ROOTS):
            return {"$": "named", "c": _name(cls), "v": [self.write(each) for each in value]}
        if not _allowed(cls):
            raise FittedInvalid(f"a {_name(cls)} cannot be written to a file")
        reduced = value.__reduce_ex__(2)
        args = reduced[1]
        made = {"$": "object", "c": _name(cls), "i": self._seen[id(value)]}
        if reduced[0] is cls:
            made["a"] = [self.write(each) for each in args]
        state = reduced[2] if len(reduced) > 2 else None
        if _name(cls) in _TREES and isinstance(state, tuple):
            # Counters of how often it was asked are no part of what it learned.
            state = (*state[:7], 0, 0, 0, 0, *state[11:])
        if isinstance(state, dict):
            # Nor is how long fitting took.
            state = {k: v for k, v in state.items() if k not in ("cv_results_", "refit_time_")}
        return {**made, "s": self.write(state)}

    def _keep(self, array: Any) -> str:
        import numpy as np

        key = f"a{len(self.arrays)}"
        # The order in memory stays: sums in another order differ in their last digits.
        fortran = array.flags.f_contiguous and not array.flags.c_contiguous
        self.arrays[key] = np.asarray(array, order="F" if fortran else "C")
        return key


class Reader:
    """Makes the values again. Raises `FittedInvalid` for anything it does not know."""

    def __init__(self, arrays: Mapping[str, Any]) -> None:
        self._arrays = arrays
        self._made: dict[int, Any] = {}

    def read(self, value: Any) -> Any:
        """The value that was written as this JSON."""
        if isinstance(value, list):
            return [self.read(each) for each in value]
        if not isinstance(value, dict):
            return value
        maker = getattr(self, f"_read_{value.get('$')}", None)
        if maker is None:
            raise FittedInvalid(
                f"the fitted recipe holds an unknown {value.get('$')!r}", "fit again"
            )
        return maker(value)

    def _read_float(self, value: Any) -> float:
        return float(value["v"])

    def _read_dict(self, value: Any) -> Any:
        return {self.read(k): self.read(v) for k, v in value["v"]}

    def _read_tuple(self, value: Any) -> Any:
        return tuple(self.read(value["v"]))

    def _read_set(self, value: Any) -> Any:
        return set(self.read(value["v"]))

    def _read_frozenset(self, value: Any) -> Any:
        return frozenset(self.read(value["v"]))

    def _read_bytes(self, value: Any) -> bytes:
        return base64.b64decode(value["v"])

    def _read_slice(self, value: Any) -> slice:
        return slice(*value["v"])

    def _read_date(self, value: Any) -> date:
        return date.fromisoformat(value["v"])

    def _read_datetime(self, value: Any) -> datetime:
        return datetime.fromisoformat(value["v"])

    def _read_array(self, value: Any) -> Any:
        return self._arrays[value["v"]]

    def _read_scalar(self, value: Any) -> Any:
        return self._arrays[value["v"]][()]

    def _read_objects(self, value: Any) -> Any:
        import numpy as np

        made = np.empty(len(value["v"]), dtype=object)
        for index, each in enumerate(value["v"]):
            made[index] = self.read(each)
        return made.reshape(value["s"])

    def _read_dtype(self, value: Any) -> Any:
        import numpy as np

        return np.dtype(value["v"])

    def _read_random(self, value: Any) -> Any:
        import numpy as np

        name, keys, *rest = value["v"]
        made = np.random.RandomState()
        made.set_state((name, self._arrays[keys], *[self.read(each) for each in rest]))
        return made

    def _read_sparse(self, value: Any) -> Any:
        from scipy.sparse import csr_matrix  # type: ignore[import-untyped]

        return csr_matrix(tuple(self._arrays[each] for each in value["v"]), shape=tuple(value["s"]))

    def _read_series(self, value: Any) -> Any:
        import pandas as pd

        index, values, dtype, name = value["v"]
        made = pd.Series(self.read(values), index=self.read(index), name=self.read(name))
        return made if str(made.dtype) == dtype else made.astype(dtype)

    def _read_frame(self, value: Any) -> Any:
        import pandas as pd

        names, columns = value["v"]
        made = [self.read(each) for each in columns]
        return pd.DataFrame(dict(zip(self.read(names), made, strict=True)))

    def _read_index(self, value: Any) -> Any:
        import pandas as pd

        return pd.Index(self.read(value["v"]), dtype=value["d"], name=self.read(value["n"]))

    def _read_interval(self, value: Any) -> Any:
        import pandas as pd

        return pd.Interval(*value["v"])

    def _read_timestamp(self, value: Any) -> Any:
        import pandas as pd

        return pd.Timestamp(value["v"])

    def _read_type(self, value: Any) -> Any:
        module, _, name = value["v"].partition(":")
        if value["v"] in _TYPES or module == "numpy":
            found = _resolve(value["v"])
            if isinstance(found, type):
                return found
        raise FittedInvalid(f"the fitted recipe names the type {name}", "fit again")

    def _read_function(self, value: Any) -> Any:
        if not _allowed_function(value["v"]):
            raise FittedInvalid(f"the fitted recipe names the function {value['v']}", "fit again")
        return _resolve(value["v"])

    def _read_same(self, value: Any) -> Any:
        return self._made[value["v"]]

    def _read_spline(self, value: Any) -> Any:
        from scipy.interpolate import BSpline  # type: ignore[import-untyped]

        knots, factors, degree, beyond = self.read(value["v"])
        return BSpline(knots, factors, degree, extrapolate=beyond)

    def _read_scorer(self, value: Any) -> Any:
        from sklearn.metrics import get_scorer

        return get_scorer(value["v"])

    def _read_named(self, value: Any) -> Any:
        cls = _resolve(value["c"]) if value["c"].startswith(_ROOTS) else None
        if not (isinstance(cls, type) and issubclass(cls, tuple)):
            raise FittedInvalid(f"the fitted recipe names the class {value['c']}", "fit again")
        return cls(*self.read(value["v"]))

    def _read_object(self, value: Any) -> Any:
        cls = _resolve(value["c"]) if _plausible(value["c"]) else None
        if not isinstance(cls, type) or not _allowed(cls):
            raise FittedInvalid(f"the fitted recipe names the class {value['c']}", "fit again")
        kind: Any = cls
        made = kind(*self.read(value["a"])) if "a" in value else kind.__new__(kind)
        self._made[value["i"]] = made
        state = self.read(value["s"])
        if hasattr(made, "__setstate__"):
            made.__setstate__(state)
        elif isinstance(state, dict):
            made.__dict__.update(state)
        return made


def _name(cls: Any) -> str:
    return f"{cls.__module__}:{cls.__qualname__}"


def _scorer_name(scorer: Any) -> str:
    from sklearn.metrics import get_scorer, get_scorer_names

    for name in get_scorer_names():
        if repr(get_scorer(name)) == repr(scorer):
            return str(name)
    raise FittedInvalid(f"the score {scorer!r:.60} cannot be written to a file")


def _plausible(name: str) -> bool:
    return name in _EXTRA or name.startswith(_ROOTS)


def _resolve(name: str) -> Any:
    module, _, attribute = name.partition(":")
    try:
        return getattr(importlib.import_module(module), attribute)
    except (ImportError, AttributeError):
        raise FittedInvalid(
            f"{name} is not here", "fit again with the libraries installed"
        ) from None


def _allowed(cls: Any) -> bool:
    """Estimators of the two libraries, and the few classes that they are made of."""
    name = _name(cls)
    if name in _EXTRA:
        return True
    if not name.startswith(_ROOTS):
        return False
    from sklearn.base import BaseEstimator

    return issubclass(cls, BaseEstimator)


def _allowed_function(name: str) -> bool:
    """The scoring functions that selectors are made with, and numpy's arithmetic."""
    module, _, attribute = name.partition(":")
    if module == "numpy":
        import numpy as np

        plain = attribute in {"mean", "median", "min", "max", "sum", "std"}
        return plain or isinstance(getattr(np, attribute, None), np.ufunc)
    if module == "sklearn.cluster._kmeans":
        return attribute in {"_kmeans_single_lloyd", "_kmeans_single_elkan"}
    return name.startswith("sklearn.feature_selection.") and attribute in {
        "chi2",
        "f_classif",
        "f_regression",
        "r_regression",
        "mutual_info_classif",
        "mutual_info_regression",
    }
