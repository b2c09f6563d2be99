"""Training jobs: started in three ways, followed by timeline and metrics, stopped."""

from __future__ import annotations

import io
import json
import tarfile
from pathlib import Path
from typing import Any

import pytest

from core.aws.account import Account
from core.aws.errors import AwsError
from core.aws.kinds.jobs import common, images
from core.aws.kinds.jobs.images import Wanted
from core.aws.kinds.jobs.sources import pack
from core.aws.logs import read_logs
from core.aws.prices import Price
from core.aws.registry import kind
from core.errors import BadInput
from core.simulated.server import SimulatedAccount
from tests.support.awsruns import BUCKET, IMAGE, ROLE, blocked, bucket, do, listed, value, words

COMMON = {"role": ROLE, "output": f"s3://{BUCKET}/models", "inputs": f"train=s3://{BUCKET}/train"}


def in_image(account: Account, **values: str) -> str:
    bucket(account)
    do(account, "training", "train-image", **{"image": IMAGE, **COMMON, **values})
    return listed(account, "training")[0].id


def test_a_job_from_start_to_end(account: Account, aws: SimulatedAccount) -> None:
    metrics = "train:rmse=t=(.*), validation:rmse=v=(.*)"
    id = in_image(
        account, name="bikes-1", hyperparameters="eta=0.1, depth=6", metrics=metrics, count="2"
    )
    [item] = listed(account, "training")
    assert (item.id, item.cells[1], item.tone) == ("bikes-1", "Starting", "run")
    aws.advance(120)
    assert listed(account, "training")[0].cells[1] == "Training"
    aws.advance(600)
    told = kind("training").show(account, id)
    assert told.tone == "ok"
    assert value(told, "Training job", "instances") == "2 × ml.m5.large, 30 GB each"
    assert value(told, "Training job", "took") == "4m 35s"
    assert value(told, "Hyperparameters", "depth") == "6"
    assert float(value(told, "Final metrics", "train:rmse")) > 0
    assert value(told, "Input", "train") == f"s3://{BUCKET}/train"
    timeline = next(each for each in told.sections if each.title == "Timeline")
    phases = [line[1].partition(" ")[0] for line in timeline.lines]
    assert phases == ["Starting", "Downloading", "Training", "Uploading", "Completed"]
    by_title = {chart.title: chart for chart in told.charts}
    assert set(by_title["rmse"].series) == {"train", "validation"}
    assert "CPU algo-1" in by_title["instances in use"].series
    logs = kind("training").logs
    assert logs is not None
    assert "Training job completed" in [each.text for each in read_logs(account, logs(account, id))]


def test_spot_says_what_it_saves(account: Account, aws: SimulatedAccount) -> None:
    id = in_image(account, spot="yes", max_hours="2", max_wait_hours="3")
    aws.advance(600)
    told = kind("training").show(account, id)
    assert value(told, "Training job", "spot") == (
        "yes, waits at most 3h 00m; billed 1m 36s of 4m 35s: saves 65 %"
    )


def test_cost_is_price_by_what_was_billed(
    account: Account, aws: SimulatedAccount, monkeypatch: pytest.MonkeyPatch
) -> None:
    id = in_image(account, spot="yes", count="2")
    aws.advance(600)
    monkeypatch.setattr(common, "price", lambda *_, **__: Price(0.36, "a list"))
    # 96 billed seconds of 2 instances at $0.36 an hour
    assert value(kind("training").show(account, id), "Training job", "cost").startswith(
        "about $0.02 ($0.36 an hour × 2 × 1m 36s; a list)"
    )
    monkeypatch.setattr(common, "price", lambda *_, **__: Price(None, "refused"))
    assert "cost |" not in words(kind("training").show(account, id))


def test_the_debuggers_rules_are_told(account: Account, aws: SimulatedAccount) -> None:
    bucket(account)
    account.call(
        "sagemaker",
        "create_training_job",
        TrainingJobName="watched",
        AlgorithmSpecification={"TrainingImage": IMAGE, "TrainingInputMode": "File"},
        HyperParameters={"simulate-issues": "LossNotDecreasing"},
        RoleArn=ROLE,
        OutputDataConfig={"S3OutputPath": f"s3://{BUCKET}/m"},
        ResourceConfig={"InstanceType": "ml.m5.large", "InstanceCount": 1, "VolumeSizeInGB": 5},
        StoppingCondition={"MaxRuntimeInSeconds": 3600},
        DebugRuleConfigurations=[
            {"RuleConfigurationName": name, "RuleEvaluatorImage": IMAGE}
            for name in ("LossNotDecreasing", "Overfit")
        ],
    )
    aws.advance(600)
    told = kind("training").show(account, "watched")
    rules = next(each for each in told.sections if each.title == "Debugger rules")
    assert [(line[0], line[1], line[2]) for line in rules.lines if len(line) == 3] == [
        ("LossNotDecreasing", "IssuesFound", "bad"),
        ("Overfit", "NoIssuesFound", "ok"),
    ]


def test_stop_and_then_no_more(account: Account, aws: SimulatedAccount) -> None:
    id = in_image(account)
    aws.advance(100)
    assert blocked(account, "training", "stop", id) is None
    assert do(account, "training", "stop", id) == f"{id}: stopping"
    aws.advance(60)
    assert listed(account, "training")[0].tone == "dim"
    assert blocked(account, "training", "stop", id) == "it is Stopped"
    with pytest.raises(AwsError, match="Stopped"):
        do(account, "training", "stop", id)


def test_a_failure_says_why(account: Account, aws: SimulatedAccount) -> None:
    id = in_image(account, hyperparameters="simulate-outcome=Failed, simulate-reason=no memory")
    aws.advance(600)
    told = kind("training").show(account, id)
    assert (told.tone, value(told, "Training job", "why")) == ("bad", "no memory")


def test_a_script_is_packed_with_its_folder(
    account: Account, aws: SimulatedAccount, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(images, "_asked", lambda wanted: f"{wanted.framework}:{wanted.version}")
    place = bucket(account)
    (tmp_path / "src" / "lib").mkdir(parents=True)
    (tmp_path / "src" / "train.py").write_text("print('hello')\n")
    (tmp_path / "src" / "lib" / "more.py").write_text("x = 1\n")
    (tmp_path / "src" / ".env").write_text("SECRET=1\n")
    do(
        account, "training", "train-script",
        script="train.py", source=str(tmp_path / "src"), framework="sklearn", version="1.2-1",
        hyperparameters="depth=6, name=north", **COMMON,
    )  # fmt: skip
    [item] = listed(account, "training")
    told = kind("training").show(account, item.id)
    assert value(told, "Training job", "image") == "sklearn:1.2-1"
    given = {
        key: json.loads(value(told, "Hyperparameters", key))
        for key in ("depth", "name", "sagemaker_program", "sagemaker_submit_directory")
    }
    assert (given["depth"], given["name"], given["sagemaker_program"]) == (6, "north", "train.py")
    address = given["sagemaker_submit_directory"]
    assert address.startswith(f"{place}/models/source/sourcedir-")
    key = address.removeprefix(f"{place}/")
    body = account.call("s3", "get_object", Bucket=BUCKET, Key=key)["Body"].read()
    with tarfile.open(fileobj=io.BytesIO(body)) as archive:
        assert sorted(archive.getnames()) == ["lib/more.py", "train.py"]


def test_what_is_packed_follows_from_the_content(tmp_path: Path) -> None:
    script = tmp_path / "a.py"
    script.write_text("x = 1\n")
    first = pack(str(script))
    script.touch()
    assert (first.files, first.program, pack(str(script)).name) == (1, "a.py", first.name)
    script.write_text("x = 2\n")
    assert pack(str(script)).name != first.name


def test_nothing_outside_the_folder_is_packed(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("s")
    (tmp_path / "src").mkdir()
    (tmp_path / "src" / "a.py").write_text("")
    with pytest.raises(BadInput, match="no such file"):
        pack("b.py", str(tmp_path / "src"))
    with pytest.raises(BadInput, match="must stand in"):
        pack("../secret", str(tmp_path / "src"))
    (tmp_path / "src" / "link").symlink_to(tmp_path / "secret")
    with pytest.raises(BadInput, match="a link to a file outside"):
        pack("a.py", str(tmp_path / "src"))


def test_a_built_in_algorithm_finds_its_image_and_keeps_it(
    account: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The SDK is really asked, in a process of its own, and only once."""
    bucket(account)
    do(account, "training", "train", algorithm="xgboost", **COMMON)
    [item] = listed(account, "training")
    found = value(kind("training").show(account, item.id), "Training job", "image")
    assert found == "141502667606.dkr.ecr.eu-west-1.amazonaws.com/sagemaker-xgboost:1.7-1"
    monkeypatch.setattr(images, "_asked", lambda _wanted: pytest.fail("it is asked again"))
    wanted = Wanted("xgboost", account.region, "ml.m5.large")
    assert images.image(wanted) == found


def test_a_version_that_is_none_says_which_there_are() -> None:
    with pytest.raises(BadInput, match=r"Unsupported xgboost version.*1\.7-1"):
        images.image(Wanted("xgboost", "eu-west-1", "ml.m5.large", version="99"))


@pytest.mark.parametrize(
    ("values", "says"),
    [
        ({"role": "me"}, "role=me: is no role's ARN"),
        ({"output": "/tmp/x"}, "output=/tmp/x: must be an address in S3"),
        ({"inputs": "train"}, "train: must be NAME=VALUE"),
        ({"inputs": "train=/tmp"}, "must be an address in S3"),
        ({"count": "0"}, "count=0: must be a whole number of at least 1"),
        ({"spot": "maybe"}, "spot=maybe: must be yes or no"),
        ({"spot": "yes", "max_hours": "5", "max_wait_hours": "4"}, "must be at least max_hours"),
        ({"checkpoints": "s3://b/c"}, "are of spot training"),
        ({"name": "a_b"}, "name=a_b: letters, digits"),
        ({"image": ""}, "image: must be given"),
    ],
)
def test_what_is_wrong_is_said_before_anything_is_sent(
    account: Account, aws: SimulatedAccount, values: dict[str, str], says: str
) -> None:
    verb = kind("training").verb("train-image")
    assert verb is not None
    with pytest.raises(BadInput, match=says):
        verb.consequence(account, "", {"image": IMAGE, **COMMON, **values})
    with pytest.raises(BadInput, match=says):
        verb.do(account, "", {"image": IMAGE, **COMMON, **values})
    assert not [call for call in aws.calls if call.operation.startswith("Create")]


def test_metrics_that_are_denied_leave_the_rest(account: Account, aws: SimulatedAccount) -> None:
    id = in_image(account, metrics="loss=l=(.*)")
    aws.advance(600)
    aws.fault("cloudwatch:GetMetricData", "AccessDeniedException")
    told = kind("training").show(account, id)
    assert told.charts == ()
    assert "may not cloudwatch:GetMetricData" in words(told)
    assert value(told, "Training job", "status") == "Completed"


def test_lists_are_newest_first_and_paged(account: Account, aws: SimulatedAccount) -> None:
    bucket(account)
    request: dict[str, Any] = {
        "AlgorithmSpecification": {"TrainingImage": IMAGE, "TrainingInputMode": "File"},
        "RoleArn": ROLE,
        "OutputDataConfig": {"S3OutputPath": f"s3://{BUCKET}/m"},
        "ResourceConfig": {
            "InstanceType": "ml.m5.large",
            "InstanceCount": 1,
            "VolumeSizeInGB": 5,
        },
        "StoppingCondition": {"MaxRuntimeInSeconds": 3600},
    }
    for number in range(101):
        account.call("sagemaker", "create_training_job", TrainingJobName=f"j-{number}", **request)
        aws.advance(1)
    pages = kind("training").list(account, "")
    first = next(pages)
    assert (len(first), first[0].id) == (100, "j-100")
    assert [item.id for item in next(pages)] == ["j-0"]
