"""Into which datasets something may be taken."""

from __future__ import annotations

from core.errors import NotFound, WrongState
from core.lake.names import check_name
from core.reads.datasets import find_dataset
from core.session import Session

_MADE = {
    "view": "its rows are what its query gives: opsdeck views refresh",
    "features": "its rows come from its feature view: opsdeck features materialize",
    "captures": "its rows come from an endpoint",
}


def check_target(session: Session, name: str) -> None:
    """Raise `BadInput` for what cannot be a dataset's name, `WrongState` for a dataset whose
    rows are made, and `Refused` where the actor may not write it."""
    from core.governance.access import open_access

    check_name(name)
    try:
        kind = find_dataset(session.reader, name).kind
    except NotFound:
        kind = "table"
    if kind in _MADE:
        raise WrongState(f"dataset {name}: nothing can be taken into it", _MADE[kind])
    open_access(session).check_write(name)
