"""A change set as a person reads it, and two templates side by side."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from core.aws.infra.diff import Change, compared, in_order, parameters_compared, read_changes
from core.aws.infra.resolve import Resolver, flat


def bucket(**properties: Any) -> dict[str, Any]:
    return {"Type": "AWS::S3::Bucket", "Properties": properties}


def change(action: str, **more: Any) -> dict[str, Any]:
    resource = {"Action": action, "LogicalResourceId": "Data", "ResourceType": "AWS::S3::Bucket"}
    return {"Type": "Resource", "ResourceChange": {**resource, **more}}


def detail(path: str, recreation: str, before: str | None, after: str | None) -> dict[str, Any]:
    target = {
        "Attribute": "Properties",
        "Name": path.split(".")[0],
        "Path": "/Properties/" + path.replace(".", "/"),
        "RequiresRecreation": recreation,
    }
    if before is not None:
        target["BeforeValue"] = before
    if after is not None:
        target["AfterValue"] = after
    return {"Target": target, "Evaluation": "Static", "ChangeSource": "DirectModification"}


def one(raw: dict[str, Any], before: Any = None, after: Any = None) -> Change:
    (found,) = read_changes([raw], {"Data": before or {}}, {"Data": after or {}})
    return found


def test_a_property_goes_from_what_to_what() -> None:
    raw = change("Modify", Replacement="False", Details=[detail("Tags.0.Value", "Never", "a", "b")])
    found = one(raw)
    assert found.action == "change"
    assert [(p.path, p.before, p.after) for p in found.properties] == [("Tags.0.Value", "a", "b")]
    assert not found.loses


def test_a_replaced_bucket_loses_its_objects() -> None:
    raw = change(
        "Modify",
        Replacement="True",
        PolicyAction="ReplaceAndDelete",
        Details=[detail("BucketName", "Always", "a", "b")],
    )
    found = one(raw)
    assert (found.action, found.loses) == ("replace", "its objects")
    assert found.properties[0].recreation == "Always"


def test_what_is_kept_is_not_lost() -> None:
    assert one(change("Remove", PolicyAction="Retain")).kept
    assert one(change("Modify", Replacement="True", PolicyAction="ReplaceAndRetain")).loses == ""
    # An older answer without PolicyAction: the template's own word counts.
    assert one(change("Remove"), before={"DeletionPolicy": "Retain"}).kept
    assert one(change("Remove"), before=bucket()).loses == "its objects"


def test_perhaps_replaced_is_told_as_such() -> None:
    found = one(change("Modify", Replacement="Conditional"))
    assert (found.action, found.loses) == ("perhaps replace", "its objects")


def test_without_values_the_templates_say_them() -> None:
    raw = change("Modify", Replacement="True", Details=[detail("Name", "Always", None, None)])
    found = one(raw, bucket(Name="a", Size="1"), bucket(Name="b", Size="1"))
    (only,) = found.properties
    assert (only.path, only.before, only.after, only.recreation) == ("Name", "a", "b", "Always")


def test_a_value_that_nobody_knows_is_still_told() -> None:
    raw = change("Modify", Replacement="False", Details=[detail("Key", "Never", None, None)])
    found = one(raw, bucket(Key="${Other.Arn}"), bucket(Key="${Other.Arn}"))
    assert [(p.path, p.before, p.after) for p in found.properties] == [("Key", None, None)]


def test_a_whole_structure_as_a_value_is_read_out() -> None:
    raw = change("Modify", Details=[detail("Rules", "Never", None, '[{"Id":"x","Days":3}]')])
    assert one(raw).properties[0].after == "0.Id=x, 0.Days=3"


def test_losses_come_first() -> None:
    added, lost = Change("add", "A", "T"), Change("remove", "Z", "T", loses="its objects")
    assert in_order([added, lost]) == (lost, added)


def test_secrets_are_not_told() -> None:
    (found,) = parameters_compared({"Key": "a"}, {"Key": "b"}, ["Key"])
    assert (found.before, found.after) == ("****", "****")
    assert parameters_compared({"Key": "a"}, {"Key": "a"}, []) == ()


def test_another_type_under_the_same_name_is_a_replacement() -> None:
    (found,) = compared({"A": bucket()}, {"A": {"Type": "AWS::SNS::Topic"}})
    assert (found.action, found.type) == ("replace", "AWS::SNS::Topic")


values = st.recursive(
    st.one_of(st.text(max_size=5), st.integers(), st.booleans()),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3), st.dictionaries(st.text("abc", min_size=1), inner, max_size=3)
    ),
    max_leaves=8,
)


@given(values, values)
def test_a_difference_is_told_and_nothing_else(old: Any, new: Any) -> None:
    before, after = ({"A": Resolver({}, {}).value(bucket(Value=each))} for each in (old, new))
    found = compared(before, after)
    assert compared(before, before) == ()
    if dict(flat(before["A"])) != dict(flat(after["A"])):
        (only,) = found
        assert only.properties
        assert all(each.before != each.after for each in only.properties)


def test_values_are_put_in_and_what_only_aws_knows_stays() -> None:
    content = {
        "Conditions": {
            "Big": {"Fn::Equals": [{"Ref": "Size"}, "big"]},
            "Small": {"Fn::Not": [{"Condition": "Big"}]},
        },
        "Mappings": {"Ports": {"big": {"Port": 8080}}},
        "Resources": {
            "Only": {"Type": "T", "Condition": "Small"},
            "Any": {
                "Type": "T",
                "Properties": {
                    "Name": {"Fn::Sub": "${Project}-${Any.Arn}-${!kept}"},
                    "Arn": {"Fn::GetAtt": ["Key", "Arn"]},
                    "Port": {"Fn::FindInMap": ["Ports", {"Ref": "Size"}, "Port"]},
                    "Gone": {"Fn::If": ["Small", "x", {"Ref": "AWS::NoValue"}]},
                    "Joined": {"Fn::Join": ["/", ["a", {"Ref": "Project"}]]},
                },
            },
        },
    }
    found = Resolver(content, {"Project": "shop", "Size": "big"}).resources()
    assert set(found) == {"Any"}
    assert found["Any"]["Properties"] == {
        "Name": "shop-${Any.Arn}-${kept}",
        "Arn": "${Key.Arn}",
        "Port": "8080",
        "Joined": "a/shop",
    }
