"""Reading `monitors/*.yaml`: every fault with its file, line, key and what to do."""

from __future__ import annotations

import pickle
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.domain.looked import Looked, Outcome
from core.domain.monitor import MonitorState, RunStatus, State
from core.monitors.errors import MonitorsInvalid
from core.monitors.files import read_watch_files
from tests.support.watched import Watched

GOOD = """\
monitors:
  drift:
    kind: counting
    watch: endpoint/demand
"""


def write(root: Path, text: str, name: str = "watch") -> Path:
    path = root / "monitors" / f"{name}.yaml"
    path.parent.mkdir(exist_ok=True)
    path.write_text(text)
    return path


@pytest.mark.usefixtures("counting")
class TestReading:
    @pytest.mark.parametrize(
        ("text", "words"),
        [
            ("kind: countin", ("watch.yaml:3 monitors.m.kind", "did you mean counting?")),
            ("watch: endpoint/demand", ("watch.yaml:2 monitors.m", "no kind")),
            ("kind: counting", ("nothing to watch", "endpoint/NAME")),
            ("kind: counting\n    watch: demand", (":4 monitors.m.watch", "endpoint/NAME")),
            ("kind: counting\n    watch: endpoint/d\n    window: {row: 5}",
             (":5 monitors.m.window.row: unknown key (did you mean rows?)",)),
            ("kind: counting\n    watch: endpoint/d\n    window: {rows: 5, time: 1h}",
             (":5 monitors.m.window: by rows and time",)),
            ("kind: counting\n    watch: endpoint/d\n    window:\n      time: 1h\n"
             "      slide: 2h", (":7 monitors.m.window.slide", "gaps")),
            ("kind: counting\n    watch: endpoint/d\n    every: 5 x",
             ("monitors.m.every", "a duration (5m), a cron line")),
            ('kind: counting\n    watch: endpoint/d\n    every: "61 * * * *"',
             ("monitors.m.every", "minute")),
            ("kind: counting\n    watch: endpoint/d\n    columns: [a, 5]",
             (":5 monitors.m.columns[1]: a column, not 5",)),
            ("kind: counting\n    watch: endpoint/d\n    abov: 3",
             (":5 monitors.m.abov: unknown key (did you mean above?)",)),
            ("kind: counting\n    watch: endpoint/d\n    variant: old", ("monitors.m.variant",)),
            ("kind: counting\n    watch: endpoint/d\n    alert: loud", ("monitors.m.alert",)),
            ("kind: counting\n    watch: dataset/d\n    window: {rows: 5}\n    baseline: x",
             ("monitors.m.window.rows", "by snapshot")),
            ("kind: counting\n    watch: dataset/d", ("a dataset was not trained",)),
        ],
    )  # fmt: skip
    def test_a_fault_is_told_with_its_place(
        self, tmp_path: Path, text: str, words: tuple[str, ...]
    ) -> None:
        write(tmp_path, f"monitors:\n  m:\n    {text}\n")
        found = read_watch_files(tmp_path)
        said = " | ".join(each.one_line() for each in found.problems)
        for word in words:
            assert word in said
        assert not found.monitors
        assert set(found.broken) == {"m"}

    def test_all_faults_are_told_at_once_and_cost_no_other_monitor(self, tmp_path: Path) -> None:
        write(tmp_path, GOOD + "  bad:\n    kind: x\n    watch: y\n    timeout: soon\n")
        write(tmp_path, "monitors: {m: {kind: counting, watch: endpoint/d}}\nslo: {}\n", "other")
        found = read_watch_files(tmp_path)
        assert {each.name for each in found.monitors} == {"drift", "m"}
        assert {each.key for each in found.problems} >= {"monitors.bad.kind", "slo"}
        assert "did you mean slos?" in " ".join(each.one_line() for each in found.problems)

    def test_a_name_is_unique_over_all_files(self, tmp_path: Path) -> None:
        write(tmp_path, GOOD, "a")
        write(tmp_path, GOOD, "b")
        found = read_watch_files(tmp_path)
        assert [each.file for each in found.monitors] == ["monitors/a.yaml"]
        assert "the name is taken by monitors/a.yaml:2" in found.problems[0].one_line()

    def test_defaults_are_filled_in(self, tmp_path: Path) -> None:
        write(tmp_path, GOOD)
        found = read_watch_files(tmp_path).monitors[0]
        assert found.every.new_data
        assert found.window.words == "1000 rows"
        assert found.window.minimum_rows == 500
        assert (found.variant, found.baseline, found.time) == ("champion", "training", "captured")

    def test_sections_of_others_are_read_by_them(self, tmp_path: Path) -> None:
        write(
            tmp_path,
            "alarms:\n  slow:\n    metric: endpoint/d:latency\n    threshold: 100\n"
            "  wrong: {metric: x}\n",
        )
        found = read_watch_files(tmp_path)
        assert [each.name for each in found.alarms] == ["slow"]
        assert any(p.key.startswith("alarms.wrong") and p.line == 5 for p in found.problems)

    def test_a_file_of_comments_is_no_fault(self, tmp_path: Path) -> None:
        write(tmp_path, "# monitors: to come\n\n")
        assert read_watch_files(tmp_path).problems == ()

    @given(text=st.text(max_size=200))
    def test_whatever_is_in_a_file_reading_it_returns(
        self, tmp_path_factory: pytest.TempPathFactory, text: str
    ) -> None:
        root = tmp_path_factory.mktemp("any")
        (root / "monitors").mkdir()
        (root / "monitors" / "a.yaml").write_bytes(text.encode("utf-8", "surrogatepass"))
        read_watch_files(root)


def test_a_broken_file_keeps_the_last_good_definition(watched: Watched) -> None:
    watched.define()
    watched.ask(10)
    write(watched.root, "monitors:\n  watch: {kind: nonsense}\n")
    problems = watched.ops.monitors.sync()
    found = watched.ops.monitors.get("watch")
    assert found.state is MonitorState.BROKEN
    assert found.problems == tuple(each.one_line() for each in problems)
    watched.ops.monitors.run("watch")
    assert watched.runs() == [("ok", 10, 1)], "it goes on by its last good definition"
    write(watched.root, "monitors: [\n")
    watched.ops.monitors.sync()
    assert watched.ops.monitors.get("watch").state is MonitorState.BROKEN
    watched.define()
    assert watched.ops.monitors.get("watch").state is MonitorState.OK


def test_one_that_was_never_good_is_shown_as_broken(watched: Watched) -> None:
    write(watched.root, "monitors:\n  m: {kind: counting, watch: nothing}\n")
    watched.ops.monitors.sync()
    assert watched.ops.monitors.get("m").state is MonitorState.BROKEN
    with pytest.raises(MonitorsInvalid, match=r"monitors\.m\.watch"):
        watched.ops.monitors.run("m")
    assert watched.ops.monitors.due(2e9) == ()


def test_one_that_no_file_defines_is_gone_and_comes_back(watched: Watched) -> None:
    watched.define()
    watched.ask(10)
    watched.ops.monitors.run("watch")
    path = watched.root / "monitors" / "watch.yaml"
    text = path.read_text()
    path.unlink()
    watched.ops.monitors.sync()
    assert watched.ops.monitors.list() == ()
    assert watched.ops.monitors.list(gone=True)[0].state is MonitorState.GONE
    path.write_text(text)
    watched.ops.monitors.sync()
    assert watched.ops.monitors.get("watch").state is MonitorState.OK
    assert watched.runs() == [("ok", 10, 1)]


def test_creating_and_deleting_leave_the_rest_of_a_file_alone(watched: Watched) -> None:
    service = watched.ops.monitors
    service.create("first", {"kind": "counting", "watch": "endpoint/demand"})
    path = watched.root / "monitors" / "first.yaml"
    path.write_text(
        "# kept\nmonitors:\n  # of first\n  first: {kind: counting, watch: endpoint/demand}\n\n"
        "  second:\n    kind: counting # kept, too\n    watch: endpoint/demand\n"
    )
    service.sync()
    service.delete("first")
    assert "# kept, too" in path.read_text()
    assert "first:" not in path.read_text()
    assert [each.name for each in service.list()] == ["second"]
    service.delete("second")
    assert not path.exists()
    with pytest.raises(MonitorsInvalid, match=r"watch"):
        service.create("third", {"kind": "counting", "watch": "x"})
    assert not list((watched.root / "monitors").iterdir())


def test_reading_the_files_loads_no_library_of_numbers(tmp_path: Path) -> None:
    program = (
        "import sys; from pathlib import Path; from core.monitors.kinds import kind_names, kind_of;"
        "[kind_of(name) for name in kind_names()];"
        "from core.monitors.files import read_watch_files; read_watch_files(Path(sys.argv[1]));"
        "heavy = {'numpy', 'pandas', 'pyarrow', 'mlflow', 'sklearn', 'river', 'shap', 'scipy'};"
        "print(sorted(heavy & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, str(tmp_path)], capture_output=True, text=True, timeout=60
    )
    assert done.stdout.strip() == "[]", done.stdout + done.stderr


def test_what_a_process_aside_answers_and_charts_are_read_without_sqlalchemy() -> None:
    looked = Looked("m", (Outcome("run", RunStatus.DONE, State.OK, "well"),))
    program = (
        "import pickle, sys, core.series; from core.series import latest, read;"
        f"print(pickle.loads({pickle.dumps(looked)!r}).outcomes[0].headline,"
        " 'sqlalchemy' in sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=60
    )
    assert done.stdout.strip() == "well False", done.stdout + done.stderr
