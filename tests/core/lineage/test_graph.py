"""Walks of the lineage graph: whole things, columns, and where columns are not known."""

from __future__ import annotations

from collections.abc import Iterable

from hypothesis import given
from hypothesis import strategies as st

from core.domain.datalineage import Edge, Node, NodeKind, edges_between
from core.lineage import Branch, downstream, touched, upstream

D = NodeKind.DATASET


def both(edges: Iterable[Edge]) -> tuple[object, object]:
    listed = list(edges)
    return (
        lambda node: [e for e in listed if e.source.whole() == node],
        lambda node: [e for e in listed if e.target.whole() == node],
    )


EDGES = (
    *edges_between((NodeKind.SOURCE, "rentals.csv"), (D, "rentals"), "ingest"),
    *edges_between(
        (D, "rentals"), (D, "hourly"), "view",
        columns={"total": ("casual", "registered"), "hour": ("hour",), "": ("valid",)},
    ),
    *edges_between((D, "weather"), (D, "hourly"), "view", columns={"temp": ("temp",)}),
    *edges_between((D, "hourly"), (NodeKind.RUN, "7"), "read"),
)  # fmt: skip


def names(root: Branch) -> set[str]:
    return {str(branch.node) for branch in root.walk()}


def test_everything_behind_a_dataset() -> None:
    forward, _ = both(EDGES)
    root = downstream(Node(D, "rentals"), forward)  # type: ignore[arg-type]
    assert names(root) == {"dataset/rentals", "dataset/hourly", "run/7"}


def test_a_column_goes_into_its_own_columns_only() -> None:
    forward, _ = both(EDGES)
    root = downstream(Node(D, "rentals", "casual"), forward)  # type: ignore[arg-type]
    found = touched(root)
    assert [(str(t.node), t.columns, t.certain) for t in found] == [
        ("dataset/hourly", ("total",), True),
        ("run/7", (), False),  # a run is known to read all of it, not which columns
    ]
    unused = downstream(Node(D, "rentals", "comment"), forward)  # type: ignore[arg-type]
    assert touched(unused) == ()


def test_a_column_that_decides_about_rows_touches_the_whole() -> None:
    forward, _ = both(EDGES)
    found = touched(downstream(Node(D, "rentals", "valid"), forward))  # type: ignore[arg-type]
    assert (str(found[0].node), found[0].columns, found[0].certain) == ("dataset/hourly", (), True)
    assert str(found[1].node) == "run/7" and found[1].certain


def test_where_a_column_is_from() -> None:
    _, back = both(EDGES)
    root = upstream(Node(D, "hourly", "total"), back)  # type: ignore[arg-type]
    assert names(root) == {
        "dataset/hourly.total", "dataset/rentals.casual", "dataset/rentals.registered",
        "source/rentals.csv",
    }  # fmt: skip
    assert not [b for b in root.walk() if b.node.kind == NodeKind.SOURCE and b.certain]


def test_columns_of_unknown_origin_are_perhaps_made_of_any() -> None:
    forward, back = both(
        edges_between(
            (D, "a"), (D, "b"), "pipeline", columns={"known": ("x",), "unknown": ("",)}
        )
    )  # fmt: skip
    found = touched(downstream(Node(D, "a", "x"), forward))  # type: ignore[arg-type]
    assert [(str(t.node), t.columns, t.certain) for t in found] == [
        ("dataset/b", ("known", "unknown"), True)
    ]
    other = downstream(Node(D, "a", "y"), forward)  # type: ignore[arg-type]
    assert [(str(b.node), b.certain) for b in other.branches] == [("dataset/b.unknown", False)]
    up = upstream(Node(D, "b", "unknown"), back)  # type: ignore[arg-type]
    assert [(str(b.node), b.certain) for b in up.branches] == [("dataset/a", False)]
    up = upstream(Node(D, "b", "known"), back)  # type: ignore[arg-type]
    assert [(str(b.node), b.certain) for b in up.branches] == [("dataset/a.x", True)]


@given(st.lists(st.tuples(st.integers(0, 8), st.integers(0, 8)), max_size=40))
def test_a_walk_ends_on_any_graph_and_finds_what_can_be_reached(
    pairs: list[tuple[int, int]],
) -> None:
    edges = [e for a, b in pairs for e in edges_between((D, f"d{a}"), (D, f"d{b}"), "view")]
    forward, back = both(edges)
    reach, edge_of = {0}, pairs
    while more := {b for a, b in edge_of if a in reach} - reach:
        reach |= more
    root = downstream(Node(D, "d0"), forward, depth=100)  # type: ignore[arg-type]
    assert names(root) == {f"dataset/d{n}" for n in reach}
    for n in reach - {0}:
        above = upstream(Node(D, f"d{n}"), back, depth=100)  # type: ignore[arg-type]
        assert "dataset/d0" in names(above)
