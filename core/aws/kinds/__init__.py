"""Every kind of AWS resource, by name; a kind's module is imported when it is first used.

The order is the order of the tabs in a mode.
"""

from __future__ import annotations

from typing import NamedTuple


class Place(NamedTuple):
    """Where a kind is defined ("module:ATTRIBUTE"), the mode whose tab it is, and short names."""

    at: str
    mode: str
    aliases: tuple[str, ...] = ()


KINDS: dict[str, Place] = {
    "pipelines": Place("core.aws.kinds.pipelines.pipelines:KIND", "runs", ("pl",)),
    "executions": Place("core.aws.kinds.pipelines.executions:KIND", "runs", ("ex",)),
    "steps": Place("core.aws.kinds.pipelines.steps:KIND", "runs"),
    "training": Place("core.aws.kinds.jobs.training:KIND", "runs", ("training-jobs", "tj")),
    "tuning": Place("core.aws.kinds.jobs.tuning:KIND", "runs", ("tuning-jobs", "hpo")),
    "tuning-trials": Place("core.aws.kinds.jobs.tuning:TRIALS", "runs"),
    "automl": Place("core.aws.kinds.jobs.automl:KIND", "runs", ("autopilot",)),
    "candidates": Place("core.aws.kinds.jobs.automl:CANDIDATES", "runs"),
    "processing": Place("core.aws.kinds.jobs.processing:KIND", "runs", ("processing-jobs", "pj")),
    "transform": Place("core.aws.kinds.jobs.transform:KIND", "runs", ("transform-jobs", "bt")),
    "state-machines": Place("core.aws.kinds.stepfunctions.machines:KIND", "runs", ("sfn", "sm")),
    "sfn-executions": Place("core.aws.kinds.stepfunctions.executions:KIND", "runs", ("sfx",)),
    "sfn-history": Place("core.aws.kinds.stepfunctions.history:KIND", "runs"),
    "model-groups": Place("core.aws.kinds.models.groups:KIND", "models", ("registry", "mpg")),
    "packages": Place("core.aws.kinds.models.packages:KIND", "models", ("model-packages", "mp")),
    "sm-models": Place("core.aws.kinds.models.deployable:KIND", "models"),
    "mlflow": Place("core.aws.kinds.models.mlflow:KIND", "models", ("mlflow-apps",)),
    "experiments": Place("core.aws.kinds.models.experiments:EXPERIMENTS", "models"),
    "trials": Place("core.aws.kinds.models.experiments:TRIALS", "models"),
    "trial-components": Place("core.aws.kinds.models.experiments:COMPONENTS", "models"),
    "endpoints": Place("core.aws.kinds.endpoints.listing:KIND", "deploys", ("ep",)),
    "endpoint-configs": Place("core.aws.kinds.endpoints.configs:KIND", "deploys", ("epc",)),
    "codepipelines": Place("core.aws.kinds.delivery.codepipelines:KIND", "deploys", ("cp",)),
    "pipeline-runs": Place("core.aws.kinds.delivery.pipelineruns:KIND", "deploys", ("pr",)),
    "codebuild": Place("core.aws.kinds.delivery.builds:PROJECTS", "deploys", ("cb",)),
    "builds": Place("core.aws.kinds.delivery.builds:KIND", "deploys"),
    "codedeploy": Place("core.aws.kinds.delivery.deployments:KIND", "deploys", ("cd",)),
    "repositories": Place("core.aws.kinds.delivery.repositories:KIND", "deploys", ("codecommit",)),
    "ecr": Place("core.aws.kinds.delivery.ecr:KIND", "deploys"),
    "images": Place("core.aws.kinds.delivery.images:KIND", "deploys"),
    "stacks": Place("core.aws.kinds.delivery.stacks:KIND", "deploys", ("cloudformation", "cfn")),
    "approvals": Place("core.aws.kinds.approvals.listing:KIND", "approvals", ("inbox",)),
    "metrics": Place("core.aws.kinds.cloudwatch.metrics:KIND", "query"),
    "cost": Place("core.aws.kinds.cost.cost:KIND", "query", ("costs", "bill")),
    "log-groups": Place("core.aws.kinds.cloudwatch.loggroups:GROUPS", "query", ("lg", "logs")),
    "log-streams": Place("core.aws.kinds.cloudwatch.loggroups:STREAMS", "query"),
    "opensearch": Place("core.aws.kinds.cloudwatch.opensearch:KIND", "query", ("os",)),
    "alarms": Place("core.aws.kinds.cloudwatch.alarms:KIND", "alerts", ("al",)),
    "rules": Place("core.aws.kinds.events.rules:KIND", "alerts", ("eventbridge",)),
    "topics": Place("core.aws.kinds.events.topics:KIND", "alerts", ("sns",)),
    "schedules": Place("core.aws.kinds.monitors.schedules:KIND", "monitors", ("ms",)),
    "monitor-runs": Place("core.aws.kinds.monitors.runs:KIND", "monitors", ("mr",)),
    "feature-groups": Place("core.aws.kinds.features.groups:KIND", "features", ("fg",)),
    "glue-databases": Place("core.aws.kinds.data.glue:DATABASES", "data", ("db", "databases")),
    "glue-tables": Place("core.aws.kinds.data.glue:TABLES", "data", ("tables",)),
    "crawlers": Place("core.aws.kinds.data.glue:CRAWLERS", "data", ("cr",)),
    "glue-jobs": Place("core.aws.kinds.data.gluejobs:JOBS", "data", ("etl",)),
    "job-runs": Place("core.aws.kinds.data.gluejobs:RUNS", "data"),
    "lf-permissions": Place("core.aws.kinds.security.permissions:KIND", "data", ("lf", "grants")),
    "buckets": Place("core.aws.kinds.data.buckets:BUCKETS", "data", ("s3",)),
    "objects": Place("core.aws.kinds.data.buckets:OBJECTS", "data"),
    "firehose": Place("core.aws.kinds.data.stores:FIREHOSE", "data"),
    "redshift": Place("core.aws.kinds.data.stores:REDSHIFT", "data"),
    "fsx": Place("core.aws.kinds.data.stores:FSX", "data"),
    "kms-keys": Place("core.aws.kinds.security.keys:KEYS", "data", ("kms", "keys")),
    "unencrypted": Place("core.aws.kinds.security.keys:UNENCRYPTED", "data"),
}
"""Every kind by its name."""
