"""Every kind of AWS resource, by name; a kind's module is imported when it is first used.

The order is the order of the tabs in a mode.
"""

from __future__ import annotations

from typing import NamedTuple


class Place(NamedTuple):
    """Where a kind is defined ("module:ATTRIBUTE"), the mode whose tab it is, and short names."""

    at: str
    mode: str
    aliases: tuple[str, ...] = ()


KINDS: dict[str, Place] = {
    "model-groups": Place("core.aws.kinds.models.groups:KIND", "models", ("registry", "mpg")),
    "packages": Place("core.aws.kinds.models.packages:KIND", "models", ("model-packages", "mp")),
    "sm-models": Place("core.aws.kinds.models.deployable:KIND", "models"),
    "mlflow": Place("core.aws.kinds.models.mlflow:KIND", "models", ("mlflow-apps",)),
    "experiments": Place("core.aws.kinds.models.experiments:EXPERIMENTS", "models"),
    "trials": Place("core.aws.kinds.models.experiments:TRIALS", "models"),
    "trial-components": Place("core.aws.kinds.models.experiments:COMPONENTS", "models"),
}
"""Every kind by its name."""
