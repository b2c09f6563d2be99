"""Lake Formation's rights, keys, and what is not encrypted, on the simulated account."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from core.aws.account import Account
from core.aws.kinds.security.permissions import resource_of, words
from core.errors import BadInput
from tests.support.awstext import listed, shown, verb

Client = Callable[[str], Any]
READER = "arn:aws:iam::123456789012:role/reader"


@pytest.fixture
def governed(client: Client) -> Client:
    """A table that a role may select."""
    glue = client("glue")
    glue.create_database(DatabaseInput={"Name": "rentals"})
    glue.create_table(
        DatabaseName="rentals",
        TableInput={"Name": "hours", "StorageDescriptor": {"Columns": [{"Name": "hr"}]}},
    )
    client("lakeformation").grant_permissions(
        Principal={"DataLakePrincipalIdentifier": READER}, Permissions=["SELECT", "DESCRIBE"],
        Resource={"Table": {"DatabaseName": "rentals", "Name": "hours"}},
    )  # fmt: skip
    return client


def of_reader(account: Account) -> Any:
    return next(i for i in listed(account, "lf-permissions") if i.cells[0] == "reader")


def test_who_may_read_what(account: Account, governed: Client) -> None:
    item = of_reader(account)
    assert item.cells[1] == "rentals.hours"
    assert set(item.cells[2].split(", ")) == {"SELECT", "DESCRIBE"}
    assert READER in shown(account, "lf-permissions", item.id)


def test_a_grant_is_previewed_and_done(account: Account, governed: Client) -> None:
    grant = verb("lf-permissions", "grant")
    values = {"principal": READER, "on": "rentals.hours", "permissions": "select, insert"}
    told = grant.consequence(account, "", values)
    assert told[1] == "may then also INSERT"
    grant.do(account, "", values)
    assert "INSERT" in of_reader(account).cells[2]
    assert grant.consequence(account, "", values)[1] == "nothing changes: it may already"


def test_a_revocation_says_what_is_left(account: Account, governed: Client) -> None:
    revoke = verb("lf-permissions", "revoke")
    item = of_reader(account)
    told = revoke.consequence(account, item.id, {"permissions": "SELECT"})
    assert told == (f"{READER} on rentals.hours: loses SELECT", "may still DESCRIBE")
    revoke.do(account, item.id, {"permissions": "SELECT"})
    assert of_reader(account).cells[2] == "DESCRIBE"
    with pytest.raises(BadInput, match="permissions=READ: is no permission"):
        revoke.do(account, item.id, {"permissions": "read"})


def test_that_iam_alone_decides_is_said(account: Account, governed: Client) -> None:
    governed("lakeformation").grant_permissions(
        Principal={"DataLakePrincipalIdentifier": "IAM_ALLOWED_PRINCIPALS"}, Permissions=["ALL"],
        Resource={"Table": {"DatabaseName": "rentals", "Name": "hours"}},
    )  # fmt: skip
    item = of_reader(account)
    told = verb("lf-permissions", "revoke").consequence(account, item.id, {"permissions": "SELECT"})
    assert "whoever IAM lets may read it all the same" in told[-1]


@pytest.mark.parametrize(
    "text", ["rentals", "rentals.hours", "rentals.hours(hr, cnt)", "rentals.*", "s3://lake/raw"]
)
def test_resources_are_written_as_they_are_shown(text: str) -> None:
    assert words(resource_of(text)) == text


@pytest.mark.parametrize("text", ["", ".", "rentals.hours(", "rentals(hr)", "a.b()"])
def test_what_is_no_resource_is_refused(text: str) -> None:
    with pytest.raises(BadInput, match=r"is no resource|names no column"):
        resource_of(text)


def test_keys_and_what_uses_them(account: Account, client: Client) -> None:
    kms = client("kms")
    key = kms.create_key(Description="the lake's")["KeyMetadata"]["KeyId"]
    kms.create_alias(AliasName="alias/lake", TargetKeyId=key)
    client("sns").create_topic(Name="oncall", Attributes={"KmsMasterKeyId": key})
    item = next(each for each in listed(account, "kms-keys") if each.id == key)
    assert item.cells[:3] == ("lake", "Enabled", "yours")
    told = shown(account, "kms-keys", key)
    assert "topic oncall" in told
    assert "every year off" in told
    verb("kms-keys", "rotate").do(account, key, {})
    assert "every year on" in shown(account, "kms-keys", key)


def test_what_is_not_encrypted_is_found_and_a_denied_scan_is_named(
    account: Account, client: Client, aws: Any
) -> None:
    client("sns").create_topic(Name="open")
    client("logs").create_log_group(logGroupName="/plain")
    aws.fault("redshift:DescribeClusters", code="AccessDenied", times=1)
    found = {item.id: item for item in listed(account, "unencrypted")}
    assert found["topic/open"].tone == "bad"
    assert found["log group//plain"].cells[2] == "a key of AWS"
    assert "redshift:DescribeClusters" in found["scan/warehouses"].cells[3]
    assert "set KmsMasterKeyId" in shown(account, "unencrypted", "topic/open")
