"""What the simulated account keeps for an account and region, and what a handler is given."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from core.simulated.clock import Clock
    from core.simulated.world import World

PARTITION = "aws"


class State:
    """The state of one account in one region: named tables of records.

    `table("sagemaker.endpoints")` is a plain dict that handlers own. Handlers run under one
    lock, so they need none of their own.
    """

    def __init__(self, world: World, account_id: str, region: str, access_key: str) -> None:
        self.world = world
        self.account_id = account_id
        self.region = region
        self.access_key = access_key
        self._tables: dict[str, dict[str, Any]] = {}

    @property
    def clock(self) -> Clock:
        return self.world.clock

    @property
    def now(self) -> float:
        """Epoch seconds; while a timer fires, when it was due."""
        return self.world.clock.now()

    def table(self, name: str) -> dict[str, Any]:
        """The table of this name, made empty at first use."""
        return self._tables.setdefault(name, {})

    def arn(self, service: str, resource: str) -> str:
        """`arn:aws:SERVICE:REGION:ACCOUNT:RESOURCE`."""
        return f"arn:{PARTITION}:{service}:{self.region}:{self.account_id}:{resource}"

    def after(self, seconds: float, do: Callable[..., Any], *args: Any) -> int:
        """Call `do(*args)` in nominal seconds of the clock; a number for `cancel`."""
        return self.world.timers.after(seconds, do, *args)

    def cancel(self, number: int) -> None:
        self.world.timers.cancel(number)

    def call(self, service: str, operation: str, **params: Any) -> dict[str, Any]:
        """Another operation in this account and region, by its handler or else by moto."""
        return self.world.call(self, service, operation, params)

    def moto(self, service: str, operation: str, **params: Any) -> dict[str, Any]:
        """Another operation in this account and region, as moto answers it."""
        return self.world.moto(self, service, operation, params)

    def unique(self) -> str:
        """A random id of 12 characters, for names AWS makes up."""
        return uuid.uuid4().hex[:12]


@dataclass(frozen=True, slots=True)
class Call:
    """One request, parsed and validated: times are aware datetimes, blobs bytes."""

    service: str
    operation: str
    params: Mapping[str, Any]
    state: State
    caller: str = ""
    request_id: str = field(default_factory=lambda: str(uuid.uuid4()))

    def moto(self) -> dict[str, Any]:
        """This very call, as moto answers it."""
        return self.state.moto(self.service, self.operation, **self.params)


@dataclass(frozen=True, slots=True)
class Recorded:
    """A request that arrived: what was asked, and the status it was answered with."""

    service: str
    operation: str
    params: Mapping[str, Any]
    status: int
    by: str
    account_id: str
    region: str
    at: float

    @property
    def action(self) -> str:
        return f"{self.service}:{self.operation}"


_SECRET = ("secret", "password", "token", "credential", "plaintext")


def without_secrets(value: Any, key: str = "") -> Any:
    """A copy fit to be kept: secrets and bodies replaced, long text cut."""
    if any(word in key.lower() for word in _SECRET) and isinstance(value, (str, bytes)):
        return "…"
    if isinstance(value, Mapping):
        return {name: without_secrets(inner, str(name)) for name, inner in value.items()}
    if isinstance(value, (list, tuple)):
        return [without_secrets(inner, key) for inner in value]
    if isinstance(value, (bytes, bytearray)):
        return f"({len(value)} bytes)"
    if isinstance(value, str) and len(value) > 4000:
        return value[:4000] + "…"
    return value
