"""Contexts: found by name, written down, refused in one line."""

from __future__ import annotations

from pathlib import Path

import pytest

from core.aws.context import (
    AwsContext,
    add_context,
    contexts,
    contexts_file,
    find_context,
    remove_context,
)
from core.errors import BadInput, ConfigInvalid


@pytest.fixture(autouse=True)
def _own_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPSDECK_CONFIG_DIR", str(tmp_path / "own"))
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "credentials"))


def test_what_is_added_is_found_again_and_can_be_taken_away() -> None:
    wanted = AwsContext("prod", "ml", "eu-west-1", environment="production", read_only=True)
    add_context(wanted)
    assert find_context("prod") == wanted
    assert contexts() == [wanted]
    remove_context("prod")
    assert contexts() == []
    with pytest.raises(BadInput, match=r"prod: is not in .*contexts.yaml"):
        remove_context("prod")


def test_profiles_are_contexts_without_being_written_down(tmp_path: Path) -> None:
    (tmp_path / "config").write_text(
        "[default]\nregion = eu-west-1\n[profile ml]\n[sso-session x]\n"
    )
    (tmp_path / "credentials").write_text("[old]\naws_access_key_id = x\n")
    assert [each.name for each in contexts()] == ["aws:default", "aws:ml", "aws:old"]
    found = find_context("aws:ml/eu-central-1")
    assert (found.profile, found.region) == ("ml", "eu-central-1")
    add_context(AwsContext("work", profile="ml"))
    assert [each.name for each in contexts()] == ["work", "aws:default", "aws:old"]


def test_a_region_goes_before_the_context_s_own() -> None:
    add_context(AwsContext("prod", region="eu-west-1"))
    assert find_context("prod", "us-east-1").region == "us-east-1"
    with pytest.raises(BadInput, match="--region mars: is no region"):
        find_context("prod", "mars")


def test_an_unknown_name_is_told_the_closest() -> None:
    add_context(AwsContext("production"))
    with pytest.raises(BadInput) as caught:
        find_context("prodution")
    assert caught.value.one_line() == (
        "E100 --context prodution: no such context (did you mean production?)"
    )


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("contexts: [a]", "contexts: must be a mapping"),
        ("contexts: {a: 1}", r"contexts.a: must be a mapping"),
        ("contexts: {a: {regoin: x}}", r"contexts.a.regoin: is no key \(did you mean region\?\)"),
        ("contexts: {a: {region: x}}", r"contexts.a.region: x is no region"),
        ("contexts: {a: {read_only: 1}}", r"contexts.a.read_only: must be true or false"),
        ("contexts: {a: {role_arn: x}}", r"contexts.a.role_arn: is no role's ARN"),
        ("contexts: {'-': {}}", r"contexts.-: is no name"),
        ("a: [", r"line 1 is not YAML|line 2 is not YAML"),
    ],
)
def test_a_wrong_file_is_refused_by_its_key(text: str, told: str) -> None:
    contexts_file().parent.mkdir(parents=True)
    contexts_file().write_text(text)
    with pytest.raises(ConfigInvalid) as caught:
        contexts()
    import re

    assert re.search(told, caught.value.one_line())
    assert str(contexts_file()) in caught.value.one_line()
    assert contexts_file().read_text() == text


def test_what_is_refused_leaves_the_file_alone() -> None:
    add_context(AwsContext("prod"))
    before = contexts_file().read_text()
    with pytest.raises(ConfigInvalid, match="is no region"):
        add_context(AwsContext("other", region="nowhere"))
    assert contexts_file().read_text() == before
