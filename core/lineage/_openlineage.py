"""OpenLineage events (https://openlineage.io/spec/2-0-2/OpenLineage.json) of datasets and runs.

A snapshot is the run of a job that wrote it: ingest, view, recipe, features. A pipeline's run is
one of its own, and the parent of the snapshots that its steps wrote.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from core.domain.datalineage import Edge, Node, NodeKind
from core.domain.dataset import Snapshot

PRODUCER = "urn:opsdeck"


@dataclass(frozen=True, slots=True)
class RunTold:
    """A pipeline's run as it is told: `state` is START, COMPLETE, FAIL or ABORT."""

    id: str
    number: int
    pipeline: str
    state: str
    at: float
    message: str = ""


class Events:
    """Makes events of one workspace. Loads the OpenLineage library."""

    def __init__(self, workspace: str) -> None:
        from openlineage.client.facet_v2 import set_producer

        set_producer(PRODUCER)
        self.namespace = f"opsdeck://{workspace}"

    def of_snapshot(
        self, snapshot: Snapshot, edges: Sequence[Edge], run: RunTold | None
    ) -> dict[str, Any]:
        """The event of one snapshot; `edges` are those into its dataset."""
        from openlineage.client.event_v2 import InputDataset, Job, OutputDataset, Run
        from openlineage.client.facet_v2 import (
            dataset_version_dataset as version,
        )
        from openlineage.client.facet_v2 import (
            output_statistics_output_dataset as statistics,
        )
        from openlineage.client.facet_v2 import schema_dataset as schema

        sources = sorted({edge.source.whole() for edge in edges})
        via = next((edge.via for edge in edges), snapshot.operation)
        fields = [
            schema.SchemaDatasetFacetFields(name=column.name, type=column.type)
            for column in snapshot.columns
        ]
        facets: dict[str, Any] = {
            "schema": schema.SchemaDatasetFacet(fields=fields),
            "version": version.DatasetVersionDatasetFacet(datasetVersion=snapshot.id),
        }
        columns = self._columns(edges)
        if columns is not None:
            facets["columnLineage"] = columns
        counts = statistics.OutputStatisticsOutputDatasetFacet(rowCount=snapshot.added_rows)
        output = OutputDataset(
            self.namespace, snapshot.dataset, outputFacets={"outputStatistics": counts},
            facets=facets,
        )  # fmt: skip
        job = Job(self.namespace, f"{via}.{snapshot.dataset}")
        return self._event(
            "COMPLETE",
            snapshot.at,
            Run(_uuid(self.namespace, snapshot.dataset, snapshot.id), self._parent(run)),
            job,
            [InputDataset(*self._named(source)) for source in sources],
            [output],
        )

    def of_run(self, run: RunTold, edges: Iterable[Edge]) -> dict[str, Any]:
        """The event of a pipeline's run; `edges` are those into and out of it."""
        from openlineage.client.event_v2 import InputDataset, Job, OutputDataset, Run
        from openlineage.client.facet_v2 import error_message_run as failed

        me = Node(NodeKind.RUN, str(run.number))
        listed = list(edges)
        read = sorted({e.source.whole() for e in listed if e.target.whole() == me})
        wrote = sorted({e.target.whole() for e in listed if e.source.whole() == me})
        facets: dict[str, Any] = {}
        if run.state == "FAIL" and run.message:
            facets["errorMessage"] = failed.ErrorMessageRunFacet(run.message, "PYTHON")
        return self._event(
            run.state,
            run.at,
            Run(_uuid(self.namespace, "run", run.id), facets),
            Job(self.namespace, f"pipeline.{run.pipeline}"),
            [InputDataset(*self._named(node)) for node in read],
            [OutputDataset(*self._named(node)) for node in wrote],
        )

    def _event(
        self, state: str, at: float, run: Any, job: Any, inputs: list[Any], outputs: list[Any]
    ) -> dict[str, Any]:
        import json

        from openlineage.client.event_v2 import RunEvent
        from openlineage.client.generated.base import EventType
        from openlineage.client.serde import Serde

        event = RunEvent(
            eventTime=datetime.fromtimestamp(at, UTC).isoformat(),
            producer=PRODUCER,
            run=run,
            job=job,
            eventType=EventType[state],
            inputs=inputs,
            outputs=outputs,
        )
        told: dict[str, Any] = json.loads(Serde.to_json(event))
        return told

    def _parent(self, run: RunTold | None) -> dict[str, Any]:
        if run is None:
            return {}
        from openlineage.client.facet_v2 import parent_run as parent

        return {
            "parent": parent.ParentRunFacet(
                run=parent.Run(_uuid(self.namespace, "run", run.id)),
                job=parent.Job(self.namespace, f"pipeline.{run.pipeline}"),
            )
        }

    def _named(self, node: Node) -> tuple[str, str]:
        """Namespace and name: datasets have the name that they have here, the rest its kind
        before it; a source that is an address is a namespace of its own."""
        if node.kind is NodeKind.DATASET:
            return self.namespace, node.name
        scheme, slashes, rest = node.name.partition("://")
        if node.kind is NodeKind.SOURCE and slashes:
            host, _, path = rest.partition("/")
            return f"{scheme}://{host}", path or "/"
        if node.kind is NodeKind.SOURCE:
            return "file", node.name
        return self.namespace, f"{node.kind.value}/{node.name}"

    def _columns(self, edges: Sequence[Edge]) -> Any:
        """The column lineage facet; `None` where no column is known."""
        from openlineage.client.facet_v2 import column_lineage_dataset as lineage

        fine = [edge for edge in edges if edge.source.column]
        if not fine:
            return None
        made: dict[str, list[Any]] = {}
        deciding = []
        for edge in fine:
            namespace, name = self._named(edge.source.whole())
            if edge.target.column:
                how = [lineage.Transformation("DIRECT")]
                made.setdefault(edge.target.column, []).append(
                    lineage.InputField(namespace, name, edge.source.column, how)
                )
            else:
                how = [lineage.Transformation("INDIRECT")]
                deciding.append(lineage.InputField(namespace, name, edge.source.column, how))
        fields = {column: lineage.Fields(origins) for column, origins in sorted(made.items())}
        return lineage.ColumnLineageDatasetFacet(fields, dataset=deciding)


def _uuid(*parts: str) -> str:
    """The same for the same thing, so that telling it twice tells it once."""
    return str(uuid.uuid5(uuid.NAMESPACE_URL, "/".join(parts)))
