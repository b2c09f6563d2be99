"""The settings of a data step as its process finds them: values, files, versions of datasets."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from core.engine.datareads import BESIDE
from core.errors import BadInput

if TYPE_CHECKING:
    import pyarrow as pa

    from core.lineage import Origins
    from core.ops import Ops

Given = Mapping[str, Any]


class Settings:
    """What one step was given, by name. Raises `BadInput`, naming verb and setting."""

    def __init__(self, verb: str, inputs: Mapping[str, Given], ops: Ops) -> None:
        self.verb = verb
        self._inputs = inputs
        self._ops = ops
        self._read: list[tuple[Given, pa.Table]] = []

    def text(self, name: str, default: str | None = None) -> str | None:
        """One line of text."""
        value = self._value(name)
        if value is None:
            return default
        if isinstance(value, bool) or not isinstance(value, str | int | float):
            raise self.wrong(name, f"must be text, not {value!r}")
        return str(value)

    def needed(self, name: str) -> str:
        """Text that must be there."""
        value = self.text(name)
        if not value:
            raise self.wrong(name, "is missing")
        return value

    def choice(self, name: str, allowed: tuple[str, ...]) -> str:
        """One of these words; the first by default."""
        value = self.text(name, allowed[0])
        if value not in allowed:
            raise self.wrong(name, f"must be {', '.join(allowed)}, not {value!r}")
        assert value is not None
        return value

    def whole(self, name: str, default: int) -> int:
        """An integer."""
        value = self._value(name)
        if value is None:
            return default
        if isinstance(value, bool) or not isinstance(value, int):
            raise self.wrong(name, f"must be a whole number, not {value!r}")
        return value

    def texts(self, name: str) -> tuple[str, ...]:
        """One text or a list of them."""
        value = self._value(name)
        if value is None:
            return ()
        listed = value if isinstance(value, list) else [value]
        if not all(isinstance(each, str) for each in listed):
            raise self.wrong(name, f"must be text or a list of texts, not {value!r}")
        return tuple(listed)

    def pairs(self, name: str) -> dict[str, Any]:
        """A mapping: given as one, or name by name as `NAME.KEY`."""
        value = self._value(name)
        if value is not None and not isinstance(value, Mapping):
            raise self.wrong(name, f"must be a mapping, not {value!r}")
        found = dict(value or {})
        for key, given in self._inputs.items():
            outer, dot, inner = key.partition(".")
            if dot and outer == name and "value" in given:
                found[inner] = given["value"]
        return found

    def names(self, outer: str) -> tuple[str, ...]:
        """The names under a setting that maps names to rows."""
        return tuple(key.partition(".")[2] for key in self._inputs if key.startswith(f"{outer}."))

    def dataset(self, name: str) -> tuple[str, str] | None:
        """The dataset and snapshot that a setting names; `None` where it names a file."""
        given = self._given(name)
        return (given["dataset"], given["snapshot"]) if "dataset" in given else None

    def pins(self) -> dict[str, str]:
        """Of datasets that are read without being inputs, and for which no version is named:
        the snapshot that this run reads."""
        given = [each for name, each in self._inputs.items() if name.startswith(BESIDE)]
        return {g["dataset"]: g["snapshot"] for g in given if "dataset" in g and not g["at"]}

    def rows(self, name: str) -> pa.Table:
        """The rows that a setting names, of a dataset as the run's actor may see them."""
        given = self._given(name)
        for known, rows in self._read:
            if known == given:  # twice: as what a recipe is fitted on, and is applied to
                return rows
        rows = self._rows(name, given)
        self._read.append((given, rows))
        return rows

    def _rows(self, name: str, given: Given) -> pa.Table:
        if "dataset" in given:
            from core.governance.access import open_access

            access = open_access(self._ops.session)
            purpose = f"{self.verb} step"
            return access.scan(given["dataset"], at=given["snapshot"], purpose=purpose).read_all()
        if given.get("kind") != "frame":
            raise self.wrong(name, f"must be rows, not {given.get('kind', 'a value')}")
        import pyarrow.parquet as pq

        table = pq.read_table(given["path"])
        return table.replace_schema_metadata(None)

    def flag(self, name: str) -> bool:
        """True or false; false where it is left out."""
        value = self._value(name)
        if value is not None and not isinstance(value, bool):
            raise self.wrong(name, f"must be true or false, not {value!r}")
        return bool(value)

    def model(self, name: str) -> Path:
        """The folder of the fitted model that a setting names."""
        given = self._given(name)
        if given.get("kind") != "model":
            raise self.wrong(name, f"must be a fitted model, not {given.get('kind', 'rows')}")
        return Path(given["path"])

    def origins(self, name: str) -> Origins:
        """What the columns of these rows are made of."""
        from core.engine.dataorigins import read_origins
        from core.lineage import origins_in, unknown_origins

        given, columns = self._given(name), self.rows(name).column_names
        if "dataset" in given:
            return origins_in(given["dataset"], columns)
        found = read_origins(Path(given["path"])) if given.get("traced") else None
        return found or unknown_origins(columns)

    def file(self, name: str) -> Path:
        """A file of the workspace."""
        text = self.needed(name)
        root = self._ops.workspace.root
        path = (root / text).resolve()
        if not path.is_relative_to(root.resolve()):
            raise self.wrong(name, f"{text} is outside the workspace")
        if not path.is_file():
            raise self.wrong(name, f"no file {text}")
        return path

    def wrong(self, name: str, what: str) -> BadInput:
        """The error about one setting."""
        return BadInput(f"{self.verb}.{name}: {what}", f"mend the {self.verb} step in the pipeline")

    def has(self, name: str) -> bool:
        """Whether it was given."""
        return name in self._inputs

    def _value(self, name: str) -> Any:
        given = self._inputs.get(name)
        if given is None:
            return None
        if "value" not in given:
            raise self.wrong(name, "must be a value, not the output of a step")
        return given["value"]

    def _given(self, name: str) -> Given:
        given = self._inputs.get(name)
        if given is None:
            raise self.wrong(name, "is missing")
        if "value" in given:
            raise self.wrong(name, f"must name rows, not {given['value']!r}")
        return given
