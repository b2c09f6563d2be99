"""Whatever is granted: nobody sees a masked value or a filtered row, and grants only add."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from core.domain.governance import Action, Grant, Label, Mask, Policy
from core.governance import Access, Refused
from core.governance.policy import openness
from core.query.runner import Queries
from tests.support.governed import Memory

ROWS = [
    {"k": k, "g": g, "mail": f"user{k}@mail.example", "pay": 1013 + 37 * k, "day": None}
    for k, g in enumerate(["a", "b", None, "a", "c", "b"])
]
TABLE = pa.Table.from_pylist(
    ROWS,
    schema=pa.schema(
        [
            ("k", pa.int64()),
            ("g", pa.string()),
            ("mail", pa.string()),
            ("pay", pa.int64()),
            ("day", pa.date32()),
        ]
    ),
)
FILTERS: dict[str | None, Callable[[dict[str, Any]], bool]] = {
    None: lambda row: True,
    "k < 3": lambda row: row["k"] < 3,
    "g = 'a'": lambda row: row["g"] == "a",
    "g <> 'b'": lambda row: row["g"] not in (None, "b"),
    "mail = 'user4@mail.example' OR g IS NULL": lambda row: row["k"] == 4 or row["g"] is None,
    "pay > 1e9": lambda row: False,
}
MASKS = {
    "mail": ("hash", "redact", "null", "clear", "partial:4"),
    "pay": ("hash", "null", "clear", "bucket:500"),
}
COLUMNS = tuple(TABLE.column_names)


@st.composite
def grants(draw: st.DrawFn) -> Grant:
    columns = draw(st.none() | st.sets(st.sampled_from(COLUMNS), min_size=1).map(sorted))
    masks = {
        name: _mask(draw(st.sampled_from(options)))
        for name, options in MASKS.items()
        if draw(st.booleans()) and (columns is None or name in columns)
    }
    return Grant(
        id=draw(st.uuids()).hex,
        dataset="people",
        principal=draw(st.sampled_from(["ann", "group:analysts", "*", "eve"])),
        action=Action.READ,
        columns=None if columns is None else tuple(columns),
        masks=masks,
        row_filter=draw(st.sampled_from(list(FILTERS))),
        at=0.0,
        by="olga",
        expires_at=draw(st.sampled_from([None, None, None, 1.0])),
    )


LABELS = st.sets(st.sampled_from(["mail", "pay", "g"]), max_size=2).map(
    lambda names: tuple(Label("people", name, "pii", "", 0.0, "olga") for name in sorted(names))
)


def _mask(text: str) -> Mask:
    kind, colon, number = text.partition(":")
    return Mask(kind, float(number) if colon else None)


class Fixed(Access):
    """Access under a policy that stands in no row; refusals are not journalled."""

    laid_down: Policy

    def policy(self, name: str) -> Policy:
        return self.laid_down

    def _journalled(self, *_: Any) -> Any:
        from contextlib import nullcontext

        return nullcontext()


def expected(policy: Policy, names: set[str]) -> list[dict[str, Mask | None]] | None:
    """How each row's cells are shown (`None`: not), by the slow way; `None`: refused."""
    labelled = {label.column for label in policy.labels}
    held = [g for g in policy.grants if g.principal in names and g.expires_at is None]
    if not held:
        return None
    rows = []
    for row in ROWS:
        lenses = [g for g in held if FILTERS[g.row_filter](row)]
        if not lenses:
            continue
        cells: dict[str, Mask | None] = {}
        for name in COLUMNS:
            shown = [
                g.masks.get(name, Mask("hash") if name in labelled else Mask("clear"))
                for g in lenses
                if g.columns is None or name in g.columns
            ]
            cells[name] = min(shown, key=openness) if shown else None
        rows.append({"k": row["k"], **{f"_{name}": mask for name, mask in cells.items()}})
    return rows


def check(found: list[dict[str, Any]], rows: list[dict[str, Any]]) -> None:
    """The rows found are those expected, each cell as its mask says."""
    assert len(found) == len(rows)
    for seen, how in zip(found, rows, strict=True):
        raw = ROWS[how["k"]]
        for name, value in seen.items():
            mask = how[f"_{name}"]
            if mask is None or mask.kind == "null" or raw[name] is None:
                assert value is None, (name, mask)
            elif mask.kind == "clear":
                assert value == raw[name]
            else:
                assert value is not None and value != raw[name], (name, mask)


@pytest.fixture
def fixed(space: Callable[..., Any]) -> Fixed:
    access = Fixed(space("ann").session, Memory({"people": TABLE}))
    access.laid_down = Policy("people", "olga")
    return access


RULES = settings(
    max_examples=25,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
ANN = {"ann", "group:analysts", "*"}


@RULES
@given(held=st.lists(grants(), min_size=1, max_size=4), labels=LABELS)
def test_each_cell_is_as_the_slow_way_says(
    fixed: Fixed, held: list[Grant], labels: tuple[Label, ...]
) -> None:
    fixed.laid_down = Policy("people", "olga", tuple(held), labels)
    rows = expected(fixed.laid_down, ANN)
    if rows is None:
        with pytest.raises(Refused):
            fixed.scan("people")
        return
    check(fixed.scan("people").read_all().to_pylist(), rows)
    assert fixed.scan("people").schema == fixed.schema("people")


@RULES
@given(held=st.lists(grants(), min_size=1, max_size=3), labels=LABELS, row=st.sampled_from(ROWS))
def test_no_condition_finds_what_is_hidden(
    fixed: Fixed, held: list[Grant], labels: tuple[Label, ...], row: dict[str, Any]
) -> None:
    fixed.laid_down = Policy("people", "olga", tuple(held), labels)
    rows = expected(fixed.laid_down, ANN)
    if rows is None:
        return
    queries = Queries(fixed.session, fixed)
    for name in ("mail", "pay"):
        if name not in fixed.schema("people").names:
            continue
        value = repr(row[name])
        clear = [
            each for each in rows if each["k"] == row["k"] and each[f"_{name}"] == Mask("clear")
        ]
        assert fixed.scan("people", where=f"{name} = {value}").read_all().num_rows == len(clear)
        asked = f"SELECT count(*) FROM people WHERE {name} IN ({value})"
        assert queries.run(asked).rows == ((len(clear),),)
        joined = f"SELECT count(*) FROM people a JOIN (SELECT {value} v) b ON a.{name} = b.v"
        assert queries.run(joined).rows == ((len(clear),),)


@RULES
@given(held=st.lists(grants(), max_size=3), more=grants(), labels=LABELS)
def test_a_further_grant_takes_nothing_away(
    fixed: Fixed, held: list[Grant], more: Grant, labels: tuple[Label, ...]
) -> None:
    def seen(those: list[Grant]) -> dict[int, dict[str, Any]]:
        fixed.laid_down = Policy("people", "olga", tuple(those), labels)
        everything = tuple(those)
        rows = expected(Policy("people", "olga", everything, labels), ANN)
        if rows is None:
            return {}
        found = fixed.scan("people").read_all().to_pylist()
        return {how["k"]: row for how, row in zip(rows, found, strict=True)}

    before, after = seen([*held]), seen([*held, more])
    assert before.keys() <= after.keys()
    for k, row in before.items():
        for name, value in row.items():
            if value == ROWS[k][name]:
                assert after[k][name] == value, name
            if value is not None:
                assert after[k][name] is not None, name
