"""What can go wrong with recipes, splits and checks for leakage."""

from __future__ import annotations

from core.errors import OpsdeckError


class RecipeInvalid(OpsdeckError):
    """A recipe file is wrong; carries every problem found, not just the first."""

    code = "E560"
    exit_status = 2

    def __init__(self, message: str, hint: str = "", problems: tuple[object, ...] = ()) -> None:
        super().__init__(message, hint)
        self.problems = problems


class StepBroken(OpsdeckError):
    """A step of a recipe could not be fitted or applied to the data it was given."""

    code = "E561"


class FittedInvalid(OpsdeckError):
    """A saved fitted recipe is damaged, or was fitted with another version of a library."""

    code = "E562"
    exit_status = 4


class FitRefused(OpsdeckError):
    """The recipe learns from data, and nothing says from which part it may."""

    code = "E563"
    exit_status = 2


class SplitInvalid(OpsdeckError):
    """A split that cannot be made as described, or not of this data."""

    code = "E564"
    exit_status = 2


class LeakCheckInvalid(OpsdeckError):
    """A check for leakage was asked for columns that are not there or cannot be checked."""

    code = "E565"
    exit_status = 2
