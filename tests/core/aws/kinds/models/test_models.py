"""The registry, deployable models, experiments and managed MLflow on the simulated account."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from core.aws.account import Account
from core.aws.errors import BadRequest
from core.aws.kind import Detail, Item, Verb
from core.aws.kinds.models.reports import numbers_in, quality_numbers
from core.aws.registry import kind
from core.errors import BadInput, OpsdeckError, ReadOnly, WrongState
from core.simulated.server import SimulatedAccount
from tests.support import asking


def verb(of: str, name: str) -> Verb:
    found = kind(of).verb(name)
    assert found is not None
    return found


def act(account: Account, of: str, name: str, id_: str, values: Mapping[str, str]) -> str:
    """As a screen does it: the consequence is told, then it is done."""
    assert verb(of, name).consequence(account, id_, values)
    return verb(of, name).do(account, id_, values)


def items(account: Account, of: str, parent: str = "") -> list[Item]:
    return [item for page in kind(of).list(account, parent) for item in page]


def lines(detail: Detail, title: str) -> list[str]:
    return [
        line if isinstance(line, str) else f"{line[0]}: {line[1]}"
        for section in detail.sections
        if section.title == title
        for line in section.lines
    ]


def everything(detail: Detail) -> str:
    return "\n".join(str(line) for section in detail.sections for line in section.lines)


def test_a_group_is_made_holds_versions_and_is_deleted_when_it_is_empty(account: Account) -> None:
    act(account, "model-groups", "create", "", {"name": "demand", "description": "bikes an hour"})
    asking.register(account, mae=40.5, status="Approved")
    asking.register(account, mae=38.2)
    (group,) = items(account, "model-groups")
    assert (group.id, group.cells[3]) == ("demand", "bikes an hour")
    shown = lines(kind("model-groups").show(account, "demand"), "Versions")
    assert [line.split(",")[0] for line in shown] == [
        "version 2: PendingManualApproval", "version 1: Approved",
    ]  # fmt: skip
    assert kind("model-groups").child == "packages"
    assert verb("model-groups", "delete").typed
    with pytest.raises(OpsdeckError):
        verb("model-groups", "delete").do(account, "demand", {})
    for version in ("demand/1", "demand/2"):
        act(account, "packages", "delete", version, {})
    act(account, "model-groups", "delete", "demand", {})
    assert items(account, "model-groups") == []


def test_a_version_tells_its_metrics_and_its_parts_but_no_secret(account: Account) -> None:
    name = asking.register(account, mae=40.5)
    asking.register(account, "other")
    assert [item.id for item in items(account, "packages", "demand")] == [name]
    assert {item.id for item in items(account, "packages")} == {"demand/1", "other/1"}
    (item,) = items(account, "packages", "demand")
    assert (item.cells[1], item.cells[2], item.tone) == ("1", "PendingManualApproval", "wait")
    detail = kind("packages").show(account, name)
    assert "mae: 40.5" in lines(detail, "Metrics")
    assert lines(detail, "Properties") == ["season: spring"]
    assert "ModelDataUrl: s3://models/demand.tar.gz" in lines(detail, "Container 1")
    assert "Environment: API_KEY" in lines(detail, "Container 1")
    assert "not to be shown" not in everything(detail)
    arn = f"arn:aws:sagemaker:{account.region}:{account.account_id}:model-package/{name}"
    assert kind("packages").show(account, arn).title == detail.title


def test_a_version_is_approved_and_rejected_with_a_comment(account: Account) -> None:
    name = asking.register(account)
    assert verb("packages", "approve").dangerous
    with pytest.raises(BadInput, match="comment"):
        verb("packages", "approve").do(account, name, {"comment": " "})
    told = verb("packages", "approve").consequence(account, name, {})
    assert told[0] == "demand/1: PendingManualApproval → Approved"
    assert verb("packages", "approve").do(account, name, {"comment": "beats the champion"}) == (
        "demand/1 is Approved"
    )
    detail = kind("packages").show(account, name)
    assert "ApprovalDescription: beats the champion" in lines(detail, "Version")
    with pytest.raises(WrongState, match="is Approved already"):
        verb("packages", "approve").do(account, name, {"comment": "again"})
    (item,) = items(account, "packages", "demand")
    assert verb("packages", "approve").blocked(item) == "it is Approved already"
    assert verb("packages", "reject").blocked(item) is None
    act(account, "packages", "reject", name, {"comment": "leaks"})
    assert items(account, "packages", "demand")[0].tone == "bad"


def test_its_stage_is_set(account: Account) -> None:
    name = asking.register(account)
    assert verb("packages", "stage").consequence(account, name, {"stage": "Staging"}) == (
        "demand/1: no stage → Staging (PendingManualApproval)",
    )
    act(account, "packages", "stage", name, {"stage": "Staging", "status": "Approved"})
    assert items(account, "packages", "demand")[0].cells[3] == "Staging Approved"
    assert "Stage: Staging: Approved" in lines(kind("packages").show(account, name), "Version")


def test_a_reader_changes_nothing(account: Account, aws: SimulatedAccount) -> None:
    name = asking.register(account)
    reader = Account(account.context, read_only=True, attempts=1)
    before = len(aws.calls)
    for each, values in (("approve", {"comment": "x"}), ("reject", {"comment": "x"}),
                         ("stage", {"stage": "Staging"}), ("delete", {})):  # fmt: skip
        with pytest.raises(ReadOnly):
            verb("packages", each).do(reader, name, values)
    sent = {call.operation for call in aws.calls[before:]}
    assert sent <= {"DescribeModelPackage", "GetCallerIdentity"}


def test_what_may_not_be_read_is_said_in_its_place(account: Account, aws: SimulatedAccount) -> None:
    name = asking.register(account)
    aws.fault("s3:GetObject", "AccessDeniedException", times=2)
    aws.fault("sagemaker:ListArtifacts", "AccessDeniedException", times=2)
    detail = kind("packages").show(account, name)
    assert any("s3:GetObject" in line for line in lines(detail, "Metrics"))
    assert any("sagemaker:ListArtifacts" in line for line in lines(detail, "Lineage"))
    assert lines(detail, "Properties")


@pytest.mark.parametrize(
    ("report", "numbers"),
    [
        ({"regression_metrics": {"mae": {"value": 1.5, "standard_deviation": "NaN"}}},
         {("regression_metrics", "mae"): 1.5}),
        ({"mae": 2}, {("mae",): 2.0}),
        ({"version": 1, "a": {"b": {"c": 3.0}}, "ok": True, "t": "x", "l": [1]},
         {("a", "b", "c"): 3.0}),
        (None, {}),
    ],
)  # fmt: skip
def test_numbers_are_found_in_any_report(
    report: object, numbers: dict[tuple[str, ...], float]
) -> None:
    assert dict(numbers_in(report)) == numbers


def test_numbers_called_alike_say_what_they_are_part_of(account: Account) -> None:
    report = {"train": {"mae": 1.0}, "test": {"mae": 2.0}, "rows": 3}
    uri = asking.report(account, "alike.json", report)
    package = {"ModelMetrics": {"ModelQuality": {"Statistics": {"S3Uri": uri}}}}
    assert quality_numbers(account, package) == (
        {"train.mae": 1.0, "test.mae": 2.0, "rows": 3.0}, "",
    )  # fmt: skip


def test_clarifys_reports_of_a_version_are_shown(account: Account) -> None:
    name = asking.register(account)
    shap = {"label0": {"global_shap_values": {"hr": 0.3, "temp": 0.1}, "expected_value": 190.0}}
    uri = asking.report(account, "analysis.json", {"explanations": {"kernel_shap": shap}})
    answer = account.call(
        "sagemaker", "create_model_package", ModelPackageGroupName="demand",
        InferenceSpecification={
            "Containers": [{"Image": asking.IMAGE, "ModelDataUrl": "s3://models/demand.tar.gz"}],
            "SupportedContentTypes": ["text/csv"],
            "SupportedResponseMIMETypes": ["application/json"],
        },
        ModelMetrics={
            "Explainability": {"Report": {"ContentType": "application/json", "S3Uri": uri}}
        },
    )  # fmt: skip
    assert answer["ModelPackageArn"].endswith("demand/2") and name == "demand/1"
    detail = kind("packages").show(account, "demand/2")
    assert lines(detail, "Attributions of label0 (kernel_shap)")[0] == "hr: 0.3  75%"


def test_lineage_names_what_a_version_goes_to(account: Account, aws: SimulatedAccount) -> None:
    name = asking.register(account)
    arn = f"arn:aws:sagemaker:{account.region}:{account.account_id}:model-package/{name}"
    found = account.call("sagemaker", "list_artifacts", SourceUri=arn)["ArtifactSummaries"]
    data = account.call(
        "sagemaker", "create_artifact", ArtifactType="DataSet",
        Source={"SourceUri": "s3://lake/rentals"},
    )["ArtifactArn"]  # fmt: skip
    account.call(
        "sagemaker", "add_association", SourceArn=data, DestinationArn=found[0]["ArtifactArn"],
        AssociationType="ContributedTo",
    )  # fmt: skip
    shown = lines(kind("packages").show(account, name), "Lineage")
    assert "made from: DataSet: s3://lake/rentals" in shown


def test_deployable_models_are_shown_and_deleted(account: Account) -> None:
    account.call(
        "sagemaker", "create_model", ModelName="january", ExecutionRoleArn=asking.ROLE,
        PrimaryContainer={"Image": asking.IMAGE, "ModelDataUrl": "s3://models/a.tar.gz",
                          "Environment": {"TOKEN": "not to be shown"}},
    )  # fmt: skip
    (item,) = items(account, "sm-models")
    detail = kind("sm-models").show(account, item.id)
    assert "ModelDataUrl: s3://models/a.tar.gz" in lines(detail, "Container 1")
    assert "not to be shown" not in everything(detail)
    act(account, "sm-models", "delete", "january", {})
    assert items(account, "sm-models") == []


def test_experiments_are_read_only_and_name_their_successor(account: Account) -> None:
    account.call("sagemaker", "create_experiment", ExperimentName="bikes")
    account.call("sagemaker", "create_trial", TrialName="first", ExperimentName="bikes")
    account.call(
        "sagemaker", "create_trial_component", TrialComponentName="train-1",
        DisplayName="training", Parameters={"depth": {"NumberValue": 6.0},
                                            "loss": {"StringValue": "mae"}},
        OutputArtifacts={"model": {"Value": "s3://models/a.tar.gz"}},
        Status={"PrimaryStatus": "Completed"},
    )  # fmt: skip
    account.call(
        "sagemaker", "associate_trial_component", TrialComponentName="train-1", TrialName="first"
    )
    assert [item.id for item in items(account, "experiments")] == ["bikes"]
    assert [item.id for item in items(account, "trials", "bikes")] == ["first"]
    (component,) = items(account, "trial-components", "first")
    assert component.id == "train-1"
    detail = kind("trial-components").show(account, component.id)
    assert lines(detail, "Parameters") == ["depth: 6", "loss: mae"]
    assert lines(detail, "Outputs") == ["model: s3://models/a.tar.gz"]
    for name in ("experiments", "trials", "trial-components"):
        assert "managed MLflow" in kind(name).notice
        assert kind(name).verbs == kind(name).create == ()
        assert kind(name).show(account, items(account, name)[0].id).sections
    assert (kind("experiments").child, kind("trials").child) == ("trials", "trial-components")


def test_managed_mlflow_opens_starts_stops_and_says_how_a_workspace_uses_it(
    account: Account, aws: SimulatedAccount
) -> None:
    account.call(
        "sagemaker", "create_mlflow_tracking_server", TrackingServerName="team",
        ArtifactStoreUri="s3://tracking/a", RoleArn=asking.ROLE,
    )  # fmt: skip
    act(account, "mlflow", "create", "",
        {"name": "bikes", "artifacts": "s3://tracking/b", "role": asking.ROLE})  # fmt: skip
    aws.advance(3600)
    server, app = items(account, "mlflow")
    assert (server.id, server.cells[1], server.tone) == ("team", "tracking server", "ok")
    assert (app.cells[0], app.cells[1], app.tone) == ("bikes", "serverless app", "ok")
    for each in (server, app):
        arn = each.raw.get("Arn") or each.raw["TrackingServerArn"]
        assert f"tracking: {arn}" in lines(
            kind("mlflow").show(account, each.id), "As tracking store"
        )
        assert "open within 5 minutes: http" in act(account, "mlflow", "open", each.id, {})
    assert verb("mlflow", "start").blocked(server) == "it runs already"
    assert verb("mlflow", "stop").blocked(app) is not None
    act(account, "mlflow", "stop", "team", {})
    aws.advance(3600)
    stopped = items(account, "mlflow")[0]
    assert stopped.cells[2] == "Stopped"
    act(account, "mlflow", "start", "team", {})
    aws.advance(3600)
    assert items(account, "mlflow")[0].tone == "ok"


def test_a_region_without_serverless_apps_still_lists_the_servers(
    account: Account, aws: SimulatedAccount
) -> None:
    account.call(
        "sagemaker", "create_mlflow_tracking_server", TrackingServerName="team",
        ArtifactStoreUri="s3://tracking/a", RoleArn=asking.ROLE,
    )  # fmt: skip
    aws.fault("sagemaker:ListMlflowApps", "UnknownOperationException", message="no such operation")
    found = items(account, "mlflow")
    assert found[0].id == "team"
    assert found[1].tone == "bad"


def test_a_report_too_large_is_not_read(account: Account) -> None:
    from core.aws.s3objects import read_bytes

    uri = asking.report(account, "large.json", {"text": "x" * 2000})
    with pytest.raises(BadRequest, match="more than 1,000"):
        read_bytes(account, uri, 1000)
    with pytest.raises(BadInput, match="no address on S3"):
        read_bytes(account, "https://example.com/a")
