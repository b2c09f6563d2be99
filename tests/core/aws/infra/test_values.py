"""Templates of one's own, and where the values of their parameters come from."""

from __future__ import annotations

from pathlib import Path

import pytest

from core.aws.infra import InfraInvalid, Place, Stack, templates_in
from core.aws.infra.values import key_of, read_given, resolve

PLACE = Place("shop", "staging", "123456789012", "eu-west-1")
BASE = """
Parameters:
  Project: {Type: String}
  Environment: {Type: String}
  Size: {Type: String, Default: small, AllowedValues: [small, big]}
Resources:
  Bucket: {Type: "AWS::S3::Bucket", Properties: {BucketName: !Sub "${Project}-${Size}"}}
Outputs:
  Bucket: {Value: !Ref Bucket}
"""
TOP = """
Metadata: {Opsdeck: {From: {Bucket: base}}}
Parameters:
  Bucket: {Type: String}
  Image: {Type: String, Description: What to run.}
Resources:
  Topic: {Type: "AWS::SNS::Topic"}
"""
FROM = "Metadata: {Opsdeck: {From: {X: LAYER}}}\nParameters: {X: {Type: String}}\nResources: {}"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "top.yaml").write_text(TOP)
    (tmp_path / "base.yaml").write_text(BASE)
    return tmp_path


def stack(layer: str, status: str = "CREATE_COMPLETE", **more: dict[str, str]) -> Stack:
    return Stack(PLACE.stack(layer), f"id-{layer}", status, **more)


def test_layers_come_after_those_they_need(folder: Path) -> None:
    (folder / "a.yaml").write_text(
        "Metadata: {Opsdeck: {After: [top]}}\nResources: {T: {Type: 'AWS::SNS::Topic'}}"
    )
    assert list(templates_in(folder)) == ["base", "top", "a"]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("Resources: [", "bad.yaml"),
        ("Description: nothing", "no Resources"),
        ("Metadata: {Opsdeck: {From: {X: base}}}\nResources: {}", "no such parameter"),
        (
            FROM.replace("LAYER", "nope"),
            "no layer nope",
        ),
        (
            FROM.replace("LAYER", "base"),
            "no output",
        ),
        ("Metadata: {Opsdeck: {After: [bad]}}\nResources: {}", "bad → bad"),
        (f"Description: {'x' * 52_000}\nResources: {{}}", "CloudFormation takes 51,200"),
    ],
)
def test_a_wrong_template_is_named_with_what_is_wrong(folder: Path, text: str, says: str) -> None:
    (folder / "bad.yaml").write_text(text)
    with pytest.raises(InfraInvalid, match=says):
        templates_in(folder)


def test_given_then_outputs_then_as_it_was_then_default(folder: Path) -> None:
    templates = templates_in(folder)
    given = read_given(["Image=new"], [], templates)
    there = {"base": stack("base", outputs={"Bucket": "b-1"})}
    values = resolve(templates["top"], PLACE, given, there)
    assert values.known == {"Bucket": "b-1", "Image": "new"}
    there["top"] = stack("top", parameters={"Bucket": "old", "Image": "was"})
    values = resolve(templates["top"], PLACE, read_given([], [], templates), there)
    assert values.known == {"Bucket": "b-1", "Image": "was"}
    assert {"ParameterKey": "Image", "UsePreviousValue": True} in values.request
    base = resolve(templates["base"], PLACE, read_given([], [], templates), {})
    assert base.known == {"Project": "shop", "Environment": "staging", "Size": "small"}
    assert [each["ParameterKey"] for each in base.request] == ["Project", "Environment"]


def test_what_is_missing_and_what_is_waited_for_are_told_apart(folder: Path) -> None:
    templates = templates_in(folder)
    values = resolve(templates["top"], PLACE, read_given([], [], templates), {})
    assert (values.missing, values.waits) == (("Image",), ("base",))


def test_a_layers_own_value_goes_before_everybodys(folder: Path) -> None:
    templates = templates_in(folder)
    given = read_given(["Size=small", "base.Size=big"], [], templates)
    assert resolve(templates["base"], PLACE, given, {}).known["Size"] == "big"


@pytest.mark.parametrize(
    ("pairs", "says"),
    [
        (["Size"], "not KEY=VALUE"),
        (["=x"], "not KEY=VALUE"),
        (["Siez=big"], "no such parameter"),
        (["nope.Size=big"], "no layer nope"),
        (["top.Size=big"], "no such parameter"),
        (["Size=a", "Size=b"], "given twice"),
        (["Environment=x"], "said by the context"),
    ],
)
def test_wrong_parameters_are_named(folder: Path, pairs: list[str], says: str) -> None:
    with pytest.raises(InfraInvalid, match=says):
        read_given(pairs, [], templates_in(folder))


def test_a_value_has_to_be_among_the_choices(folder: Path) -> None:
    templates = templates_in(folder)
    with pytest.raises(InfraInvalid, match="not one of small, big"):
        resolve(templates["base"], PLACE, read_given(["Size=huge"], [], templates), {})


def test_a_files_place_says_its_content(folder: Path) -> None:
    templates = templates_in(folder)
    path = folder / "definition.json"
    path.write_text("{}")
    first = read_given([], [f"Image={path}"], templates).of(templates["top"])["Image"]
    assert first == key_of(path)
    assert first.endswith(".json")
    path.write_text('{"Steps": []}')
    assert read_given([], [f"Image={path}"], templates).of(templates["top"])["Image"] != first
    with pytest.raises(InfraInvalid, match="no such file"):
        read_given([], ["Image=nowhere.json"], templates)


@pytest.mark.parametrize("name", ["", "X", "a b", "-a", "a" * 21])
def test_names_that_no_stack_can_have_are_refused(name: str) -> None:
    with pytest.raises(InfraInvalid, match="project"):
        Place(name, "staging", "1", "eu-west-1")


def test_tags_hold_only_what_aws_takes() -> None:
    assert PLACE.tags("a;b")["owner"] == "a-b"
    assert PLACE.stack("storage") == "shop-staging-storage"
    assert not PLACE.protected
    assert Place("shop", "production", "1", "eu-west-1").protected
