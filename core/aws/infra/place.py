"""Where a project's stacks are: their names, their tags, whether they are protected."""

from __future__ import annotations

import re
from dataclasses import dataclass

from core.aws.infra.errors import InfraInvalid

PROJECT = re.compile(r"[a-z][a-z0-9-]{1,19}")
ENVIRONMENT = re.compile(r"[a-z][a-z0-9-]{1,15}")
PRODUCTION = "production"
_HINTS = {
    "project": "name another with --project",
    "environment": "it is the context's: opsdeck contexts list",
}


@dataclass(frozen=True, slots=True)
class Place:
    """A project's environment in an account and region. Raises `InfraInvalid` for its names."""

    project: str
    environment: str
    account_id: str
    region: str

    def __post_init__(self) -> None:
        for what, pattern, text in (
            ("project", PROJECT, self.project),
            ("environment", ENVIRONMENT, self.environment),
        ):
            if not pattern.fullmatch(text):
                raise InfraInvalid(
                    f"{what} {text!r}: not small letters, digits and hyphens"
                    f" (at most {20 if what == 'project' else 16}, a letter first)",
                    _HINTS[what],
                )

    @property
    def prefix(self) -> str:
        """What the names of all its stacks begin with, without the last hyphen."""
        return f"{self.project}-{self.environment}"

    def stack(self, layer: str) -> str:
        """A layer's stack: `<project>-<environment>-<layer>`."""
        return f"{self.prefix}-{layer}"

    @property
    def protected(self) -> bool:
        """Whether its stacks are protected against deletion: those of production are."""
        return self.environment == PRODUCTION

    def tags(self, owner: str) -> dict[str, str]:
        """What every stack, and with it every resource, is labelled with."""
        kept = re.sub(r"[^\w\s.:/=+@-]", "-", owner)[:256] or "unknown"
        return {"owner": kept, "project": self.project, "environment": self.environment}

    def __str__(self) -> str:
        return f"account {self.account_id}, region {self.region}, environment {self.environment}"
