"""Endpoints as the workspace and an AWS account both have them: seen, weighed, taken back.

`ServedEndpoints` is what `WorkspaceEndpoints` and `AwsEndpoints` both are; one conformance suite
holds both to it. What only one of them has (strategies step by step here, guardrails there)
stays with its own service.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from core.aws.errors import ResourceNotFound
from core.errors import BadInput, NotFound, ReadOnly, WrongState

if TYPE_CHECKING:
    from core.aws.account import Account
    from core.domain.release import Endpoint
    from core.services.endpoints import EndpointsService


@dataclass(frozen=True, slots=True)
class ServedVariant:
    """One of those that answer: what it is, and its share of the requests in percent (None
    where nobody says)."""

    name: str
    what: str
    percent: float | None


@dataclass(frozen=True, slots=True)
class ServedEndpoint:
    """A served address. `settled`: nothing is on its way to it. `serves` is what a rollback
    would take away: a model version here, an endpoint config there; `arriving` is what is on
    its way. `status` is in its backend's own words."""

    name: str
    status: str
    settled: bool
    serves: str
    arriving: str = ""
    variants: tuple[ServedVariant, ...] = ()


class ServedEndpoints(Protocol):
    """Endpoints of one backend. Thread-safe. All raise `NotFound` for one that is not there."""

    def list(self) -> tuple[ServedEndpoint, ...]:
        """Every endpoint, by name."""
        ...

    def get(self, name: str) -> ServedEndpoint:
        """One endpoint as it is now."""
        ...

    def weight(self, name: str, variant: str, percent: float, reason: str = "") -> ServedEndpoint:
        """Give a variant this share of the requests; the others share what is left as they did.

        It may take a while to be so. Raises `BadInput` for an unknown variant or a share that
        is none, `WrongState` where there is nobody to share with or it is changing, `ReadOnly`.
        """
        ...

    def rollback(self, name: str, reason: str = "") -> ServedEndpoint:
        """Go back to what served before; it may take a while to be so. Raises `WrongState`
        where there is nothing to go back to or it can't be left now, `ReadOnly`."""
        ...


class WorkspaceEndpoints:
    """The workspace's own endpoints; variants are named by their revision, such as r3."""

    def __init__(self, service: EndpointsService) -> None:
        self._service = service

    def list(self) -> tuple[ServedEndpoint, ...]:
        """Every endpoint, by name."""
        return tuple(sorted(map(_of_workspace, self._service.list()), key=lambda each: each.name))

    def get(self, name: str) -> ServedEndpoint:
        """One endpoint as it is now."""
        return _of_workspace(self._service.get(name))

    def weight(self, name: str, variant: str, percent: float, reason: str = "") -> ServedEndpoint:
        """The share of the version that is being deployed; of the stable one, what is left."""
        found = self._service.get(name)
        _check(found.name, variant, percent, [each.name for each in _variants(found)])
        arriving = found.deployment
        comes = arriving is not None and variant == f"r{arriving.revision}"
        self._service.weight(name, percent if comes else 100.0 - percent, reason)
        return self.get(name)

    def rollback(self, name: str, reason: str = "") -> ServedEndpoint:
        """At once."""
        self._service.rollback(name, reason=reason)
        return self.get(name)


def _variants(found: Endpoint) -> tuple[ServedVariant, ...]:
    comes = found.deployment.revision if found.deployment and not _ended(found) else None
    return tuple(
        ServedVariant(
            f"r{each.revision}",
            f"{each.model} v{each.version}",
            each.weight if each.actual_weight is None else each.actual_weight,
        )
        for each in sorted(found.revisions, key=lambda each: each.revision)
        if each.state == "stable" or each.weight or each.revision == comes
    )


def _ended(found: Endpoint) -> bool:
    return found.deployment is None or found.deployment.status.ended


def _of_workspace(found: Endpoint) -> ServedEndpoint:
    stable = next((each for each in found.revisions if each.state == "stable"), None)
    comes = None if _ended(found) else found.deployment
    return ServedEndpoint(
        found.name,
        found.status,
        comes is None,
        f"{stable.model} v{stable.version}" if stable else "",
        f"{comes.model} v{comes.version}" if comes else "",
        _variants(found),
    )


class AwsEndpoints:
    """The endpoints of an AWS account and region."""

    def __init__(self, account: Account) -> None:
        self._account = account

    def list(self) -> tuple[ServedEndpoint, ...]:
        """Every endpoint, by name; each is described, eight at once."""
        from functools import partial

        from core.aws.partial import side_by_side

        names = [
            each["EndpointName"]
            for page in self._account.pages("sagemaker", "list_endpoints")
            for each in page["Endpoints"]
        ]
        return tuple(side_by_side([partial(self.get, name) for name in sorted(names)]))

    def get(self, name: str) -> ServedEndpoint:
        """One endpoint as it is now."""
        return _of_aws(self._described(name))

    def weight(self, name: str, variant: str, percent: float, reason: str = "") -> ServedEndpoint:
        """By UpdateEndpointWeightsAndCapacities; AWS keeps no reason."""
        from core.aws.kinds.endpoints.traffic import set_weights

        found = self._described(name)
        now = {each["VariantName"]: float(each.get("CurrentWeight", 0.0))
               for each in found.get("ProductionVariants", ())}  # fmt: skip
        _check(name, variant, percent, [*now])
        self._refuse_when_read_only(name)
        if len(now) < 2:
            raise WrongState(f"endpoint {name}: {variant} has nobody to share the traffic with")
        set_weights(self._account, name, shared(now, variant, percent))
        return self.get(name)

    def rollback(self, name: str, reason: str = "") -> ServedEndpoint:
        """To the endpoint config that served before, all at once; AWS keeps no reason."""
        from core.aws.kinds.endpoints.verbs import roll_back

        self._described(name)
        self._refuse_when_read_only(name)
        roll_back(self._account, name)
        return self.get(name)

    def _described(self, name: str) -> Any:
        try:
            return self._account.call("sagemaker", "describe_endpoint", EndpointName=name)
        except ResourceNotFound as error:
            raise NotFound(f"no endpoint {name}", "opsdeck aws list endpoints") from error

    def _refuse_when_read_only(self, name: str) -> None:
        if self._account.read_only:
            raise ReadOnly(f"endpoint {name}: {self._account.name} is read-only; nothing was sent")


def shared(now: Mapping[str, float], variant: str, percent: float) -> dict[str, float]:
    """Weights that give a variant this percentage, the others sharing the rest as they did;
    equally, where they had none."""
    others = {name: weight for name, weight in now.items() if name != variant}
    whole = sum(others.values())
    rest = 100.0 - percent
    parts = {
        name: rest * (weight / whole if whole else 1 / len(others))
        for name, weight in others.items()
    }
    return {variant: percent, **parts}


def _check(name: str, variant: str, percent: float, known: list[str]) -> None:
    if variant not in known:
        raise BadInput(f"endpoint {name}: no variant {variant}", f"there are {', '.join(known)}")
    if not 0 <= percent <= 100:  # also refuses what is no number
        raise BadInput(f"weight {percent:g} is not between 0 and 100")


def _of_aws(found: Mapping[str, Any]) -> ServedEndpoint:
    variants = found.get("ProductionVariants", ())
    whole = sum(each.get("CurrentWeight", 0.0) for each in variants)
    pending = found.get("PendingDeploymentSummary") or {}
    status = found["EndpointStatus"]
    return ServedEndpoint(
        found["EndpointName"],
        status,
        status in ("InService", "Failed", "OutOfService"),
        found.get("EndpointConfigName", ""),
        pending.get("EndpointConfigName", ""),
        tuple(_variant_of_aws(each, whole) for each in variants),
    )


def _variant_of_aws(variant: Mapping[str, Any], whole: float) -> ServedVariant:
    image = (variant.get("DeployedImages") or [{}])[0].get("SpecifiedImage", "")
    weight = variant.get("CurrentWeight")
    percent = 100.0 * weight / whole if whole and weight is not None else None
    return ServedVariant(variant["VariantName"], image, percent)
