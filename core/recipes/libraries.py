"""Transformations that a library brings: methods of Polars, estimators of the other two."""

from __future__ import annotations

import importlib
import inspect
from collections.abc import Mapping, Sequence
from typing import Any

import polars as pl

from core.domain.recipe import Transformation
from core.recipes.errors import StepBroken
from core.recipes.operation import (
    Call,
    EachColumn,
    Lineage,
    Operation,
    State,
    condition_columns,
    spread,
)

ESTIMATORS = ("linear", "logistic", "tree", "tree classifier", "forest", "forest classifier")
SCORES = ("f_regression", "f_classif", "chi2", "r_regression", "mutual_info_regression",
          "mutual_info_classif")  # fmt: skip
ACROSS_COLUMNS = frozenset({"IterativeImputer", "KNNImputer", "Normalizer", "TfidfTransformer"})
"""Whose results bear the names of their inputs and are made of all of them."""

NAMED_AFTER_INPUT = frozenset(
    {
        "OneHotEncoder", "KBinsDiscretizer", "SplineTransformer", "TargetEncoder",
        "DatetimeFeatures", "CyclicalFeatures", "TextFeatures", "AddMissingIndicator",
        "LagFeatures", "WindowFeatures", "ExpandingWindowFeatures", "StringSimilarityEncoder",
        "Winsorizer", "CountVectorizer", "TfidfVectorizer", "HashingVectorizer",
    }
)  # fmt: skip
"""Estimators each of whose results comes from the one input its name begins with."""


def polars_method(path: str) -> Operation:
    """An expression method of Polars, such as `str.contains`, over each chosen column."""

    def make(column: pl.Expr, **params: Any) -> pl.Expr:
        method: Any = column
        for part in path.split("."):
            method = getattr(method, part)
        annotations: dict[str, Any] = inspect.get_annotations(method)
        given = {
            # Where Polars would read a text as the name of a column, it is meant as a text.
            name: pl.lit(value)
            if isinstance(value, str) and name != "by" and "IntoExpr" in str(annotations.get(name))
            else value
            for name, value in params.items()
        }
        if "by" in given and path.startswith("str."):
            given["by"] = pl.lit(given["by"])
        return method(**given)  # type: ignore[no-any-return]

    return EachColumn(make)


def _class(path: str) -> Any:
    module, _, name = path.partition(":")
    if name == "IterativeImputer":
        importlib.import_module("sklearn.experimental.enable_iterative_imputer")
    return getattr(importlib.import_module(module), name)


def built(path: str, params: Mapping[str, Any], **more: Any) -> Any:
    """The estimator with these parameters, seeded, its results dense."""
    cls = _class(path)
    accepted = inspect.signature(cls).parameters
    given = dict(params)
    for name, value in (("random_state", 0), ("sparse_output", False), *more.items()):
        if name in accepted:
            given.setdefault(name, value)
    if isinstance(given.get("estimator"), str):
        given["estimator"] = estimator(given["estimator"])
    if isinstance(given.get("score_func"), str):
        given["score_func"] = getattr(
            importlib.import_module("sklearn.feature_selection"), given["score_func"]
        )
    for name in ("ngram_range", "feature_range", "quantile_range", "interval"):
        if isinstance(given.get(name), list):
            given[name] = tuple(given[name])
    return cls(**given)


def estimator(word: str) -> Any:
    """A small model by its word, for transformations that choose columns by one."""
    from sklearn.ensemble import RandomForestClassifier, RandomForestRegressor
    from sklearn.linear_model import LinearRegression, LogisticRegression
    from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor

    return {
        "linear": lambda: LinearRegression(),
        "logistic": lambda: LogisticRegression(max_iter=1000),
        "tree": lambda: DecisionTreeRegressor(max_depth=6, random_state=0),
        "tree classifier": lambda: DecisionTreeClassifier(max_depth=6, random_state=0),
        "forest": lambda: RandomForestRegressor(n_estimators=30, max_depth=8, random_state=0),
        "forest classifier": lambda: RandomForestClassifier(
            n_estimators=30, max_depth=8, random_state=0
        ),
    }[word]()


def target_of(frame: pl.DataFrame, call: Call) -> Any:
    """The target as an array, or None. Raises `StepBroken` where a row has none."""
    if call.target is None:
        return None
    y = frame[call.target]
    if y.null_count():
        raise StepBroken(
            f"the target {call.target} is missing in {y.null_count():,} rows", "drop them"
        )
    return y.to_numpy() if y.dtype.is_numeric() else y.cast(pl.String).to_numpy().astype(str)


class Fitted(Operation):
    """What both estimator libraries share."""

    names = True
    keeps = True

    def __init__(self, about: Transformation) -> None:
        self.about = about

    @property
    def _class_name(self) -> str:
        return self.about.path.partition(":")[2]

    def lineage(self, call: Call, made: Sequence[str], state: State) -> Lineage:
        others = (*call.references, *condition_columns(call.when))
        found = {}
        for name in made:
            inputs = call.columns
            if self._class_name in ACROSS_COLUMNS:
                pass
            elif name in call.columns:
                inputs = (name,)
            elif self._class_name in NAMED_AFTER_INPUT and not call.pattern:
                starts = [each for each in call.columns if name.startswith(each)]
                inputs = (max(starts, key=len),) if starts else call.columns
            found[name] = tuple(dict.fromkeys((*inputs, *others)))
        return found


class SklearnEstimator(Fitted):
    """A transformer of scikit-learn over the chosen columns as one matrix."""

    def fit(self, frame: pl.DataFrame, call: Call) -> State:
        made = built(self.about.path, call.params)
        made.fit(self._matrix(frame, call), target_of(frame, call))
        return {"estimator": made}

    def apply(self, frame: pl.DataFrame, call: Call, state: State) -> pl.DataFrame:
        made = state["estimator"]
        return self._put(frame, call, made, made.transform(self._matrix(frame, call)))

    def fit_apply(self, frame: pl.DataFrame, call: Call) -> tuple[State, pl.DataFrame]:
        if self._class_name != "TargetEncoder":
            return super().fit_apply(frame, call)
        # The one whose fit_transform differs on purpose: it encodes out of fold.
        made = built(self.about.path, call.params)
        values = made.fit_transform(self._matrix(frame, call), target_of(frame, call))
        return {"estimator": made}, self._put(frame, call, made, values)

    def _matrix(self, frame: pl.DataFrame, call: Call) -> Any:
        import numpy as np

        chosen = frame.select(call.columns)
        if all(kind.is_numeric() or kind == pl.Boolean for kind in chosen.dtypes):
            whole = chosen.cast(pl.Float64).to_numpy()
            return whole[:, 0] if self._class_name == "IsotonicRegression" else whole
        columns = []
        for series in chosen:
            kept = series.cast(pl.String) if series.dtype == pl.Categorical else series
            values = np.array(kept.to_list(), dtype=object)
            values[[each is None for each in values]] = np.nan
            columns.append(values)
        return np.stack(columns, axis=1)

    def _put(self, frame: pl.DataFrame, call: Call, made: Any, values: Any) -> pl.DataFrame:
        import numpy as np

        dense = values.toarray() if hasattr(values, "toarray") else np.asarray(values)
        dense = dense.reshape(len(dense), -1)
        names = self._names(call, made, dense.shape[1])
        results = {name: _series(name, dense[:, index]) for index, name in enumerate(names)}
        return spread(frame, call, results)

    def _names(self, call: Call, made: Any, count: int) -> list[str]:
        try:
            names = [str(each) for each in made.get_feature_names_out(list(call.columns))]
        except (AttributeError, ValueError, TypeError):
            names = []
        if len(names) == count and len(set(names)) == count:
            return names
        if count == len(call.columns):
            return list(call.columns)
        return [f"{self._class_name.lower()}{index}" for index in range(count)]


class SklearnOfOne(Fitted):
    """A transformer of scikit-learn that takes one column of texts, lists or labels."""

    def fit(self, frame: pl.DataFrame, call: Call) -> State:
        return {
            column: built(self.about.path, call.params).fit(self._values(frame[column]))
            for column in call.columns
        }

    def apply(self, frame: pl.DataFrame, call: Call, state: State) -> pl.DataFrame:
        import numpy as np

        results: dict[str, pl.Series] = {}
        for column in call.columns:
            made = state[column]
            values = made.transform(self._values(frame[column]))
            dense = values.toarray() if hasattr(values, "toarray") else np.asarray(values)
            if dense.ndim == 1:
                results[column] = _series(column, dense)
                continue
            names = self._names(made, dense.shape[1])
            for index in range(dense.shape[1]):
                name = f"{column}_{names[index]}"
                results[name] = _series(name, dense[:, index])
        return spread(frame, call, results)

    def _values(self, series: pl.Series) -> list[Any]:
        if series.dtype.is_nested():
            return [each or [] for each in series.to_list()]
        return series.cast(pl.String).fill_null("").to_list()

    def _names(self, made: Any, count: int) -> list[str]:
        if hasattr(made, "get_feature_names_out"):
            return [str(each) for each in made.get_feature_names_out()]
        classes = getattr(made, "classes_", None)
        if classes is not None and len(classes) == count:
            return [str(each) for each in classes]
        return [str(index) for index in range(count)]


def _series(name: str, values: Any) -> pl.Series:
    if values.dtype == object:
        plain = [None if each is None or each != each else each for each in values.tolist()]
        return pl.Series(name, plain, strict=False)
    made = pl.Series(name, values.copy())
    return made.fill_nan(None) if made.dtype.is_float() else made


class FeatureEngine(Fitted):
    """A transformer of feature-engine over the chosen columns as a pandas frame."""

    def fit(self, frame: pl.DataFrame, call: Call) -> State:
        data = self._frame(frame, call)
        y = target_of(frame, call)
        made = built(self.about.path, call.params, variables=list(call.columns))
        if y is not None:
            import pandas as pd

            y = pd.Series(y, index=data.index)
        made.fit(data, y)
        return {"estimator": made}

    def apply(self, frame: pl.DataFrame, call: Call, state: State) -> pl.DataFrame:
        data = self._frame(frame, call)
        done = state["estimator"].transform(data)
        kept = frame if len(done) == len(data) else frame[done.index.tolist()]
        results = {}
        for name in done.columns:
            if name in data.columns and done[name].equals(data[name].loc[done.index]):
                results[str(name)] = kept[str(name)]
            else:
                results[str(name)] = pl.from_pandas(
                    done[name].reset_index(drop=True), nan_to_null=True
                )
        pattern = call.pattern or "{name}"
        inputs = {*call.columns, *call.references}
        named = {n if n in inputs and "{name}" in pattern else pattern.replace("{name}", n): s
                 for n, s in results.items()}  # fmt: skip
        taken = [n for n in named if n in frame.columns and n not in inputs]
        if taken or len(named) != len(results):
            raise StepBroken(
                f"a result is called {taken[:1] or pattern} like another", "give as: x_{name}"
            )
        gone = [] if call.keep else [each for each in call.columns if each not in results]
        return kept.with_columns(**named).drop(gone)

    def _frame(self, frame: pl.DataFrame, call: Call) -> Any:
        wanted = list(dict.fromkeys((*call.columns, *call.references)))
        chosen = frame.select(wanted).with_columns(pl.col(pl.Categorical).cast(pl.String))
        return chosen.to_pandas()


OF_ONE = frozenset(
    {"CountVectorizer", "TfidfVectorizer", "HashingVectorizer", "MultiLabelBinarizer",
     "LabelBinarizer", "LabelEncoder"}
)  # fmt: skip


def operation(about: Transformation) -> Operation:
    """What does a transformation that a library brings."""
    if about.library == "polars":
        return polars_method(about.path)
    if about.library == "feature-engine":
        return FeatureEngine(about)
    if about.path.partition(":")[2] in OF_ONE:
        return SklearnOfOne(about)
    return SklearnEstimator(about)
