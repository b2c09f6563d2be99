"""What can be wrong with expectations, validations and quarantined batches."""

from __future__ import annotations

from core.errors import OpsdeckError


class ExpectationsInvalid(OpsdeckError):
    """A file of expectations is wrong; carries every problem found, each with its line."""

    code = "E550"
    exit_status = 2

    def __init__(self, message: str, hint: str = "", problems: tuple[object, ...] = ()) -> None:
        super().__init__(message, hint)
        self.problems = problems


class NoExpectations(OpsdeckError):
    """A dataset has no file of expectations."""

    code = "E551"
    exit_status = 3


class ValidationFailed(OpsdeckError):
    """A dataset does not meet its expectations."""

    code = "E552"


class RepairInvalid(OpsdeckError):
    """A repaired file cannot take the place of the rows of its batch."""

    code = "E553"
    exit_status = 2


class ConditionInvalid(OpsdeckError):
    """An SQL condition cannot be asked: not one expression, or unknown columns."""

    code = "E554"
    exit_status = 2
