"""Step Functions' `.sync` for SageMaker jobs, which moto's machines do not know: the state waits
until the job has ended, goes on with its description, and fails where the job did.

https://docs.aws.amazon.com/step-functions/latest/dg/connect-sagemaker.html
"""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import datetime
from typing import Any

from moto.stepfunctions.models import StateMachine, StateMachineVersion
from moto.stepfunctions.parser.api import HistoryEventType, TaskFailedEventDetails
from moto.stepfunctions.parser.asl.component.common.error_name.failure_event import (
    FailureEvent,
    FailureEventException,
)
from moto.stepfunctions.parser.asl.component.common.error_name.states_error_name import (
    StatesErrorName,
)
from moto.stepfunctions.parser.asl.component.common.error_name.states_error_name_type import (
    StatesErrorNameType,
)
from moto.stepfunctions.parser.asl.component.state.exec.state_task.service import (
    state_task_service_unsupported as unsupported,
)
from moto.stepfunctions.parser.asl.component.state.exec.state_task.service.resource import (
    ResourceCondition,
)
from moto.stepfunctions.parser.asl.utils.boto_client import boto_client_for

_JOBS = {
    "create_processing_job": "ProcessingJob",
    "create_training_job": "TrainingJob",
    "create_transform_job": "TransformJob",
}


def _resolver(
    self: Any,
    env: Any,
    resource_runtime_part: Any,
    normalised_parameters: dict[str, Any],
    state_credentials: Any,
) -> Callable[[], Any]:
    """What is asked again and again until the job has ended."""
    env.stack.pop()  # the answer of the call: the description tells more
    action = self._get_boto_service_action()
    kind = _JOBS.get(action)
    if kind is None:
        raise RuntimeError(f"{self.resource.resource_arn}: {action} is not waited for here")
    name = normalised_parameters[f"{kind}Name"]
    client = boto_client_for(
        service="sagemaker",
        region=resource_runtime_part.region,
        state_credentials=state_credentials,
    )
    describe = getattr(client, action.replace("create_", "describe_"))

    def ended() -> Any:
        found = describe(**{f"{kind}Name": name})
        found.pop("ResponseMetadata", None)
        status = found[f"{kind}Status"]
        if status in ("InProgress", "Stopping"):
            return None
        told = json.loads(json.dumps(found, default=_plain))
        if status == "Completed":
            return told
        raise FailureEventException(_failed(self, env, json.dumps(told)))

    return ended


def _failed(service: Any, env: Any, cause: str) -> Any:
    kind = StatesErrorNameType.StatesTaskFailed
    details: Any = {
        "taskFailedEventDetails": TaskFailedEventDetails(
            resource=service._get_sfn_resource(),
            resourceType=service._get_sfn_resource_type(),
            error=kind.to_name(),
            cause=cause,
        )
    }
    return FailureEvent(
        env=env,
        error_name=StatesErrorName(typ=kind),
        event_type=HistoryEventType.TaskFailed,
        event_details=details,
    )


def _plain(value: Any) -> Any:
    return int(value.timestamp() * 1000) if isinstance(value, datetime) else str(value)


# --- published versions, which moto makes and cannot start ---------------------------------


def _version(self: Any, source: Any, version: int, description: str | None) -> None:
    """A version's executions are its machine's."""
    _MADE(self, source, version, description)
    self.executions, self.backend = source.executions, source.backend


def _teach(sync: Any, version: Any) -> None:
    """Put both into moto's machines."""
    sync._SUPPORTED_INTEGRATION_PATTERNS.add(ResourceCondition.Sync)
    sync.StateTaskServiceUnsupported._build_sync_resolver = _resolver
    version.__init__ = _version
    version._handle_name_input_idempotency = StateMachine._handle_name_input_idempotency


_MADE = StateMachineVersion.__init__
_teach(unsupported, StateMachineVersion)
