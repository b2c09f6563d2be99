"""The files of expectations of a workspace: `expectations/NAME.yaml`."""

from __future__ import annotations

import hashlib
from pathlib import Path

from core.domain.pipeline import Problem
from core.domain.quality import Check, Expectations
from core.pipelines._nodes import MAX_BYTES, Map, describe, read_nodes
from core.pipelines._report import Report
from core.quality import _checks as read
from core.quality._keys import TOP
from core.quality._values import read_values
from core.quality.errors import ExpectationsInvalid, NoExpectations

FOLDER = "expectations"


def expectations_path(root: Path, dataset: str) -> Path | None:
    """The file of a dataset's expectations; None where there is none."""
    if not dataset.replace("_", "a").isalnum():  # a name that is a path names no file
        return None
    for ending in (".yaml", ".yml"):
        path = root / FOLDER / f"{dataset}{ending}"
        if path.is_file():
            return path
    return None


def load_expectations(root: Path, dataset: str, file: Path | None = None) -> Expectations:
    """What is expected of a dataset, from its file (or `file`).

    Raises `NoExpectations`, and `ExpectationsInvalid` with every problem of the file.
    """
    path = file if file is not None else expectations_path(root, dataset)
    if path is None or not path.is_file():
        where = f"{FOLDER}/{dataset}.yaml" if path is None else str(path)
        raise NoExpectations(
            f"{dataset}: no expectations: there is no {where}",
            f"let one be suggested: opsdeck data suggest {dataset}",
        )
    found, problems = read_expectations(root, path, dataset)
    if found is None:
        count = "1 problem" if len(problems) == 1 else f"{len(problems)} problems"
        more = f" (and {len(problems) - 1} more)" if len(problems) > 1 else ""
        shown = problems[0]
        raise ExpectationsInvalid(
            f"{shown.file} has {count}: {shown.one_line()}{more}",
            f"see all: opsdeck data validate {dataset} --lint",
            problems,
        )
    return found


def read_expectations(
    root: Path, path: Path, dataset: str = ""
) -> tuple[Expectations | None, tuple[Problem, ...]]:
    """The file's expectations, or everything that is wrong with it; whatever is in it, this
    returns."""
    shown = path.relative_to(root).as_posix() if path.is_relative_to(root) else str(path)
    report = Report(shown)
    text = _text_of(path, report)
    if text is not None and not text.strip():
        report.add(1, "", "the file is empty", "start with `columns:`")
        text = None
    node = read_nodes(text, report) if text is not None else None
    if text is None or node is None:
        return None, report.problems
    if not isinstance(node, Map):
        report.add(node.line, "", f"expected a mapping, found {describe(node)}", "see the docs")
        return None, report.problems
    found = _expectations(report, node, dataset or path.stem, shown, text)
    return (None if report.problems else found), report.problems


def _expectations(report: Report, node: Map, dataset: str, shown: str, text: str) -> Expectations:
    top = read_values(report, "", node, TOP, "expectations")
    name = top["dataset"][0] if "dataset" in top else dataset
    if name != dataset:
        line = top["dataset"][1]
        report.add(line, "dataset", f"{name}, but the file is that of {dataset}")
    checks = _columns(report, top["columns"][0]) if "columns" in top else []
    for section, reader in (
        ("unique", read.unique_checks),
        ("conditions", read.condition_checks),
        ("freshness", read.freshness_checks),
        ("references", read.reference_checks),
        ("drift", read.drift_checks),
    ):
        if section in top:
            checks += reader(report, top[section][0])
    for section in ("volume", "batch_volume"):
        if section in top:
            checks += read.volume_checks(report, top[section][0], section)
    if not checks and not report.problems:
        report.add(node.line, "", "nothing is expected", "name columns under `columns:`")
    return Expectations(
        dataset=dataset,
        path=shown,
        checks=tuple(checks),
        strict=bool(top["strict"][0]) if "strict" in top else False,
        description=str(top["description"][0]) if "description" in top else "",
        fingerprint=hashlib.sha256(text.encode()).hexdigest(),
    )


def _columns(report: Report, node: object) -> list[Check]:
    if not isinstance(node, Map):
        assert hasattr(node, "line")
        report.add(node.line, "columns", "expected a mapping of columns", "such as `cnt: {ge: 0}`")
        return []
    if len(node.entries) > read.MAX_COLUMNS:
        report.add(node.line, "columns", f"more than {read.MAX_COLUMNS:,} columns")
        return []
    return [check for entry in node.entries for check in read.column_checks(report, entry)]


def _text_of(file: Path, report: Report) -> str | None:
    try:
        with file.open("rb") as stream:
            data = stream.read(MAX_BYTES + 1)
    except OSError as error:
        report.add(1, "", f"the file can't be read: {error.strerror or error}")
        return None
    if len(data) > MAX_BYTES:
        report.add(1, "", f"the file is larger than {MAX_BYTES:,} bytes")
        return None
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        report.add(line, "", f"not UTF-8: byte 0x{data[error.start]:02x}", "save it as UTF-8")
        return None
