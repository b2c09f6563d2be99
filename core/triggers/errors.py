"""What goes wrong with triggers."""

from __future__ import annotations

from core.errors import OpsdeckError


class TriggerInvalid(OpsdeckError):
    """A trigger in a file is wrong; carries every problem found, not just the first."""

    code = "E640"
    exit_status = 2

    def __init__(self, message: str, hint: str = "", problems: tuple[object, ...] = ()) -> None:
        super().__init__(message, hint)
        self.problems = problems


class TriggerRefused(OpsdeckError):
    """A firing cannot become a run: what it needs is not there or does not fit."""

    code = "E641"


class AugmentFailed(OpsdeckError):
    """The augmented set cannot be made."""

    code = "E642"
