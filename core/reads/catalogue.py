"""The catalogue of datasets, as read from the state in a handful of statements."""

from __future__ import annotations

from core.domain.catalogue import CatalogueEntry, DatasetQuality
from core.domain.quality import Validation
from core.reads.datasets import list_datasets
from core.reads.quality import validation_of
from core.reads.views import list_views
from core.state.reading import Reader

_NEWEST = """
SELECT v.* FROM validations v JOIN (
  SELECT dataset, max(at) AS at FROM validations
  WHERE batch_id IS NULL OR passed = 1 GROUP BY dataset
) n ON n.dataset = v.dataset AND n.at = v.at WHERE v.batch_id IS NULL OR v.passed = 1
"""
"""A batch that failed is not in the dataset: it says nothing of what the dataset holds."""

_HELD = """
SELECT dataset, count(*) AS held FROM quarantine
WHERE state IN ('held', 'repaired', 'replaying') GROUP BY dataset
"""


def read_catalogue(reader: Reader) -> tuple[CatalogueEntry, ...]:
    """Every dataset by name, with its quality, held batches, view and labels."""
    checked = {row["dataset"]: validation_of(row) for row in reader.rows(_NEWEST)}
    held = {row["dataset"]: row["held"] for row in reader.rows(_HELD)}
    views = {view.name: view for view in list_views(reader)}
    labels: dict[str, list[str]] = {}
    for row in reader.rows("SELECT DISTINCT dataset, tag FROM dataset_tags ORDER BY dataset, tag"):
        labels.setdefault(row["dataset"], []).append(row["tag"])
    entries = []
    for dataset in list_datasets(reader):
        validation = checked.get(dataset.name)
        entries.append(
            CatalogueEntry(
                dataset,
                quality=_quality(validation),
                failing=len(validation.failures) if validation else 0,
                checked_at=validation.at if validation else None,
                held=held.get(dataset.name, 0),
                view=views.get(dataset.name) if dataset.kind == "view" else None,
                labels=tuple(labels.get(dataset.name, ())),
            )
        )
    return tuple(entries)


def _quality(validation: Validation | None) -> DatasetQuality:
    if validation is None:
        return DatasetQuality.UNCHECKED
    if not validation.passed:
        return DatasetQuality.FAILED
    return DatasetQuality.WARNED if validation.warnings else DatasetQuality.PASSED
