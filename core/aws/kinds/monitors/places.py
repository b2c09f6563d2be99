"""Where a schedule's job definition is, and where on S3 its runs leave their files."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from core.aws import words
from core.aws.errors import AwsError, BadRequest
from core.aws.s3objects import keys_below, read_json

if TYPE_CHECKING:
    from core.aws.account import Account

FILES = ("constraint_violations.json", "statistics.json", "constraints.json", "analysis.json")
_DESCRIBE = {
    "DataQuality": "describe_data_quality_job_definition",
    "ModelQuality": "describe_model_quality_job_definition",
    "ModelBias": "describe_model_bias_job_definition",
    "ModelExplainability": "describe_model_explainability_job_definition",
}


def definition_of(account: Account, schedule: Mapping[str, Any]) -> dict[str, Any]:
    """What a schedule's jobs do, in one form: Baseline, Input, Output, Resources, App; of the
    definition in the schedule itself or of the one that it names."""
    config = schedule["MonitoringScheduleConfig"]
    inline = config.get("MonitoringJobDefinition")
    if inline:
        return {
            "Baseline": inline.get("BaselineConfig", {}),
            "Input": _input((inline.get("MonitoringInputs") or [{}])[0]),
            "Output": inline["MonitoringOutputConfig"],
            "Resources": inline["MonitoringResources"],
            "App": inline["MonitoringAppSpecification"],
            "RoleArn": inline.get("RoleArn", ""),
        }
    kind, name = config.get("MonitoringType", ""), config.get("MonitoringJobDefinitionName")
    if kind not in _DESCRIBE or not name:
        return {}
    found = account.call("sagemaker", _DESCRIBE[kind], JobDefinitionName=name)
    return {
        "Baseline": found.get(f"{kind}BaselineConfig", {}),
        "Input": _input(found.get(f"{kind}JobInput", {})),
        "Output": found[f"{kind}JobOutputConfig"],
        "Resources": found["JobResources"],
        "App": found.get(f"{kind}AppSpecification", {}),
        "RoleArn": found.get("RoleArn", ""),
    }


def _input(found: Mapping[str, Any]) -> Mapping[str, Any]:
    inner: Mapping[str, Any] = found.get("EndpointInput") or found.get("BatchTransformInput") or {}
    return inner


def folder_of(account: Account, execution: Mapping[str, Any], definition: Mapping[str, Any]) -> str:
    """Where a run's files are: what its processing job says, else where Model Monitor puts them
    (OUTPUT/ENDPOINT/SCHEDULE/YYYY/MM/DD/HH of the scheduled time)."""
    if arn := execution.get("ProcessingJobArn"):
        try:
            job = account.call(
                "sagemaker", "describe_processing_job", ProcessingJobName=words.last_of(arn)
            )
        except AwsError:
            job = {}  # it is gone, or may not be read; the folder follows from the schedule, too
        outputs = job.get("ProcessingOutputConfig", {}).get("Outputs", ())
        if outputs and (uri := outputs[0].get("S3Output", {}).get("S3Uri")):
            return str(uri)
    found = definition.get("Output", {}).get("MonitoringOutputs", ())
    if not found:
        raise BadRequest("the job definition names no output on S3")
    root = found[0]["S3Output"]["S3Uri"].rstrip("/")
    at = datetime.fromtimestamp(words.epoch(execution["ScheduledTime"]) or 0.0, UTC)
    endpoint = execution.get("EndpointName") or "batch"
    return f"{root}/{endpoint}/{execution['MonitoringScheduleName']}/{at:%Y/%m/%d/%H}"


def read_files(account: Account, folder: str) -> dict[str, Any]:
    """The reports in a run's folder, by name; empty where there are none."""
    found: dict[str, Any] = {}
    for uri in keys_below(account, folder):
        name = words.last_of(uri)
        if name in FILES and name not in found:
            found[name] = read_json(account, uri)
    return found
