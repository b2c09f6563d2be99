"""An endpoint in full: what serves, what is on its way, what scales it, what it captures."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

from core.aws import partial as parts
from core.aws import words
from core.aws.deployment import config_words
from core.aws.errors import AwsError
from core.aws.kind import Chart, Detail, Line, Section
from core.aws.kinds.endpoints.charts import charts_of
from core.aws.kinds.endpoints.history import (
    Asked,
    History,
    history,
    remember,
    remember_rolled_back,
    rolled_back,
    silent_rollback,
)

if TYPE_CHECKING:
    from core.aws.account import Account

MOST_HISTORY = 8


def endpoint_tone(status: str) -> str:
    """A status's tone; rolling back and failing to are bad, whatever still serves."""
    return "bad" if status in ("RollingBack", "UpdateRollbackFailed") else words.tone(status)


def show(account: Account, name: str) -> Detail:
    """DescribeEndpoint with its config, CloudWatch, auto scaling and history beside it."""
    found = account.call("sagemaker", "describe_endpoint", EndpointName=name)
    pending = found.get("PendingDeploymentSummary")
    if pending:
        at = words.epoch(pending.get("StartTime")) or time.time()
        remember(account, name, Asked(at, pending["EndpointConfigName"]))
    variants = [each["VariantName"] for each in found.get("ProductionVariants", ())]
    known, scaling, config, charts = parts.side_by_side(
        [
            partial(_history, account, name),
            partial(parts.section, "Auto scaling", partial(_scaling, account, name, variants)),
            partial(_config, account, found),
            partial(_charts, account, name, variants),
        ]
    )
    assert isinstance(known, History) and isinstance(scaling, Section)
    trouble = silent_rollback(found, known)
    if taken_back := rolled_back(found, known):
        remember_rolled_back(account, name, taken_back.config)
    sections = (
        _about(found, trouble),
        _variants("Variants", found.get("ProductionVariants", ()), config[0]),
        _variants("Shadow variants", found.get("ShadowProductionVariants", ()), config[0]),
        _guardrails(found),
        _capture(found),
        scaling,
        Section("History", _asked(known)),
        *((Section("Not read", (config[1],)),) if config[1] else ()),
        *((Section("Charts", (charts[1],)),) if charts[1] else ()),
    )
    status = found["EndpointStatus"]
    return Detail(
        name,
        "bad" if trouble else endpoint_tone(status),
        tuple(each for each in sections if each.lines),
        charts=charts[0],
        raw=found,
    )


def _history(account: Account, name: str) -> Any:
    return history(account, name)


def _config(account: Account, found: Mapping[str, Any]) -> Any:
    """The serving config's variants by name, and why it could not be read."""
    name = found.get("EndpointConfigName")
    if not name:
        return {}, ""
    try:
        config = account.call("sagemaker", "describe_endpoint_config", EndpointConfigName=name)
    except AwsError as error:
        return {}, parts.why(error)
    every = [*config["ProductionVariants"], *config.get("ShadowProductionVariants", ())]
    return {each["VariantName"]: each for each in every}, ""


def _charts(account: Account, name: str, variants: Sequence[str]) -> Any:
    none: tuple[Chart, ...] = ()
    return parts.tried(lambda: charts_of(account, name, variants), none)


def _about(found: Mapping[str, Any], trouble: str) -> Section:
    status = found["EndpointStatus"]
    lines: list[Line] = [("Status", status, endpoint_tone(status))]
    if trouble:
        lines.append(("Attention", trouble, "bad"))
    elif found.get("FailureReason"):
        lines.append(("Failure", found["FailureReason"], "bad"))
    lines += words.labelled(
        found, "EndpointConfigName", "EndpointArn", "CreationTime", "LastModifiedTime"
    )
    if last := found.get("LastDeploymentConfig"):
        lines.append(("Last strategy", config_words(last)))
    if "AsyncInferenceConfig" in found:
        lines.append(("Asynchronous", found["AsyncInferenceConfig"]["OutputConfig"].get(
            "S3OutputPath", "yes")))  # fmt: skip
    return Section("Endpoint", tuple(lines))


def _variants(
    title: str, variants: Sequence[Mapping[str, Any]], config: Mapping[str, Mapping[str, Any]]
) -> Section:
    whole = sum(each.get("CurrentWeight", 0.0) for each in variants)
    lines: list[Line] = []
    for each in variants:
        name, own = each["VariantName"], config.get(each["VariantName"], {})
        lines.append((name, ", ".join(_variant(each, own, whole)), _variant_tone(each)))
        lines += [
            ("", f"{status['Status']} {words.clock(status.get('StartTime'))}"
             f" {status.get('StatusMessage', '')}".rstrip(), words.tone(status["Status"]))
            for status in each.get("VariantStatus", ())
        ]  # fmt: skip
        lines += [
            ("", f"image {image.get('ResolvedImage') or image.get('SpecifiedImage', '')}", "dim")
            for image in each.get("DeployedImages", ())
        ]
    return Section(title, tuple(lines))


def _variant(each: Mapping[str, Any], own: Mapping[str, Any], whole: float) -> list[str]:
    found = []
    if "CurrentWeight" in each:
        share = f" ({each['CurrentWeight'] / whole:.0%})" if whole else ""
        found.append(f"weight {_moving(each, 'Weight')}{share}")
    if serverless := each.get("CurrentServerlessConfig"):
        found.append(
            f"serverless {serverless['MemorySizeInMB']} MB,"
            f" at most {serverless['MaxConcurrency']} at once"
        )
    elif "CurrentInstanceCount" in each:
        sort = own.get("InstanceType", "")
        found.append(f"{_moving(each, 'InstanceCount')} × {sort or 'instance'}")
    if own.get("ModelName"):
        found.append(f"model {own['ModelName']}")
    return found


def _moving(each: Mapping[str, Any], what: str) -> str:
    """Current and, where it differs, desired."""
    now, then = each.get(f"Current{what}", 0), each.get(f"Desired{what}")
    return f"{now:g}" if then is None or then == now else f"{now:g} → {then:g} wanted"


def _variant_tone(each: Mapping[str, Any]) -> str:
    if each.get("VariantStatus") or any(
        each.get(f"Desired{what}") not in (None, each.get(f"Current{what}"))
        for what in ("Weight", "InstanceCount")
    ):
        return "run"
    return "ok"


def _guardrails(found: Mapping[str, Any]) -> Section:
    """How far the update has come, by SageMaker's own words for it."""
    pending = found.get("PendingDeploymentSummary")
    if not pending:
        return Section("Deployment", ())
    lines: list[Line] = [
        ("To", pending["EndpointConfigName"], "run"),
        ("Since", words.clock(pending.get("StartTime"))),
    ]
    variants = pending.get("ProductionVariants", ())
    if last := found.get("LastDeploymentConfig"):
        lines.append(("Strategy", config_words(last)))
    lines += _variants("", variants, {}).lines
    return Section("Deployment", tuple(lines))


def _capture(found: Mapping[str, Any]) -> Section:
    capture = found.get("DataCaptureConfig")
    if not capture:
        return Section("Data capture", ())
    status = capture["CaptureStatus"]
    return Section(
        "Data capture",
        (
            ("Status", status, "ok" if status == "Started" else "dim"),
            ("Sampled", f"{capture['CurrentSamplingPercentage']} %"),
            *words.labelled(capture, "DestinationS3Uri", "KmsKeyId"),
        ),
    )


def _scaling(account: Account, endpoint: str, variants: Sequence[str]) -> Section:
    ids = [f"endpoint/{endpoint}/variant/{name}" for name in variants]
    if not ids:
        return Section("Auto scaling", ())
    targets = [
        each
        for page in account.pages(
            "application-autoscaling",
            "describe_scalable_targets",
            ServiceNamespace="sagemaker",
            ResourceIds=ids,
        )
        for each in page["ScalableTargets"]
    ]
    lines: list[Line] = []
    for target in targets:
        name = target["ResourceId"].rsplit("/", 1)[-1]
        paused = [key for key, on in target.get("SuspendedState", {}).items() if on]
        off = f", suspended: {', '.join(paused)}" if paused else ""
        lines.append((name, f"{target['MinCapacity']} to {target['MaxCapacity']} instances{off}"))
        lines += _policies(account, target["ResourceId"])
    return Section("Auto scaling", tuple(lines))


def _policies(account: Account, resource: str) -> list[Line]:
    found: list[Line] = []
    for page in account.pages(
        "application-autoscaling",
        "describe_scaling_policies",
        ServiceNamespace="sagemaker",
        ResourceId=resource,
    ):
        for policy in page["ScalingPolicies"]:
            tracking = policy.get("TargetTrackingScalingPolicyConfiguration")
            how = policy["PolicyType"]
            if tracking:
                metric = tracking.get("PredefinedMetricSpecification", {}).get(
                    "PredefinedMetricType"
                ) or tracking.get("CustomizedMetricSpecification", {}).get("MetricName", "")
                how = f"{metric} at {tracking['TargetValue']:g}"
            found.append(("", f"{policy['PolicyName']}: {how}"))
    return found


def _asked(known: History) -> tuple[Line, ...]:
    lines: list[Line] = [
        (words.clock(each.at), each.config + (f" by {each.by}" if each.by else ""))
        for each in known.asked[:MOST_HISTORY]
    ]
    if known.trouble:
        lines.append(("CloudTrail", known.trouble, "dim"))
    return tuple(lines)
