"""What a governed read does: the columns it reads, what it shows of them, and of which rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass
from typing import Any

from core.domain.governance import CLEAR, Mask
from core.errors import BadInput
from core.governance.conditions import Condition, check_condition
from core.governance.errors import PolicyBroken, PolicyInvalid, Refused
from core.governance.masks import expression, masked_type
from core.governance.policy import Choice, Lens, choices, row_conditions
from core.governance.pushdown import wider


@dataclass(frozen=True, slots=True)
class Shown:
    """A column that the actor sees, and how, row by row."""

    name: str
    kind: Any
    choices: tuple[Choice, ...]

    @property
    def clear(self) -> bool:
        """Whether it is shown as it is in every row that is shown."""
        return len(self.choices) == 1 and self.choices[0] == Choice(None, CLEAR)

    @property
    def masked_kind(self) -> Any:
        """The Arrow type of what is shown."""
        for choice in self.choices:
            if masked_type(choice.mask, self.kind) != self.kind:
                return masked_type(choice.mask, self.kind)
        return self.kind


@dataclass(frozen=True, slots=True)
class Plan:
    """One read: `shown` in the order of the output; `read_schema` is what is read from the lake;
    `conditions` are those of which a row must meet one (`None`: every row is shown)."""

    dataset: str
    shown: tuple[Shown, ...]
    conditions: tuple[Condition, ...] | None
    parsed: Mapping[str, Condition]
    read_schema: Any

    @property
    def reads(self) -> tuple[str, ...]:
        """The columns to get from the lake."""
        return tuple(self.read_schema.names)

    @property
    def passes(self) -> bool:
        """Whether the lake's rows may go out as they are."""
        return self.conditions is None and all(column.clear for column in self.shown)

    @property
    def schema(self) -> Any:
        """The Arrow schema of what goes out."""
        import pyarrow as pa

        return pa.schema([(column.name, column.masked_kind) for column in self.shown])

    def row_hint(self) -> str | None:
        """What the lake may skip rows by, for the row filter's sake."""
        if self.conditions is None or len(self.conditions) != 1:
            return None
        return wider(self.conditions[0].tree, self.read_schema, _column_name)

    def hint(self, asked: Condition) -> str | None:
        """What the lake may skip rows by, for the sake of a condition over what is shown: only
        columns that are shown as they are, or what comes back would tell what they hide."""
        clear = {column.name for column in self.shown if column.clear}

        def column_of(node: Mapping[str, Any]) -> str | None:
            name = _column_name(node)
            return name if name in clear else None

        return wider(asked.tree, self.read_schema, column_of)

    def sql(self, actor: str, source: str) -> str:
        """The statement over `source`, whose columns are those of `reads`, named c0, c1, …"""
        names = {name: f"c{index}" for index, name in enumerate(self.reads)}
        parts = [
            f"{_column_sql(column, names, self.parsed, actor)} AS o{index}"
            for index, column in enumerate(self.shown)
        ]
        rows = ""
        if self.conditions is not None:
            rows = " WHERE " + " OR ".join(f"({c.sql(names, actor)})" for c in self.conditions)
        return f"SELECT {', '.join(parts)} FROM {source}{rows}"


@dataclass(frozen=True, slots=True)
class View:
    """What one actor sees of a dataset: its columns through these lenses. `labelled` maps a
    column to the mask of its labels."""

    dataset: str
    schema: Any
    lenses: tuple[Lens, ...]
    labelled: Mapping[str, Mask | None]

    def shown(self) -> tuple[str, ...]:
        """The columns that are shown in at least some rows."""
        return tuple(field.name for field in self.schema if self._choices(field))

    def plan(self, wanted: Sequence[str]) -> Plan:
        """The plan of reading these columns.

        Raises `Refused` for one that may not be seen (or where none is asked for because none
        may be), `BadInput` for one that is not there, `PolicyBroken`.
        """
        shown = tuple(self._shown(name) for name in wanted)
        if len(set(wanted)) != len(shown):
            raise BadInput(f"dataset {self.dataset}: a column is asked for twice")
        if not shown:
            raise Refused(f"dataset {self.dataset}: no column of it is granted to you")
        rows = row_conditions(self.lenses)
        used = {choice.condition for column in shown for choice in column.choices} | set(rows or ())
        names = self.schema.names
        parsed = {text: _parse(self.dataset, text, names) for text in used if text is not None}
        needed = set(wanted).union(*(condition.columns for condition in parsed.values()))
        return Plan(
            self.dataset,
            shown,
            None if rows is None else tuple(parsed[text] for text in rows),
            parsed,
            _narrowed(self.schema, needed),
        )

    def _shown(self, name: str) -> Shown:
        index = self.schema.get_field_index(name)
        if index < 0:
            raise BadInput(f"dataset {self.dataset}: no column {name!r}", self._known())
        field = self.schema.field(index)
        found = self._choices(field)
        if not found:
            raise Refused(f"dataset {self.dataset}: you may not read column {name}", self._known())
        return Shown(name, field.type, found)

    def _choices(self, field: Any) -> tuple[Choice, ...]:
        return choices(self.lenses, field.name, self.labelled.get(field.name), field.type)

    def _known(self) -> str:
        readable = self.shown()
        if not readable:
            return "none of its columns is granted to you"
        return "columns: " + ", ".join(readable[:12]) + (", …" if len(readable) > 12 else "")


def _narrowed(schema: Any, names: Set[str]) -> Any:
    import pyarrow as pa

    return pa.schema([field for field in schema if field.name in names])


def _column_name(node: Mapping[str, Any]) -> str | None:
    if node.get("class") != "COLUMN_REF":
        return None
    return str(node["column_names"][0])


def _parse(dataset: str, text: str, columns: Sequence[str]) -> Condition:
    try:
        return check_condition(text, columns)
    except PolicyInvalid as error:
        raise PolicyBroken(
            f"dataset {dataset}: a grant's row filter does not fit it (any more)",
            f"who manages it can mend it: opsdeck data grants {dataset}",
        ) from error


def _column_sql(
    column: Shown, names: Mapping[str, str], parsed: Mapping[str, Condition], actor: str
) -> str:
    raw = names[column.name]
    cases, otherwise = [], "NULL"
    for choice in column.choices:
        value = expression(choice.mask, raw, column.kind)
        if choice.condition is None:
            otherwise = value
            break
        cases.append(f"WHEN {parsed[choice.condition].sql(names, actor)} THEN {value}")
    return f"CASE {' '.join(cases)} ELSE {otherwise} END" if cases else otherwise
