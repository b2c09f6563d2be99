"""Making an endpoint, bringing another config to it, going back, deleting it."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from core.aws import words
from core.aws.deployment import (
    PRESETS,
    ROLLING,
    check_alarms,
    check_configs,
    config_words,
    deployment_config,
)
from core.aws.kind import Field, Values, Verb
from core.aws.kinds.endpoints.history import Asked, previous_config, remember
from core.aws.kinds.endpoints.state import check_settled, describe, settled
from core.errors import BadInput, WrongState

if TYPE_CHECKING:
    from core.aws.account import Account

_OPTIONS = {
    "canary": ("weight", "bake"),
    "linear": ("step", "every"),
    "blue-green": ("", "bake"),
    "all-at-once": ("", ""),
    ROLLING: ("batch", "wait"),
}
"""What a strategy calls its share of the traffic and its wait."""
_AT_ONCE = {"preset": "all-at-once", "keep": 0}


def written_strategy(values: Values) -> Any:
    """What the fields say as a strategy is written; "" for none."""
    name = values.get("strategy", "").strip()
    if not name:
        return ""
    if name not in _OPTIONS:
        raise BadInput(f"strategy: {name}: SageMaker cannot do this", ", ".join(_OPTIONS))
    share, wait = _OPTIONS[name]
    written: dict[str, Any] = {"preset": name}
    for field, option in (("percent", share), ("wait", wait)):
        if value := values.get(field, "").strip():
            if not option:
                raise BadInput(f"{field}: goes with no strategy {name}")
            written[option] = f"{value.rstrip('% ')}%" if field == "percent" else value
    if name != ROLLING:
        written["keep"] = values.get("keep", "").strip() or "10m"
    return written


def _planned(account: Account, name: str, values: Values) -> tuple[Any, dict[str, Any]]:
    """The endpoint, and what UpdateEndpoint is sent; every rule is checked."""
    found = describe(account, name)
    check_settled(found)
    target = values.get("config", "").strip()
    if target == found.get("EndpointConfigName"):
        raise WrongState(f"endpoint {name} serves {target} already")
    after = account.call("sagemaker", "describe_endpoint_config", EndpointConfigName=target)
    asked: dict[str, Any] = {"EndpointName": name, "EndpointConfigName": target}
    alarms = [each for each in values.get("alarms", "").replace(",", " ").split() if each]
    written = written_strategy(values)
    if alarms and not written:
        raise BadInput("alarms: go with a strategy", "for example: strategy=canary")
    if written:
        config = deployment_config(written, alarms)
        before = account.call(
            "sagemaker", "describe_endpoint_config", EndpointConfigName=found["EndpointConfigName"]
        )
        check_configs(config, before, after)
        check_alarms(account, config)
        asked["DeploymentConfig"] = config
    if values.get("retain", "") == "yes":
        asked["RetainAllVariantProperties"] = True
    return found, asked


def send_update(account: Account, asked: Mapping[str, Any]) -> None:
    """UpdateEndpoint, kept in mind as what was asked last."""
    account.call("sagemaker", "update_endpoint", **asked)
    remember(account, asked["EndpointName"], Asked(time.time(), asked["EndpointConfigName"]))


def _update(account: Account, name: str, values: Values) -> str:
    _, asked = _planned(account, name, values)
    send_update(account, asked)
    return f"{name}: {asked['EndpointConfigName']} is on its way"


def _update_does(account: Account, name: str, values: Values) -> tuple[str, ...]:
    found, asked = _planned(account, name, values)
    lines = [f"{name}: {found['EndpointConfigName']} → {asked['EndpointConfigName']}"]
    config = asked.get("DeploymentConfig")
    lines.append(config_words(config) if config else "all at once; no alarm brings it back")
    if asked.get("RetainAllVariantProperties"):
        lines.append("weights, instances and data capture stay as they are now")
    else:
        lines.append("weights, instances and data capture become those of the new config")
    return tuple(lines)


def back_to(account: Account, name: str, wanted: str = "") -> tuple[Any, str, str]:
    """The endpoint, the config that a rollback goes to, and how that is known. Raises
    `WrongState` where it can't go back, `ResourceNotFound` for a wanted config that is gone."""
    found = describe(account, name)
    check_settled(found)
    serves = found.get("EndpointConfigName", "")
    if wanted:
        account.call("sagemaker", "describe_endpoint_config", EndpointConfigName=wanted)
        target, how = wanted, "as it was named"
    else:
        target, how = previous_config(account, name, serves)
    if not target:
        raise WrongState(f"endpoint {name}: nothing to go back to: {how}", "name one: config=NAME")
    if target == serves:
        raise WrongState(f"endpoint {name} serves {target} already")
    return found, target, how


def roll_back(account: Account, name: str, wanted: str = "") -> str:
    """Back at once, without alarms: the one that fired would bring the bad config back. Returns
    the config that it goes to."""
    _, target, _ = back_to(account, name, wanted)
    asked: dict[str, Any] = {"EndpointName": name, "EndpointConfigName": target}
    after = account.call("sagemaker", "describe_endpoint_config", EndpointConfigName=target)
    if not any("ServerlessConfig" in each for each in after["ProductionVariants"]):
        asked["DeploymentConfig"] = deployment_config(_AT_ONCE)
    send_update(account, asked)
    return target


def _roll_back(account: Account, name: str, values: Values) -> str:
    return f"{name}: back to {roll_back(account, name, values.get('config', '').strip())}"


def _roll_back_does(account: Account, name: str, values: Values) -> tuple[str, ...]:
    found, target, how = back_to(account, name, values.get("config", "").strip())
    return (
        f"{name}: {found['EndpointConfigName']} → {target}",
        how,
        "all at once, as soon as its instances are up; it serves what it serves until then",
    )


# making and deleting


def _create(account: Account, _id: str, values: Values) -> str:
    name, config = values["name"].strip(), values["config"].strip()
    account.call("sagemaker", "create_endpoint", EndpointName=name, EndpointConfigName=config)
    remember(account, name, Asked(time.time(), config))
    return f"endpoint {name} is being made of {config}"


def _delete(account: Account, name: str, _values: Values) -> str:
    account.call("sagemaker", "delete_endpoint", EndpointName=name)
    return f"endpoint {name} is being deleted"


def _delete_does(account: Account, name: str, _values: Values) -> tuple[str, ...]:
    found = describe(account, name)
    return (
        f"{name} ({found['EndpointStatus']}) is deleted at once: every request to it fails from"
        " then on",
        f"its config {found.get('EndpointConfigName', '')} and its models stay",
        f"it has been there since {words.clock(found['CreationTime'])}",
    )


UPDATE = Verb(
    "update", "s", "Update", "Bring another endpoint config to it, by a strategy.",
    ("sagemaker:UpdateEndpoint",),
    _update,
    _update_does,
    fields=(
        Field("config", "Endpoint config", required=True),
        Field("strategy", "Strategy", "canary", choices=("", *PRESETS)),
        Field("percent", "Share of the first step, of each step or batch (%)"),
        Field("wait", "Wait after it, such as 5m"),
        Field("keep", "Keep the old instances for", "10m"),
        Field("alarms", "Alarms that bring it back"),
        Field("retain", "Keep weights and instances", "no", choices=("no", "yes")),
    ),
    dangerous=True,
    typed=True,
    blocked=settled,
)  # fmt: skip
ROLLBACK = Verb(
    "rollback", "R", "Roll back", "Go back to the endpoint config that served before.",
    ("sagemaker:UpdateEndpoint",),
    _roll_back,
    _roll_back_does,
    fields=(Field("config", "To (empty: the one before)"),),
    back=True,
    blocked=settled,
)  # fmt: skip
DELETE = Verb(
    "delete", "x", "Delete", "Delete the endpoint; its config stays.",
    ("sagemaker:DeleteEndpoint",),
    _delete,
    _delete_does,
    dangerous=True,
    typed=True,
)  # fmt: skip
CREATE = Verb(
    "create", "n", "New endpoint", "Make an endpoint of an endpoint config.",
    ("sagemaker:CreateEndpoint",),
    _create,
    lambda _account, _id, values: (
        f"an endpoint {values.get('name', '')} is made of {values.get('config', '')}; its"
        " instances cost by the second until it is deleted",
    ),
    fields=(
        Field("name", "Name", required=True),
        Field("config", "Endpoint config", required=True),
    ),
    dangerous=True,
)  # fmt: skip
