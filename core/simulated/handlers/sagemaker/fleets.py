"""The fleets behind an endpoint: variants with weights, instances and states.

`share` is the part of the endpoint's traffic that goes to a fleet, from 0 to 1. The shares of
the fleets of an endpoint always add up to 1; a variant's current weight is its own part of it.
"""

from __future__ import annotations

from typing import Any

from core.simulated.listing import Record
from core.simulated.state import State


def fleet(config: Record, previous: Record | None = None, keep_sizes: bool = False) -> Record:
    """A fleet of a configuration; sizes and weights of `previous` where they are kept."""
    held = {each["VariantName"]: each for each in (previous or {}).get("variants", [])}
    variants = []
    for each in config["ProductionVariants"]:
        old = held.get(each["VariantName"]) if keep_sizes else None
        variants.append(_variant(each, old))
    shadows = [_variant(each, None) for each in config.get("ShadowProductionVariants") or []]
    return {
        "config": config["EndpointConfigName"],
        "variants": variants,
        "shadows": shadows,
        "share": 1.0,
    }


def _variant(asked: Record, old: Record | None) -> Record:
    serverless = asked.get("ServerlessConfig")
    weight = float(asked.get("InitialVariantWeight", 1.0))
    count = int(asked.get("InitialInstanceCount") or 1)
    if old is not None:
        weight = old["DesiredWeight"]
        count = old.get("DesiredInstanceCount", count)
    record: Record = {
        "VariantName": asked["VariantName"],
        "DesiredWeight": weight,
        "_model": asked.get("ModelName"),
        "InstanceType": asked.get("InstanceType"),
    }
    if serverless:
        record["CurrentServerlessConfig"] = record["DesiredServerlessConfig"] = dict(serverless)
    else:
        record["CurrentInstanceCount"] = record["DesiredInstanceCount"] = count
    for name in ("ManagedInstanceScaling", "RoutingConfig"):
        if asked.get(name):
            record[name] = asked[name]
    return record


def shown(state: State, one: Record, status: str = "", message: str = "") -> list[Record]:
    """A fleet's variants as DescribeEndpoint shows them, with the weight each now has."""
    return [_shown(each, one["share"], one.get("status"), one) for each in one["variants"]]


def _shown(each: Record, part: float, status: str | None, one: Record) -> Record:
    record: Record = {
        **{name: value for name, value in each.items() if value is not None},
        "CurrentWeight": round(each["DesiredWeight"] * part, 6),
    }
    if status:
        record["VariantStatus"] = [
            {"Status": status, "StatusMessage": one["message"], "StartTime": one["since"]}
        ]
    if each.get("_model"):
        image = f"simulated/{each['_model']}"
        record["DeployedImages"] = [{"SpecifiedImage": image, "ResolvedImage": image}]
    return record


def mark(state: State, one: Record | None, status: str, message: str = "") -> None:
    """Set the status of all variants of a fleet; "" for none."""
    if one is not None:
        one.update(status=status, message=message or status, since=state.now)


def choose(fleets: list[Record], at: float, variant: str | None = None) -> Record | None:
    """The variant that a request drawn at `at` (0 to 1) goes to, by share and weight."""
    pool: list[tuple[float, Record]] = []
    for one in fleets:
        total = sum(each["DesiredWeight"] for each in one["variants"]) or 1.0
        for each in one["variants"]:
            pool.append((one["share"] * each["DesiredWeight"] / total, each))
    if variant is not None:
        pool = [(part, each) for part, each in pool if each["VariantName"] == variant]
    total = sum(part for part, _ in pool)
    if total <= 0:
        return pool[0][1] if pool else None
    passed = 0.0
    for part, each in pool:
        passed += part / total
        if at < passed:
            return each
    return pool[-1][1]


def instances(one: Record) -> int:
    """How many instances a fleet wants."""
    return sum(int(each.get("DesiredInstanceCount", 1)) for each in one["variants"])


def amount(size: Any, whole: int) -> float:
    """A capacity size (INSTANCE_COUNT or CAPACITY_PERCENT) as a part of the whole."""
    if size["Type"] == "CAPACITY_PERCENT":
        return min(1.0, float(size["Value"]) / 100)
    return min(1.0, float(size["Value"]) / max(1, whole))
