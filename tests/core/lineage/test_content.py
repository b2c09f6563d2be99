"""The content hash: equal for equal content, different for any change of it."""

from __future__ import annotations

import hashlib
import os
import shutil
import socket
import tempfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from core.lineage import ContentUnreadable, hash_file, hash_tree

quick = settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.too_slow])
names = st.text(
    st.characters(exclude_categories=["Cs"], exclude_characters="/\0"), min_size=1, max_size=8
).filter(lambda name: name not in (".", ".."))
# A tree: a name to a file's bytes, a link's target (text) or a folder (mapping).
trees = st.recursive(
    st.dictionaries(names, st.binary(max_size=20) | names, max_size=3),
    lambda inner: st.dictionaries(names, st.binary(max_size=20) | names | inner, max_size=3),
    max_leaves=5,
)


def write(tree: dict[str, object], folder: Path, *, backwards: bool = False) -> None:
    folder.mkdir()
    for name in sorted(tree, reverse=backwards):
        content = tree[name]
        if isinstance(content, bytes):
            (folder / name).write_bytes(content)
        elif isinstance(content, str):
            (folder / name).symlink_to(content)
        else:
            assert isinstance(content, dict)
            write(content, folder / name, backwards=backwards)


def hash_of(tree: dict[str, object], *, backwards: bool = False) -> str:
    with tempfile.TemporaryDirectory() as folder:
        write(tree, Path(folder) / "tree", backwards=backwards)
        return hash_tree(Path(folder) / "tree")


@quick
@given(trees)
def test_same_content_same_hash(tree: dict[str, object]) -> None:
    assert hash_of(tree) == hash_of(tree, backwards=True)


@quick
@given(trees, trees)
def test_different_content_different_hash(one: dict[str, object], two: dict[str, object]) -> None:
    assume(one != two)
    assert hash_of(one) != hash_of(two)


@quick
@given(trees, st.data())
def test_one_change_is_seen(tree: dict[str, object], data: st.DataObject) -> None:
    assume(tree)
    name = data.draw(st.sampled_from(sorted(tree)))
    content = tree[name]
    changed = dict(tree)
    kind = data.draw(st.sampled_from(["remove", "rename", "content", "kind"]))
    if kind == "remove":
        del changed[name]
    elif kind == "rename":
        changed[data.draw(names.filter(lambda other: other not in tree))] = changed.pop(name)
    elif kind == "content" and isinstance(content, (bytes, str)):
        changed[name] = content + (b"x" if isinstance(content, bytes) else "x")  # type: ignore[operator]
    else:
        changed[name] = {} if content != {} else b""
    assert hash_of(changed) != hash_of(tree)


def test_a_file_has_the_plain_sha256_of_its_bytes(tmp_path: Path) -> None:
    content = os.urandom(3_000_000)
    path = tmp_path / "f"
    path.write_bytes(content)
    assert hash_file(path) == hash_tree(path) == hashlib.sha256(content).hexdigest()


def test_place_times_and_modes_make_no_difference(tmp_path: Path) -> None:
    one = tmp_path / "one"
    (one / "sub").mkdir(parents=True)
    (one / "sub" / "f").write_text("x")
    two = shutil.copytree(one, tmp_path / "elsewhere")
    os.utime(two / "sub" / "f", (1, 1))
    (two / "sub" / "f").chmod(0o755)
    assert hash_tree(one) == hash_tree(two)


def test_a_link_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "outside").mkdir()
    (tmp_path / "tree").mkdir()
    (tmp_path / "tree" / "loop").symlink_to("../tree")
    (tmp_path / "tree" / "out").symlink_to("../outside")
    before = hash_tree(tmp_path / "tree")
    (tmp_path / "outside" / "new").touch()
    assert hash_tree(tmp_path / "tree") == before


def test_names_that_are_not_utf8(tmp_path: Path) -> None:
    folder = os.fsencode(tmp_path / "tree")
    Path(os.fsdecode(folder)).mkdir()
    (Path(os.fsdecode(folder + b"/\xff\xfe"))).write_text("x")
    assert len(hash_tree(tmp_path / "tree")) == 64


def test_what_cannot_be_hashed_is_named(tmp_path: Path) -> None:
    with pytest.raises(ContentUnreadable, match="nothing: No such file"):
        hash_tree(tmp_path / "nothing")
    with pytest.raises(ContentUnreadable, match="nothing"):
        hash_file(tmp_path / "nothing")
    with pytest.raises(ContentUnreadable):
        hash_file(tmp_path)
    with tempfile.TemporaryDirectory() as short, socket.socket(socket.AF_UNIX) as unix:
        unix.bind(f"{short}/s")
        with pytest.raises(ContentUnreadable, match="neither"):
            hash_tree(Path(short))
