"""What goes wrong with labels by people."""

from __future__ import annotations

from core.errors import OpsdeckError


class NothingToLabel(OpsdeckError):
    """No row is left for this person, or none could be picked."""

    code = "E645"


class LabelRefused(OpsdeckError):
    """A label that does not fit, or a row that is somebody else's or done."""

    code = "E646"
    exit_status = 2


class LabelFileInvalid(OpsdeckError):
    """A file of labels has problems; carries every one, and nothing was taken."""

    code = "E647"
    exit_status = 2

    def __init__(self, message: str, hint: str = "", problems: tuple[object, ...] = ()) -> None:
        super().__init__(message, hint)
        self.problems = problems
