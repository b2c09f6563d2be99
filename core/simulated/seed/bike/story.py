"""What the parts of the story share: the account, its names, and going through time."""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from core.simulated import models
from core.simulated.state import State
from core.simulated.world import World

ACCOUNT, REGION = "123456789012", "eu-west-1"
HOUR, DAY = 3_600.0, 86_400.0
ARTIFACTS = f"bike-demand-artifacts-{ACCOUNT}"
DATA = f"bike-demand-data-{ACCOUNT}"
INBOX = f"bike-demand-inbox-{ACCOUNT}"
GROUP = "bike-demand"
IMAGE = f"{ACCOUNT}.dkr.ecr.{REGION}.amazonaws.com/bike-demand:1.4.0"
TAGS = [{"Key": "project", "Value": "bike-demand"}, {"Key": "environment", "Value": "production"}]


class Story:
    """The account that is filled, and the moment at which that begins."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.state: State = world.state(ACCOUNT, REGION)
        self.start = world.clock.now()
        self._later: list[tuple[float, int, Callable[[], Any]]] = []
        text = (Path(__file__).parent / "measured.json").read_text(encoding="utf-8")
        self.measured: dict[str, Any] = json.loads(text)
        self.keys: dict[str, str] = {}

    def call(self, service: str, operation: str, **params: Any) -> dict[str, Any]:
        """An operation as a client sends it: with a token of its own where one belongs."""
        for token in models.model(service).operation_model(operation).idempotent_members:
            params.setdefault(token, str(uuid.uuid4()))
        return self.state.call(service, operation, **params)

    @contextmanager
    def ago(self, seconds: float) -> Iterator[None]:
        """Within, it is `seconds` before the start; what was due by then has happened."""
        with self.world.lock, self.world.clock.at(self.start - seconds):
            self.world.timers.run_due()
            yield

    def plan(self, seconds: float, do: Callable[[], Any]) -> None:
        """Do this `seconds` before the start; `play` does all of them in the order of time."""
        self._later.append((-seconds, len(self._later), do))

    def play(self) -> None:
        while self._later:
            self._later.sort()
            at, _, do = self._later.pop(0)
            with self.ago(-at):
                do()
        with self.ago(0.0):
            pass

    def role(self, name: str) -> str:
        """The ARN of a role of the story."""
        return f"arn:aws:iam::{ACCOUNT}:role/{name}"

    def put(self, bucket: str, key: str, body: str | bytes) -> str:
        """Put an object; its address."""
        data = body.encode() if isinstance(body, str) else body
        self.call("s3", "PutObject", Bucket=bucket, Key=key, Body=data)
        return f"s3://{bucket}/{key}"


def json_text(value: Any) -> str:
    return json.dumps(value, indent=1)
