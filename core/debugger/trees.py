"""TreeDepth and FeatureImportanceOverweight: rules over models of trees, whatever their library.

Read from the objects of scikit-learn (single trees, forests, gradient boosting), LightGBM and
XGBoost by what these document; pipelines are searched for their last step.
"""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from typing import Any

from core.debugger.progress import Issue

DEPTH = 4
THRESHOLD = 0.8
NFEATURES = 3


def last_step(model: Any) -> Any:
    """The estimator itself, where it is the last step of a pipeline or within another."""
    for _ in range(5):
        steps = getattr(model, "steps", None)
        inner = getattr(model, "regressor_", None)  # TransformedTargetRegressor
        inner = getattr(model, "best_estimator_", None) if inner is None else inner
        if isinstance(steps, Sequence) and steps and isinstance(steps[-1], Sequence):
            model = steps[-1][-1]
        elif inner is not None:
            model = inner
        else:
            break
    return model


def depths(model: Any) -> list[int]:
    """The depth of each tree; empty for a model that has none, or does not tell."""
    model = last_step(model)
    if hasattr(model, "get_depth"):
        return [int(model.get_depth())]
    trees = getattr(model, "estimators_", None)
    if trees is not None:
        flat = trees.ravel().tolist() if hasattr(trees, "ravel") else list(trees)
        return [int(tree.get_depth()) for tree in flat if hasattr(tree, "get_depth")]
    grown = getattr(model, "_predictors", None)  # scikit-learn's histogram boosting
    if grown is not None and hasattr(model, "n_iter_"):
        flat = [tree for stage in grown for tree in stage]
        return [int(tree.get_max_depth()) for tree in flat if hasattr(tree, "get_max_depth")]
    return _booster_depths(_booster(model))


def _booster(model: Any) -> Any:
    """LightGBM's or XGBoost's own object behind its scikit-learn face."""
    if hasattr(model, "booster_"):
        return model.booster_
    return model.get_booster() if hasattr(model, "get_booster") else model


def _booster_depths(booster: Any) -> list[int]:
    if hasattr(booster, "dump_model") and hasattr(booster, "num_trees"):  # LightGBM
        return [_nested(tree["tree_structure"]) for tree in booster.dump_model()["tree_info"]]
    if hasattr(booster, "get_dump"):  # XGBoost
        return [_nested(json.loads(tree)) for tree in booster.get_dump(dump_format="json")]
    return []


def _nested(tree: Any) -> int:
    """The depth of nested nodes."""
    below = [
        _nested(child)
        for key in ("left_child", "right_child")
        if isinstance(child := tree.get(key), dict)
    ]
    below += [_nested(child) for child in tree.get("children", ())]
    return 1 + max(below) if below else 0


def importances(model: Any, names: Sequence[str] = ()) -> dict[str, float]:
    """The share of each input in what the model is made of; empty where it does not tell."""
    model = last_step(model)
    found = getattr(model, "feature_importances_", None)
    if found is None and hasattr(_booster(model), "feature_importance"):
        found = _booster(model).feature_importance("gain")
    if found is None:
        return {}
    values = [float(value) for value in found]
    total = sum(values)
    if total <= 0 or not math.isfinite(total):
        return {}
    own = getattr(model, "feature_names_in_", None)
    known = [str(name) for name in own] if own is not None else list(names)
    if len(known) != len(values):
        known = [f"input {place}" for place in range(len(values))]
    return {name: value / total for name, value in zip(known, values, strict=True)}


def too_deep(found: Sequence[int]) -> Issue | None:
    """TreeDepth: a tree deeper than 4."""
    deepest = max(found)
    if deepest <= DEPTH:
        return None
    many = sum(depth > DEPTH for depth in found)
    return Issue(
        None,
        None,
        f"has {many} of {len(found)} trees deeper than {DEPTH}, the deepest {deepest}",
        {"deepest": deepest, "trees": len(found), "too_deep": many},
    )


def overweight(shares: dict[str, float]) -> Issue | None:
    """FeatureImportanceOverweight: the first three inputs have more than 80 % of the weight."""
    first = sorted(shares.items(), key=lambda one: -one[1])[:NFEATURES]
    total = sum(share for _, share in first)
    if total <= THRESHOLD:
        return None
    named = ", ".join(f"{name} {share:.0%}" for name, share in first)
    return Issue(
        None, None, f"has {total:.0%} of its weight on {named}", {"share": total, **dict(first)}
    )
