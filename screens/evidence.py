"""The evidence of an approval request in lines: candidate against champion, and the proof."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from core.domain.gate import Approval
from screens.dialogs.confirm import badge
from screens.glyphs import sign
from screens.rundetails import even, lineage_lines
from screens.widgets.lines import Line, Piece, fit
from screens.words import age, full_time, number, params, span_rounded

_HIGHER = ("r2", "auc", "accuracy", "acc", "f1", "precision", "recall", "score", "lift", "gini")
_LOWER = ("mae", "mse", "rmse", "mape", "loss", "error", "brier", "logloss", "latency", "wape")
_NEARER = ("bias",)
_NO_JUDGEMENT = ("rows", "naive", "percent", "count")
"""First or last words of names that tell of the data or of a comparison, not of the model."""


def direction(name: str) -> str:
    """Which way a metric is better: `higher`, `lower`, `nearer` (to zero), `""` unknown."""
    words = name.lower().replace("-", "_").split("_")
    if words[0] in _NO_JUDGEMENT or words[-1] in _NO_JUDGEMENT:
        return ""
    for word in reversed(words):
        for names, way in ((_HIGHER, "higher"), (_LOWER, "lower"), (_NEARER, "nearer")):
            if word in names:
                return way
    return ""


def verdict(name: str, new: float, old: float) -> Piece:
    """How a candidate's value stands against the champion's: arrow, word, style."""
    way = direction(name)
    if math.isclose(new, old, rel_tol=1e-9, abs_tol=1e-12):
        return ("= equal", "dim")
    arrow = "▲" if new > old else "▼"
    if not way:
        return ("", "dim")
    gain = {"higher": new - old, "lower": old - new, "nearer": abs(old) - abs(new)}[way]
    return (f"{arrow} better", "ok") if gain > 0 else (f"{arrow} worse", "bad")


def pairs_of(evidence: Mapping[str, Any]) -> list[tuple[str, float, float | None]]:
    """Metrics of the candidate with those of the champion, where it has them."""
    metrics = evidence.get("metrics") or {}
    champion = evidence.get("champion") or {}
    old = champion.get("metrics") if isinstance(champion, Mapping) else None
    old = old if isinstance(old, Mapping) else {}
    pairs: list[tuple[str, float, float | None]] = []
    for name, value in metrics.items():
        if not _is_number(value) or name.startswith("champion_"):
            continue
        before: Any = metrics.get(f"champion_{name}", old.get(name))  # first: on the same rows
        pairs.append((name, float(value), float(before) if _is_number(before) else None))
    return pairs


def champion_version(evidence: Mapping[str, Any]) -> str:
    """The champion's version as the evidence has it, "" where there is no champion."""
    champion = evidence.get("champion") or {}
    version = champion.get("version") if isinstance(champion, Mapping) else None
    return str(version or (evidence.get("metrics") or {}).get("champion_version") or "")


def _is_number(value: object) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def metric_lines(evidence: Mapping[str, Any], version: int) -> list[Line]:
    """The metrics as a table: candidate, champion, change, better or worse."""
    pairs = pairs_of(evidence)
    if not pairs:
        return [[("  no metrics in the evidence", "faint")]]
    champion = champion_version(evidence)
    wide = max(max(len(name) for name, _, _ in pairs), 8)
    head = f"  {'METRIC'.ljust(wide)} {f'v{version}':>9}"
    compared = any(old is not None for _, _, old in pairs)
    if champion or compared:
        named = f"champion v{champion}" if champion else "champion"
        head += f" {named:>13} {'CHANGE':>9}"
    lines: list[Line] = [[(head, "head")]]
    for name, new, old in pairs:
        row: list[Piece] = [(f"  {name.ljust(wide)} ", "text"), (f"{number(new):>9}", "bold")]
        if old is not None:
            row.append((f" {number(old):>13} {_change(name, new, old):>9}  ", "dim"))
            row.append(verdict(name, new, old))
        lines.append(row)
    if not champion and not compared:
        lines.append([("  there is no champion to compare with: this is the first", "faint")])
    return lines


def _change(name: str, new: float, old: float) -> str:
    if direction(name) == "nearer":
        return f"{new - old:+.3g}"
    if old == 0:
        return f"{new - old:+.3g}"
    return f"{100 * (new - old) / abs(old):+.1f} %"


def segment_lines(rows: Sequence[Mapping[str, Any]], width: int) -> list[Line]:
    """The comparison by segment: what identifies it, then candidate, champion, verdict."""
    if not rows:
        return []
    keys = list(rows[0])
    pair = next(
        (
            (key, f"champion_{key.removeprefix('candidate_')}")
            for key in keys
            if key.startswith("candidate_")
        ),
        None,
    )
    labels = [key for key in keys if isinstance(rows[0][key], str)]
    counts = [key for key in keys if isinstance(rows[0][key], int)][:1]
    widths = {key: max(len(key), *(len(str(row.get(key, ""))) for row in rows)) for key in labels}
    name = pair[0].removeprefix("candidate_") if pair else ""
    head = "  " + "  ".join(key.upper().ljust(widths[key]) for key in labels)
    head += "".join(f"  {key.upper():>6}" for key in counts)
    if pair:
        head += f"  {name.upper():>9}  {'CHAMPION':>9}"
    lines: list[Line] = [[(head, "head")]]
    for row in rows:
        text = "  " + "  ".join(str(row.get(key, "")).ljust(widths[key]) for key in labels)
        line: list[Piece] = [(text, "text")]
        line += [(f"  {row.get(key, '')!s:>6}", "dim") for key in counts]
        new, old = (row.get(pair[0]), row.get(pair[1])) if pair else (None, None)
        if _is_number(new):
            line.append((f"  {number(new):>9}", "bold"))
        if _is_number(new) and _is_number(old):
            line.append((f"  {number(old):>9}  ", "dim"))
            line.append(verdict(name, float(str(new)), float(str(old))))
        lines.append(line)
    return lines


def figures_of(evidence: Mapping[str, Any]) -> list[tuple[str, str]]:
    """The figures: name and path relative to the state folder."""
    figures = evidence.get("figures") or {}
    if isinstance(figures, Mapping):
        return [(str(name), str(path)) for name, path in figures.items()]
    return [(str(path), str(path)) for path in figures]


def summary(evidence: Mapping[str, Any]) -> Line:
    """How many metrics and segments are better or worse, on one line."""
    found = [verdict(name, new, old)[1] for name, new, old in pairs_of(evidence) if old is not None]
    better, worse = found.count("ok"), found.count("bad")
    if not found:
        return [("no champion to compare with", "dim")]
    line: list[Piece] = [(f"✓ {better} better", "ok" if better else "dim"), ("  ", "text")]
    line.append((f"✗ {worse} worse", "bad" if worse else "dim"))
    return line


def outdated(approval: Approval, champion_now: int | None) -> str:
    """What to say where the evidence compares with a version that is no longer the champion.

    Empty where it compares with the present one, or where the request is decided.
    """
    then = champion_version(approval.evidence)
    if approval.status.ended or then == str(champion_now or ""):
        return ""
    present = f"champion is v{champion_now} now" if champion_now else "there is no champion now"
    with_what = f"v{then}" if then else "none"
    return f"{present}: this evidence compares with {with_what}"


def approval_lines(approval: Approval, now: float, width: int, warning: str = "") -> list[Line]:
    """Everything that a reviewer has to see, in the order they need it."""
    evidence = approval.evidence
    status = sign(approval.status)
    expires = ""
    if approval.expires_at is not None and not approval.status.ended:
        left = approval.expires_at - now
        expires = f", expires in {span_rounded(left)}" if left > 0 else ", expired"
    lines: list[Line] = [
        [
            (f" {approval.model} v{approval.version} ", "title"),
            ("→ ", "dim"),
            badge(approval.environment),
            (f"  {status.text}", status.style),
        ],
        [
            (f" asked by {approval.requested_by} {age(now - approval.opened_at)}", "text"),
            (f" in {approval.pipeline} #{approval.run_number}, step {approval.step}", "dim"),
            (expires, "dim"),
        ],
    ]
    if warning:
        lines.append([(f" ▲ {warning}", "warn")])
    needed = approval.approvals_needed
    if needed > 1:
        given = sum(d.evidence_hash == approval.evidence_hash for d in approval.decisions)
        lines.append([(f" {given} of {needed} approvals given", "wait")])
    for decision in approval.decisions:
        word = "approved" if decision.verdict == "approve" else "rejected"
        mark = sign(word)
        voided = "" if decision.evidence_hash == approval.evidence_hash else " (on other evidence)"
        lines.append(
            [
                (f" {mark.glyph} {decision.actor} {word}{voided}", mark.style),
                (f" {age(now - decision.at)}", "dim"),
                (f"  “{decision.comment}”" if decision.comment else "", "text"),
            ]
        )
    lines += [[], [(" AGAINST THE CHAMPION  ", "head"), *summary(evidence)]]
    lines += metric_lines(evidence, approval.version)
    lines += document_lines(evidence, width)
    figures = figures_of(evidence)
    if figures:
        pad = _pad(dict(figures))
        lines += [[], [(" FIGURES  ", "head"), ("o opens them", "faint")]]
        lines += [[(f"  {fit(name, pad)} ", "text"), (path, "accent")] for name, path in figures]
    lines += [[], [(" DATA", "head")], *_hashes(evidence.get("data"))]
    lines += [[], [(" CODE AND ENVIRONMENT", "head")]]
    lines += lineage_lines(evidence.get("lineage") or {})
    if evidence.get("params"):
        lines.append([(f"  {'parameters':<18} ", "dim"), (params(evidence["params"]), "text")])
    lines += [[], [(" PROOF", "head")], *_hashes(evidence.get("artifacts"))]
    lines.append([(f"  {'evidence':<18} ", "dim"), (approval.evidence_hash, "accent")])
    lines.append([(f"  {'opened':<18} ", "dim"), (full_time(approval.opened_at), "text")])
    return even(lines)


def document_lines(evidence: Mapping[str, Any], width: int) -> list[Line]:
    """What steps handed in as evidence: tables by segment first, then other documents.

    The metrics document is left out where its numbers stand above already.
    """
    documents = dict(evidence.get("documents") or {})
    if evidence.get("comparison"):
        documents["comparison"] = evidence["comparison"]
    tables: list[Line] = []
    others: list[Line] = []
    for name, document in documents.items():
        if _is_table(document):
            title = "BY SEGMENT" if name.endswith("comparison") else name.upper()
            tables += [[], [(f" {title}", "head")], *segment_lines(document, width)]
        elif isinstance(document, Mapping) and not _said(document, evidence):
            pad = _pad(document)
            others += [[], [(f" {name.upper()}", "head")]]
            others += [
                [(f"  {fit(str(key), pad)} ", "dim"), (number(value), "text")]
                for key, value in document.items()
            ]
    return [*tables, *others]


def _said(document: Mapping[str, Any], evidence: Mapping[str, Any]) -> bool:
    """Whether all numbers of a document stand among the metrics already."""
    metrics = evidence.get("metrics") or {}
    return all(key in metrics or key.startswith("champion_") for key in document)


def _is_table(value: object) -> bool:
    return isinstance(value, list) and bool(value) and all(isinstance(r, Mapping) for r in value)


def _pad(values: Mapping[str, object]) -> int:
    """How wide the column of the names is."""
    return min(max([18, *(len(str(key)) for key in values)]), 30)


def _hashes(values: object) -> list[Line]:
    if not isinstance(values, Mapping) or not values:
        return [[("  none recorded", "faint")]]
    lines: list[Line] = []
    for name, value in values.items():
        text = str(value.get("digest", value)) if isinstance(value, Mapping) else str(value)
        lines.append([(f"  {fit(str(name), _pad(values))} ", "dim"), (text[:64], "text")])
    return lines
