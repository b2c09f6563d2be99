"""Broken files: one line that says what is wrong, and where."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import re
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from core.errors import OpsdeckError
from core.ops import Ops
from tests.core.ingest.conftest import ROWS

_PARQUET = io.BytesIO()
pq.write_table(pa.table({"a": list(range(5000))}), _PARQUET, compression="snappy")
WHOLE = _PARQUET.getvalue()
QUOTED = 'ts,temp,cnt\n2012-01-01T00:00:00,1,"2\n' + ROWS.partition("\n")[2]
TIMES = "ts\n2011-01-01T00:00:00\n01/02/2011 03:00\n13/02/2011 03:00\n1293840000\n"

BAD = {
    "cut.csv": (ROWS[:-6].encode(), r"cut.csv:29: 2 fields where the first line names 3"),
    "quote.csv": (QUOTED.encode(), r"quote.csv:2: a quote is opened and never closed"),
    "mixed.csv": (
        "a,b\nké,1\n".encode() + b"k\xe9,2\n",
        r"mixed.csv:3:2: byte 0xe9 is not UTF-8 text .*encodings are mixed",
    ),
    "latin.csv": (b"a,b\nk\xe9,2\n", r"latin.csv:2:2: byte 0xe9 .*--encoding latin-1"),
    "cut.csv.gz": (gzip.compress(ROWS.encode())[:-9], r"cut.csv.gz: the gzip stream is cut off"),
    "no.csv.gz": (b"a,b\n1,2\n", r"no.csv.gz: the gzip stream is damaged"),
    "half.jsonl": (b'{"a": 1}\n{"a": 2', r"half.jsonl:2: half a line: the file ends"),
    "word.jsonl": (b'{"a": 1}\nhello\n{"a": 3}\n', r"word.jsonl:2: not JSON \(column 1"),
    "array.json": (b'[{"a": 1}]', r"array.json:1: not a JSON object .*jq -c"),
    "kinds.jsonl": (b'{"a": 1}\n{"a": "x"}\n', r"a is a number \(row 1\) and text \(row 2\)"),
    "times.csv": (
        TIMES.encode(),
        r"column ts: times are written in 3 ways: .*\(1×, row 1\).*first in row 2, last in 3"
        r".*row 4",
    ),
    "twice.csv": (b"a,b,A\n1,2,3\n", r"twice.csv:1: two columns are called a and A"),
    "empty.csv": (b"", r"empty.csv: empty"),
    "blank.csv": (b"\n\n", r"blank.csv: empty"),
    "bare.csv": (b"1,2\n3,4\n", r"bare.csv:1: numbers instead of names"),
    "unnamed.csv": (b"a,,c\n1,2,3\n", r"unnamed.csv:1: column 2 has no name"),
    "cut.parquet": (WHOLE[:-40], r"cut.parquet: no Parquet file, or cut off"),
    "short.parquet": (b"PAR1", r"short.parquet: no Parquet file, or cut off"),
    "hurt.parquet": (WHOLE[:50] + b"x" * 2000 + WHOLE[2050:], r"hurt.parquet: damaged"),
    "binary": (b"\0\1\2\3" * 99, r"binary: what kind of file is this\?"),
    "day.csv": (b"d,v\n2011-02-30,1\n2011-02-01,1\n", r"day.csv:2: column d: '2011-02-30'"),
}


@pytest.mark.parametrize("name", BAD)
def test_a_broken_file(ops: Ops, tmp_path: Path, name: str) -> None:
    content, said = BAD[name]
    (tmp_path / name).write_bytes(content)
    with pytest.raises(OpsdeckError) as told:
        ops.ingest.ingest("bike", [str(tmp_path / name)], create=True)
    line = told.value.one_line()
    assert re.search(said, line), line
    assert "\n" not in line and told.value.exit_status == 2
    assert ops.data.list() == ()


def test_what_looks_odd_but_is_whole(ops: Ops, tmp_path: Path) -> None:
    good = {
        "bom.csv": b"\xef\xbb\xbfa,b\n1,2\n",
        "wide.csv": "a,b\n1,2\n".encode("utf-16"),
        "inches.csv": b'a,b\n5" pipe,2\n',
        "crlf.csv": b'a,b\r\n"x\r\ny",2\r\n\r\n',
        "noend.csv": b"a,b\n1,2",
        "tabs.tsv": b"a\tb\n1\t2\n",
        "header.csv": b'"a ""x""","b\nc"\n1,2\n',
    }
    for name, content in good.items():
        (tmp_path / name).write_bytes(content)
        report = ops.ingest.ingest(
            name.partition(".")[0], [str(tmp_path / name)], create=True, dry_run=True
        )
        assert report.rows == 1, name
        assert len(report.columns) == 2, name


def test_full_disks_leave_nothing(ops: Ops, files: Path) -> None:
    import resource

    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    ops.ingest.ingest("bike", [str(files)], create=True)
    big = files / "big.csv"
    big.write_text(
        "ts,temp,cnt\n" + "".join(f"2012-01-01T00:00:00,{i / 7},{i}\n" for i in range(60_000))
    )
    before = ops.data.get("bike").rows
    import signal

    ignored = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (300_000, hard))
    try:
        with pytest.raises(OpsdeckError, match=r"no room on the disk"):
            ops.ingest.ingest("bike", [str(big)])
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        signal.signal(signal.SIGXFSZ, ignored)
    assert ops.data.get("bike").rows == before
    assert ops.ingest.ingest("bike", [str(big)]).rows == 60_000


COMPRESS: dict[str, Callable[[bytes], bytes]] = {
    "gz": gzip.compress,
    "bz2": bz2.compress,
    "xz": lzma.compress,
    "zst": lambda data: pa.compress(data, codec="zstd", asbytes=True),
    "lz4": lambda data: pa.compress(data, codec="lz4", asbytes=True),
}


@pytest.mark.parametrize("ending", COMPRESS)
def test_compressed_files_whole_and_cut(ops: Ops, tmp_path: Path, ending: str) -> None:
    content = COMPRESS[ending](ROWS.encode())
    path = tmp_path / f"rows.csv.{ending}"
    path.write_bytes(content)
    assert ops.ingest.ingest("bike", [str(path)], create=True, dry_run=True).rows == 28
    path.write_bytes(content[: len(content) - 20])
    with pytest.raises(OpsdeckError, match=r"rows\.csv"):
        ops.ingest.ingest("bike", [str(path)], create=True)


def test_a_last_line_that_may_be_cut_is_told(ops: Ops, tmp_path: Path) -> None:
    (tmp_path / "rows.csv").write_text(ROWS[:-2])  # 28 became 2: no rule is broken
    report = ops.ingest.ingest("bike", [str(tmp_path / "rows.csv")], create=True)
    assert report.files[0].note == "its last line has no end: is the file whole?"
