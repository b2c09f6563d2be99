"""The checks pane: what came of the newest validations, the failing expectations first."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from screens.widgets.lines import Line, Piece, fit, wrapped
from screens.words import age, plural

if TYPE_CHECKING:
    from core.domain.quality import CheckResult, Validation
    from screens.data.reading import Detail

SIGNS: Mapping[tuple[str, str], tuple[str, str, str]] = {
    ("failed", "error"): ("✗", "failed", "bad"),
    ("failed", "warn"): ("▲", "warns", "warn"),
    ("passed", "error"): ("✓", "passed", "ok"),
    ("passed", "warn"): ("✓", "passed", "ok"),
    ("skipped", "error"): ("↷", "skipped", "faint"),
    ("skipped", "warn"): ("↷", "skipped", "faint"),
}


def check_lines(detail: Detail, now: float, width: int) -> list[Line]:
    """The newest validation in full, those before it on a line each."""
    found = detail.validations
    name = detail.entry.dataset.name
    if not found:
        return [
            [("  never checked", "faint")],
            [(f"  expectations stand in expectations/{name}.yaml;", "faint")],
            [(f"  a first file comes from: opsdeck data suggest {name}", "faint")],
        ]
    newest = found[0]
    lines = [*wrapped(verdict(newest, now), width - 1, 3), *_results(newest, width)]
    if not detail.glance.all:
        lines.append([("  values are left out: you do not see all of this dataset", "faint")])
    if len(found) > 1:
        lines += [[], [(" BEFORE", "head")]]
        lines += [verdict(each, now) for each in found[1:]]
    return lines


def verdict(found: Validation, now: float) -> Line:
    """A validation on one line."""
    failed = len(found.failures) - found.warnings
    if not found.passed:
        sign: Piece = (f" ✗ failed {age(now - found.at)}", "bad")
    elif found.warnings:
        sign = (f" ▲ warned {age(now - found.at)}", "warn")
    else:
        sign = (f" ✓ passed {age(now - found.at)}", "ok")
    told = f"  {plural(len(found.results), 'check')}"
    if failed:
        told += f", {failed} failing"
    if found.warnings:
        told += f", {plural(found.warnings, 'warning')}"
    if found.failed_rows:
        told += f", {found.failed_rows:,} of {plural(found.rows, 'row')} bad"
    what = f"  batch {found.batch_id[:8]}" if found.batch_id else "  the dataset"
    return [sign, (told, "text"), (what, "dim"), (f"  by {found.by}", "dim")]


def _results(found: Validation, width: int) -> list[Line]:
    order = {"failed": 0, "skipped": 1, "passed": 2}
    results = sorted(found.results, key=lambda each: (order[each.status], each.severity != "error"))
    room = min(max((len(each.title) for each in results), default=8), max(width // 3, 20))
    lines: list[Line] = []
    for each in results:
        lines += _result(each, room, width)
    return lines


def _result(each: CheckResult, room: int, width: int) -> list[Line]:
    glyph, word, style = SIGNS[each.status, each.severity]
    rows = "" if each.failed_rows is None or not each.failed_rows else f"{each.failed_rows:,} rows "
    told = each.message or each.observed
    line: list[Piece] = [
        (f"  {glyph} {fit(word, 8)}", style),
        (f"{fit(each.title, room)} ", "text" if each.status != "passed" else "dim"),
        (rows, style),
        (told if each.status != "passed" else each.observed, "dim"),
    ]
    lines = wrapped(line, width - 1, indent=13)
    if each.examples and each.status == "failed":
        lines += wrapped([(f"{' ' * 13}e.g. {', '.join(each.examples)}", "faint")], width - 1, 13)
    return lines
