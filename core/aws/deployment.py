"""Our strategies as the DeploymentConfig of UpdateEndpoint; AWS's rules, before the call.

Blue/green in all its forms is what `core.releases.sagemaker` makes of a release plan. Rolling is
AWS's own: `{preset: rolling, batch: 25, wait: 5m, rollback: 100, timeout: 2h}`. Rules:
https://docs.aws.amazon.com/sagemaker/latest/APIReference/API_RollingUpdatePolicy.html and
https://docs.aws.amazon.com/sagemaker/latest/dg/deployment-guardrails-exclusions.html. An
asynchronous endpoint may have guardrails, a serverless one may not.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from core.domain.release import ReleasePlan, lasting
from core.errors import BadInput, WrongState
from core.releases import sagemaker as _rules
from core.releases import values
from core.releases.strategy import Written, parse_plan
from core.releases.values import Problems

if TYPE_CHECKING:
    from core.aws.account import Account

ROLLING = "rolling"
PRESETS = ("all-at-once", "canary", "linear", "blue-green", ROLLING)
"""Strategies that SageMaker can follow by itself."""
LEAST_BATCH, MOST_BATCH = 5.0, 50.0
_ROLLING_KEYS = ("preset", "batch", "wait", "rollback", "timeout")


def deployment_config(
    strategy: Written | ReleasePlan, alarms: Sequence[str] = ()
) -> dict[str, Any]:
    """A strategy as it is written (or a plan) with CloudWatch's alarms that bring it back.

    `alarms` are names in CloudWatch, beside those of the strategy's `rollback_alarms`; without
    any, nothing rolls back by itself but a failure. Rules of ours (`alarms:` with a metric) are
    not CloudWatch's and are left out. Raises `BadInput` naming the key at fault.
    """
    if _is_rolling(strategy):
        written = {"preset": strategy} if isinstance(strategy, str) else strategy
        assert isinstance(written, Mapping)
        config, names = {"RollingUpdatePolicy": _rolling(written)}, list(alarms)
    else:
        plan = strategy if isinstance(strategy, ReleasePlan) else parse_plan(strategy)
        config = {"BlueGreenUpdatePolicy": _rules.blue_green_policy(plan)}
        names = [*alarms, *plan.rollback_alarms]
    names = list(dict.fromkeys(names))
    if len(names) > _rules.MOST_ALARMS:
        raise BadInput(f"alarms: SageMaker takes at most {_rules.MOST_ALARMS}, not {len(names)}")
    if names:
        config["AutoRollbackConfiguration"] = {"Alarms": [{"AlarmName": name} for name in names]}
    return config


def config_words(config: Mapping[str, Any]) -> str:
    """A DeploymentConfig on one line, in our words: `canary 10 %, wait 5m, keep 10m`."""
    alarms = [each["AlarmName"] for each in _alarms(config)]
    back = f"; alarms {', '.join(alarms)}" if alarms else "; no alarm brings it back"
    if "RollingUpdatePolicy" in config:
        policy = config["RollingUpdatePolicy"]
        batch = _capacity(policy["MaximumBatchSize"])
        return f"rolling by {batch}, wait {lasting(policy['WaitIntervalInSeconds'])}{back}"
    policy = config.get("BlueGreenUpdatePolicy")
    if not policy:
        return f"all at once (AWS's default){back}"
    routing = policy["TrafficRoutingConfiguration"]
    kind = {"ALL_AT_ONCE": "all at once", "CANARY": "canary", "LINEAR": "linear"}[routing["Type"]]
    size = routing.get("CanarySize") or routing.get("LinearStepSize")
    words = f"{kind} {_capacity(size)}" if size else kind
    keep = policy.get("TerminationWaitInSeconds", 0)
    return f"{words}, wait {lasting(routing['WaitIntervalInSeconds'])}, keep {lasting(keep)}{back}"


def check_configs(
    config: Mapping[str, Any], before: Mapping[str, Any], after: Mapping[str, Any]
) -> None:
    """Whether guardrails can bring one endpoint config in the place of another; both are what
    DescribeEndpointConfig answered. Raises `WrongState` with the first rule that is broken."""
    for each in (before, after):
        name = each["EndpointConfigName"]
        variants = each.get("ProductionVariants", [])
        for variant in variants:
            place = f"{name}: variant {variant['VariantName']}"
            if "ServerlessConfig" in variant:
                raise WrongState(
                    f"{place} is serverless: SageMaker has no guardrails for it",
                    "update without a strategy: it changes all at once",
                )
            if str(variant.get("InstanceType", "")).startswith("ml.inf1."):
                raise WrongState(
                    f"{place} is on {variant['InstanceType']}: SageMaker has no guardrails for it",
                    "update without a strategy: it changes all at once",
                )
        if each.get("ShadowProductionVariants"):
            raise WrongState(
                f"{name}: has a shadow variant, which goes with no strategy",
                "end the shadow test first, or update without a strategy",
            )
        if "RollingUpdatePolicy" in config and len(variants) > 1:
            raise WrongState(
                f"{name}: has {len(variants)} variants: SageMaker rolls one only",
                "take canary, linear or blue-green",
            )
    old, new = (
        sorted(variant["VariantName"] for variant in each.get("ProductionVariants", ()))
        for each in (before, after)
    )
    if old != new:
        raise WrongState(
            f"{after['EndpointConfigName']}: variants {', '.join(new)} are not those that serve"
            f" now ({', '.join(old)}): guardrails need the same names",
            "name them alike, or update without a strategy",
        )


def check_alarms(account: Account, config: Mapping[str, Any]) -> None:
    """Whether every alarm of a DeploymentConfig is there and is not already in ALARM.

    Raises `BadInput` for one that CloudWatch does not have, `WrongState` for one that is in ALARM:
    the update would be rolled back as soon as it had begun.
    """
    names = [each["AlarmName"] for each in _alarms(config)]
    if not names:
        return
    states: dict[str, str] = {}
    for page in account.pages(
        "cloudwatch",
        "describe_alarms",
        AlarmNames=names,
        AlarmTypes=["MetricAlarm", "CompositeAlarm"],
    ):
        for alarm in (*page.get("MetricAlarms", ()), *page.get("CompositeAlarms", ())):
            states[alarm["AlarmName"]] = alarm["StateValue"]
    if missing := [name for name in names if name not in states]:
        raise BadInput(
            f"alarms: {', '.join(missing)}: CloudWatch has no such alarm in {account.region}",
            "opsdeck aws list alarms shows them",
        )
    if tripped := [name for name in names if states[name] == "ALARM"]:
        raise WrongState(
            f"alarms: {', '.join(tripped)} is in ALARM now: SageMaker would roll back at once",
            "look at it first, or leave it out",
        )


def _alarms(config: Mapping[str, Any]) -> Sequence[Mapping[str, str]]:
    found: Sequence[Mapping[str, str]] = config.get("AutoRollbackConfiguration", {}).get(
        "Alarms", ()
    )
    return found


def _is_rolling(strategy: Written | ReleasePlan) -> bool:
    if isinstance(strategy, Mapping):
        return strategy.get("preset") == ROLLING
    return strategy == ROLLING


def _rolling(written: Mapping[str, Any]) -> dict[str, Any]:
    problems = Problems()
    values.known_keys(problems, "strategy", written, _ROLLING_KEYS)
    batch = _whole_percent(problems, "strategy.batch", written.get("batch", 25.0))
    if batch is not None and not LEAST_BATCH <= batch <= MOST_BATCH:
        problems.add(
            "strategy.batch", f"SageMaker takes {LEAST_BATCH:g} to {MOST_BATCH:g} %, not {batch} %"
        )
    back = _whole_percent(problems, "strategy.rollback", written.get("rollback", 100.0))
    if back is not None and back < LEAST_BATCH:
        problems.add("strategy.rollback", f"SageMaker takes {LEAST_BATCH:g} to 100 %, not {back} %")
    wait = values.seconds(problems, "strategy.wait", written.get("wait", 300.0))
    if wait is not None and wait > _rules.MOST_WAIT:
        problems.add("strategy.wait", f"SageMaker waits at most {_rules.MOST_WAIT:g} s")
    limit = written.get("timeout")
    timeout = None if limit is None else values.seconds(problems, "strategy.timeout", limit)
    least, most = _rules.LEAST_EXECUTION, _rules.MOST_EXECUTION
    if timeout is not None and not least <= timeout <= most:
        problems.add("strategy.timeout", f"SageMaker takes {least:g} to {most:g} s")
    if problems.found:
        raise BadInput("; ".join(problem.words() for problem in problems.found))
    assert batch is not None and back is not None and wait is not None
    needed = -(-100 // batch) * wait + _rules.PROVISIONING
    if needed > (timeout or most):
        raise BadInput(
            f"strategy.wait: {-(-100 // batch):g} batches with {lasting(wait)} after each take"
            f" {needed:g} s with the start of instances: more than {timeout or most:g} s",
            "take larger batches, or wait less",
        )
    return {
        "MaximumBatchSize": {"Type": "CAPACITY_PERCENT", "Value": batch},
        "WaitIntervalInSeconds": round(wait),
        "RollbackMaximumBatchSize": {"Type": "CAPACITY_PERCENT", "Value": back},
        "MaximumExecutionTimeoutInSeconds": round(timeout or min(most, max(least, needed * 2))),
    }


def _whole_percent(problems: Problems, where: str, value: Any) -> int | None:
    found = values.percent(problems, where, value)
    if found is not None and found != round(found):
        problems.add(where, f"SageMaker takes whole percentages, not {found:g} %")
        return None
    return None if found is None else round(found)


def _capacity(size: Mapping[str, Any]) -> str:
    if size["Type"] == "CAPACITY_PERCENT":
        return f"{size['Value']} %"
    return f"{size['Value']} instance" + ("s" if size["Value"] != 1 else "")
