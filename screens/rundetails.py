"""A run in words: its headline, and the pane with parameters, outputs and lineage."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from core.domain.run import Run, RunDetail
from screens.glyphs import sign
from screens.widgets.lines import Line, Piece, fit
from screens.words import duration, full_time, number, params, plural, size

if TYPE_CHECKING:
    from core.domain.debugger import DebugReport
    from core.domain.tuning import Trial


def headline(run: Run | None, now: float) -> Line:
    """Number, state, progress, parameters and who, on one line."""
    if run is None:
        return [(" reading…", "dim")]
    status = sign(run.status)
    if run.cancel_requested and not run.status.ended:
        status = sign("cancelling")
    end = run.ended_at if run.ended_at is not None else now
    took = duration(None if run.started_at is None else end - run.started_at)
    line: list[Piece] = [
        (f" {run.label} ", "title"),
        (f" {status.text}", status.style),
        (f"  {run.steps_done}/{run.steps_total} steps  {took}", "text"),
        (f"  {params(run.params)}", "dim"),
        (f"  by {run.requested_by}", "dim"),
    ]
    if run.message:
        line.append((f"  {run.message}", "bad" if run.status == "failed" else "warn"))
    return line


_KEY = 18
_KEY_LIMIT = 30


def _pair(key: str, value: str, style: str = "text") -> Line:
    return [(f"  {key.ljust(_KEY)} ", "dim"), (value, style)]


def detail_lines(
    detail: RunDetail,
    scores: Mapping[str, float],
    step_name: str | None,
    width: int,
    trials: Sequence[Trial] = (),
    debugged: DebugReport | None = None,
) -> list[Line]:
    """Run, parameters, results, what the debugger found, the selected step, outputs of all
    steps, lineage."""
    run = detail.run
    lines: list[Line] = [[(" RUN", "head")]]
    lines += [
        _pair("id", run.id),
        _pair("asked for", f"{full_time(run.created_at)} by {run.requested_by}"),
        _pair("reason", run.reason or "–"),
    ]
    if run.parent_run_id:
        lines.append(_pair("repeats", f"{run.parent_run_id} from {run.from_step or 'the start'}"))
    if run.generation > 1:
        lines.append(_pair("resumed", f"{run.generation - 1} times"))
    if not run.use_cache:
        lines.append(_pair("cache", "refused"))
    lines += [[], [(" PARAMETERS", "head")]]
    lines += _param_lines(detail)
    if scores:
        lines += [[], [(" RESULTS", "head")]]
        lines += [_pair(key, number(value), "bold") for key, value in sorted(scores.items())]
    lines += _debug_lines(debugged)
    lines += _step_lines(detail, step_name)
    lines += _trial_lines([each for each in trials if each.step == step_name])
    lines += _output_lines(detail, width)
    lines += [[], [(" LINEAGE", "head")], *lineage_lines(_lineage(detail))]
    return even(lines)


def even(lines: list[Line]) -> list[Line]:
    """Lines with all values in one column, however long the longest key is (up to a limit)."""
    pairs = [_key_of(line) for line in lines]
    wide = min(max([_KEY, *(len(key) for key in pairs if key)]), _KEY_LIMIT)
    return [
        [(f"  {fit(key, wide)} ", "dim"), *line[1:]] if key else line
        for key, line in zip(pairs, lines, strict=True)
    ]


def _key_of(line: Line) -> str:
    """The key of a line that is a key and a value, else ""."""
    if len(line) != 2 or line[0][1] != "dim" or not line[0][0].startswith("  "):
        return ""
    return line[0][0].strip()


def _lineage(detail: RunDetail) -> Mapping[str, Any]:
    run = detail.run
    if detail.lineage:
        return detail.lineage
    return {"code": {"commit": run.git_commit, "dirty": run.git_dirty}} if run.git_commit else {}


def defaults_of(detail: RunDetail) -> dict[str, Any]:
    """The defaults of the pipeline's parameters, as it was when the run began."""
    declared = detail.spec.get("params") or ()
    if isinstance(declared, Mapping):
        declared = [{"name": name, **one} for name, one in declared.items()]
    return {one["name"]: one.get("default") for one in declared}


def _param_lines(detail: RunDetail) -> list[Line]:
    """Parameters: those that differ from the pipeline's defaults first, and said so."""
    given, usual = detail.run.params, defaults_of(detail)
    if not given:
        return [_pair("none", "")]
    other = [key for key in given if key in usual and given[key] != usual[key]]
    lines = [
        [*_pair(key, str(given[key]), "bold"), (f"  default {usual[key]}", "faint")]
        for key in other
    ]
    return lines + [_pair(key, str(value)) for key, value in given.items() if key not in other]


def _debug_lines(found: DebugReport | None) -> list[Line]:
    """Rules that found something, with since when; one line where none did."""
    if found is None or not found.rules:
        return []
    lines: list[Line] = [[], [(" DEBUGGER", "head")]]
    for rule in found.issues:
        since = "" if rule.since_step is None else f"since step {rule.since_step}: "
        lines.append(_pair(rule.rule, f"{since}{rule.message}", "warn"))
    if not found.issues:
        words = "no issues found" if found.ended else "no issues so far"
        lines.append(_pair(plural(len(found.rules), "rule"), words, "ok"))
    lines.append(_pair("models, labels", f"opsdeck runs debug {found.run}", "dim"))
    return lines


def _step_lines(detail: RunDetail, name: str | None) -> list[Line]:
    step = next((step for step in detail.steps if step.step == name), None)
    if step is None:
        return []
    status = sign(step.status)
    lines: list[Line] = [[], [(f" STEP {step.step}", "head")]]
    lines.append(_pair("state", status.text, status.style))
    if step.message:
        lines.append(_pair("message", step.message, "bad" if step.status == "failed" else "text"))
    if step.started_at is not None:
        lines.append(_pair("started", full_time(step.started_at)))
    if step.seconds is not None:
        lines.append(_pair("took", duration(step.seconds)))
    if step.cpu_seconds is not None:
        lines.append(_pair("cpu", duration(step.cpu_seconds)))
    if step.max_rss_mb is not None:
        lines.append(_pair("memory", f"{step.max_rss_mb:.0f} MB"))
    if step.exit_code:
        lines.append(_pair("exit", str(step.exit_code), "bad"))
    if step.signal:
        lines.append(_pair("signal", str(step.signal), "bad"))
    if step.cached_from:
        lines.append(_pair("taken from", step.cached_from))
    if step.needs:
        lines.append(_pair("needs", ", ".join(step.needs)))
    return lines


def _trial_lines(trials: Sequence[Trial]) -> list[Line]:
    """The trials of a tune step, each with its values; the best says so."""
    if not trials:
        return []
    lines: list[Line] = [[], [(f" TRIALS by {trials[0].metric}", "head")]]
    for each in trials:
        status = sign(each.status)
        value = "–" if each.value is None else number(each.value)
        line: list[Piece] = [
            (f"  {each.number:>4}  ", "dim"),
            (f"{status.text:<12} ", status.style),
            (f"{value:>12} ", "bold" if each.best else "text"),
            ("best " if each.best else "     ", "ok"),
            (f" {params(each.params)}", "text"),
        ]
        if each.message:
            line.append((f"  {each.message}", "bad" if each.status == "failed" else "faint"))
        lines.append(line)
    return lines


def _output_lines(detail: RunDetail, width: int) -> list[Line]:
    lines: list[Line] = [[], [(" OUTPUTS", "head")]]
    for step in detail.steps:
        for output in step.outputs:
            lines.append(
                [
                    (f"  {step.step + '.' + output.name:<24} ", "text"),
                    (f"{output.kind:<7} {size(output.size):>9}  ", "dim"),
                    (output.digest[:12], "accent"),
                    (f"  {output.path}", "faint"),
                ]
            )
    return lines if len(lines) > 2 else [*lines, _pair("none yet", "")]


def lineage_lines(lineage: Mapping[str, Any]) -> list[Line]:
    """Code, data, parameters and environment of a lineage, whichever are known."""
    code = lineage.get("code")
    if isinstance(code, Mapping):
        rest = {key: value for key, value in lineage.items() if key != "code"}
    elif "commit" in lineage or "status" in lineage:  # the state of the code itself
        code, rest = lineage, dict(lineage)
    else:
        return _rest_lines(lineage) or [_pair("not recorded", "")]
    more = {key: value for key, value in code.items() if key.endswith("_sha256")}
    return [*_code_lines(code), *_rest_lines({**more, **rest})]


_SAID = frozenset(
    [
        *("status", "commit", "branch", "remote", "dirty", "diff", "diff_sha256"),
        *("diff_truncated", "untracked", "untracked_count", "detail"),
        *("step_keys", "run", "pipeline"),
    ]
)
"""What `_code_lines` has said, or what stands elsewhere on the screen."""

_NO_COMMIT = {
    "no-repository": "not in a git repository",
    "no-commits": "a git repository without a commit",
    "no-git": "git is not installed",
    "unreadable": "git could not tell",
}


def _code_lines(code: Mapping[str, Any]) -> list[Line]:
    """Commit, branch, and what lay on top of it uncommitted."""
    commit = str(code.get("commit") or "")
    status = str(code.get("status") or "")
    if not commit:
        return [_pair("commit", f"– {_NO_COMMIT.get(status, 'unknown')}", "warn")]
    lines = [_pair("commit", commit[:12], "accent")]
    if code.get("branch"):
        lines.append(_pair("branch", str(code["branch"])))
    if code.get("dirty"):
        diff = str(code.get("diff_sha256") or "")[:12]
        count = int(code.get("untracked_count") or 0)
        more = f", {count} untracked" if count else ""
        words = f"▲ changed on top of the commit {diff}".rstrip() + more
        lines.append(_pair("working tree", words, "warn"))
    else:
        lines.append(_pair("working tree", "✓ clean", "ok"))
    return lines


def _rest_lines(rest: Mapping[str, Any]) -> list[Line]:
    lines: list[Line] = []
    for key, value in rest.items():
        if key not in _SAID and value not in ("", None, (), [], {}):
            lines += _plain(key.removesuffix("_sha256"), value)
    return lines


def _plain(key: str, value: object, deep: int = 0) -> list[Line]:
    if isinstance(value, Mapping):
        if deep:
            return [_pair(key, params({str(k): _short(v) for k, v in value.items()}))]
        return [line for k, v in value.items() for line in _plain(f"{key}.{k}", v, deep + 1)]
    if isinstance(value, Sequence) and not isinstance(value, str):
        return [_pair(key, ", ".join(_short(item) for item in value))]
    return [_pair(key, _short(value))]


def _short(value: object) -> str:
    """A value on a line; a hash by its first twelve characters."""
    text = number(value)
    return text[:12] if len(text) >= 40 and text.isalnum() else text
