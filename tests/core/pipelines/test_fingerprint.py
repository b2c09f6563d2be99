"""The code hash changes with the code that a step runs, and with nothing else."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from core.domain.pipeline import StepSpec
from core.errors import PipelineInvalid
from core.pipelines import code_fingerprint

STEP = StepSpec("s", "function", "pkg.work:run")


@pytest.fixture
def code(tmp_path: Path) -> Path:
    """`pkg.work` imports, in every way there is, a chain of modules."""
    files = {
        "pkg/__init__.py": "",
        "pkg/work.py": "import os\nfrom . import near\nfrom pkg.far import thing\n"
        "def run():\n    import lazily.deep as d\n    from ext import gone\n",
        "pkg/near.py": "from .nearer import x\n",
        "pkg/nearer.py": "import pkg.work\nx = 1\n",
        "pkg/far.py": "from src_mod import *\nthing = 1\n",
        "pkg/unused.py": "x = 1\n",
        "src/src_mod.py": "y = 1\n",
        "src/lazily/__init__.py": "",
        "src/lazily/deep.py": "z = 1\n",
        "scripts/main.py": "import helper\n",
        "scripts/helper.py": "h = 1\n",
        "scripts/look.ipynb": "{}",
    }
    for name, text in files.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return tmp_path


@pytest.mark.parametrize(
    ("file", "counts"),
    [
        ("pkg/__init__.py", True),
        ("pkg/work.py", True),
        ("pkg/near.py", True),
        ("pkg/nearer.py", True),
        ("pkg/far.py", True),
        ("src/src_mod.py", True),
        ("src/lazily/__init__.py", True),
        ("src/lazily/deep.py", True),
        ("pkg/unused.py", False),
        ("scripts/helper.py", False),
    ],
)
def test_what_counts(code: Path, file: str, counts: bool) -> None:
    before = code_fingerprint(code, STEP)
    with (code / file).open("a") as stream:
        stream.write("# changed\n")
    assert (code_fingerprint(code, STEP) != before) is counts


def test_a_hash_does_not_depend_on_where_the_workspace_is(code: Path, tmp_path: Path) -> None:
    other = tmp_path / "elsewhere"
    for path in sorted(code.rglob("*.py")):
        copy = other / path.relative_to(code)
        copy.parent.mkdir(parents=True, exist_ok=True)
        copy.write_bytes(path.read_bytes())
    assert code_fingerprint(other, STEP) == code_fingerprint(code, STEP)


@pytest.mark.parametrize(
    ("step", "file"),
    [
        (StepSpec("s", "script", "scripts/main.py"), "scripts/main.py"),
        (StepSpec("s", "script", "scripts/main.py"), "scripts/helper.py"),
        (StepSpec("s", "notebook", "scripts/look.ipynb"), "scripts/look.ipynb"),
    ],
)
def test_scripts_and_notebooks(code: Path, step: StepSpec, file: str) -> None:
    before = code_fingerprint(code, step)
    (code / file).write_text("\n")
    assert code_fingerprint(code, step) != before


def test_each_function_and_each_option_has_a_hash_of_its_own(code: Path) -> None:
    steps = [
        STEP,
        StepSpec("s", "function", "pkg.work:other"),
        StepSpec("s", "register", options={"name": "a"}),
        StepSpec("s", "register", options={"name": "b"}),
        StepSpec("s", "gate", options={"name": "a"}),
    ]
    assert len({code_fingerprint(code, step) for step in steps}) == len(steps)


@pytest.mark.parametrize("spoil", [Path.unlink, lambda path: path.write_text("def (:\n")])
def test_code_that_is_gone_or_broken_is_named(code: Path, spoil: Callable[[Path], None]) -> None:
    spoil(code / "pkg/work.py")
    with pytest.raises(PipelineInvalid, match=r"step s: .*pkg[./]work"):
        code_fingerprint(code, STEP)
    (code / "scripts/look.ipynb").unlink()
    with pytest.raises(PipelineInvalid, match=r"step s: .*can't be read"):
        code_fingerprint(code, StepSpec("s", "notebook", "scripts/look.ipynb"))
