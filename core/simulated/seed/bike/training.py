"""Training: a pipeline's executions over four months, single jobs, a search, the registry."""

from __future__ import annotations

import json
from typing import Any

from core.simulated.handlers.logs.writing import write
from core.simulated.handlers.sagemaker.common import by_arn
from core.simulated.seed.bike.story import (
    ARTIFACTS,
    DATA,
    DAY,
    GROUP,
    HOUR,
    IMAGE,
    TAGS,
    Story,
)

PIPELINE = "bike-demand"
LIMIT = 60.0
APART = 14 * DAY
DECISIONS = {
    "2012-01": ("Approved", "errors by hour look right"),
    "2012-02": ("Approved", "better than January's on the same month"),
    "2012-04": ("Approved", "needed: spring is not in the model in production"),
    "2012-05": ("Rejected", "worse than April's in the evening hours"),
    "2012-06": ("Approved", "mae 35.6, the best so far"),
    "2012-07": ("Approved", "no change that matters, newer data"),
    "2012-08": ("Approved", "mae 33.7"),
}
_STEPS = {"Acquire": "acquire", "Validate": "validate", "Train": "train", "Evaluate": "evaluate"}


def plant(story: Story) -> None:
    story.plan(130 * DAY, lambda: _begin(story))
    *runs, newest = story.measured["runs"]
    for number, run in enumerate(runs):
        at = (len(runs) - 1 - number) * APART + DAY + 2 * HOUR
        if number == 4:
            story.plan(at + 3 * HOUR, lambda run=run: _start(story, run, broken=True))  # type: ignore[misc]
        story.plan(at, lambda run=run: _start(story, run))  # type: ignore[misc]
        story.plan(at - HOUR, lambda run=run: _print(story, run))  # type: ignore[misc]
        story.plan(at - 5 * HOUR, lambda run=run: _decide(story, run))  # type: ignore[misc]
    story.plan(200.0, lambda: _start(story, newest, seconds=900.0))
    story.plan(40 * DAY, lambda: _tune(story))
    story.plan(9 * DAY, lambda: _job(story, "bike-demand-spot-0914", spot=True))
    story.plan(
        8 * DAY,
        lambda: _job(
            story,
            "bike-demand-gpu-trial",
            outcome="Failed",
            reason="AlgorithmError: ExecuteUserScriptError: ExitCode 1, ErrorMessage "
            '"ValueError: temp is out of 0..1 in 3 hours, the first is 1.02 at 2012-09-30 14:00"',
        ),
    )
    story.plan(3 * DAY, lambda: _debugged(story))
    story.plan(150.0, lambda: _job(story, "bike-demand-half-life-14", seconds=1800))
    story.plan(2 * DAY, lambda: _transform(story))
    story.plan(35 * DAY, lambda: _autopilot(story))
    story.plan(100 * DAY, lambda: _experiments(story))


def _begin(story: Story) -> None:
    story.call(
        "sagemaker",
        "CreateModelPackageGroup",
        ModelPackageGroupName=GROUP,
        ModelPackageGroupDescription="Hourly demand for rental bikes",
        Tags=TAGS,
    )
    story.call(
        "sagemaker",
        "CreatePipeline",
        PipelineName=PIPELINE,
        PipelineDescription="Trained up to a month, judged on that month, registered if it is good",
        PipelineDefinition=definition(story, story.measured["runs"][0]),
        RoleArn=story.role("bike-demand-sagemaker"),
        Tags=TAGS,
    )


# -- the pipeline


def _processing(
    step: str, run: dict[str, Any], environment: dict[str, str], outputs: list[str]
) -> dict[str, Any]:
    return {
        "ProcessingResources": {
            "ClusterConfig": {
                "InstanceType": "ml.m5.large",
                "InstanceCount": 1,
                "VolumeSizeInGB": 20,
            }
        },
        "AppSpecification": {
            "ImageUri": IMAGE,
            "ContainerEntrypoint": ["python3", "-m", f"bike.{step}"],
        },
        "RoleArn": "arn:aws:iam::123456789012:role/bike-demand-sagemaker",
        "Environment": {"MONTH": run["month"], **environment},
        "ProcessingInputs": [
            {
                "InputName": "hours",
                "S3Input": {
                    "S3Uri": f"s3://{DATA}/raw/bike_hourly/",
                    "LocalPath": "/opt/ml/processing/hours",
                    "S3DataType": "S3Prefix",
                    "S3InputMode": "File",
                },
            }
        ],
        "ProcessingOutputConfig": {
            "Outputs": [
                {
                    "OutputName": each,
                    "S3Output": {
                        "S3Uri": f"s3://{ARTIFACTS}/{PIPELINE}/{run['month']}/{step}/{each}",
                        "LocalPath": f"/opt/ml/processing/{each}",
                        "S3UploadMode": "EndOfJob",
                    },
                }
                for each in outputs
            ]
        },
    }


def _training(
    run: dict[str, Any], seconds: float | None = None, half_life: str = "30"
) -> dict[str, Any]:
    train, valid = _losses(run)
    environment = {
        "MONTH": run["month"],
        "SIMULATE_METRIC": json.dumps({"train:loss": train, "validation:loss": valid}),
    }
    if seconds is not None:
        environment["SIMULATE_SECONDS"] = str(seconds)
    return {
        "AlgorithmSpecification": {
            "TrainingImage": IMAGE,
            "TrainingInputMode": "File",
            "MetricDefinitions": [
                {"Name": "train:loss", "Regex": r"train\s+([0-9.]+)"},
                {"Name": "validation:loss", "Regex": r"valid\s+([0-9.]+)"},
            ],
        },
        "RoleArn": "arn:aws:iam::123456789012:role/bike-demand-sagemaker",
        "HyperParameters": {
            "iterations": "80",
            "learning_rate": "0.1",
            "half_life": half_life,
            "seed": "7",
        },
        "InputDataConfig": [
            {
                "ChannelName": "train",
                "DataSource": {
                    "S3DataSource": {
                        "S3DataType": "S3Prefix",
                        "S3Uri": f"s3://{ARTIFACTS}/{PIPELINE}/{run['month']}/validate/hourly",
                        "S3DataDistributionType": "FullyReplicated",
                    }
                },
                "ContentType": "text/csv",
            }
        ],
        "OutputDataConfig": {"S3OutputPath": f"s3://{ARTIFACTS}/models"},
        "ResourceConfig": {
            "InstanceType": "ml.m5.xlarge",
            "InstanceCount": 1,
            "VolumeSizeInGB": 30,
        },
        "StoppingCondition": {"MaxRuntimeInSeconds": 7200},
        "Environment": environment,
    }


def _losses(run: dict[str, Any]) -> tuple[float, float]:
    """The losses of the last iteration that the example printed."""
    words = run["said"]["train"][-1].split()
    return float(words[3]), float(words[5])


def definition(
    story: Story, run: dict[str, Any], broken: bool = False, seconds: float | None = None
) -> str:
    """The pipeline's definition for a month; what jobs measured stands in their environments."""
    evaluation = {"metrics": {key: run["metrics"][key] for key in ("mae", "rmse", "r2")}}
    checks: dict[str, str] = {}
    if broken:
        checks = {
            "SIMULATE_OUTCOME": "Failed",
            "SIMULATE_REASON": "AlgorithmError: ValueError: 2 hours are given twice, the first is "
            "2012-05-06 02:00:00, exit code: 1",
        }
    report = {"PropertyFileName": "report", "OutputName": "report", "FilePath": "evaluation.json"}
    mae = {"Std:JsonGet": {"PropertyFile": {"Get": "Steps.Evaluate.PropertyFiles.report"},
                           "Path": "metrics.mae"}}  # fmt: skip
    steps: list[dict[str, Any]] = [
        {"Name": "Acquire", "Type": "Processing",
         "Arguments": _processing("acquire", run, {}, ["raw"])},
        {"Name": "Validate", "Type": "Processing", "DependsOn": ["Acquire"],
         "Arguments": _processing("validate", run, checks, ["hourly"])},
        {"Name": "Train", "Type": "Training", "DependsOn": ["Validate"],
         "Arguments": _training(run, seconds)},
        {"Name": "Evaluate", "Type": "Processing", "DependsOn": ["Train"],
         "PropertyFiles": [report],
         "Arguments": _processing(
             "evaluate", run,
             {"SIMULATE_FILE": json.dumps({"report/evaluation.json": evaluation})}, ["report"])},
        {"Name": "GoodEnough", "Type": "Condition", "Arguments": {
            "Conditions": [{"Type": "LessThanOrEqualTo", "LeftValue": mae,
                            "RightValue": {"Get": "Parameters.MostError"}}],
            "IfSteps": [{"Name": "Register", "Type": "RegisterModel",
                         "Arguments": _register(run)}],
            "ElseSteps": [{"Name": "TooFarOff", "Type": "Fail", "Arguments": {
                "ErrorMessage": f"The mean error in {run['month']} is {run['metrics']['mae']} "
                                f"bikes an hour, at most {LIMIT:g} are allowed"}}],
        }},
    ]  # fmt: skip
    return json.dumps(
        {
            "Version": "2020-12-01",
            "Metadata": {},
            "Parameters": [
                {"Name": "Month", "Type": "String", "DefaultValue": run["month"]},
                {"Name": "MostError", "Type": "Float", "DefaultValue": LIMIT},
                {"Name": "Iterations", "Type": "Integer", "DefaultValue": 80},
            ],
            "PipelineExperimentConfig": {
                "ExperimentName": {"Get": "Execution.PipelineName"},
                "TrialName": {"Get": "Execution.PipelineExecutionId"},
            },
            "Steps": steps,
        }
    )


def _register(run: dict[str, Any]) -> dict[str, Any]:
    return {
        "ModelPackageGroupName": GROUP,
        "ModelPackageDescription": f"Trained up to {run['month']}",
        "ModelApprovalStatus": "PendingManualApproval",
        "CustomerMetadataProperties": {
            "month": run["month"],
            **{key: str(run["metrics"][key]) for key in ("mae", "rmse", "r2", "naive_mae")},
        },
        "InferenceSpecification": {
            "Containers": [
                {
                    "Image": IMAGE,
                    "ModelDataUrl": {"Get": "Steps.Train.ModelArtifacts.S3ModelArtifacts"},
                }
            ],
            "SupportedContentTypes": ["application/json", "text/csv"],
            "SupportedResponseMIMETypes": ["application/json", "text/csv"],
            "SupportedRealtimeInferenceInstanceTypes": ["ml.c5.large", "ml.m5.large"],
        },
        "ModelMetrics": {
            "ModelQuality": {
                "Statistics": {
                    "ContentType": "application/json",
                    "S3Uri": f"s3://{ARTIFACTS}/{PIPELINE}/{run['month']}/evaluate/report/"
                    "evaluation.json",
                }
            }
        },
    }


def _start(
    story: Story, run: dict[str, Any], broken: bool = False, seconds: float | None = None
) -> None:
    text = definition(story, run, broken, seconds)
    story.call("sagemaker", "UpdatePipeline", PipelineName=PIPELINE, PipelineDefinition=text)
    arn = story.call(
        "sagemaker",
        "StartPipelineExecution",
        PipelineName=PIPELINE,
        PipelineExecutionDisplayName=f"month-{run['month']}" + ("-first" if broken else ""),
        PipelineExecutionDescription=f"Trained up to {run['month']}",
        PipelineParameters=[{"Name": "Month", "Value": run["month"]}],
    )["PipelineExecutionArn"]
    if not broken:
        run["arn"] = arn


def _print(story: Story, run: dict[str, Any]) -> None:
    """What the example's code printed, in the streams of the jobs that ran it."""
    steps = story.call("sagemaker", "ListPipelineExecutionSteps", PipelineExecutionArn=run["arn"])
    for step in steps["PipelineExecutionSteps"]:
        name = _STEPS.get(step["StepName"])
        if name is None:
            continue
        training = step["StepName"] == "Train"
        kind = "TrainingJob" if training else "ProcessingJob"
        job = (by_arn(story.state, step["Metadata"][kind]["Arn"]) or {})[f"{kind}Name"]
        group = f"/aws/sagemaker/{kind}s"
        found = story.call("logs", "DescribeLogStreams", logGroupName=group,
                           logStreamNamePrefix=job)["logStreams"]  # fmt: skip
        lines = [*run["said"][name], *(run["said"]["split"] if name == "validate" else [])]
        begun, over = float(step["StartTime"]), float(step["EndTime"])
        apart = (over - begun) * 0.6 / max(1, len(lines))
        events = [(begun + (over - begun) * 0.3 + apart * i, line) for i, line in enumerate(lines)]
        if found:
            write(story.state, group, found[0]["logStreamName"], events)


def _decide(story: Story, run: dict[str, Any]) -> None:
    if run["month"] not in DECISIONS:
        return
    packages = story.call(
        "sagemaker", "ListModelPackages", ModelPackageGroupName=GROUP, SortBy="CreationTime",
        SortOrder="Descending",
    )["ModelPackageSummaryList"]  # fmt: skip
    status, why = DECISIONS[run["month"]]
    story.call(
        "sagemaker",
        "UpdateModelPackage",
        ModelPackageArn=packages[0]["ModelPackageArn"],
        ModelApprovalStatus=status,
        ApprovalDescription=why,
    )


# -- jobs outside of the pipeline


def _job(
    story: Story,
    name: str,
    *,
    spot: bool = False,
    outcome: str = "",
    reason: str = "",
    seconds: float | None = None,
    **more: Any,
) -> None:
    asked = _training(story.measured["runs"][-1], seconds, half_life="14")
    if outcome:
        asked["Environment"] |= {"SIMULATE_OUTCOME": outcome, "SIMULATE_REASON": reason}
        asked["ResourceConfig"]["InstanceType"] = "ml.g5.xlarge"
    if spot:
        asked["EnableManagedSpotTraining"] = True
        asked["StoppingCondition"]["MaxWaitTimeInSeconds"] = 10_800
        asked["CheckpointConfig"] = {"S3Uri": f"s3://{ARTIFACTS}/checkpoints/{name}"}
    story.call("sagemaker", "CreateTrainingJob", TrainingJobName=name, Tags=TAGS, **asked, **more)


def _debugged(story: Story) -> None:
    rule = "895741380848.dkr.ecr.eu-west-1.amazonaws.com/sagemaker-debugger-rules:latest"
    rules = [
        {
            "RuleConfigurationName": name,
            "RuleEvaluatorImage": rule,
            "RuleParameters": {"rule_to_invoke": name},
        }
        for name in ("LossNotDecreasing", "Overfit", "Overtraining")
    ]
    asked = _training(story.measured["runs"][-1])
    asked["HyperParameters"] |= {"iterations": "400", "simulate-issues": "Overfit,Overtraining"}
    story.call(
        "sagemaker",
        "CreateTrainingJob",
        TrainingJobName="bike-demand-400-iterations",
        DebugHookConfig={"S3OutputPath": f"s3://{ARTIFACTS}/debug"},
        DebugRuleConfigurations=rules,
        **asked,
    )


def _tune(story: Story) -> None:
    asked = _training(story.measured["runs"][5])
    hyper = asked.pop("HyperParameters")
    asked.pop("Environment")
    del asked["AlgorithmSpecification"]["MetricDefinitions"][0]
    story.call(
        "sagemaker",
        "CreateHyperParameterTuningJob",
        HyperParameterTuningJobName="bike-demand-search",
        HyperParameterTuningJobConfig={
            "Strategy": "Bayesian",
            "HyperParameterTuningJobObjective": {
                "Type": "Minimize",
                "MetricName": "validation:loss",
            },
            "ResourceLimits": {"MaxNumberOfTrainingJobs": 6, "MaxParallelTrainingJobs": 2},
            "ParameterRanges": {
                "ContinuousParameterRanges": [
                    {"Name": "learning_rate", "MinValue": "0.01", "MaxValue": "0.3",
                     "ScalingType": "Logarithmic"},
                ],
                "IntegerParameterRanges": [
                    {"Name": "half_life", "MinValue": "7", "MaxValue": "120",
                     "ScalingType": "Auto"},
                ],
            },
        },
        TrainingJobDefinition={
            "StaticHyperParameters": {k: hyper[k] for k in ("iterations", "seed")},
            **asked,
        },
        Tags=TAGS,
    )  # fmt: skip


def _transform(story: Story) -> None:
    story.put(ARTIFACTS, "transform/input/2012-10-01.jsonl", _asked(story))
    story.call(
        "sagemaker",
        "CreateTransformJob",
        TransformJobName="bike-demand-tomorrow",
        ModelName="bike-demand-v7",
        TransformInput={
            "DataSource": {
                "S3DataSource": {
                    "S3DataType": "S3Prefix",
                    "S3Uri": f"s3://{ARTIFACTS}/transform/input/",
                }
            },
            "ContentType": "application/json",
            "SplitType": "Line",
        },
        TransformOutput={"S3OutputPath": f"s3://{ARTIFACTS}/transform/output"},
        TransformResources={"InstanceType": "ml.m5.large", "InstanceCount": 1},
    )


def _asked(story: Story) -> str:
    return "".join(f"{json.dumps(each['asked'])}\n" for each in story.measured["captured"][:24])


def _autopilot(story: Story) -> None:
    story.call(
        "sagemaker",
        "CreateAutoMLJobV2",
        AutoMLJobName="bike-demand-autopilot",
        AutoMLJobInputDataConfig=[
            {
                "ChannelType": "training",
                "ContentType": "text/csv;header=present",
                "CompressionType": "Gzip",
                "DataSource": {
                    "S3DataSource": {
                        "S3DataType": "S3Prefix",
                        "S3Uri": f"s3://{DATA}/raw/bike_hourly/",
                    }
                },
            }
        ],
        OutputDataConfig={"S3OutputPath": f"s3://{ARTIFACTS}/autopilot"},
        AutoMLProblemTypeConfig={
            "TabularJobConfig": {"TargetAttributeName": "cnt", "ProblemType": "Regression"}
        },
        AutoMLJobObjective={"MetricName": "MAE"},
        RoleArn=story.role("bike-demand-sagemaker"),
        Tags=TAGS,
    )


def _experiments(story: Story) -> None:
    """Managed MLflow, and an experiment of before it."""
    story.call(
        "sagemaker",
        "CreateMlflowApp",
        Name="bike-demand",
        ArtifactStoreUri=f"s3://{ARTIFACTS}/mlflow",
        RoleArn=story.role("bike-demand-sagemaker"),
    )
    story.call("sagemaker", "CreateExperiment", ExperimentName="bike-demand-2011")
    for half_life in (14, 30, 60):
        name = f"half-life-{half_life}"
        story.call("sagemaker", "CreateTrial", TrialName=name, ExperimentName="bike-demand-2011")
        story.call(
            "sagemaker",
            "CreateTrialComponent",
            TrialComponentName=f"{name}-fit",
            Parameters={"half_life": {"NumberValue": float(half_life)}},
        )
        story.call(
            "sagemaker",
            "AssociateTrialComponent",
            TrialName=name,
            TrialComponentName=f"{name}-fit",
        )
