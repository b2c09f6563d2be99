"""Moving an endpoint's traffic between its variants, and changing its instances."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from core.aws.kind import Field, Values, Verb
from core.aws.kinds.endpoints.state import check_settled, describe, settled
from core.errors import BadInput

if TYPE_CHECKING:
    from core.aws.account import Account


def weights_of(text: str, found: Mapping[str, Any]) -> dict[str, float]:
    """`blue=9 green=1` (or `blue=90%,green=10%`) as weights; raises `BadInput`."""
    known = [each["VariantName"] for each in found.get("ProductionVariants", ())]
    weights: dict[str, float] = {}
    for part in text.replace(",", " ").split():
        name, _, value = part.partition("=")
        if name not in known:
            raise BadInput(f"weights: no variant {name}", f"there are {', '.join(known)}")
        try:
            weight = float(value.removesuffix("%"))
        except ValueError as error:
            raise BadInput(f"weights: {part}: no number", "for example: blue=9 green=1") from error
        if not 0 <= weight < float("inf"):
            raise BadInput(f"weights: {part}: a weight is 0 or more")
        weights[name] = weight
    if not weights:
        raise BadInput("weights: none is given", "for example: blue=9 green=1")
    whole = {each["VariantName"]: each.get("CurrentWeight", 0.0)
             for each in found["ProductionVariants"]} | weights  # fmt: skip
    if not any(whole.values()):
        raise BadInput("weights: all are 0, so nothing would be answered", "leave one above 0")
    return weights


def set_weights(account: Account, name: str, weights: Mapping[str, float]) -> None:
    """UpdateEndpointWeightsAndCapacities by weights alone; raises `WrongState`."""
    check_settled(describe(account, name))
    account.call(
        "sagemaker",
        "update_endpoint_weights_and_capacities",
        EndpointName=name,
        DesiredWeightsAndCapacities=[
            {"VariantName": variant, "DesiredWeight": weight} for variant, weight in weights.items()
        ],
    )


def _weigh(account: Account, name: str, values: Values) -> str:
    weights = weights_of(values.get("weights", ""), describe(account, name))
    set_weights(account, name, weights)
    return f"{name}: weights {', '.join(f'{key} {value:g}' for key, value in weights.items())}"


def _weigh_does(account: Account, name: str, values: Values) -> tuple[str, ...]:
    found = describe(account, name)
    weights = weights_of(values.get("weights", ""), found)
    now = {each["VariantName"]: each.get("CurrentWeight", 0.0)
           for each in found["ProductionVariants"]}  # fmt: skip
    then = now | weights
    before, after = sum(now.values()), sum(then.values())
    return tuple(
        f"{variant}: {now[variant] / before if before else 0:.0%} →"
        f" {then[variant] / after:.0%} of the requests"
        for variant in now
    )


def _whole(values: Values, key: str) -> int | None:
    text = values.get(key, "").strip()
    if not text:
        return None
    if not text.isdigit():
        raise BadInput(f"{key}: {text}: a whole number, 0 or more")
    return int(text)


def _bounds(values: Values) -> tuple[int, int] | None:
    low, high = _whole(values, "min"), _whole(values, "max")
    if (low is None) != (high is None):
        raise BadInput("min and max: give both, or none of them")
    if low is None or high is None:
        return None
    if low > high:
        raise BadInput(f"min: {low} is above max {high}")
    return low, high


def _variant(found: Mapping[str, Any], values: Values) -> str:
    names = [each["VariantName"] for each in found.get("ProductionVariants", ())]
    wanted = values.get("variant", "").strip() or (names[0] if len(names) == 1 else "")
    if wanted not in names:
        raise BadInput(f"variant: no {wanted or 'name is given'}", f"one of {', '.join(names)}")
    return wanted


def _scale(account: Account, name: str, values: Values) -> str:
    found = describe(account, name)
    variant, count, bounds = _variant(found, values), _whole(values, "instances"), _bounds(values)
    if count is None and bounds is None:
        raise BadInput("instances: give how many, or min and max for auto scaling")
    told = []
    if bounds is not None:
        account.call(
            "application-autoscaling",
            "register_scalable_target",
            ServiceNamespace="sagemaker",
            ResourceId=f"endpoint/{name}/variant/{variant}",
            ScalableDimension="sagemaker:variant:DesiredInstanceCount",
            MinCapacity=bounds[0],
            MaxCapacity=bounds[1],
        )
        told.append(f"scales from {bounds[0]} to {bounds[1]} instances")
    if count is not None:
        check_settled(found)
        account.call(
            "sagemaker",
            "update_endpoint_weights_and_capacities",
            EndpointName=name,
            DesiredWeightsAndCapacities=[{"VariantName": variant, "DesiredInstanceCount": count}],
        )
        told.append(f"gets {count} instances")
    return f"{name}: {variant} {' and '.join(told)}"


def _scale_does(account: Account, name: str, values: Values) -> tuple[str, ...]:
    found = describe(account, name)
    variant, count, bounds = _variant(found, values), _whole(values, "instances"), _bounds(values)
    now = next(each for each in found["ProductionVariants"] if each["VariantName"] == variant)
    lines = []
    if count is not None:
        lines.append(f"{variant}: {now.get('CurrentInstanceCount', 0)} → {count} instances")
    if bounds is not None:
        lines.append(f"{variant}: auto scaling from {bounds[0]} to {bounds[1]} instances")
    return tuple(lines)


WEIGHTS = Verb(
    "weights", "w", "Weights", "Move the traffic between the variants.",
    ("sagemaker:UpdateEndpointWeightsAndCapacities",),
    _weigh,
    _weigh_does,
    fields=(Field("weights", "Weights, such as blue=9 green=1", required=True),),
    dangerous=True,
    blocked=settled,
)  # fmt: skip
SCALE = Verb(
    "scale", "", "Instances", "Change a variant's instances, or the bounds of its auto scaling.",
    (
        "sagemaker:UpdateEndpointWeightsAndCapacities",
        "application-autoscaling:RegisterScalableTarget",
    ),
    _scale,
    _scale_does,
    fields=(
        Field("variant", "Variant (where there is more than one)"),
        Field("instances", "Instances now"),
        Field("min", "Auto scaling, least"),
        Field("max", "Auto scaling, most"),
    ),
    blocked=settled,
)  # fmt: skip
