"""Facets that are no inputs of the model: looked up in a dataset, by a key that rows carry.

What a model must not read is seldom sent to it. It is found by a column of the request, or by
the inference id that the client gave: `join: {dataset: applicants, key: inference_id}`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from core.bias.errors import BiasInvalid
from core.monitors.kind import INFERENCE_ID, KindContext, Window
from core.monitors.kinds._bias_settings import Join

if TYPE_CHECKING:
    import pyarrow as pa

ID = "inference_id"


def joined(
    join: Join, window: Window, wanted: Sequence[str], context: KindContext
) -> dict[str, Any]:
    """The wanted columns of the dataset's newest version, a value (or null) for each row of the
    window, as Arrow arrays. Of several rows with one key the last one counts.

    It is read with the rights of who stands for the monitor. Raises `BiasInvalid` (rows without
    the key, columns that the dataset lacks), `NotFound`, `Refused`.
    """
    import pyarrow as pa
    import pyarrow.compute as pc

    key = join.key if join.key in window.schema.names else INFERENCE_ID
    if key not in window.schema.names or (key == INFERENCE_ID and join.key != ID):
        raise BiasInvalid(
            f"join: the rows have no column {join.key}", "a column of the requests, or inference_id"
        )
    dataset = _read(join, wanted, context)
    keys = pc.cast(dataset.column(join.key), pa.string()).combine_chunks()
    last = pa.array(range(len(keys) - 1, -1, -1), pa.int64())
    asked = pc.cast(window.table([key]).column(key), pa.string()).combine_chunks()
    place = pc.index_in(asked, value_set=keys.take(last), skip_nulls=True)
    rows = last.take(place)
    return {name: dataset.column(name).combine_chunks().take(rows) for name in wanted}


def _read(join: Join, wanted: Sequence[str], context: KindContext) -> pa.Table:
    from core.governance.access import open_access
    from core.monitors.rights import reader_of, reading

    session = context.session
    if session is None:
        raise BiasInvalid("join: there is no workspace to read a dataset of")
    found = session.reader.rows(
        "SELECT created_by FROM monitors WHERE name = :name", name=context.monitor
    )
    actor = reader_of(found[0]) if found else session.actor
    purpose = f"monitor {context.monitor}: facets"
    access = open_access(session)
    try:
        with reading(context.monitor, join.dataset, actor):
            there = access.schema(join.dataset, actor=actor, purpose=purpose).names
        missing = [name for name in (join.key, *wanted) if name not in there]
        if missing:
            raise BiasInvalid(
                f"join: dataset {join.dataset} has no column {missing[0]}",
                f"it has {', '.join(there[:8])}",
            )
        columns = list(dict.fromkeys((join.key, *wanted)))
        reader = access.scan(join.dataset, columns=columns, actor=actor, purpose=purpose)
        return reader.read_all()
    finally:
        access.close()
