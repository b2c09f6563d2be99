"""What can go wrong with features."""

from __future__ import annotations

from core.errors import OpsdeckError


class FeaturesInvalid(OpsdeckError):
    """A file under `features/` is wrong; carries every problem found, not just the first."""

    code = "E570"
    exit_status = 2

    def __init__(self, message: str, hint: str = "", problems: tuple[object, ...] = ()) -> None:
        super().__init__(message, hint)
        self.problems = problems


class TransformFailed(OpsdeckError):
    """A view's SQL or one of its expressions does not work on its source; `key` is that of the
    definition."""

    code = "E571"
    exit_status = 2

    def __init__(self, message: str, hint: str = "", key: str = "") -> None:
        super().__init__(message, hint)
        self.key = key


class JoinRefused(OpsdeckError):
    """The entity rows do not fit the views that are joined to them."""

    code = "E572"
    exit_status = 2


class NotOnline(OpsdeckError):
    """The view is not kept online, or has not been materialised yet."""

    code = "E573"


class OnlineUnavailable(OpsdeckError):
    """An online store cannot be read or written."""

    code = "E574"
    exit_status = 4


class Busy(OpsdeckError):
    """Somebody else is materialising the view, or deleting from it, right now."""

    code = "E575"


class CannotErase(OpsdeckError):
    """An entity's rows cannot be found in the source by its key."""

    code = "E576"


class InUse(OpsdeckError):
    """A version of a view that a model in service reads cannot go."""

    code = "E577"
