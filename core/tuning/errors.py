"""What can go wrong with a search for hyperparameters."""

from __future__ import annotations

from core.errors import OpsdeckError


class TuningInvalid(OpsdeckError):
    """The settings of a tune step make no search, with the values that this run has."""

    code = "E650"
    exit_status = 2


class ObjectiveMissing(OpsdeckError):
    """A trial ended well and said nothing of the metric that it is judged by."""

    code = "E651"


class TrialsFailed(OpsdeckError):
    """So many trials failed that there is no point in going on, or none ended well."""

    code = "E652"


class WarmStartInvalid(OpsdeckError):
    """The run whose trials a search should start from has none that fit."""

    code = "E653"
    exit_status = 2
