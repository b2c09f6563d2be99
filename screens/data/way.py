"""The lineage pane: where a dataset is from and where it goes, some steps in each direction."""

from __future__ import annotations

from typing import TYPE_CHECKING

from screens.lineage.tree import side_lines, tree_rows
from screens.widgets.lines import Line

if TYPE_CHECKING:
    from screens.data.reading import Detail


def way_lines(detail: Detail, now: float, _width: int) -> list[Line]:
    """Both directions as trees."""
    if detail.upstream is None or detail.downstream is None:
        return []
    rows = tree_rows(detail.upstream.node, detail.upstream, detail.downstream)
    return [*side_lines(rows, now), [], [("  L shows it column by column", "faint")]]
