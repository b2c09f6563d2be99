"""Starting an Autopilot job (V2): a problem, where its data is, what is to be predicted."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from core.aws.kind import Field, Verb
from core.aws.kinds.jobs import asking
from core.aws.kinds.jobs.asking import Values
from core.aws.kinds.shared import needed, one_of, s3, whole
from core.aws.words import last_of
from core.errors import BadInput

if TYPE_CHECKING:
    from core.aws.account import Account

PROBLEMS = ("tabular", "time-series", "text", "image")
TYPES = ("auto", "BinaryClassification", "MulticlassClassification", "Regression")
MOST_NAME = 32


def request(values: Values) -> dict[str, Any]:
    """CreateAutoMLJobV2's request; raises `BadInput`."""
    problem = one_of(values, "problem", PROBLEMS, "tabular")
    metric = values.get("metric", "").strip()
    key = values.get("kms_key", "").strip()
    kind = _type(values, problem)
    if kind and not metric:
        raise BadInput("metric: must be given with a type", "metric=F1, MSE, Accuracy, …")
    name, config = _problem(values, problem, kind)
    return {
        "AutoMLJobName": asking.named(values, f"auto-{problem}", MOST_NAME),
        "AutoMLJobInputDataConfig": [
            {
                "ChannelType": "training",
                **_content(values, problem),
                "DataSource": {
                    "S3DataSource": {"S3DataType": "S3Prefix", "S3Uri": s3(values, "input")}
                },
            }
        ],
        "OutputDataConfig": {
            "S3OutputPath": s3(values, "output"),
            **({"KmsKeyId": key} if key else {}),
        },
        "AutoMLProblemTypeConfig": {name: config},
        "RoleArn": asking.role(values),
        **({"AutoMLJobObjective": {"MetricName": metric}} if metric else {}),
    }


def _type(values: Values, problem: str) -> str:
    kind = one_of(values, "type", TYPES, "auto")
    if kind != "auto" and problem != "tabular":
        raise BadInput(f"type={kind}: is of tabular problems")
    return "" if kind == "auto" else kind


def _content(values: Values, problem: str) -> dict[str, str]:
    kind = values.get("content_type", "").strip()
    if not kind and problem == "image":
        kind = "image/png"
    return {"ContentType": kind} if kind else {}


def _problem(values: Values, problem: str, kind: str) -> tuple[str, dict[str, Any]]:
    limits: dict[str, Any] = {
        "MaxAutoMLJobRuntimeInSeconds": whole(values, "max_hours", 4) * asking.HOUR
    }
    if problem != "time-series":
        limits["MaxCandidates"] = whole(values, "candidates", 20)
    base: dict[str, Any] = {"CompletionCriteria": limits}
    if problem == "image":
        return "ImageClassificationJobConfig", base
    target = needed(values, "target")
    if problem == "text":
        columns = {"ContentColumn": needed(values, "text"), "TargetLabelColumn": target}
        return "TextClassificationJobConfig", {**base, **columns}
    if problem == "time-series":
        series = {
            "TargetAttributeName": target,
            "TimestampAttributeName": needed(values, "timestamp"),
            "ItemIdentifierAttributeName": needed(values, "item"),
        }
        ahead = whole(values, "horizon", 0)
        if not ahead:
            raise BadInput("horizon: must be given", "how many steps ahead")
        more = {"ForecastFrequency": needed(values, "frequency"), "ForecastHorizon": ahead}
        return "TimeSeriesForecastingJobConfig", {**base, **more, "TimeSeriesConfig": series}
    typed = {"ProblemType": kind} if kind else {}
    return "TabularJobConfig", {**base, **typed, "TargetAttributeName": target}


def _start(account: Account, _id: str, values: Values) -> str:
    asked = request(values)
    account.call("sagemaker", "create_auto_ml_job_v2", **asked)
    return f"{asked['AutoMLJobName']}: Autopilot has started"


def _consequence(_account: Account, _id: str, values: Values) -> tuple[str, ...]:
    asked = request(values)
    limits = next(iter(asked["AutoMLProblemTypeConfig"].values()))["CompletionCriteria"]
    most = limits.get("MaxCandidates")
    hours = limits["MaxAutoMLJobRuntimeInSeconds"] / asking.HOUR
    tried = f"tries up to {most} candidates" if most else "tries candidates"
    return (
        f"{tried} for {values.get('target', '') or 'the folders'} in at most {hours:g} h",
        f"on instances that SageMaker chooses, as {last_of(asked['RoleArn'])}",
        f"writes to {asked['OutputDataConfig']['S3OutputPath']}",
    )


AUTOPILOT = Verb(
    name="autopilot",
    key="n",
    label="Autopilot",
    help="let models be found for a target",
    operations=("sagemaker:CreateAutoMLJobV2", "iam:PassRole"),
    do=_start,
    consequence=_consequence,
    fields=(
        Field("problem", "problem", default="tabular", choices=PROBLEMS),
        Field("input", "data: s3://…", required=True),
        Field("target", "target column (none for images)"),
        Field("type", "tabular: type of the target", default="auto", choices=TYPES),
        Field("metric", "objective (F1, MSE, …)"),
        Field("text", "text: column of the text"),
        Field("timestamp", "time series: column of the time"),
        Field("item", "time series: column of the item"),
        Field("frequency", "time series: frequency (1H, 1D)"),
        Field("horizon", "time series: how many steps ahead"),
        Field("candidates", "at most so many candidates", default="20"),
        Field("max_hours", "stopped after so many hours", default="4"),
        Field("content_type", "content type of the data"),
        asking.NAME,
        asking.OUTPUT,
        asking.ROLE,
        asking.KMS,
    ),
)
