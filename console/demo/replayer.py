"""The process behind a replay: the example's client, and the labels that it comes to know.

    python -m console.demo.replayer WORKSPACE ENDPOINT ACTOR --url URL ... (for bike.replay)

A process of its own, because taking labels in needs libraries that a console must not load. It
hands orders on to the client, takes the labels in every two seconds, and prints a line as JSON for
each line of the client's. It ends with the client, or when its standard input does.
"""

from __future__ import annotations

import contextlib
import csv
import json
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import IO, TYPE_CHECKING

from core.errors import OpsdeckError

if TYPE_CHECKING:
    from core.ops import Ops

TAKEN_EVERY = 2.0


def main(arguments: list[str]) -> int:
    """Play until the client ends; 1 where labels could not be taken in."""
    from core.ops import open_ops

    root, endpoint, actor, *options = arguments
    with tempfile.TemporaryDirectory(prefix="opsdeck-replay-") as folder:
        client = _client(Path(root), [*options, "--labels", folder, "--orders"])
        threading.Thread(target=_orders, args=(client.stdin,), daemon=True).start()
        threading.Thread(target=_echo, args=(client.stdout,), daemon=True).start()
        with open_ops(Path(root), actor=actor) as ops:
            try:
                while client.poll() is None:
                    time.sleep(TAKEN_EVERY)
                    take_labels(ops, endpoint, Path(folder))
                take_labels(ops, endpoint, Path(folder))
            except OpsdeckError as error:
                _say(json.dumps({"error": error.one_line()}) + "\n")
                return 1
            finally:
                client.terminate()
                client.wait(10)
    return 0


def take_labels(ops: Ops, endpoint: str, folder: Path) -> int:
    """All files of labels that are there, as one; they are gone afterwards. Returns the rows."""
    found = sorted(folder.glob("[0-9]*.csv"))
    if not found:
        return 0
    together = folder / "together.csv"
    rows = 0
    with together.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow(("inference_id", "label"))
        for file in found:
            with file.open(encoding="utf-8", newline="") as one:
                lines = list(csv.reader(one))[1:]
            writer.writerows(lines)
            rows += len(lines)
    ops.labels.receive(endpoint, together)
    for file in (*found, together):
        file.unlink()
    return rows


def _client(root: Path, options: list[str]) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "bike.replay", *options],
        cwd=root,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


def _orders(to: IO[str] | None) -> None:
    assert to is not None
    with contextlib.suppress(BrokenPipeError):
        for line in sys.stdin:
            to.write(line)
            to.flush()
        to.close()


def _echo(lines: IO[str] | None) -> None:
    assert lines is not None
    for line in lines:
        _say(line)


def _say(line: str) -> None:
    sys.stdout.write(line)
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
