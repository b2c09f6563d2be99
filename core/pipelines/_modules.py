"""The workspace's Python modules, read with `ast` and never imported."""

from __future__ import annotations

import ast
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

_SKIPPED = {"__pycache__", "node_modules", "site-packages", "build", "dist"}
_MOST_FILES = 2_000
_MOST_HOPS = 5


@dataclass(frozen=True, slots=True)
class Signature:
    """What a function can be given. `opaque` when it isn't a plain `def`: unknown then."""

    names: tuple[str, ...] = ()
    optional: frozenset[str] = frozenset()
    positional_only: tuple[str, ...] = ()
    takes_any: bool = False
    is_async: bool = False
    opaque: bool = False


class Unparsable(Exception):
    """A module that isn't valid Python; the message says where and why in one line."""


class Modules:
    """Looks modules up below `root` and `root/src`, parsing each file once.

    For one reading of a workspace: it keeps what it parsed and doesn't notice changes.
    Not thread-safe.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        self.places = (root, root / "src")
        self._trees: dict[Path, ast.Module] = {}
        self._names: tuple[str, ...] | None = None

    def find(self, module: str, *, also: tuple[Path, ...] = ()) -> Path | None:
        """The file of `module` (`pkg/mod.py` or `pkg/mod/__init__.py`), or None."""
        parts = module.split(".")
        if not all(part.isidentifier() for part in parts):
            return None
        for place in (*also, *self.places):
            base = place.joinpath(*parts)
            for file in (base / "__init__.py", base.with_name(base.name + ".py")):
                try:
                    if file.is_file():
                        return file
                except OSError:
                    continue
        return None

    def names(self) -> tuple[str, ...]:
        """Every module of the workspace, dotted, for suggestions (at most two thousand)."""
        if self._names is None:
            found: list[str] = []
            for place in reversed(self.places):
                if not place.is_dir():
                    continue
                for file in _python_files(place):
                    parts = file.relative_to(place).with_suffix("").parts
                    if parts[-1] == "__init__":
                        parts = parts[:-1]
                    if parts and parts[0] not in {"src", "tests"}:
                        found.append(".".join(parts))
            self._names = tuple(dict.fromkeys(found))
        return self._names

    def tree(self, file: Path) -> ast.Module:
        """The parsed module; raises `Unparsable`, or `OSError` when it can't be read."""
        if file not in self._trees:
            try:
                self._trees[file] = ast.parse(file.read_bytes(), filename=str(file))
            except SyntaxError as error:
                reason = f"{self.relative(file)}:{error.lineno or 1} {error.msg}"
                raise Unparsable(reason) from None
            except (ValueError, RecursionError, MemoryError) as error:
                raise Unparsable(f"{self.relative(file)}: {error}") from None
        return self._trees[file]

    def functions(self, file: Path) -> tuple[str, ...]:
        """Names of the public functions that a module defines."""
        nodes = _top_level(self.tree(file))
        functions = (n.name for n in nodes if isinstance(n, ast.FunctionDef | ast.AsyncFunctionDef))
        return tuple(name for name in functions if not name.startswith("_"))

    def signature(self, file: Path, name: str, hops: int = 0) -> Signature | None:
        """How `name` of a module is called, following imports inside the workspace.

        None when the module binds no such name. Raises as `tree` does.
        """
        found: Signature | None = None
        for node in _top_level(self.tree(file)):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name == name:
                found = _signature_of(node)
            elif isinstance(node, ast.ImportFrom):
                found = self._imported(file, node, name, hops) or found
            elif name in _bound(node):
                found = Signature(opaque=True)
        return found

    def _imported(self, file: Path, node: ast.ImportFrom, name: str, hops: int) -> Signature | None:
        for alias in node.names:
            if alias.name != "*" and (alias.asname or alias.name) != name:
                continue
            original = name if alias.name == "*" else alias.name
            module = self.absolute(file, node)
            source = self.find(module) if module else None
            if source is None or hops >= _MOST_HOPS:
                return None if alias.name == "*" else Signature(opaque=True)
            found = self.signature(source, original, hops + 1)
            if found is not None:
                return found
        return None

    def absolute(self, file: Path, node: ast.ImportFrom) -> str | None:
        """The dotted module that a `from … import` in `file` names; None outside it."""
        if not node.level:
            return node.module
        for place in reversed(self.places):
            if file.is_relative_to(place):
                package = file.relative_to(place).parts[:-1]
                kept = package[: len(package) - node.level + 1]
                if node.level - 1 > len(package):
                    return None
                return ".".join((*kept, *((node.module,) if node.module else ())))
        return None

    def relative(self, file: Path) -> str:
        """`file` as a person would type it from the workspace."""
        inside = file.is_relative_to(self.root)
        return file.relative_to(self.root).as_posix() if inside else str(file)


def _python_files(place: Path) -> Iterator[Path]:
    count = 0
    for folder, folders, files in os.walk(place):
        folders[:] = sorted(
            name
            for name in folders
            if not name.startswith(".")
            and name not in _SKIPPED
            and not (Path(folder) / name / "pyvenv.cfg").exists()
        )
        for name in sorted(files):
            if name.endswith(".py"):
                yield Path(folder, name)
                count += 1
                if count >= _MOST_FILES:
                    return


def _top_level(tree: ast.Module) -> Iterator[ast.stmt]:
    """Statements that bind names of the module, those under `if`, `try` and `with` too."""
    waiting: list[ast.stmt] = list(reversed(tree.body))
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.If | ast.Try | ast.With):
            inner = [child for child in ast.iter_child_nodes(node) if isinstance(child, ast.stmt)]
            for handler in getattr(node, "handlers", []):
                inner.extend(handler.body)
            waiting.extend(reversed(inner))
        else:
            yield node


def _bound(node: ast.stmt) -> set[str]:
    """Names that an assignment, class or plain import binds."""
    if isinstance(node, ast.ClassDef):
        return {node.name}
    if isinstance(node, ast.Import):
        return {alias.asname or alias.name.split(".")[0] for alias in node.names}
    if isinstance(node, ast.Assign | ast.AnnAssign):
        targets = node.targets if isinstance(node, ast.Assign) else [node.target]
        names = (each for target in targets for each in ast.walk(target))
        return {each.id for each in names if isinstance(each, ast.Name)}
    return set()


def _signature_of(node: ast.FunctionDef | ast.AsyncFunctionDef) -> Signature:
    args = node.args
    positional = [arg.arg for arg in (*args.posonlyargs, *args.args)]
    optional = set(positional[len(positional) - len(args.defaults) :] if args.defaults else ())
    for arg, default in zip(args.kwonlyargs, args.kw_defaults, strict=True):
        positional.append(arg.arg)
        if default is not None:
            optional.add(arg.arg)
    return Signature(
        tuple(positional),
        frozenset(optional),
        tuple(arg.arg for arg in args.posonlyargs if arg.arg not in optional),
        args.kwarg is not None,
        isinstance(node, ast.AsyncFunctionDef),
    )
