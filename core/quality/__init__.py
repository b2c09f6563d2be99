"""What is expected of datasets: files of expectations, the gate before a commit, quarantine.

Importing this package is cheap; polars, pandera and DuckDB load when something is asked.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pyarrow as pa

    from core.domain.quality import Verdict
    from core.lake.lake import Lake
    from core.session import Session

__all__ = ["gate"]


def gate(
    session: Session,
    dataset: str,
    table: pa.Table,
    *,
    batch_id: str,
    by: str,
    run_id: str | None = None,
    mode: str = "append",
    keys: Sequence[str] = (),
    where: str | None = None,
    message: str = "",
    evolve: str = "add",
    lake: Lake | None = None,
) -> Verdict:
    """Whether a batch may be committed; see `core.quality.gating.gate`."""
    from core.quality.files import expectations_path

    if expectations_path(session.workspace.root, dataset) is None:
        from core.domain.quality import Verdict

        return Verdict(True, None, message="no expectations")
    from core.quality.gating import gate as ask

    return ask(
        session,
        dataset,
        table,
        batch_id=batch_id,
        by=by,
        run_id=run_id,
        mode=mode,
        keys=keys,
        where=where,
        message=message,
        evolve=evolve,
        lake=lake,
    )
