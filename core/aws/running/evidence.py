"""What a reviewer of a gate there needs to see, read from the jobs that have run."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from core.aws.account import Account
from core.aws.compile.nodes import Lowered
from core.aws.errors import ResourceNotFound
from core.aws.words import last_of
from core.domain.remote import Seen

MOST_BYTES = 64 << 10
CHAMPION = "champion_"


def outputs_of(account: Account, job: tuple[str, str]) -> dict[str, str]:
    """Where a job put what it made: output to address in S3."""
    kind, name = job
    if kind == "processing":
        told = account.call("sagemaker", "describe_processing_job", ProcessingJobName=name)
        outputs = told.get("ProcessingOutputConfig", {}).get("Outputs", ())
        return {each["OutputName"]: each["S3Output"]["S3Uri"] for each in outputs}
    told = account.call("sagemaker", "describe_training_job", TrainingJobName=name)
    found = {}
    if uri := told.get("ModelArtifacts", {}).get("S3ModelArtifacts"):
        found["model"] = str(uri)
    if folder := told.get("OutputDataConfig", {}).get("S3OutputPath"):
        found["output"] = f"{folder.rstrip('/')}/{name}/output/output.tar.gz"
    return found


def metrics_of(account: Account, job: tuple[str, str]) -> dict[str, float]:
    """The last values of a training job's metrics."""
    if job[0] != "training":
        return {}
    told = account.call("sagemaker", "describe_training_job", TrainingJobName=job[1])
    values = told.get("FinalMetricDataList", ())
    return {str(each["MetricName"]): float(each["Value"]) for each in values}


def evidence_of(
    account: Account,
    lowered: Lowered,
    seen: Seen,
    gate: str,
    package: str,
    run: Mapping[str, Any],
) -> dict[str, Any]:
    """The evidence of a gate, as ours is: what it names, with the version's lineage."""
    step = lowered.spec.step(gate)
    documents: dict[str, Any] = {}
    artifacts: dict[str, str] = {last_of(package): package}
    known: dict[str, dict[str, str]] = {}
    for name, source in step.inputs.items():
        job = seen.steps[source.step].job if source.step in seen.steps else None
        if source.kind != "output" or job is None:
            continue
        if source.step not in known:
            known[source.step] = outputs_of(account, job)
        uri = known[source.step].get(source.name) or known[source.step].get("output", "")
        artifacts[name] = uri
        found = _document(account, f"{uri}/{source.name}.json") if uri else None
        if found is not None:
            documents[name], artifacts[name] = found
    own, theirs = _numbers(lowered, gate, documents)
    return {
        "model": last_of(package.rsplit("/", 1)[0]),
        "version": int(last_of(package)),
        "environment": step.options["environment"],
        "metrics": own,
        "champion": {"version": None, "metrics": theirs},
        "documents": documents,
        "figures": {},
        "artifacts": artifacts,
        "data": run["datasets"],
        "params": run["params"],
        "lineage": {"model_package": package, "execution": run["execution"],
                    "source": run["source"]},
    }  # fmt: skip


def _document(account: Account, uri: str) -> tuple[Any, str] | None:
    """A small JSON file and its ETag; `None` where there is none."""
    bucket, _, key = uri.removeprefix("s3://").partition("/")
    try:
        head = account.call("s3", "head_object", Bucket=bucket, Key=key)
        if int(head["ContentLength"]) > MOST_BYTES:
            return None
        body = account.call("s3", "get_object", Bucket=bucket, Key=key)["Body"].read()
        return json.loads(body), f"{uri} {head['ETag']}"
    except ResourceNotFound:
        return None
    except ValueError:
        return None


def _numbers(
    lowered: Lowered, gate: str, documents: Mapping[str, Any]
) -> tuple[dict[str, float], dict[str, float]]:
    """The version's metrics, and those of the champion on the same rows."""
    register = lowered.spec.step(str(lowered.spec.step(gate).options["register"]))
    source = register.inputs.get("metrics")
    found = documents.get(f"{source.step}.{source.name}", {}) if source else {}
    numbers = {
        key: float(value)
        for key, value in (found.items() if isinstance(found, dict) else ())
        if isinstance(value, int | float) and not isinstance(value, bool)
    }
    own = {key: value for key, value in numbers.items() if not key.startswith(CHAMPION)}
    theirs = {
        key.removeprefix(CHAMPION): value
        for key, value in numbers.items()
        if key.startswith(CHAMPION)
    }
    return own, theirs
