"""What an alert's target has to do with: endpoints, models, datasets, monitors near it."""

from __future__ import annotations

from dataclasses import dataclass, field

from core.domain.alert import Alert
from core.state.reading import Reader


@dataclass(slots=True)
class Around:
    """Names near the target: `own` are `KIND/NAME` that the alert is about, `linked` those that
    it depends on or serves."""

    own: set[str] = field(default_factory=set)
    linked: set[str] = field(default_factory=set)

    def names(self, kind: str) -> set[str]:
        """The names of one kind, own and linked."""
        lead = f"{kind}/"
        return {each.removeprefix(lead) for each in self.own | self.linked if each.startswith(lead)}

    def nearness(self, subject: str) -> float:
        """1 for the thing itself, 0.8 for what it hangs together with, 0.3 for anything else."""
        return 1.0 if subject in self.own else 0.8 if subject in self.linked else 0.3


def around(reader: Reader, alert: Alert) -> Around:
    """What is near an alert, by the rows of what is served and by lineage."""
    found = Around(own={alert.target})
    for monitor in opens(alert, "monitor"):
        found.own.add(f"monitor/{monitor}")
    for monitor in found.names("monitor"):
        rows = reader.rows("SELECT watch FROM monitors WHERE name = :name", name=monitor)
        found.own |= {row["watch"] for row in rows}
    for view in found.names(FEATURES):
        _follow_view(reader, view, found)
    for model in found.names("model"):
        rows = reader.rows("SELECT DISTINCT endpoint FROM revisions WHERE model = :m", m=model)
        found.linked |= {f"endpoint/{row['endpoint']}" for row in rows}
    for endpoint in found.names("endpoint"):
        rows = reader.rows("SELECT DISTINCT model FROM revisions WHERE endpoint = :e", e=endpoint)
        found.linked |= {f"model/{row['model']}" for row in rows}
    for model in sorted(found.names("model")):
        _follow_model(reader, model, found)
    found.linked -= found.own
    return found


FEATURES = "features"
"""What a monitor of a feature view says that it watches: `features/NAME`."""


def opens(alert: Alert, noun: str = "") -> list[str]:
    """What the evidence says the console can open; with a noun the names of that sort only,
    without what stands behind an `@`."""
    given = alert.evidence.get("open", ())
    listed = [given] if isinstance(given, str) else given if isinstance(given, list | tuple) else []
    found = [str(each) for each in listed]
    if not noun:
        return found
    lead = f"{noun}/"
    return [each.removeprefix(lead).partition("@")[0] for each in found if each.startswith(lead)]


def _follow_view(reader: Reader, view: str, found: Around) -> None:
    """A feature view under the name that lineage has for it, the dataset that it is made from,
    and the models that read it."""
    found.own.add(f"feature_view/{view}")
    edges = reader.rows(
        "SELECT DISTINCT source_kind, source, target_kind, target FROM lineage_edges"
        " WHERE (target_kind = 'feature_view' AND target LIKE :versions ESCAPE '~')"
        " OR (source_kind = 'feature_view' AND source LIKE :versions ESCAPE '~')",
        versions=view.replace("_", "~_") + "@%",
    )
    for edge in edges:
        if edge["target_kind"] == "feature_view":
            found.linked.add(f"{edge['source_kind']}/{edge['source']}")
        elif edge["target_kind"] == "model":
            found.linked.add(f"model/{edge['target'].partition('/')[0]}")


def _follow_model(reader: Reader, model: str, found: Around) -> None:
    """The pipelines and runs that made a model's newest versions, and what these read."""
    runs = reader.rows(
        "SELECT v.run_id, r.number, r.pipeline FROM model_versions v JOIN runs r ON r.id = v.run_id"
        " WHERE v.name = :name ORDER BY v.version DESC LIMIT 5",
        name=model,
    )
    for run in runs:
        found.linked |= {f"run/{run['number']}", f"pipeline/{run['pipeline']}"}
        edges = reader.rows(
            "SELECT DISTINCT source_kind, source FROM lineage_edges WHERE target_kind = 'run'"
            " AND target = :number OR run_id = :run",
            number=str(run["number"]),
            run=run["run_id"],
        )
        found.linked |= {
            f"{edge['source_kind']}/{edge['source'].partition('@')[0]}"
            for edge in edges
            if edge["source_kind"] in ("dataset", "feature_view")
        }
