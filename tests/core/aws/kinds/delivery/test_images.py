"""ECR on the simulated account: images, findings, and a build context on its way to an image."""

from __future__ import annotations

import io
import json
import zipfile
from pathlib import Path
from typing import Any

import pytest

from core.aws.account import Account
from core.aws.kinds.delivery import packing
from core.aws.registry import kind
from core.errors import BadInput
from tests.support.awsdelivery import Client, item_of, listed, project, text, verb

DOCKER = "application/vnd.docker.distribution.manifest.v2+json"


def _manifest(number: int) -> str:
    config = {"mediaType": "x", "size": 1000 * number, "digest": f"sha256:{number:064d}"}
    return json.dumps({"schemaVersion": 2, "mediaType": DOCKER, "config": config,
                       "layers": [{**config, "size": 5_000_000}]})  # fmt: skip


@pytest.fixture
def pushed(client: Client, aws: Any) -> Any:
    ecr = client("ecr")
    ecr.create_repository(
        repositoryName="bike/serve", imageScanningConfiguration={"scanOnPush": False},
        encryptionConfiguration={"encryptionType": "KMS"}, imageTagMutability="IMMUTABLE",
    )  # fmt: skip
    for number, tag in enumerate(("v1", "v2"), 1):
        ecr.put_image(repositoryName="bike/serve", imageManifest=_manifest(number), imageTag=tag)
        aws.advance(60)
    return ecr


def test_repositories_and_their_images(account: Account, pushed: Any) -> None:
    assert listed(account, "ecr")[0].cells[:4] == ("bike/serve", "by hand", "fixed", "KMS")
    shown = text(kind("ecr").show(account, "bike/serve"))
    assert "none: every image is kept" in shown
    images = listed(account, "images", "bike/serve")
    assert {item.id for item in images} == {"bike/serve:v1", "bike/serve:v2"}
    assert images[0].cells[3] == "not scanned"
    assert "it has not been scanned" in text(kind("images").show(account, "bike/serve:v1"))
    with pytest.raises(BadInput, match="of which repository"):
        listed(account, "images")


def test_a_scan_tells_findings_worst_first(account: Account, pushed: Any, aws: Any) -> None:
    verb("images", "scan").do(account, "bike/serve:v1", {})
    aws.advance(120)
    detail = kind("images").show(account, "bike/serve:v1")
    findings = detail.sections[-1].lines
    assert findings
    tones = [line[0] for line in findings if isinstance(line, tuple)]
    ranks = ["critical", "high", "medium", "low", "informational", "undefined"]
    assert tones == sorted(tones, key=ranks.index)
    item = item_of(account, "images", "bike/serve:v1")
    assert item.tone in ("bad", "wait", "ok")


def test_an_image_is_deleted_by_its_name(account: Account, pushed: Any) -> None:
    delete = verb("images", "delete")
    assert delete.typed
    assert "can't be had back" in delete.consequence(account, "bike/serve:v1", {})[0]
    delete.do(account, "bike/serve:v1", {})
    assert [item.id for item in listed(account, "images", "bike/serve")] == ["bike/serve:v2"]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "Dockerfile").write_text("FROM python:3.11-slim\nCOPY model model\n")
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "MLmodel").write_text("flavors: {}\n")
    (tmp_path / ".git").mkdir()
    (tmp_path / ".git" / "HEAD").write_text("x")
    return tmp_path


def test_a_context_is_put_into_s3_and_the_commands_told(
    account: Account, pushed: Any, client: Client, folder: Path
) -> None:
    client("s3").create_bucket(
        Bucket="images", CreateBucketConfiguration={"LocationConstraint": "eu-west-1"}
    )
    push = verb("ecr", "push")
    values = {"folder": str(folder), "to": "s3://images/contexts", "tag": "v3"}
    assert "puts 2 files" in push.consequence(account, "bike/serve", values)[0]
    told = push.do(account, "bike/serve", values)
    assert "docker buildx build" in told
    assert "bike/serve:v3 --push" in told
    (key,) = [each["Key"] for each in client("s3").list_objects_v2(Bucket="images")["Contents"]]
    body = client("s3").get_object(Bucket="images", Key=key)["Body"].read()
    with zipfile.ZipFile(io.BytesIO(body)) as archive:
        assert sorted(archive.namelist()) == ["Dockerfile", "model/MLmodel"]
    assert packing.packed(str(folder)).body == body


def test_codebuild_builds_the_image(
    account: Account, pushed: Any, client: Client, folder: Path, aws: Any
) -> None:
    client("s3").create_bucket(
        Bucket="images", CreateBucketConfiguration={"LocationConstraint": "eu-west-1"}
    )
    project(client, "image")
    values = {"folder": str(folder), "to": "s3://images", "tag": "v3", "project": "image"}
    assert "is built by image:" in verb("ecr", "push").do(account, "bike/serve", values)
    asked = next(each for each in aws.calls if each.operation == "StartBuild").params
    assert asked["sourceTypeOverride"] == "S3"
    assert asked["privilegedModeOverride"] is True
    assert "bike/serve:v3" in asked["buildspecOverride"]


def test_a_folder_without_a_dockerfile_is_refused(
    account: Account, pushed: Any, tmp_path: Path
) -> None:
    values = {"folder": str(tmp_path), "to": "s3://images"}
    with pytest.raises(BadInput, match="has no Dockerfile"):
        verb("ecr", "push").consequence(account, "bike/serve", values)
