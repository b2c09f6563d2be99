"""Opening a workspace: wherever it is, and whatever its file says."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from core.errors import ConfigInvalid, NotAWorkspace, OpsdeckError
from core.ops import open_ops
from core.session import default_actor
from core.workspace import find_root, open_workspace


def configured(tmp_path: Path, text: str | bytes) -> Path:
    (tmp_path / "opsdeck.yaml").write_bytes(text if isinstance(text, bytes) else text.encode())
    return tmp_path


def one_line(error: OpsdeckError) -> str:
    assert "\n" not in error.one_line(), error.one_line()
    return error.one_line()


def test_an_empty_file_is_enough(tmp_path: Path) -> None:
    found = open_workspace(configured(tmp_path, ""))
    assert (found.name, found.environment, found.slots) == (tmp_path.name, "local", 2)
    assert found.database_url == f"sqlite:///{tmp_path}/.opsdeck/state.db"
    assert found.embedded
    assert not found.state_dir.exists(), "opening makes nothing"


def test_it_is_found_from_any_folder_below(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    deep = configured(tmp_path, "name: x") / "a" / "b"
    deep.mkdir(parents=True)
    assert find_root(deep) == tmp_path
    monkeypatch.chdir(deep)
    assert find_root() == tmp_path
    (tmp_path / "a" / "opsdeck.yaml").mkdir()  # a folder of that name is none
    assert find_root(deep) == tmp_path


@pytest.mark.parametrize(
    "path", ["nowhere", "n" * 300, "d/" * 3000, "~nobody-by-this-name/x", "zero\0byte", "loop"]
)
def test_what_is_no_workspace_is_said_in_one_line(tmp_path: Path, path: str) -> None:
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    where = Path(path) if path.startswith("~") else tmp_path / path
    with pytest.raises(NotAWorkspace) as caught:
        open_workspace(where)
    assert "-w PATH" in one_line(caught.value)


def test_the_present_folder_may_be_gone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    gone = tmp_path / "gone"
    gone.mkdir()
    monkeypatch.chdir(gone)
    gone.rmdir()
    with pytest.raises(NotAWorkspace) as caught:
        open_workspace()
    assert "the present folder" in one_line(caught.value)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("nmae: x", "unknown key nmae (did you mean name?)"),
        ("databse: x", "(did you mean database?)"),
        ("zzz: x", "known: name, environment, database, tracking, worker, me"),
        ("worker: {slot: 2}", "unknown key worker.slot (did you mean slots?)"),
        ("1: x", "unknown key 1"),
        ("name: 7", "name: must be text, not 7"),
        ("name: ''", "name: must be text"),
        ("name: [a]", "name: must be text"),
        ("name: 2026-01-02", "name: must be text"),
        ("environment: {a: b}", "environment: must be text"),
        ("me: 7", "me: must be text, not 7"),
        ("me:", "me: must be text, not None"),
        ("tracking: 1.5", "tracking: must be text"),
        ("worker: 3", "worker: must be a mapping"),
        ("worker: []", "worker: must be a mapping"),
        ("worker: {slots: '2'}", "worker.slots: must be 1 to 64, not '2'"),
        ("worker: {slots: true}", "worker.slots: must be 1 to 64"),
        ("worker: {slots: 0}", "worker.slots: must be 1 to 64, not 0"),
        ("database: mysql://root:sesame@db/x", "unknown kind 'mysql'"),
        ("database: state.db", "use postgresql://USER@HOST/NAME or sqlite:///FILE"),
        ("database: 'sqlite:///'", "unknown kind"),
        ("- a\n- b", "must be a mapping"),
        ("just text", "must be a mapping"),
        ("name: x\nworker: {slots: 2", ":2: expected ',' or '}'"),
        ("name: x\n\tme: y", ":2: found character '\\t'"),
        ("name: !!python/object:os.system x", "could not determine a constructor"),
        ("a: &a [*a]\n? [x]\n: y", "opsdeck.yaml"),
        ("name: \x07", "opsdeck.yaml"),
        (b"name: \xff\xfe", "not UTF-8 text"),
        ("[" * 3000, "opsdeck.yaml"),
    ],
)
def test_a_wrong_file_is_said_in_one_line(tmp_path: Path, text: str | bytes, said: str) -> None:
    with pytest.raises(ConfigInvalid) as caught:
        open_workspace(configured(tmp_path, text))
    line = one_line(caught.value)
    assert f"{tmp_path}/opsdeck.yaml" in line
    assert said in line
    assert "sesame" not in line


@settings(
    deadline=None, max_examples=80, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(st.text(max_size=60) | st.binary(max_size=40))
def test_no_file_brings_anything_but_an_error_of_ours(tmp_path: Path, text: str | bytes) -> None:
    content = text if isinstance(text, bytes) else text.encode("utf-8", "surrogatepass")
    try:
        open_workspace(configured(tmp_path, content))
    except OpsdeckError as error:
        one_line(error)


def test_variables_are_put_in_where_they_were_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DB_PASSWORD", "sesame")
    root = tmp_path / "cost$DB_PASSWORD"
    root.mkdir()
    found = open_workspace(configured(root, "database: postgresql://me:${DB_PASSWORD}@db/x"))
    assert found.database_url == "postgresql://me:sesame@db/x"
    assert not found.embedded
    found = open_workspace(configured(root, ""))
    assert found.database_url == f"sqlite:///{root}/.opsdeck/state.db", "a folder's name is itself"


@pytest.mark.parametrize("below", [".", "sub"])
def test_a_relative_database_is_the_workspaces(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, below: str
) -> None:
    (configured(tmp_path, "database: sqlite:///data/mine.db") / "sub").mkdir()
    monkeypatch.chdir(tmp_path / below)
    assert open_workspace().database_url == f"sqlite:///{tmp_path}/data/mine.db"


@pytest.mark.parametrize(
    "name",
    ["with space", "ünï 漢字 🚲", "quote'\"s", "-dash", "100%25", "a#b&c", "$HOME", "x" * 99],
)
def test_a_workspace_works_in_any_folder(
    tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("core.services.workers.start_worker", lambda _workspace: 0)
    root = tmp_path / name
    (root / "pipelines").mkdir(parents=True)
    configured(root, "")
    (root / "pipelines" / "p.yaml").write_text("name: p\nsteps:\n  one:\n    function: work:one\n")
    (root / "work.py").write_text("def one():\n    return {}\n")
    with open_ops(root, actor="author") as ops:
        assert ops.runs.start("p", {}).number == 1
    with open_ops(root, actor="author") as ops:
        assert ops.runs.get("1").run.requested_by == "author"
        assert ops.audit.verify().ok
    assert (root / ".opsdeck" / "state.db").exists()


def test_a_name_that_is_not_utf8_is_a_folder_too(tmp_path: Path) -> None:
    root = Path(os.fsdecode(os.fsencode(tmp_path) + b"/caf\xe9"))
    root.mkdir()
    with open_ops(configured(root, "name: cafe"), actor="author") as ops:
        with ops.session.change("test") as tx:
            tx.journal("test.write", "run/1")
        assert ops.audit.verify().entries == 1


def test_a_question_mark_is_refused_where_mlflow_could_not_open_its_store(tmp_path: Path) -> None:
    root = tmp_path / "what?"
    root.mkdir()
    with pytest.raises(ConfigInvalid) as caught:
        open_workspace(configured(root, ""))
    assert "rename the folder" in one_line(caught.value)
    assert open_workspace(configured(root, "tracking: http://127.0.0.1:5000")).slots == 2


def test_who_acts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    workspace = open_workspace(configured(tmp_path, "me: second"))
    assert default_actor(workspace) == "second"
    monkeypatch.setenv("OPSDECK_ACTOR", "eve")
    assert default_actor(workspace) == "eve"
    with open_ops(tmp_path, actor="author") as ops:
        assert ops.actor == "author"
