"""Which operations the project uses, and what answers each on the simulated account.

`python -m core.simulated.manifest` prints the table of docs/aws-simulated.md, and with `--write`
puts it there. What is used is read from
the sources, a call with a service's name and one of its operations next to each other, as in
`account.call("sagemaker", "describe_endpoint", …)`, and from what the kinds say they need.
"""

from __future__ import annotations

import ast
import functools
import itertools
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from core.simulated import models
from core.simulated.registry import load

Status = Literal["moto", "simulated", "stubbed"]
FOLDERS = ("core", "screens", "console")
# Answered in the right shape, and with nothing behind it.
STUBBED: dict[tuple[str, str], str] = {
    ("sagemaker", "CreatePresignedMlflowAppUrl"): "the address leads nowhere",
    ("sagemaker", "CreatePresignedMlflowTrackingServerUrl"): "the address leads nowhere",
    ("redshift-data", "ExecuteStatement"): "moto runs no SQL",
    ("redshift-data", "GetStatementResult"): "moto answers any statement with the same rows",
    ("ecr", "DescribeImageScanFindings"): "moto finds the same weakness in every image",
}


@dataclass(frozen=True, slots=True)
class Entry:
    """An operation that is used, what answers it, and the files that use it."""

    service: str
    operation: str
    status: Status
    files: tuple[str, ...]

    @property
    def name(self) -> str:
        return f"{self.service}:{self.operation}"


@functools.cache
def _session() -> Any:
    import botocore.session

    return botocore.session.get_session()


@functools.cache
def services() -> frozenset[str]:
    """All of botocore's services."""
    return frozenset(_session().get_available_services())


@functools.cache
def methods(service: str) -> dict[str, str]:
    """A service's operations by the names of boto3's methods, and by their own."""
    from botocore import xform_name

    names = _session().get_service_model(service).operation_names
    return {**{xform_name(name): name for name in names}, **{name: name for name in names}}


def status(service: str, operation: str) -> Status:
    """What answers an operation: a handler, a stub, or else moto."""
    if (service, operation) in STUBBED:
        return "stubbed"
    return "simulated" if (service, operation) in load() else "moto"


def _pairs(tree: ast.AST) -> Iterator[tuple[str, str]]:
    """Texts that stand next to each other among the arguments of a call, or in a tuple."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            values: list[ast.expr] = node.args
        elif isinstance(node, (ast.Tuple, ast.List)):
            values = node.elts
        else:
            continue
        texts = [v.value if isinstance(v, ast.Constant) else None for v in values]
        for first, second in itertools.pairwise(texts):
            if isinstance(first, str) and isinstance(second, str):
                yield first, second


def used(root: Path) -> dict[tuple[str, str], set[str]]:
    """The operations that the sources under `root` call, with the files that do."""
    found: dict[tuple[str, str], set[str]] = {}
    for folder in FOLDERS:
        for path in sorted((root / folder).rglob("*.py")):
            name = path.relative_to(root).as_posix()
            if name.startswith("core/simulated/"):
                continue
            for service, method in _pairs(ast.parse(path.read_text())):
                if service in services() and method in methods(service):
                    found.setdefault((service, methods(service)[method]), set()).add(name)
    for action, kind in _declared():
        for key in _of_action(action):
            found.setdefault(key, set()).add(f"kind {kind}")
    return found


def _declared() -> Iterator[tuple[str, str]]:
    """The actions of IAM that the kinds of resources say they need."""
    from core.aws.registry import all_kinds

    for kind in all_kinds():
        for action in kind.operations:
            yield action, kind.name
        for verb in (*kind.verbs, *kind.create):
            for action in verb.operations:
                yield action, kind.name


def _of_action(action: str) -> Iterator[tuple[str, str]]:
    """The operations an action of IAM stands for: most are called alike."""
    prefix, _, name = action.partition(":")
    prefix = {"cloudwatch": "monitoring"}.get(prefix, prefix)
    for service in models.SIGNED_AS.get(prefix, (prefix,)):
        if service in services() and name in methods(service).values():
            yield service, name
            return


def manifest(root: Path) -> list[Entry]:
    """Every operation that is used, by service and name."""
    return [
        Entry(service, operation, status(service, operation), tuple(sorted(files)))
        for (service, operation), files in sorted(used(root).items())
    ]


def markdown(entries: list[Entry]) -> str:
    """The table: a line for each service and each kind of answer."""
    lines = ["| Service | Answered by | Operations |", "|---|---|---|"]
    groups: dict[tuple[str, str], list[str]] = {}
    for entry in entries:
        groups.setdefault((entry.service, entry.status), []).append(entry.operation)
    for (service, answered), names in sorted(groups.items()):
        lines.append(f"| {service} | {answered} | {', '.join(names)} |")
    return "\n".join(lines) + "\n"


PAGE = "docs/aws-simulated.md"
_MARKS = ("<!-- manifest -->\n", "<!-- /manifest -->")


def written(text: str, table: str) -> str:
    """The page with its table replaced; ValueError if the marks around it are gone."""
    start = text.index(_MARKS[0]) + len(_MARKS[0])
    return text[:start] + table + text[text.index(_MARKS[1]) :]


def main(arguments: list[str]) -> int:
    """Print the table, or write it into its page."""
    root = Path(__file__).parents[2]
    table = markdown(manifest(root))
    if "--write" in arguments:
        page = root / PAGE
        page.write_text(written(page.read_text(encoding="utf-8"), table), encoding="utf-8")
    else:
        sys.stdout.write(table)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
