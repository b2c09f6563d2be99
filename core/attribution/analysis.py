"""Clarify's files of an explanation: `analysis.json`, which is the constraints of a baseline
too, and the violations of an explainability monitor."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from core.attribution.explanation import Explanation
from core.attribution.ranking import THRESHOLD

VERSION = "1.0"
CHECK = "feature_attribution_drift_check"


def analysis(explanation: Explanation) -> dict[str, Any]:
    """Global SHAP values and the expected value of each label, as Clarify writes them. It calls
    them `kernel_shap`, whichever way they were computed."""
    return {
        "version": VERSION,
        "explanations": {
            "kernel_shap": {
                label: {
                    "global_shap_values": dict(
                        zip(explanation.features, map(float, explanation.importance(at)),
                            strict=True)
                    ),
                    "expected_value": float(explanation.base[at]),
                }
                for at, label in enumerate(explanation.labels)
            }
        },
    }  # fmt: skip


def violations(scores: Iterable[tuple[str, float]], threshold: float = THRESHOLD) -> dict[str, Any]:
    """`constraint_violations.json` of labels and their nDCG, those below the threshold."""
    return {
        "version": VERSION,
        "violations": [
            {
                "label": label,
                "metric_name": "shap",
                "constraint_check_type": CHECK,
                "description": f"Feature attribution drift {score} exceeds threshold {threshold}",
            }
            for label, score in scores
            if score < threshold
        ],
    }
