"""Every code of an error has one meaning, and docs/cli.md says which."""

from __future__ import annotations

import ast
import re
from collections import defaultdict
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import MappingProxyType

ROOT = Path(__file__).resolve().parent.parent
ROOT_CODE = "E000"
"""Of the class that all errors descend from: it is not an error by itself."""
_CODE = re.compile(r"E(\d{3})(?:–E(\d{3}))?")


def _codes_of(file: Path) -> Iterator[tuple[str, str]]:
    """The classes in a file that have a code of their own, and the code: a text, or a constant of
    the file."""
    tree = ast.parse(file.read_text(encoding="utf-8"))
    named = dict(_texts(tree.body))
    for node in ast.walk(tree):
        if isinstance(node, ast.ClassDef):
            for key, code in _texts(node.body, named):
                if key == "code" and _CODE.fullmatch(code):
                    yield node.name, code


def _texts(
    body: list[ast.stmt], named: Mapping[str, str] = MappingProxyType({})
) -> Iterator[tuple[str, str]]:
    """What is given a text, or a name that stands for one."""
    for line in body:
        match line:
            case (
                ast.Assign(targets=[ast.Name(id=key)], value=value)
                | ast.AnnAssign(target=ast.Name(id=key), value=value)
            ):
                match value:
                    case ast.Constant(value=str(text)):
                        yield key, text
                    case ast.Name(id=name) if name in named:
                        yield key, named[name]


def codes() -> dict[str, list[str]]:
    """Each code, with the classes that have it."""
    found: dict[str, list[str]] = defaultdict(list)
    for layer in ("core", "screens", "console"):
        for file in sorted((ROOT / layer).rglob("*.py")):
            for name, code in _codes_of(file):
                found[code].append(name)
    return found


def documented() -> list[str]:
    """The codes in the table of docs/cli.md, in its order; `E320–E323` is four."""
    text = (ROOT / "docs" / "cli.md").read_text(encoding="utf-8")
    table = text.partition("| code | meaning |")[2].partition("\n\n")[0]
    return [
        f"E{number}"
        for first, last in _CODE.findall(table)
        for number in range(int(first), int(last or first) + 1)
    ]


def test_a_code_has_one_meaning() -> None:
    found = codes()
    assert len(found) > 90, "the classes are where this looks for them"
    assert {code: names for code, names in found.items() if len(names) > 1} == {}


def test_the_docs_have_every_code_once_and_no_other() -> None:
    listed = documented()
    assert sorted(listed) == sorted(set(listed))
    assert sorted(set(codes()) - {ROOT_CODE} - set(listed)) == [], "not in docs/cli.md"
    assert sorted(set(listed) - set(codes())) == [], "in docs/cli.md only"
