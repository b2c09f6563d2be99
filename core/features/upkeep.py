"""Keeping an online store up: one run with its record, and the process that does it for a
worker: `python -m core.features.upkeep WORKSPACE VIEW@VERSION`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

from core.domain.features import FeatureView, Materialized
from core.errors import OpsdeckError
from core.features import registry
from core.features.place import online_file, spill_of
from core.reads import features as _reads
from core.session import Session

if TYPE_CHECKING:
    from core.lake.lake import Lake

WORKER = "worker"


def bring_up(
    session: Session,
    lake: Lake,
    view: FeatureView,
    *,
    rebuild: bool = False,
    only: tuple[float | None, float | None] | None = None,
) -> Materialized:
    """Run the materialise routine for a view and put it on record; `only` bounds the event
    times (epoch seconds). Raises as `core.features.materialize.materialize` does."""
    from core.features.materialize import Range, materialize

    wanted = None
    if only is not None:
        wanted = Range(*(None if at is None else round(at * 1e6) for at in only))
    file = online_file(session.workspace, view.spec.name, view.version)
    try:
        done = materialize(
            lake, view.spec, view.version, file, rebuild=rebuild, only=wanted,
            spill=spill_of(session.workspace),
        )  # fmt: skip
    except OpsdeckError as error:
        registry.record_failure(session, view, error.one_line())
        raise
    registry.record_materialized(session, view, done)
    return done


def main(root: Path, ref: str) -> int:
    """Bring one view up, in the worker's name; the reason for failing is on record."""
    from core.lake import open_lake
    from core.workspace import open_workspace

    session = Session(open_workspace(root), WORKER, read_only=False)
    try:
        bring_up(session, open_lake(session), _reads.find_version(session.reader, ref))
    except OpsdeckError as error:
        sys.stderr.write(f"{ref}: {error.one_line()}\n")
        return error.exit_status
    finally:
        session.close()
    return 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), sys.argv[2]))
