"""What can be wrong with infrastructure, in one line each."""

from __future__ import annotations

from core.errors import OpsdeckError


class InfraInvalid(OpsdeckError):
    """A template, a parameter, or the name of a project, environment or stack cannot be used."""

    code = "E660"
    exit_status = 2


class StackBusy(OpsdeckError):
    """What goes on at the stack did not end in time; it goes on at AWS."""

    code = "E661"
    exit_status = 5


class StackFailed(OpsdeckError):
    """A stack could not be made, changed or deleted; names the first resource that failed."""

    code = "E662"


class NotEmpty(OpsdeckError):
    """A bucket, repository or registry holds something that deleting it would lose."""

    code = "E663"


class StackProtected(OpsdeckError):
    """The stack is protected against deletion."""

    code = "E664"


class StillNeeded(OpsdeckError):
    """A stack that another one is built on."""

    code = "E665"


class PlanRefused(OpsdeckError):
    """CloudFormation cannot make a change set of this template and these parameters."""

    code = "E666"


class StackStuck(OpsdeckError):
    """The stack is in a state that only a person can end."""

    code = "E667"


class PlanChanged(OpsdeckError):
    """What would be done now is not what was confirmed."""

    code = "E668"


class DriftUnknown(OpsdeckError):
    """CloudFormation could not compare a stack with what there really is."""

    code = "E669"
