"""What was asked of AWS in this session: for the audit screen, and to prove what was not sent."""

from __future__ import annotations

import threading
from collections import deque
from dataclasses import dataclass

MOST_KEPT = 5_000
_READS = (
    "Describe", "Get", "List", "Search", "Query", "BatchGet", "BatchDescribe", "Lookup", "Filter",
    "Head", "Preview", "Estimate", "Validate", "Test", "View", "Scan", "Select", "Check",
    "Retrieve", "Simulate", "Discover", "Evaluate",
)  # fmt: skip
_ALSO_READS = frozenset({
    "StartQuery", "StopQuery", "StartLiveTail", "InvokeEndpoint", "AssumeRole",
    "InvokeEndpointWithResponseStream", "DetectStackDrift", "DetectStackResourceDrift",
    "ESHttpGet",
})  # fmt: skip
_NOT_READS = frozenset({"GetClusterCredentials"})  # it can make a user


def writes(operation: str) -> bool:
    """Whether an operation changes anything at AWS, by the first word of its name.

    Asking an endpoint for a prediction, running a query and detecting drift read.
    """
    if operation in _NOT_READS:
        return True
    return operation not in _ALSO_READS and not operation.startswith(_READS)


@dataclass(frozen=True, slots=True)
class Call:
    """One call: when (epoch s), what, of what, how long (s), and what AWS said ("" is well)."""

    at: float
    service: str
    operation: str
    target: str
    seconds: float
    error: str = ""

    @property
    def writes(self) -> bool:
        """Whether it was a change."""
        return writes(self.operation)


class CallLog:
    """The last calls, newest last. Thread-safe; no value of a parameter but names is kept."""

    def __init__(self) -> None:
        self._calls: deque[Call] = deque(maxlen=MOST_KEPT)
        self._lock = threading.Lock()
        self.total = 0

    def add(self, call: Call) -> None:
        """Keep a call."""
        with self._lock:
            self._calls.append(call)
            self.total += 1

    def list(self) -> list[Call]:
        """All that are kept, oldest first."""
        with self._lock:
            return list(self._calls)


_NAMING = (
    "EndpointName", "PipelineName", "PipelineExecutionArn", "TrainingJobName", "ModelPackageName",
    "ModelPackageGroupName", "HyperParameterTuningJobName", "AutoMLJobName", "ProcessingJobName",
    "TransformJobName", "MonitoringScheduleName", "FeatureGroupName", "executionArn",
    "stateMachineArn", "Bucket", "DatabaseName", "TableName", "JobName", "CrawlerName", "Name",
    "name", "pipelineName", "projectName", "repositoryName", "applicationName", "deploymentId",
    "StackName", "logGroupName", "logGroupIdentifier", "AlarmNames", "AlarmName", "KeyId",
    "TopicArn", "DeliveryStreamName", "FileSystemIds", "ClusterIdentifier", "ResourceArn",
    "RoleName", "Arn",
)  # fmt: skip


def target_of(parameters: dict[str, object]) -> str:
    """What a call is about, by the parameters that name things."""
    for key in _NAMING:
        value = parameters.get(key)
        if isinstance(value, str) and value:
            return value
        if isinstance(value, (list, tuple)) and value and isinstance(value[0], str):
            return value[0] if len(value) == 1 else f"{value[0]} and {len(value) - 1} more"
    return ""
