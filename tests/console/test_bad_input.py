"""Whatever is wrong with a command line: one line, a stable code, a status; no trace."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from tests.console.conftest import Cli

DEPLOY = ["endpoints", "deploy", "x", "--model", "demand", "--version", "1"]
ANY_WORKSPACE = [
    # arguments; code; exit status; what the line says
    (["rnus"], "E100", 2, "no such command 'rnus' (did you mean opsdeck runs?)"),
    (["runs", "strat"], "E100", 2, "did you mean opsdeck runs start?"),
    (["zzz"], "E100", 2, "see: opsdeck --help"),
    (["runs", "list", "--jsno"], "E100", 2, "no such option --jsno (did you mean --json?)"),
    (["runs", "list", "--limit", "0"], "E100", 2, "invalid value for '-n' / '--limit'"),
    (["runs", "list", "--limit", "many"], "E100", 2, "'many' is not a valid integer"),
    (["runs", "list", "--limit", "9" * 30], "E100", 2, "is not in the range"),
    (["runs", "list", "--status", "runing"], "E100", 2, "'runing' is not one of"),
    (["runs", "show"], "E100", 2, "missing argument 'RUN'"),
    (["runs", "show", "99"], "E120", 3, "run 99: no such run (see: opsdeck runs list)"),
    (["runs", "show", "0"], "E120", 3, "no such run"),
    (["runs", "show", "²"], "E120", 3, "no such run"),
    (["runs", "show", ""], "E120", 3, "run : "),
    (["runs", "show", "x" * 5000], "E120", 3, "no such run"),
    (["runs", "logs", "1", "--step", "nope"], "E120", 3, "no step nope (steps: total)"),
    (["runs", "start", "helo"], "E120", 3, "did you mean hello?"),
    (["runs", "start", "hello", "-p", "count"], "E100", 2, "-p count: not KEY=VALUE"),
    (["runs", "start", "hello", "-p", "=5"], "E100", 2, "-p =5: not KEY=VALUE"),
    (["runs", "start", "hello", "-p", "count=1", "-p", "count=2"], "E100", 2, "given twice"),
    (["runs", "start", "hello", "-p", "count=many"], "E100", 2, "count"),
    (["runs", "start", "hello", "-p", "cuont=3"], "E100", 2, "count"),
    (["runs", "start", "hello", "--timeout", "5"], "E100", 2, "go with --wait"),
    (["runs", "start", "hello", "--wait", "--timeout", "nan"], "E100", 2, "--timeout nan"),
    (["runs", "start", "hello", "--wait", "--timeout", "-1"], "E100", 2, "not in the range"),
    (["--read-only", "runs", "start", "hello"], "E200", 1, "read-only"),
    (["runs", "start", "hello", "--read-only"], "E200", 1, "read-only"),
    (["runs", "cancel", "1"], "E202", 1, "has already ended"),
    (["runs", "cancel", "77"], "E120", 3, "no such run"),
    (["runs", "resume", "1"], "E202", 1, "not failed or cancelled"),
    (["runs", "rerun", "1", "--from", "nope"], "E120", 3, "no step nope"),
    (["models", "show", "nope"], "E120", 3, "known: demand"),
    (["models", "show", "demand", "9"], "E120", 3, "no version or alias 9"),
    (["approvals", "show", "zz"], "E120", 3, "no such request"),
    (["approvals", "reject", "d4e5f6"], "E100", 2, "missing option '-m' / '--comment'"),
    (["approvals", "reject", "d4e5f6", "-m", "  "], "E100", 2, "needs a comment"),
    (["approvals", "approve", "a1b2c3"], "E100", 2, "needs a reason (add -m 'why')"),
    (["approvals", "approve", "a1b2c3", "-m", "ok"], "E100", 2, "add --confirm demand"),
    (["approvals", "approve", "a1", "-m", "ok", "--confirm", "x"], "E100", 2, "nothing was done"),
    (["approvals", "approve", "d4", "--evidence", "abc"], "E100", 2, "too short"),
    (["approvals", "approve", "d4", "--evidence", "0" * 12], "E203", 1, "the evidence is"),
    (["approvals", "list", "--all", "--status", "open"], "E100", 2, "exclude each other"),
    (["endpoints", "show", "nope"], "E120", 3, "known: demand"),
    (["endpoints", "deploy", "x"], "E100", 2, "missing option '--model'"),
    (
        ["endpoints", "deploy", "../x", "--model", "demand", "--version", "1"],
        "E100",
        2,
        "endpoint name",
    ),
    (
        [*DEPLOY, "--step", "wait=3"],
        "E100",
        2,
        "neither set_weight=PERCENT nor pause",
    ),
    (
        [*DEPLOY, "--step", "set_weight=ten"],
        "E100",
        2,
        "not a percentage",
    ),
    (
        [*DEPLOY, "--step", "set_weight=150"],
        "E100",
        2,
        "0 to 100",
    ),
    (
        [*DEPLOY, "--step", "pause=long"],
        "E100",
        2,
        "for example: 30s",
    ),
    (
        [*DEPLOY, "--timeout", "3"],
        "E100",
        2,
        "add --wait",
    ),
    (["endpoints", "weight", "demand", "-5"], "E100", 2, "-5 is a negative number"),
    (["endpoints", "weight", "demand", "-0.5"], "E100", 2, "-0.5 is a negative number"),
    (["endpoints", "weight", "demand", "-x"], "E100", 2, "no such option -x"),
    (["endpoints", "weight", "demand", "105"], "E100", 2, "weight 105 is not between 0 and 100"),
    (["endpoints", "promote", "demand"], "E202", 1, "nothing is being deployed"),
    (["endpoints", "rollback", "demand", "--yes"], "E202", 1, ""),
    (["endpoints", "rollback", "demand", "--to", "0"], "E100", 2, "not in the range"),
    (["endpoints", "invoke", "demand", "-d", "@no-such-file"], "E100", 2, "No such file"),
    (["endpoints", "invoke", "demand", "-d", "{}", "-H", "x"], "E100", 2, "not NAME:VALUE"),
    (["endpoints", "invoke", "demand", "-d", "{}", "-H", "a:b\r\nc:d"], "E100", 2, "NAME:VALUE"),
    (["endpoints", "invoke", "nope", "-d", "{}"], "E120", 3, "no such endpoint"),
    (["pipelines", "show", "helo"], "E120", 3, "did you mean hello?"),
    (["pipelines", "validate", "nope"], "E120", 3, "no such pipeline"),
    (["audit", "list", "--before", "0"], "E100", 2, "not in the range"),
    (["init", "."], "E202", 1, "is a workspace already"),
    (["init", "new", "--example", "nope"], "E120", 3, "examples: bike-demand"),
    (["init", "hello.py/x"], "E100", 2, "name a folder that you may write"),
    (["init", "n" * 300], "E303", 4, "File name too long"),
    (["-w", "n" * 300, "runs", "list"], "E101", 2, "File name too long"),
    (["-w", "/nonexistent", "runs", "list"], "E101", 2, "no such folder"),
    (["-w", "/", "runs", "list"], "E101", 2, "opsdeck init PATH"),
    (["runs", "list", "-w", "/"], "E101", 2, "opsdeck init PATH"),
    (["worker", "--slots", "0"], "E100", 2, "not in the range"),
    (["runs", "list", "\udcff"], "E100", 2, "is not UTF-8 text"),
    (["worker", "--read-only"], "E200", 1, "read-only"),
    ([], "E100", 2, "the console needs a terminal"),
]
NAMES = [" ".join(args)[:60].encode("ascii", "replace").decode() for args, *_ in ANY_WORKSPACE]


@pytest.mark.parametrize(("args", "code", "status", "said"), ANY_WORKSPACE, ids=NAMES)
def test_one_line_code_and_status(
    cli: Cli, seeded: Path, args: list[str], code: str, status: int, said: str
) -> None:
    result = cli(*args)
    assert result.status == status, result
    assert result.out == ""
    assert result.err.startswith(f"error {code} "), result.err
    assert result.err.count("\n") == 1, "an error is one line"
    assert said in result.err


@pytest.mark.parametrize(("args", "code", "status", "said"), ANY_WORKSPACE[:-2], ids=NAMES[:-2])
def test_the_same_as_one_json_document(
    cli: Cli, seeded: Path, args: list[str], code: str, status: int, said: str
) -> None:
    result = cli("--json", *args)
    assert result.status == status
    assert result.err == ""
    error = result.json()["error"]
    assert set(error) == {"code", "message", "hint"}
    assert error["code"] == code


@pytest.mark.parametrize("args", [["worker"], []])
def test_what_cannot_print_json_says_so(cli: Cli, workspace: Path, args: list[str]) -> None:
    result = cli(*args, "--json")
    assert (result.status, result.json()["error"]["code"]) == (2, "E100")


def test_an_endpoint_that_never_served(cli: Cli, seeded: Path) -> None:
    result = cli("endpoints", "invoke", "demand", "-d", "{}")
    assert result.status == 1
    assert result.err == "error E202 endpoint demand serves nothing yet (deploy a version to it)\n"


def test_a_broken_workspace_file_names_its_line(cli: Cli, workspace: Path) -> None:
    (workspace / "opsdeck.yaml").write_text("name: x\nenvironmant: local\n")
    result = cli("runs", "list")
    assert (result.status, result.err.count("\n")) == (2, 1)
    assert "opsdeck.yaml: unknown key environmant (did you mean environment?)" in result.err


def test_every_problem_of_a_pipeline_is_printed(cli: Cli, workspace: Path) -> None:
    (workspace / "pipelines" / "hello.yaml").write_text(
        "name: hello\nsteps:\n  one:\n    functoin: hello:numbers\n  two:\n"
        "    function: hello:totl\n    retries: many\n"
    )
    result = cli("runs", "start", "hello")
    lines = result.err.splitlines()
    assert result.status == 2
    assert lines[-1].startswith("error E110 ")
    assert len(lines) >= 4
    for line in lines[:-1]:
        assert re.match(r"pipelines/hello\.yaml:\d+ \S+: .+", line), line

    document = cli("runs", "start", "hello", "--json").json()["error"]
    assert document["code"] == "E110"
    assert len(document["problems"]) == len(lines) - 1
    assert {"file", "line", "key", "message", "suggestion"} <= set(document["problems"][0])

    checked = cli("pipelines", "validate")
    assert (checked.status, checked.out.splitlines()) == (1, lines[:-1])
    assert cli("pipelines", "validate", "--json").json()["valid"] is False


def test_a_state_that_is_no_database(cli: Cli, workspace: Path) -> None:
    (workspace / ".opsdeck").mkdir()
    (workspace / ".opsdeck" / "state.db").write_bytes(b"not a database, but long enough" * 100)
    result = cli("runs", "list")
    assert (result.status, result.err.count("\n")) == (4, 1)
    assert result.err.startswith("error E300 ")


def test_a_bug_is_one_line_too(cli: Cli, workspace: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object, **__: object) -> None:
        raise RuntimeError("first line\nsecond line")

    monkeypatch.setattr("core.services.runs.RunsService.list", fail)
    result = cli("runs", "list")
    assert result.status == 70
    assert result.err == (
        "error E999 RuntimeError: first line second line"
        " (this is a bug: run again with --debug for the trace)\n"
    )
    assert "Traceback" in cli("runs", "list", "--debug").err
    document = json.loads(cli("runs", "list", "--json").out)
    assert document["error"]["code"] == "E999"
