"""The process aside: `python -m core.asidechild WORKSPACE ACTOR [--read-only]`.

Reads questions from standard input, answers on what was standard output: whatever a library
prints goes to the log.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

from core.aside import SERVICES, read, write
from core.errors import OpsdeckError
from core.ops import Ops, open_ops


def main(root: Path, actor: str, read_only: bool) -> int:
    """Answer until the pipe ends."""
    questions, answers = os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    with open_ops(root, actor=actor, read_only=read_only, any_schema=True) as ops:
        while True:
            try:
                question = read(questions)
            except EOFError:
                return 0
            try:
                write(answers, answer(ops, *question))
            except BrokenPipeError:
                return 0


def answer(
    ops: Ops, service: str, method: str, args: tuple[Any, ...], named: dict[str, Any]
) -> tuple[bool, Any]:
    """Whether it went well, and what came of it: the result, or the error."""
    try:
        if service not in SERVICES or method.startswith("_"):
            raise ValueError(f"no such question: {service}.{method}")
        return True, getattr(getattr(ops, service), method)(*args, **named)
    except OpsdeckError as error:
        error.__traceback__ = error.__cause__ = error.__context__ = None
        return False, error
    except Exception as error:  # noqa: BLE001 - a bug: its trace is here, the asker gets its words
        import traceback

        traceback.print_exc()
        return False, RuntimeError(f"{type(error).__name__}: {error}")


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), sys.argv[2], "--read-only" in sys.argv))
