"""What a model's predictions are made of: SHAP values of many rows, or of one captured request."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from core.domain.capture import CapturedRequest, CaptureFilter
from core.domain.explaining import FeatureShare, LabelExplanation, ModelExplanation
from core.domain.model import ModelVersion
from core.domain.monitor import Reference
from core.errors import BadInput, NotFound, OpsdeckError
from core.session import Session

if TYPE_CHECKING:
    import pyarrow as pa

    from core.attribution import Explanation

MOST_ROWS = 100_000
BACKGROUND = 50


class ExplainingService:
    """Explanations. Heavy: it loads the model."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def explain(
        self,
        name: str,
        which: str | None = None,
        data: str | None = None,
        rows: int = 500,
        seconds: float = 60.0,
    ) -> ModelExplanation:
        """Global SHAP values of a version (the champion, else the newest) over at most `rows`
        rows of a file or of `dataset:NAME[@VERSION]`, read with the actor's rights; else of
        those that it learned from. A model that is no ensemble of trees is asked about at most
        200 of them for at most so many seconds.

        Raises `NotFound`, `BadInput`, `CannotExplain`, `ModelUnusable`, `NoBaseline`, `Refused`.
        """
        from core.attribution import Budget, explain
        from core.services.modelrows import load, named_rows, training_rows, version_of

        if not 0 < rows <= MOST_ROWS:
            raise BadInput(f"{rows} rows: not between 1 and {MOST_ROWS}")
        version = version_of(self._session, name, which)
        purpose = _purpose(version)
        given = (
            named_rows(self._session, data, purpose)
            if data
            else training_rows(self._session, version, Reference.TRAINING, purpose)
        )
        background = given.table if not data else self._background(version) or given.table
        model = load(self._session, version)
        found = explain(model, given.table, background, Budget(rows, BACKGROUND, seconds=seconds))
        return replace(_whole(found, given.where), model=version.name, version=version.version)

    def of_model(
        self, path: Path, table: pa.Table, rows: int = 500, seconds: float = 60.0
    ) -> ModelExplanation:
        """The same of a model's folder in MLflow's format, and of rows at hand; without a name.

        Raises `ModelUnusable`, `BadInput`, `CannotExplain`.
        """
        from core.attribution import Budget, explain
        from core.services.modelrows import load_folder

        if not 0 < rows <= MOST_ROWS:
            raise BadInput(f"{rows} rows: not between 1 and {MOST_ROWS}")
        budget = Budget(rows, BACKGROUND, seconds=seconds)
        return _whole(explain(load_folder(path), table, table, budget), "rows")

    def explain_row(
        self, name: str, which: str | None, inference_id: str, seconds: float = 60.0
    ) -> ModelExplanation:
        """SHAP values of a captured request, by its inference id (`ID#2` is its second row), for
        the version that answered it, unless another one is named.

        Raises `NotFound` (no such version, no such request of this model's), `BadInput` (no
        such row), `CannotExplain`, `ModelUnusable`.
        """
        from core.attribution import Budget, explain
        from core.services.modelrows import load, version_of

        key, _, place = inference_id.partition("#")
        request = self._request(name, key)
        version = version_of(self._session, name, which or str(request.version))
        row = _row(request, place)
        background = self._background(version)
        if background is None:
            background = row
        found = explain(load(self._session, version), row, background,
                        Budget(1, BACKGROUND, seconds=seconds))  # fmt: skip
        labels = tuple(
            LabelExplanation(
                label,
                float(found.base[at]),
                _signed(found, row, at),
                float(found.base[at] + found.values[0, :, at].sum()),
            )
            for at, label in enumerate(found.labels)
        )
        return replace(
            _shown(found, f"captured request {inference_id}", labels),
            model=version.name,
            version=version.version,
            inference_id=key,
        )

    def _background(self, version: ModelVersion) -> pa.Table | None:
        """Rows that the version learned from, where lineage tells and the actor may read them."""
        from core.services.modelrows import training_rows

        try:
            found = training_rows(self._session, version, Reference.TRAINING, _purpose(version))
        except OpsdeckError:
            return None
        return found.table if found.table.num_rows else None

    def _request(self, name: str, inference_id: str) -> CapturedRequest:
        """The captured request of an endpoint that has served this model."""
        from core.capture.reader import newest
        from core.serving.folder import EndpointFolder

        endpoints = self._session.reader.rows(
            "SELECT DISTINCT endpoint FROM revisions WHERE model = :model", model=name
        )
        for row in endpoints:
            root: Path = self._session.workspace.endpoints_dir / row["endpoint"]
            wanted = CaptureFilter(inference_id=inference_id)
            found = newest(EndpointFolder(root).capture, wanted, 10)
            own = [request for request in found if request.model == name]
            if own:
                return min(own, key=lambda request: request.shadow)
        served = ", ".join(row["endpoint"] for row in endpoints) or "no endpoint"
        raise NotFound(
            f"model {name}: no captured request {inference_id}",
            f"served by {served}; see: opsdeck endpoints capture NAME",
        )


def _purpose(version: ModelVersion) -> str:
    return f"models explain {version.name} v{version.version}"


def _row(request: CapturedRequest, place: str) -> pa.Table:
    """One row of a request."""
    import pyarrow as pa

    from core.monitors.spool import rows_of_request

    columns = {k: v for k, v in rows_of_request(request, None).items() if not k.startswith("__")}
    count = len(next(iter(columns.values()), []))
    at = int(place) if place.isdigit() else 1 if not place else 0
    if not 1 <= at <= count:
        raise BadInput(
            f"request {request.inference_id}: no row {place}",
            f"it has {count}: write {request.inference_id}#1",
        )
    return pa.table({name: [values[at - 1]] for name, values in columns.items()})


def _signed(found: Explanation, row: pa.Table, label: int) -> tuple[FeatureShare, ...]:
    """The features of one row, the strongest first, each with the row's value."""
    values = found.values[0, :, label]
    shares = [
        FeatureShare(feature, float(values[at]), _text(row.column(feature)[0].as_py()))
        for at, feature in enumerate(found.features)
    ]
    return tuple(sorted(shares, key=lambda share: -abs(share.shap)))


def _text(value: object) -> str:
    return "" if value is None else f"{value:g}" if isinstance(value, float) else str(value)


def _whole(found: Explanation, where: str) -> ModelExplanation:
    """The global values of each label, and Clarify's file of them; without the model's name."""
    from core.attribution import analysis

    labels = tuple(
        LabelExplanation(
            label,
            float(found.base[at]),
            tuple(FeatureShare(feature, value) for feature, value in found.ranked(at)),
        )
        for at, label in enumerate(found.labels)
    )
    return replace(_shown(found, where, labels), analysis=analysis(found))


def _shown(
    found: Explanation, where: str, labels: tuple[LabelExplanation, ...]
) -> ModelExplanation:
    return ModelExplanation(
        model="",
        version=0,
        data=where,
        method=found.method,
        units=found.measure,
        rows=found.rows,
        of=found.asked,
        background=found.background,
        seconds=found.seconds,
        labels=labels,
        note=found.note,
    )
