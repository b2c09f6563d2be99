"""The rules of SageMaker Debugger, and what the ones that cannot be evaluated would need.

Names, definitions and defaults: "List of Debugger built-in rules",
https://docs.aws.amazon.com/sagemaker/latest/dg/debugger-built-in-rules.html.
"""

from __future__ import annotations

from collections.abc import Mapping

_TENSORS = "needs the tensors of a training loop (weights, gradients, activations)"
_GPU = "needs counters of a GPU"

NEEDS: Mapping[str, str] = {
    "VanishingGradient": f"{_TENSORS}; or a metric with gradient in its name",
    "PoorWeightInitialization": _TENSORS,
    "SaturatedActivation": _TENSORS,
    "DeadRelu": _TENSORS,
    "TensorVariance": _TENSORS,
    "AllZero": _TENSORS,
    "WeightUpdateRatio": _TENSORS,
    "CheckInputImages": "needs the images that a training loop reads",
    "NLPSequenceRatio": "needs the tokens that a training loop reads",
    "SimilarAcrossRuns": "compares the tensors of two runs: see the metrics of both instead",
    "CPUBottleneck": _GPU,
    "IOBottleneck": _GPU,
    "LowGPUUtilization": _GPU,
}
"""Rules that are never evaluated, or only where a run logs what they need."""
