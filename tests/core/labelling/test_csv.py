"""The queue by spreadsheet: out, in, and everything that is wrong with a line."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.errors import BadInput
from core.labelling.csvfile import plain, safe
from core.labelling.errors import LabelFileInvalid, NothingToLabel
from tests.core.labelling.conftest import Traffic


def fill(path: Path, **labels: object) -> None:
    """Write labels into an exported file, as somebody does in a spreadsheet."""
    with path.open(encoding="utf-8-sig", newline="") as file:
        rows = list(csv.DictReader(file))
    for row in rows:
        row["label"] = str(labels.get(row["inference_id"].replace("-", "_"), ""))
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)


def test_out_and_in_again(traffic: Traffic, tmp_path: Path) -> None:
    traffic.queue(4)
    path = tmp_path / "queue.csv"
    assert traffic.ops.labelling.export("bike", path) == 4
    fill(path, id_0=7, id_2=-3.5)
    done = traffic.ops.labelling.import_file("bike", path)
    assert (done.rows, done.labelled, done.blank, done.stored) == (4, 2, 2, True)
    status = traffic.ops.labelling.status("bike")
    assert (status.open, status.done) == (2, 2)
    assert traffic.ops.labelling.get("bike", "id-2").label == -3.5
    assert traffic.ops.labelling.get("bike", "id-2").answers[0].source == "queue.csv"
    with pytest.raises(BadInput, match="is there already"):
        traffic.ops.labelling.export("bike", path)


def test_every_line_that_is_wrong_is_told_and_nothing_is_taken(
    traffic: Traffic, tmp_path: Path
) -> None:
    traffic.queue(4)
    ana = traffic.person("ana").labelling
    ana.next("bike")
    claimed = next(t.inference_id for t in ana.queue("bike") if t.claimed_by)
    free = [f"id-{n}" for n in range(4) if f"id-{n}" != claimed]
    path = tmp_path / "bad.csv"
    path.write_text(
        "inference_id,label,comment\n"
        f"{free[0]},5,fine\n"
        "id-99,5,\n"
        f"{free[1]},many,\n"
        f"{free[0]},6,\n"
        f"{claimed},6,\n"
        ",6,\n"
        f"{free[2]},6\n"
    )
    with pytest.raises(LabelFileInvalid, match=r"bad.csv:3: .* \(and 5 more\)") as caught:
        traffic.ops.labelling.import_file("bike", path)
    told = {p.line: p.message for p in caught.value.problems}  # type: ignore[attr-defined]
    assert "id-99 is not in the queue" in told[3]
    assert "is no number" in told[4]
    assert f"{free[0]} is in line 2, too" in told[5]
    assert "ana is labelling it" in told[6]
    assert told[7] == "no inference id"
    assert "2 fields where the first line names 3" in told[8]
    assert traffic.ops.labelling.status("bike").done == 0
    dry = traffic.ops.labelling.import_file("bike", path, dry_run=True)
    assert len(dry.problems) == 6
    assert not dry.stored


def test_a_semicolon_file_with_a_mark_at_its_beginning(traffic: Traffic, tmp_path: Path) -> None:
    traffic.queue(2)
    path = tmp_path / "eu.csv"
    path.write_bytes("\ufeffinference_id;label\r\nid-0;7\r\n\r\nid-1;8\r\n".encode())
    assert traffic.ops.labelling.import_file("bike", path).labelled == 2


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "no column 'inference_id'"),
        (b"id,label\n1,2\n", "no column 'inference_id'"),
        (b"inference_id,label,label\n1,2,3\n", "several columns 'label'"),
        (b"inference_id,label\n\xff\xfe,1\n", "not UTF-8"),
    ],
)
def test_files_that_are_none(traffic: Traffic, tmp_path: Path, content: bytes, said: str) -> None:
    traffic.queue(1)
    path = tmp_path / "x.csv"
    path.write_bytes(content)
    with pytest.raises(BadInput, match=said):
        traffic.ops.labelling.import_file("bike", path)
    with pytest.raises(BadInput, match="No such file"):
        traffic.ops.labelling.import_file("bike", tmp_path / "none.csv")


def test_giving_a_file_to_somebody_gives_them_the_rows(traffic: Traffic, tmp_path: Path) -> None:
    traffic.queue(2)
    traffic.ops.labelling.export("bike", tmp_path / "bo.csv", assign_to="bo")
    ana = traffic.person("ana").labelling
    with pytest.raises(NothingToLabel):
        ana.next("bike")
    with pytest.raises(NothingToLabel, match="no open row to export"):
        ana.export("bike", tmp_path / "ana.csv", assign_to="ana")
    fill(tmp_path / "bo.csv", id_0=1, id_1=2)
    assert traffic.person("bo").labelling.import_file("bike", tmp_path / "bo.csv").labelled == 2


@pytest.mark.parametrize("text", ["=1+1", "+cmd|x", "-2+3", "@SUM(A1)", "\tx", "\rx"])
def test_no_cell_is_a_formula(text: str) -> None:
    assert safe(text).startswith("'")
    assert plain(safe(text)) == text.strip() or plain(safe(text)) == text


def test_numbers_stay_numbers() -> None:
    assert safe(-3.5) == "-3.5"
    assert safe("-3.5") == "-3.5"
    assert safe(None) == ""
    assert safe({"a": 1}) == '{"a": 1}'


@given(st.text())
def test_text_comes_back_as_it_went(text: str) -> None:
    wanted = text.replace("\0", "").strip()
    if safe(wanted) != wanted:
        assert plain(safe(wanted)) == wanted
