"""Splits of datasets into parts, and checks for what leaks into a model's features."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from core.domain.split import LeakReport, PartReport, SplitReport
from core.errors import BadInput
from core.session import Session


class SplitsService:
    """Dividing datasets, each part a dataset of its own."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def split(
        self,
        dataset: str,
        *,
        by: str,
        columns: Sequence[str] = (),
        parts: Mapping[str, float | str] | None = None,
        gap: str = "",
        seed: int = 0,
        target: str = "",
        at: str | None = None,
        to: str | None = None,
        dry: bool = False,
    ) -> SplitReport:
        """Divide a dataset and write the parts as `TO_train`, `TO_valid`, … (default: after the
        dataset's own name), each as its newest version; with `dry` only say what would come.

        `parts` maps a part to its share, or by time to the moment at which it starts. Raises
        `NotFound`, `Refused`, `SplitInvalid`, `ReadOnly`.
        """
        from core.recipes.splits.assign import assign
        from core.recipes.splits.report import report
        from core.recipes.steps import spec_of
        from core.services.derived import Source, write_derived

        if not dry:
            self._session.refuse_when_read_only(f"data split {dataset}")
        spec = spec_of(by, columns, parts, gap, seed)
        source = Source.open(self._session, dataset, at, purpose="split")
        frame = source.frame()
        if target and target not in frame.columns:
            raise BadInput(f"--target {target}: {dataset} has no such column")
        member = assign(frame, spec)
        told = report(
            frame, member, spec, dataset=dataset, snapshot=str(source.number), target=target
        )
        if dry:
            return told
        written: list[PartReport] = []
        for part in told.parts:
            name = f"{to or dataset}_{part.name}"
            snapshot = write_derived(
                self._session,
                name,
                frame.filter((member == part.name).fill_null(False)).to_arrow(),
                sources=(source,),
                lineage={column: (column,) for column in frame.columns},
                via="split",
                detail=f"{part.name} of {dataset}",
                message=f"{part.name} of {dataset} #{source.number}, by {spec.kind}",
                action="data.split",
                facts={"by": spec.kind, "part": part.name, "fingerprint": told.fingerprint},
            )
            written.append(replace(part, dataset=name, snapshot=str(snapshot.number)))
        return replace(told, parts=tuple(written))

    def leaks(
        self,
        dataset: str,
        *,
        target: str,
        at: str | None = None,
        time: str = "",
        group: Sequence[str] = (),
        key: Sequence[str] = (),
        ignore: Sequence[str] = (),
        by: str | None = None,
        columns: Sequence[str] = (),
        parts: Mapping[str, float | str] | None = None,
        gap: str = "",
        seed: int = 0,
        others: Mapping[str, str] | None = None,
    ) -> LeakReport:
        """Look for ways in which a model of `target` would see the answer.

        With `by` (and so on) a split is tried too; `others` maps parts to datasets that exist
        already (`{"test": "bike_test"}`), the dataset itself being the part `train`. Raises
        `NotFound`, `Refused`, `SplitInvalid`, `LeakCheckInvalid`.
        """
        import polars as pl

        from core.recipes.leaks.check import check
        from core.recipes.splits.assign import assign
        from core.recipes.steps import spec_of
        from core.services.derived import Source

        source = Source.open(self._session, dataset, at, purpose="check for leaks")
        frame = source.frame()
        member = None
        if by is not None and others:
            raise BadInput("--by and --against exclude each other", "give one of them")
        if by is not None:
            member = assign(frame, spec_of(by, columns, parts, gap, seed))
        if others:
            names, frames = ["train"], [frame]
            for part, name in others.items():
                more = Source.open(self._session, name, None, purpose="check for leaks").frame()
                if set(more.columns) != set(frame.columns):
                    raise BadInput(f"{name}: has other columns than {dataset}", "compare parts")
                names.append(part)
                frames.append(more.select(frame.columns))
            sizes = [each.height for each in frames]
            member = pl.Series(
                [n for n, size in zip(names, sizes, strict=True) for _ in range(size)]
            )
            frame = pl.concat(frames, how="vertical_relaxed")
        if by == "time" and not time:
            time = columns[0]
        if by == "group" and not group:
            group = columns
        return check(
            frame,
            target,
            parts=member,
            time=time,
            group=group,
            key=key,
            ignore=ignore,
            dataset=dataset,
            snapshot=str(source.number),
        )
