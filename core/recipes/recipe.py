"""A recipe as its file says it, before any data has been seen."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

STAGES = ("both", "fit", "apply")


@dataclass(frozen=True, slots=True)
class Step:
    """One use of a transformation.

    `columns` and `leave_out` are selectors: a name, `/a regular expression/`, `type:number`,
    `tag:pii`, `all`. `pattern` names the results (`as` in the file), `when` is an SQL condition
    on rows, `stage` says whether it happens to the training part only (`fit`), to later data
    only (`apply`) or to `both`. `optional`: passed over where no column fits.
    """

    name: str
    use: str
    columns: tuple[str, ...] = ()
    leave_out: tuple[str, ...] = ()
    params: Mapping[str, Any] = field(default_factory=dict)
    pattern: str = ""
    keep: bool = False
    when: str = ""
    stage: str = "both"
    optional: bool = False
    target: str = ""
    line: int = 0

    def canonical(self) -> dict[str, Any]:
        """What the step says, without where it stands."""
        return {
            "name": self.name,
            "use": self.use,
            "columns": list(self.columns),
            "except": list(self.leave_out),
            "with": dict(self.params),
            "as": self.pattern,
            "keep": self.keep,
            "when": self.when,
            "stage": self.stage,
            "optional": self.optional,
            "target": self.target,
        }


@dataclass(frozen=True, slots=True)
class Recipe:
    """A list of steps with a name; `path` is the file it was read from, for messages."""

    name: str
    steps: tuple[Step, ...]
    description: str = ""
    target: str = ""
    path: str = ""

    def canonical(self) -> dict[str, Any]:
        """What the recipe says, without comments, order of keys or places in the file."""
        return {
            "name": self.name,
            "target": self.target,
            "steps": [step.canonical() for step in self.steps],
        }

    @property
    def hash(self) -> str:
        """SHA-256 of what the recipe says."""
        text = json.dumps(self.canonical(), sort_keys=True, ensure_ascii=False)
        return hashlib.sha256(text.encode()).hexdigest()


def recipe_from(document: Mapping[str, Any], path: str = "") -> Recipe:
    """The recipe that `Recipe.canonical` gave."""
    steps = tuple(
        Step(
            name=each["name"],
            use=each["use"],
            columns=tuple(each["columns"]),
            leave_out=tuple(each["except"]),
            params=each["with"],
            pattern=each["as"],
            keep=each["keep"],
            when=each["when"],
            stage=each["stage"],
            optional=each["optional"],
            target=each["target"],
        )
        for each in document["steps"]
    )
    return Recipe(document["name"], steps, target=document["target"], path=path)
