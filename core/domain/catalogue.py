"""A line of the catalogue: a dataset with all that tells whether it may be relied on."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from core.domain.dataset import Dataset
from core.domain.view import View


class DatasetQuality(StrEnum):
    """What came of the newest validation of what the dataset holds."""

    PASSED = "passed"
    WARNED = "warned"  # only checks of severity `warn` failed
    FAILED = "failed"
    UNCHECKED = "unchecked"


@dataclass(frozen=True, slots=True)
class CatalogueEntry:
    """A dataset as the catalogue lists it.

    `checked_at` is when the validation behind `quality` was made (epoch seconds), `failing`
    how many of its checks failed; `held` counts batches in quarantine; `view` is there where
    the dataset is a materialised view; `labels` are those of the dataset and of its columns.
    """

    dataset: Dataset
    quality: DatasetQuality = DatasetQuality.UNCHECKED
    failing: int = 0
    checked_at: float | None = None
    held: int = 0
    view: View | None = None
    labels: tuple[str, ...] = ()
