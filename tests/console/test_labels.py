"""`opsdeck labels` as people and programs read it."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import pytest

from console.main import run
from core.ops import open_ops
from core.serving.process.capture import Captured
from core.serving.process.parts import write_part
from tests.support.opened import raw, woken, write_workspace

__all__ = ["woken"]


@pytest.fixture
def root(tmp_path: Path, woken: list[Any]) -> Path:
    root = write_workspace(tmp_path / "w")
    with open_ops(root, actor="ana") as ops:
        ops.session.store()
        raw(
            ops.workspace.database_url,
            "INSERT INTO endpoints (name, environment, status, host, created_at, updated_at)"
            " VALUES ('bike', 'production', 'in_service', '127.0.0.1', 1, 1)",
        )
        target = ops.workspace.endpoints_dir / "bike" / "capture" / "date=2025-10-09/variant=r1"
    for number in range(6):
        write_part(target, [_request(number)])
    return root


def _request(number: int) -> Captured:
    told = {"dataframe_split": {"columns": ["temp", "note"], "data": [[number / 2, "=1+1"]]}}
    return Captured(
        inference_id=f"id-{number}",
        at=1_760_011_200.0 + number,
        revision=1,
        status=200,
        milliseconds=1.0,
        inputs=lambda: told,
        outputs=[float(number)],
        model="demand",
        version=1,
        content_type="application/json",
    )


def said(
    capsys: pytest.CaptureFixture[str], root: Path, *words: str, status: int = 0, by: str = "ana"
) -> tuple[str, str]:
    assert run(["-w", str(root), "--as", by, "labels", *words]) == status
    captured = capsys.readouterr()
    return captured.out, captured.err


def test_picking_labelling_and_undoing(capsys: pytest.CaptureFixture[str], root: Path) -> None:
    assert "no queue yet" in said(capsys, root, "status")[0]
    out, _ = said(capsys, root, "queue", "bike", "--add", "4", "--twice", "0")
    assert "bike: 4 open" in out
    task = json.loads(said(capsys, root, "show", "bike", "--json")[0])
    assert task["claimed_by"] == ["ana"]
    out, _ = said(capsys, root, "show", "bike", task["inference_id"])
    assert "looked at by  ana" in out
    assert "temp" in out
    _, err = said(capsys, root, "label", "bike", task["inference_id"], "9", by="bo", status=2)
    assert "ana is labelling it just now" in err
    _, err = said(capsys, root, "label", "bike", task["inference_id"], "many", status=2)
    assert "is no number" in err
    out, _ = said(capsys, root, "label", "bike", task["inference_id"], "9")
    assert out.strip() == f"{task['inference_id']}: done, label 9"
    out, _ = said(capsys, root, "undo", "bike")
    assert "open again, and yours" in out
    out, _ = said(capsys, root, "skip", "bike", task["inference_id"], "-m", "cannot tell")
    assert "open" in out
    out, _ = said(capsys, root, "status", "bike")
    assert "numbers" in out


def test_by_spreadsheet(capsys: pytest.CaptureFixture[str], root: Path, tmp_path: Path) -> None:
    said(capsys, root, "queue", "bike", "--add", "3", "--twice", "0", "--share", "random=1")
    path = tmp_path / "rows.csv"
    out, _ = said(capsys, root, "export", "bike", str(path), "--for", "bo")
    assert "3 rows in" in out
    with path.open(encoding="utf-8-sig", newline="") as file:
        rows = list(csv.DictReader(file))
    assert rows[0]["note"] == "'=1+1"
    for row in rows:
        row["label"] = "7"
    rows[0]["inference_id"] = "id-99"
    _write(path, rows)
    _, err = said(capsys, root, "import", "bike", str(path), by="bo", status=2)
    assert "rows.csv:2: id-99 is not in the queue of bike" in err
    out, _ = said(capsys, root, "import", "bike", str(path), "--dry-run", by="bo", status=1)
    assert "rows.csv:2:" in out
    _write(path, rows[1:])
    out, _ = said(capsys, root, "import", "bike", str(path), by="bo")
    assert "bike: 2 labels handed on" in out
    document = json.loads(said(capsys, root, "status", "--json")[0])
    assert document["queues"][0]["handed"] == 2


def _write(path: Path, rows: list[dict[str, str]]) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)


@pytest.mark.parametrize(
    ("words", "status", "told"),
    [
        (("queue", "boat"), 3, "boat"),
        (("queue", "bike", "--share", "odd=1", "--add", "1"), 2, "no reason odd"),
        (("queue", "bike", "--since", "often", "--add", "1"), 2, "no duration"),
        (("queue", "bike", "--share", "random=1"), 2, "give --add N, too"),
        (("label", "bike", "id-99", "1"), 2, "id-99 is not in the queue"),
        (("show", "bike"), 1, "nothing is left for ana"),
        (("queue", "bike", "--add", "3", "--read-only"), 1, "read-only"),
    ],
)
def test_what_cannot_be_done_is_told(
    capsys: pytest.CaptureFixture[str], root: Path, words: tuple[str, ...], status: int, told: str
) -> None:
    assert told in said(capsys, root, *words, status=status)[1]


def test_giving_and_dropping(capsys: pytest.CaptureFixture[str], root: Path) -> None:
    said(capsys, root, "queue", "bike", "--add", "4")
    assert "2 rows to bo" in said(capsys, root, "assign", "bike", "bo", "-n", "2")[0]
    assert "2 rows to nobody" in said(capsys, root, "assign", "bike", "nobody")[0]
    assert "4 rows dropped" in said(capsys, root, "queue", "bike", "--drop", "--yes")[0]
