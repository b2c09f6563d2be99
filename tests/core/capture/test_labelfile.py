"""Files of labels, good and bad."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.capture.labelfile import Label, cell, read_labels
from core.capture.labels import label_parts, read_part, store_labels
from core.errors import BadInput


def read(path: Path, text: str, column: str = "label") -> list[Label]:
    path.write_text(text)
    return list(read_labels(path, column))


def test_csv(tmp_path: Path) -> None:
    found = read(
        tmp_path / "a.csv",
        "inference_id,label,time,other\n"
        'a,1,2025-10-09T12:00:00Z,x\nb,2.5,,x\nc,cat,1760011200,x\nd,TRUE,,x\ne,"[1, 2]",,x\n',
    )
    assert found == [
        Label("a", 1, 1_760_011_200.0),
        Label("b", 2.5, None),
        Label("c", "cat", 1_760_011_200.0),
        Label("d", True, None),
        Label("e", [1, 2], None),
    ]
    assert read(tmp_path / "b.CSV", "y,inference_id\n3,a\n", "y") == [Label("a", 3)]
    assert next(read_labels(tmp_path / "a.csv", "other")).value == "x"


def test_json_lines_and_sagemakers(tmp_path: Path) -> None:
    def truth(data: str, encoding: str = "CSV") -> str:
        return json.dumps(
            {
                "groundTruthData": {"data": data, "encoding": encoding},
                "eventMetadata": {"eventId": "a"},
                "eventVersion": "0",
            }
        )

    lines = [
        '{"inference_id": "a", "label": [1.5, 2]}',
        "",
        '{"inference_id": 7, "label": "x", "time": "2025-10-09 14:00:00+02:00"}',
        truth("1"),
        truth("1,0\n1"),
        truth("[1, 2]", "JSON"),
    ]
    assert read(tmp_path / "a.jsonl", "\n".join(lines)) == [
        Label("a", [1.5, 2]),
        Label("7", "x", 1_760_011_200.0),
        Label("a", 1),
        Label("a", [1, 0, 1]),
        Label("a", [1, 2]),
    ]


def test_parquet(tmp_path: Path) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    path = tmp_path / "a.parquet"
    pq.write_table(pa.table({"inference_id": ["a", "b"], "y": [1.5, 2.0]}), path)
    assert list(read_labels(path, "y")) == [Label("a", 1.5), Label("b", 2.0)]
    with pytest.raises(BadInput, match=r"a\.parquet: no column 'label'"):
        list(read_labels(path))
    path.write_text("no parquet")
    with pytest.raises(BadInput, match="cannot be read as Parquet"):
        list(read_labels(path))


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("a.txt", "", "what kind of file"),
        ("a.csv", "", "no column 'inference_id'"),
        ("a.csv", "inference_id,y\na,1\n", "no column 'label'"),
        ("a.csv", "inference_id,label\na\n", ":2: not as many fields"),
        ("a.csv", "inference_id,label\na,1,2\n", ":2: not as many fields"),
        ("a.csv", "inference_id,label\n,1\n", ":2: the inference id is ''"),
        ("a.csv", "inference_id,label\na,\n", ":2: the label is nothing"),
        ("a.csv", 'inference_id,label\na,"1\n', "a.csv:"),
        ("a.csv", "inference_id,label,time\na,1,soon\n", ":2: time 'soon' is no time"),
        ("a.jsonl", "{", ":1: not JSON"),
        ("a.jsonl", "[1]", ":1: not a JSON object"),
        ("a.jsonl", "[" * 100_000, ":1: not JSON"),
        ("a.jsonl", '{"label": 1}', ":1: lacks 'inference_id'"),
        ("a.jsonl", '{"inference_id": "a", "label": null}', "the label is nothing"),
        ("a.jsonl", '{"inference_id": "a", "label": NaN}', "the label is nan"),
        ("a.jsonl", '{"inference_id": "a", "label": 1' + "0" * 400 + "}", "the label is 1000"),
        ("a.jsonl", '{"inference_id": "a", "label": {"b": 1}}', "the label is {'b': 1}"),
        ("a.jsonl", '{"inference_id": "\\ud800", "label": 1}', "the inference id is"),
        ("a.jsonl", '{"inference_id": "a", "label": 1, "time": 1e400}', "is no time"),
        ("a.jsonl", '{"groundTruthData": {}}', "no ground-truth record of SageMaker's"),
        (
            "a.jsonl",
            '{"groundTruthData": {"data": "x", "encoding": "BASE64"},'
            ' "eventMetadata": {"eventId": "a"}}',
            "encoding 'BASE64' is not read",
        ),
    ],
)
def test_what_cannot_be_used_is_named(tmp_path: Path, name: str, text: str, said: str) -> None:
    with pytest.raises(BadInput) as caught:
        read(tmp_path / name, text)
    assert said in caught.value.one_line()
    assert name in caught.value.message
    assert "\n" not in caught.value.message


def test_a_missing_or_binary_file(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="No such file"):
        list(read_labels(tmp_path / "none.csv"))
    (tmp_path / "bin.csv").write_bytes(b"inference_id,label\n\xff,1\n")
    with pytest.raises(BadInput, match="not UTF-8"):
        list(read_labels(tmp_path / "bin.csv"))


def test_cells() -> None:
    assert [cell(each) for each in (" 1 ", "1e3", "nan", "inf", "False", "[1", "1_0")] == [
        1,
        1000.0,
        "nan",
        "inf",
        False,
        "[1",
        "1_0",
    ]


def test_a_file_with_one_bad_line_leaves_nothing(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("inference_id,label\na,1\nb,\n")
    with pytest.raises(BadInput):
        store_labels(tmp_path, read_labels(path))
    assert label_parts(tmp_path) == []
    path.write_text('inference_id,label\na,1\nb,"ü"\n')
    assert store_labels(tmp_path, read_labels(path)) == 2
    (part,) = label_parts(tmp_path)
    assert [(each.inference_id, json.loads(each.value)) for each in read_part(part)] == [
        ("a", 1),
        ("b", "ü"),
    ]


@settings(max_examples=150, deadline=None)
@given(
    st.sampled_from([".csv", ".jsonl"]),
    st.one_of(
        st.binary(max_size=80),
        st.text(max_size=80).map(lambda text: text.encode(errors="replace")),
        st.lists(
            st.dictionaries(
                st.sampled_from(["inference_id", "label", "time", "groundTruthData"]),
                st.recursive(
                    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
                    lambda inner: (
                        st.lists(inner, max_size=3)
                        | st.dictionaries(st.sampled_from(["data", "encoding"]), inner)
                    ),
                    max_leaves=4,
                ),
            ),
            max_size=3,
        ).map(lambda rows: "\n".join(map(json.dumps, rows)).encode()),
        st.binary(max_size=60).map(lambda rest: b"inference_id,label\n" + rest),
    ),
)
def test_no_file_breaks_the_reader(suffix: str, data: bytes) -> None:
    with tempfile.TemporaryDirectory() as name:
        path = Path(name) / f"labels{suffix}"
        path.write_bytes(data)
        try:
            found = list(read_labels(path))
        except BadInput as error:
            assert "\n" not in error.message
            return
        assert store_labels(Path(name), found) == len(found)
        kept = [each for part in label_parts(Path(name)) for each in read_part(part)]
        assert [(each.inference_id, json.loads(each.value)) for each in kept] == [
            (label.inference_id, label.value) for label in found
        ]
