"""Explanations: what a model's predictions are made of (SHAP values), and whether it goes by
other features than it did. Knows models and rows; no clock but a budget's, no files."""

from core.attribution.analysis import analysis, violations
from core.attribution.errors import CannotExplain
from core.attribution.explaining import explain
from core.attribution.explanation import Budget, Explainable, Explanation
from core.attribution.ranking import THRESHOLD, Move, moves, ndcg, ndcg_interval

__all__ = [
    "THRESHOLD",
    "Budget",
    "CannotExplain",
    "Explainable",
    "Explanation",
    "Move",
    "analysis",
    "explain",
    "moves",
    "ndcg",
    "ndcg_interval",
    "violations",
]
