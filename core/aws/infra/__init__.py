"""Infrastructure as code: layered CloudFormation stacks, planned, deployed, compared, destroyed."""

from core.aws.infra.diff import Change, PropertyChange, StackPlan
from core.aws.infra.errors import (
    DriftUnknown,
    InfraInvalid,
    NotEmpty,
    PlanChanged,
    PlanRefused,
    StackBusy,
    StackFailed,
    StackProtected,
    StackStuck,
    StillNeeded,
)
from core.aws.infra.place import Place
from core.aws.infra.service import Infra
from core.aws.infra.stacks import Event, Patience, Stack
from core.aws.infra.template import Parameter, Template, templates_in, templates_of_opsdeck

__all__ = [
    "Change",
    "DriftUnknown",
    "Event",
    "Infra",
    "InfraInvalid",
    "NotEmpty",
    "Parameter",
    "Patience",
    "Place",
    "PlanChanged",
    "PlanRefused",
    "PropertyChange",
    "Stack",
    "StackBusy",
    "StackFailed",
    "StackPlan",
    "StackProtected",
    "StackStuck",
    "StillNeeded",
    "Template",
    "templates_in",
    "templates_of_opsdeck",
]
