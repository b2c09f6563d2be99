"""Good defaults for an endpoint, as a file that says why each of them is there.

What is sure to run is written as it is; what somebody has to decide (who must not be treated
unequally, whether a rollback may happen by itself) stands there as a comment.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

import yaml

from core.domain.monitor import Suggested
from core.monitors.files import FOLDER
from core.monitors.surveying import ColumnSeen, Survey, survey
from core.session import Session

WINDOW_ROWS = 1000
USUAL_MS = 250.0
_ROUND_MS = (10, 20, 50, 100, 200, 250, 500, 1000, 2000, 5000, 10_000)


def suggest(session: Session, endpoint: str) -> Suggested:
    """The text of a file for an endpoint. Raises `NotWatchable`."""
    found = survey(session, endpoint)
    writing = _Writing(found)
    text = writing.text()
    return Suggested(
        endpoint, text, f"{FOLDER}/{_name(endpoint)}.yaml", False, tuple(writing.notes)
    )


def _name(endpoint: str) -> str:
    """The endpoint's name as names of monitors may be."""
    name = re.sub(r"[^a-z0-9_-]+", "-", endpoint.lower()).strip("-_")
    return (name if name[:1].isalpha() else f"e-{name}")[:40]


class _Writing:
    """The file, section by section."""

    def __init__(self, found: Survey) -> None:
        self.survey = found
        self.name = _name(found.endpoint)
        self.notes: list[str] = []
        self._quality = False

    def text(self) -> str:
        found = self.survey
        parts = [
            f"# Watches the endpoint {found.endpoint}, which serves {found.model}"
            f" v{found.version} now: proposed from",
            "# what it learned from. A monitor follows the champion: its baseline is that of the",
            "# version that is served. Change what you like; opsdeck doctor checks the file.",
            "",
            "monitors:",
            *self._data_quality(),
            *self._drift(),
            *self._model_quality(),
            *self._attribution(),
            *self._service(),
            *self._anomaly(),
            *self._bias(),
            *self._slos(),
            *self._alarms(),
            *self._triggers(),
        ]
        return "\n".join(parts).rstrip() + "\n"

    # -- monitors

    def _monitor(
        self, suffix: str, kind: str, why: Iterable[str], lines: Iterable[str]
    ) -> list[str]:
        return [
            *(f"  # {line}" for line in why),
            f"  {self.name}-{suffix}:",
            f"    kind: {kind}",
            f"    watch: endpoint/{self.survey.endpoint}",
            *(f"    {line}" for line in lines),
            "",
        ]

    def _windows(self) -> list[str]:
        return [
            "every: new_data # as soon as a window is full",
            f"window: {{rows: {WINDOW_ROWS}, minimum_rows: 500}} # below 500 nothing is said",
        ]

    def _reference(self) -> list[str]:
        """The baseline's line: training where lineage has the rows, else the traffic."""
        if self.survey.training:
            return [f"baseline: training # now {self.survey.training}"]
        return ["baseline: captured:7d # the training rows are not known: see below"]

    def _data_quality(self) -> list[str]:
        why = [
            "Types, missing values, columns, domains and ranges as in the rows that the model",
            "learned from. A broken schema and missing values are worth waking somebody for.",
        ]
        if not self.survey.training:
            self._note("training", self.survey.why.get("training", "no training rows are known"))
        return self._monitor("data", "data_quality", why, [*self._windows(), *self._reference()])

    def _drift(self) -> list[str]:
        why = ["Whether inputs and predictions are distributed as they were. That is diagnosis:",
               "by itself it wakes nobody (alert: warning would)."]  # fmt: skip
        return self._monitor("drift", "drift", why, [*self._windows(), *self._reference()])

    def _model_quality(self) -> list[str]:
        found = self.survey
        why = ["How good the answers are, as labels arrive (endpoints labels), and an",
               "estimate before they do. Late labels have windows computed again."]  # fmt: skip
        lines = ["every: new_data",
                 f"window: {{rows: {WINDOW_ROWS}, minimum_rows: 200}}"]  # fmt: skip
        if found.evaluation:
            lines.append(f"baseline: training # now {found.evaluation}, which it had not seen")
        kind = self._problem_type()
        if kind:
            lines.append(f"problem_type: {kind}")
        if found.segments:
            lines.append(f"segments: [{', '.join(map(_yaml, found.segments))}]")
        made = self._monitor("quality", "model_quality", why, lines)
        if made and not found.evaluation:
            why_not = found.why.get("evaluation", "no evaluation rows are known")
            self._note("model quality", why_not)
            return _as_comment(made, f"Not on: {why_not}")
        self._quality = bool(made)
        return made

    def _problem_type(self) -> str:
        """By the target's values where they are known, else by the signature's output."""
        for target in self.survey.labels:
            if not target.numeric or target.distinct <= 2:
                return (
                    "BinaryClassification" if target.distinct == 2 else "MulticlassClassification"
                )
            if self.survey.task == "classes":
                return "MulticlassClassification"
        return {"regression": "Regression"}.get(self.survey.task, "")

    def _attribution(self) -> list[str]:
        if not self.survey.training:
            return []
        why = ["Whether the model still goes by the same features (nDCG of SHAP values, as Clarify",
               "has it). Once a day: explaining costs more than counting."]  # fmt: skip
        lines = ["every: 1d", "window: {rows: 1000, minimum_rows: 200}", *self._reference()]
        return self._monitor("attribution", "attribution", why, lines)

    def _service(self) -> list[str]:
        why = ["Latency, errors and saturation, minute by minute."]
        return self._monitor("service", "service", why, ["every: new_data", "window: {time: 5m}"])

    def _anomaly(self) -> list[str]:
        why = ["Traffic, latency, errors and scores beside what the same hour usually sees."]
        return self._monitor("anomaly", "anomaly", why, ["every: new_data", "window: {time: 5m}"])

    def _bias(self) -> list[str]:
        protected = self.survey.protected
        if not protected:
            return []
        names = ", ".join(each.name for each in protected)
        self._note("bias", f"{names} may be protected: the proposal stands there as a comment")
        why = [
            f"{names}: does the model treat these groups differently? Only people can say",
            "which groups and which outcome are meant. Mend the lines, then take the # away.",
        ]
        facets = ", ".join(map(_facet, protected))
        lines = [*self._windows(), *self._reference(), f"facets: [{facets}]"]
        lines.append(f"positive: {self._positive()}")
        return _as_comment(self._monitor("bias", "bias", [], lines), *why)

    def _positive(self) -> str:
        for target in self.survey.labels:
            if target.numeric and target.distinct > 2 and target.median is not None:
                return f'"> {target.median:g}"'
            if target.values:
                return _yaml(target.values[-1])
        return "1"

    # -- the other sections

    def _slos(self) -> list[str]:
        name = self.survey.endpoint
        slow = self._latency()
        measured = f"{self.survey.slow_ms:.0f} ms now" if self.survey.slow_ms else "a usual bound"
        return [
            "slos: # objectives with a budget of errors; burning it too fast raises an alert",
            f"  {self.name}-available: {{endpoint: {name}, objective: 99.5%, window: 30d}}",
            f"  # 99 of 100 answers within {slow:g} ms ({measured}).",
            f"  {self.name}-fast: {{endpoint: {name}, objective: 99%, latency: {slow:g}ms,"
            " window: 30d}",
            "",
        ]

    def _latency(self) -> float:
        """A bound with room above what is measured."""
        wanted = (self.survey.slow_ms or USUAL_MS / 3) * 3
        return next((each for each in _ROUND_MS if each >= wanted), _ROUND_MS[-1])

    def _alarms(self) -> list[str]:
        if not self._quality:
            return []
        name = self.name
        return [
            "alarms:",
            "  # Worse than the thresholds of its baseline in two of three windows: no chance. The",
            "  # monitor tells people of it; the trigger goes by the alarm, as could a way back:",
            f"  # actions: [rollback], endpoint: {self.survey.endpoint}",
            f"  {name}-quality-lost:",
            f"    metric: monitor/{name}-quality:violated",
            "    period: window",
            "    evaluation_periods: 3",
            "    datapoints_to_alarm: 2",
            "    threshold: 1",
            '    comparison: ">="',
            "    treat_missing_data: ignore",
            "    actions: []",
            "",
        ]

    def _triggers(self) -> list[str]:
        if not self.survey.pipeline:
            return []
        found, name = self.survey, self.name
        on = (
            f"[{{alarm: {name}-quality-lost}}, {{schedule: 30d}}]"
            if self._quality
            else "[{schedule: 30d}]"
        )
        return [
            "triggers:",
            "  # Trained anew when quality is lost, and once a month; at most once a day. What it",
            "  # makes passes the pipeline's gate like any other version.",
            f"  {name}-retrain:",
            f"    on: {on}",
            f"    pipeline: {found.pipeline}",
            f"    model: {found.model}",
            f"    endpoint: {found.endpoint}",
            "    cool_down: 1d",
            "",
        ]

    def _note(self, what: str, why: str) -> None:
        self.notes.append(f"{what}: {why}")


def _as_comment(lines: list[str], *why: str) -> list[str]:
    told = [f"  # {line}" for line in why]
    return [*told, *(f"  # {line[2:]}".rstrip() for line in lines if line), ""]


def _facet(column: ColumnSeen) -> str:
    """The groups of a column: each value, or above the median."""
    if column.numeric and column.distinct > 6 and column.median is not None:
        return _yaml(f"{column.name}>{column.median:g}")
    return _yaml(column.name)


def _yaml(value: object) -> str:
    """A value as YAML writes it on one line."""
    return yaml.safe_dump(value, default_flow_style=True, width=1000).removesuffix("...\n").strip()
