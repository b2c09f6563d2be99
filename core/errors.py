"""The one error root of Opsdeck and its precise subclasses.

Every error that a person may see is an `OpsdeckError`: one line that names the file,
key or argument at fault, a hint that says what to do, and a code that never changes,
so that scripts and runbooks can match on it. Anything else that escapes is a bug and
is shown as one (with `--debug` for the trace).
"""

from __future__ import annotations

from typing import ClassVar


class OpsdeckError(Exception):
    """An error with a stable code, a one-line message and a hint.

    `exit_status` is what the command line exits with: 1 for a refused or failed
    request, 2 for bad input, 3 for something that does not exist, 4 for a service that
    is missing or broken.
    """

    code: ClassVar[str] = "E000"
    exit_status: ClassVar[int] = 1

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    def one_line(self) -> str:
        """The error as one line: code, message, then what to do."""
        tail = f" ({self.hint})" if self.hint else ""
        return f"{self.code} {self.message}{tail}"


class BadInput(OpsdeckError):
    """An argument, option or value that cannot be used."""

    code = "E100"
    exit_status = 2


class NotAWorkspace(OpsdeckError):
    """The folder (or any above it) holds no `opsdeck.yaml`."""

    code = "E101"
    exit_status = 2


class ConfigInvalid(OpsdeckError):
    """`opsdeck.yaml` is wrong."""

    code = "E102"
    exit_status = 2


class PipelineInvalid(OpsdeckError):
    """A pipeline file is wrong; carries every problem found, not just the first."""

    code = "E110"
    exit_status = 2

    def __init__(self, message: str, hint: str = "", problems: tuple[object, ...] = ()) -> None:
        super().__init__(message, hint)
        self.problems = problems


class NotFound(OpsdeckError):
    """A run, model version, approval request or endpoint that does not exist."""

    code = "E120"
    exit_status = 3


class ReadOnly(OpsdeckError):
    """A change was asked for in a read-only session."""

    code = "E200"


class NotAllowed(OpsdeckError):
    """The actor may not do this (for example decide on their own request)."""

    code = "E201"


class WrongState(OpsdeckError):
    """The thing is in a state in which this cannot be done (checked again at commit)."""

    code = "E202"


class EvidenceChanged(OpsdeckError):
    """The evidence of an approval request is not what the reviewer saw."""

    code = "E203"


class StateCorrupt(OpsdeckError):
    """The state database or the journal fails its own checks."""

    code = "E300"
    exit_status = 4


class StateVersion(OpsdeckError):
    """The state database was written by another schema version."""

    code = "E301"
    exit_status = 4


class DiskFull(OpsdeckError):
    """There is no room to write; nothing was half written."""

    code = "E302"
    exit_status = 4


class StateBusy(OpsdeckError):
    """The state database was locked by somebody else for too long; nothing was changed."""

    code = "E304"
    exit_status = 4


class WorkerUnavailable(OpsdeckError):
    """No worker is alive, or it could not be started."""

    code = "E310"
    exit_status = 4


class WorkerAlreadyRunning(OpsdeckError):
    """Another worker already serves this workspace."""

    code = "E311"


class ServiceUnavailable(OpsdeckError):
    """A process that does some of the work cannot be started, or has died at it."""

    code = "E312"
    exit_status = 4


class EndpointUnavailable(OpsdeckError):
    """An endpoint's supervisor does not answer."""

    code = "E320"
    exit_status = 4


class PortTaken(OpsdeckError):
    """The port asked for is in use by another program."""

    code = "E321"
    exit_status = 4


class ModelUnusable(OpsdeckError):
    """A model version could not be loaded, or its replay differed from its flavour's."""

    code = "E322"
    exit_status = 4


class RequestFailed(OpsdeckError):
    """An endpoint answered a request with an error."""

    code = "E323"
    exit_status = 4


class TrackingUnavailable(OpsdeckError):
    """The MLflow store cannot be read or written."""

    code = "E330"
    exit_status = 4


class StepFailed(OpsdeckError):
    """A step ended badly: it raised, exited, ran out of time or memory, or was killed."""

    code = "E400"
