"""The commands in the README and in docs/cli.md do what is printed below them.

Every fenced `console` block is a part of one session: the lines that begin with `$ ` are
typed into one shell, one after the other, and what they print is compared with the lines
that follow. `…` stands for any text in a line; a line of `…` alone for any lines.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
END = "\x1e"


@dataclass(frozen=True)
class Example:
    """A command and what it should print."""

    line: int
    command: str
    expected: tuple[str, ...]


def examples(path: Path) -> list[Example]:
    """The commands in the `console` blocks of a Markdown file, in order."""
    found: list[Example] = []
    inside = False
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1):
        if line.startswith("```"):
            inside = line == "```console"
        elif inside and line.startswith("$ "):
            found.append(Example(number, line[2:], ()))
        elif inside and line.startswith("> ") and not found[-1].expected:
            last = found.pop()
            found.append(Example(last.line, f"{last.command}\n{line[2:]}", ()))
        elif inside:
            last = found.pop()
            found.append(Example(last.line, last.command, (*last.expected, line)))
    return found


def pattern(expected: tuple[str, ...]) -> str:
    """A regular expression for the lines that a command should print."""
    parts = []
    for line in expected:
        if line.strip() == "…":
            parts.append(r"(?:.*\n)*?")
        else:
            # Columns are as wide as their contents: a run of spaces matches any other.
            text = re.escape(re.sub(r"\s{2,}", "  ", line)).replace("…", ".*?")
            parts.append(text.replace(r"\ \ ", r"\s{2,}") + r"[ ]*\n")
    return "".join(parts)


class Shell:
    """One bash that lives through all the commands of a document."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
        self._process = subprocess.Popen(
            ["bash", "--noprofile", "--norc"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            cwd=folder,
            env={
                **os.environ,
                "PATH": path,
                "OPSDECK_ACTOR": "you",
                "MLFLOW_DISABLE_TELEMETRY": "true",
                "DO_NOT_TRACK": "true",
            },
        )

    def run(self, command: str) -> str:
        """What the command prints; `$?` stays what it was for the next one."""
        process = self._process
        assert process.stdin is not None and process.stdout is not None
        process.stdin.write(f"{{ {command}\n}} </dev/null\n_s=$?; printf '{END}\\n'; (exit $_s)\n")
        process.stdin.flush()
        printed = ""
        for line in process.stdout:
            if END in line:
                return printed + line.partition(END)[0]
            printed += line
        raise AssertionError(f"the shell ended during: {command}")

    def close(self) -> None:
        """End the shell, the workers and the endpoints that were started in it."""
        self._process.kill()
        self._process.wait(timeout=30)
        for config in self.folder.glob("*/opsdeck.yaml"):
            end_processes(config.parent)


def end_processes(workspace: Path) -> None:
    """Stop what a workspace has left running."""
    stop = [sys.executable, "-m", "console.main", "-w", str(workspace), "stop"]
    subprocess.run(stop, capture_output=True, timeout=60, check=True)


@pytest.fixture
def shell(tmp_path: Path) -> Iterator[Shell]:
    """A shell in an empty folder."""
    opened = Shell(tmp_path)
    yield opened
    opened.close()


def play(shell: Shell, path: Path) -> int:
    """Run a document's commands, comparing as it goes; returns how many there were."""
    found = examples(path)
    for example in found:
        printed = shell.run(example.command)
        wanted = pattern(example.expected)
        text = printed if printed.endswith("\n") or not printed else printed + "\n"
        assert re.fullmatch(wanted, text), (
            f"{path.name}:{example.line}: $ {example.command}\nprinted:\n{printed}"
            f"\ninstead of:\n" + "\n".join(example.expected)
        )
    return len(found)


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_the_readme(shell: Shell) -> None:
    assert play(shell, ROOT / "README.md") > 10


def test_the_reference(shell: Shell) -> None:
    shell.run("opsdeck init space && cd space")
    assert play(shell, ROOT / "docs" / "cli.md") > 2


def test_what_is_compared() -> None:
    assert re.fullmatch(pattern(("a  b …", "…", "end")), "a      b c d\nx\ny\nend\n")
    assert re.fullmatch(pattern(("…",)), "")
    assert not re.fullmatch(pattern(("a",)), "a\nb\n")
    assert not re.fullmatch(pattern(()), "something\n")


def test_every_command_of_the_reference_exists() -> None:
    from console.main import COMMANDS

    text = (ROOT / "docs" / "cli.md").read_text(encoding="utf-8")
    for noun in COMMANDS:
        assert f"| `{noun}` |" in text
