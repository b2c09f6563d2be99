"""The feature store on the simulated account: by key, and online against offline."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from core.aws.account import Account
from core.aws.errors import ResourceNotFound
from core.errors import BadInput
from tests.support.awstext import listed, shown, verb

Client = Callable[[str], Any]


@pytest.fixture
def hours(client: Client) -> Client:
    """A feature group, online."""
    client("sagemaker").create_feature_group(
        FeatureGroupName="hours", RecordIdentifierFeatureName="hr", EventTimeFeatureName="at",
        FeatureDefinitions=[
            {"FeatureName": "hr", "FeatureType": "String"},
            {"FeatureName": "at", "FeatureType": "String"},
            {"FeatureName": "usual", "FeatureType": "Fractional"},
        ],
        OnlineStoreConfig={"EnableOnlineStore": True},
        RoleArn="arn:aws:iam::123456789012:role/features",
    )  # fmt: skip
    return client


def test_a_record_is_put_looked_up_and_forgotten(account: Account, hours: Client, aws: Any) -> None:
    aws.advance(60)
    (item,) = listed(account, "feature-groups")
    assert item.cells[:2] == ("hours", "Created")
    told = shown(account, "feature-groups", "hours")
    assert "key hr" in told
    assert "usual Fractional" in told
    put, look = verb("feature-groups", "put"), verb("feature-groups", "lookup")
    assert look.reads
    record = {"record": "hr=8, at=2012-04-01T08:00:00Z, usual=31.5"}
    assert put.consequence(account, "hours", record) == (
        "models that read hours by this key see it at once",
    )
    put.do(account, "hours", record)
    assert look.do(account, "hours", {"key": "8, 9"}).splitlines() == [
        "8: hr=8, at=2012-04-01T08:00:00Z, usual=31.5", "9: not online",
    ]  # fmt: skip
    verb("feature-groups", "forget").do(
        account, "hours", {"key": "8", "event_time": "2012-04-01T09:00:00Z"}
    )
    with pytest.raises(ResourceNotFound, match="no record of 8"):
        look.do(account, "hours", {"key": "8"})


def test_the_question_says_what_aws_will_refuse(account: Account, hours: Client) -> None:
    told = verb("feature-groups", "put").consequence(account, "hours", {"record": "hr=8, odd=1"})
    assert "has no feature odd: AWS will refuse it" in told
    assert "lacks at: AWS will refuse it" in told
    with pytest.raises(BadInput, match="key: must be given"):
        verb("feature-groups", "lookup").do(account, "hours", {})


def test_deleting_says_what_stays(account: Account, hours: Client) -> None:
    delete = verb("feature-groups", "delete")
    assert delete.typed
    assert delete.consequence(account, "hours", {})[1] == "it has no offline rows"
