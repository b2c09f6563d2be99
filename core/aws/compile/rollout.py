"""A deployment as states: model, endpoint configuration, create or update, and waiting for it.

An endpoint that was rolled back says `InService` with its old configuration: that is compared,
so that a silent rollback fails the execution.
"""

from __future__ import annotations

from typing import Any

from core.aws.compile.nodes import Deployment
from core.aws.compile.requests import endpoint_config
from core.aws.compile.states import States

POLL_SECONDS = 30
_SDK = "arn:aws:states:::aws-sdk:sagemaker:"


def rollout_states(node: Deployment, package: str, path: str) -> States:
    """The states of a deploy step; `package` is the path of the version's ARN."""
    name = node.name
    model, config, look = f"{name} model", f"{name} config", f"{name} look"
    create, update, wait = f"{name} create", f"{name} update", f"{name} wait"
    see, judge, failed = f"{name} see", f"{name} judge", f"{name} rolled back"
    own = f"States.Format('{node.endpoint[:20].rstrip('-')}-{{}}', $$.Execution.Name)"
    request = endpoint_config(node)
    request["ProductionVariants"][0]["ModelName.$"] = own
    into: dict[str, Any] = {
        "EndpointName": node.endpoint,
        "EndpointConfigName.$": own,
        "DeploymentConfig": dict(node.config),
    }
    described = {
        "EndpointName": node.endpoint,
    }
    return {
        model: _task("createModel", {
            "ModelName.$": own,
            "ExecutionRoleArn": node.role,
            "Containers": [{"ModelPackageName.$": package}],
        }, config),
        config: _task("createEndpointConfig", {"EndpointConfigName.$": own, **request}, look),
        look: {
            **_task("describeEndpoint", dict(described), update),
            "Catch": [
                {"ErrorEquals": ["States.TaskFailed"], "ResultPath": None,
                 "Next": create}
            ],
        },
        create: _task("createEndpoint", dict(into), wait),
        update: _task("updateEndpoint", dict(into), wait),
        wait: {"Type": "Wait", "Seconds": POLL_SECONDS, "Next": see},
        see: {
            **_task("describeEndpoint", dict(described), judge),
            "ResultSelector": {
                "status.$": "$.EndpointStatus",
                "config.$": "$.EndpointConfigName",
                "wanted.$": own,
            },
            "ResultPath": path,
        },
        judge: {
            "Type": "Choice",
            "Choices": [
                {
                    "And": [
                        {"Variable": f"{path}.status", "StringEquals": "InService"},
                        {"Variable": f"{path}.config", "StringEqualsPath": f"{path}.wanted"},
                    ],
                    "Next": f"{name} done",
                },
                {
                    "Or": [
                        {"Variable": f"{path}.status", "StringEquals": each}
                        for each in ("Creating", "Updating", "SystemUpdating", "RollingBack")
                    ],
                    "Next": wait,
                },
            ],
            "Default": failed,
        },
        failed: {
            "Type": "Fail",
            "Error": "RolledBack",
            "Cause": f"endpoint {node.endpoint} does not serve the new configuration",
        },
        f"{name} done": {"Type": "Pass"},
    }  # fmt: skip


def _task(operation: str, parameters: dict[str, Any], following: str) -> dict[str, Any]:
    return {
        "Type": "Task",
        "Resource": _SDK + operation,
        "Parameters": parameters,
        "ResultPath": None,
        "Next": following,
    }
