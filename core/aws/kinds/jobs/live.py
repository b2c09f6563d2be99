"""A training job's metrics while it trains, from CloudWatch.

SageMaker puts what the job's metric definitions match under the dimension TrainingJobName, and
the use of each instance under Host (`JOB/algo-1`)
(https://docs.aws.amazon.com/sagemaker/latest/dg/monitoring-cloudwatch.html).
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from core.aws.kind import Chart
from core.aws.kinds.jobs.common import instances
from core.aws.metrics import Metric, Points, several
from core.aws.words import epoch

if TYPE_CHECKING:
    from core.aws.account import Account

NAMESPACE = "/aws/sagemaker/TrainingJobs"
PERIOD = 60
MOST_HOSTS = 4
_USES = ("CPUUtilization", "MemoryUtilization", "DiskUtilization")
_GPU_USES = ("GPUUtilization", "GPUMemoryUtilization")
_GPUS = ("ml.p", "ml.g")
_SPLITS = ("train", "validation", "test", "val", "eval", "valid")


def charts(account: Account, job: Mapping[str, Any]) -> tuple[Chart, ...]:
    """One chart for each thing that is measured (train:loss and validation:loss share one), and
    one for how busy the instances are; only those with points."""
    begin = epoch(job.get("TrainingStartTime"))
    if begin is None:
        return ()
    end = epoch(job.get("TrainingEndTime"))
    until = time.time() if end is None else end + PERIOD
    wanted = {f"m {name}": _metric(job, name) for name in _names(job)}
    for host, metric in _hosts(job):
        wanted[f"u {host} {metric}"] = Metric(NAMESPACE, metric, "Average", {"Host": host})
    points = several(account, wanted, PERIOD, begin - PERIOD, until)
    return (*_measured(points), *_used(points))


def _metric(job: Mapping[str, Any], name: str) -> Metric:
    return Metric(NAMESPACE, name, "Average", {"TrainingJobName": job["TrainingJobName"]})


def _names(job: Mapping[str, Any]) -> list[str]:
    """What the job measures: by its definitions, and what it has ended with."""
    defined = (job.get("AlgorithmSpecification") or {}).get("MetricDefinitions") or ()
    finals = job.get("FinalMetricDataList") or ()
    names = [each["Name"] for each in defined] + [each["MetricName"] for each in finals]
    return list(dict.fromkeys(names))


def _hosts(job: Mapping[str, Any]) -> list[tuple[str, str]]:
    kind, count = instances(job.get("ResourceConfig") or {})
    uses = (*_USES, *_GPU_USES) if kind.startswith(_GPUS) else _USES
    return [
        (f"{job['TrainingJobName']}/algo-{number}", use)
        for number in range(1, min(count, MOST_HOSTS) + 1)
        for use in uses
    ]


def _measured(points: Mapping[str, Points]) -> list[Chart]:
    together: dict[str, dict[str, Points]] = {}
    for key, line in points.items():
        if key.startswith("m ") and line:
            split, _, rest = key[2:].partition(":")
            title = rest if split in _SPLITS and rest else key[2:]
            together.setdefault(title, {})[split if title == rest else title] = line
    return [Chart(title, "", series) for title, series in together.items()]


def _used(points: Mapping[str, Points]) -> list[Chart]:
    lines = {}
    for key, line in points.items():
        if key.startswith("u ") and line:
            host, _, metric = key[2:].rpartition(" ")
            word = metric.removesuffix("Utilization")
            lines[f"{word} {host.rpartition('/')[2]}"] = line
    return [Chart("instances in use", "%", lines)] if lines else []
