"""Files for CI services: written once, valid, and every command in them is one of ours."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
import pytest
import yaml

from console.main import root
from core.aws.context import contexts
from tests.console.conftest import Cli

SERVICES = ("github", "azure", "codebuild")
FILES = {
    "github": [".github/workflows/opsdeck.yml"],
    "azure": ["azure-pipelines.yml"],
    "codebuild": ["ci/build.yml", "ci/test.yml", "ci/staging.yml"],
}


@pytest.fixture(params=SERVICES)
def service(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def written(workspace: Path, cli: Cli, service: str) -> Path:
    assert cli("init", "--ci", service).status == 0
    return workspace


def texts(value: Any) -> Iterator[str]:
    """Every text of a YAML document."""
    if isinstance(value, dict):
        for each in value.values():
            yield from texts(each)
    elif isinstance(value, list):
        for each in value:
            yield from texts(each)
    elif isinstance(value, str):
        yield value


def commands(path: Path) -> Iterator[list[str]]:
    """The words of every `opsdeck …` in a file's scripts, without what the shell does with it."""
    for text in texts(yaml.safe_load(path.read_text())):
        for line in text.splitlines():
            found = re.search(r"(?:^|[;&|]|then |do )\s*(opsdeck [^;]*)", line)
            if found:
                told = re.split(r"\s(?:\|\||>|&&)\s", found[1])[0]
                yield shlex.split(told)[1:]


def check(words: list[str]) -> None:
    """Raise where click would refuse these words; values of variables stand for anything."""
    context = click.Context(root, info_name="opsdeck")
    command: click.Command = root
    while isinstance(command, click.Group):
        name = words.pop(0)
        assert not name.startswith("-"), f"{name} before the verb"
        found = command.get_command(context, name)
        assert found is not None, f"no command {name}"
        command = found
        context = click.Context(command, parent=context, info_name=name)
    plain = [re.sub(r"\$\(.*\)|\$\w+", "name", each) for each in words]
    parser = command.make_parser(context)
    given, _, _ = parser.parse_args(args=plain)
    for parameter in command.params:
        missing = parameter.required and parameter.name not in given
        assert not missing, f"{parameter.name} is missing"


def test_every_command_in_them_is_one_of_ours(written: Path, service: str) -> None:
    seen = []
    for name in FILES[service]:
        for words in commands(written / name):
            seen.append(" ".join(words[:2]))
            check(words)
    assert {"pipelines validate", "data validate", "runs start", "pipelines show"} <= set(seen)
    assert {"infra deploy", "infra plan", "infra drift"} <= set(seen)


def test_no_blank_is_left_and_the_pipeline_is_the_workspaces(written: Path, service: str) -> None:
    for name in FILES[service]:
        text = (written / name).read_text()
        assert not re.search(r"@[A-Z_]+@", text)
    first = (written / FILES[service][0]).read_text()
    assert "PIPELINE: hello" in first
    assert "OPSDECK_PROJECT: hello-space" in first


def test_the_contexts_are_ones_that_opsdeck_reads(
    written: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPSDECK_CONFIG_DIR", str(written / "ci"))
    monkeypatch.setenv("AWS_CONFIG_FILE", "/dev/null")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", "/dev/null")
    found = {each.name: each.environment for each in contexts()}
    assert found == {"staging": "staging", "production": "production"}


def test_github_workflow_has_the_structure_that_github_reads(workspace: Path, cli: Cli) -> None:
    cli("init", "--ci", "github")
    workflow = yaml.safe_load((workspace / FILES["github"][0]).read_text())
    assert set(workflow) == {"name", True, "permissions", "env", "jobs"}, "True is `on` in YAML 1.1"
    jobs = workflow["jobs"]
    assert set(jobs) == {"check", "staging"}
    assert jobs["staging"]["needs"] == "check"
    for job in jobs.values():
        assert job["runs-on"]
        for step in job["steps"]:
            assert ("uses" in step) != ("run" in step), step
            if "uses" in step:
                assert re.fullmatch(r"[\w-]+/[\w-]+@v\d+", step["uses"])
    names = [step.get("name") for job in jobs.values() for step in job["steps"]]
    wanted = ["Lint", "Test", "Check data", "Check model", "Package", "Deploy to staging"]
    assert [each for each in names if each in wanted] == wanted


def test_azure_pipeline_has_the_structure_that_azure_reads(workspace: Path, cli: Cli) -> None:
    cli("init", "--ci", "azure")
    pipeline = yaml.safe_load((workspace / FILES["azure"][0]).read_text())
    assert set(pipeline) == {"trigger", "pr", "variables", "pool", "stages"}
    check_stage, staging = pipeline["stages"]
    assert staging["dependsOn"] == check_stage["stage"]
    (job,) = check_stage["jobs"]
    for step in job["steps"]:
        assert len({"task", "bash", "publish"} & set(step)) == 1, step
    (deployment,) = staging["jobs"]
    steps = deployment["strategy"]["runOnce"]["deploy"]["steps"]
    for step in steps:
        assert len({"task", "bash", "download", "checkout"} & set(step)) == 1, step


def test_buildspecs_have_the_structure_that_codebuild_reads(workspace: Path, cli: Cli) -> None:
    cli("init", "--ci", "codebuild")
    for name in FILES["codebuild"]:
        spec = yaml.safe_load((workspace / name).read_text())
        assert spec["version"] == 0.2
        assert set(spec) <= {"version", "env", "phases", "artifacts", "reports", "cache"}
        assert set(spec["phases"]) <= {"install", "pre_build", "build", "post_build"}
        for phase in spec["phases"].values():
            assert all(isinstance(each, str) for each in phase["commands"]), "no text by accident"
    assert (workspace / "infra" / "endpoint.yaml").read_text().startswith("AWSTemplate")


def test_delivery_finds_what_codebuild_writes() -> None:
    from core.aws.infra import templates_of_opsdeck

    body = templates_of_opsdeck()["delivery"].body
    for name in ("ci/build.yml", "ci/test.yml", "infra/endpoint.yaml", "infra/staging.json"):
        assert name in body


def test_nothing_is_overwritten_without_force(written: Path, cli: Cli, service: str) -> None:
    path = written / FILES[service][0]
    path.write_text("mine")
    refused = cli("init", "--ci", service)
    assert refused.status == 1
    assert "exists already; nothing was written" in refused.err
    assert path.read_text() == "mine"
    assert cli("init", "--ci", service, "--force").status == 0
    assert path.read_text() != "mine"


def test_two_services_share_what_is_common(workspace: Path, cli: Cli) -> None:
    assert cli("init", "--ci", "github").status == 0
    (workspace / "ci" / "contexts.yaml").write_text("contexts: {mine: {}}\n")
    assert cli("init", "--ci", "azure").status == 0
    assert "mine" in (workspace / "ci" / "contexts.yaml").read_text()


def test_a_new_workspace_gets_them_at_once(tmp_path: Path, cli: Cli) -> None:
    done = cli("init", str(tmp_path / "new"), "--example", "bike-demand", "--ci", "github")
    assert done.status == 0
    text = (tmp_path / "new" / FILES["github"][0]).read_text()
    assert 'DATA_PIPELINE: "bike-data"' in text
    assert "PIPELINE: bike-demand" in text


def test_force_alone_means_nothing(workspace: Path, cli: Cli) -> None:
    assert "goes with --ci" in cli("init", "--force").err
